//! Media files and devices in, samples out.
//!
//! A clip is decoded once, straight into what a model needs to see; prepared samples are kept in a [`SampleCache`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod acoustics;
#[cfg(test)]
mod broken_media;
mod cache;
mod camera;
mod captions;
mod cut;
mod decode;
mod detectors;
mod encode;
mod error;
mod face;
mod fbank;
mod film;
mod h264;
mod hearing;
mod hog;
mod microphone;
mod mono;
mod network;
mod opening;
mod orientation;
mod picker;
mod picture;
mod pictures;
mod player;
mod prepare;
mod resample;
pub mod sample_clips;
mod source;
mod speech;
mod stored;
mod subtitles;
#[cfg(test)]
mod test_media;
mod timetable;
mod upright;
mod waveform;

pub use acoustics::{MFCC_BINS, N_CEPSTRA, STATISTICS_RATE_HZ, mfcc, voice_statistic_names, voice_statistics};
pub use cache::SampleCache;
pub use camera::{Camera, CameraInfo, cameras};
pub use captions::{Captions, caption};
pub use decode::{AudioInfo, ClipInfo, Image, Sound, VideoInfo, decode_audio, probe, thumbnail};
pub use detectors::{BUILT_IN, Detectors};
pub use error::MediaError;
pub use face::{Face, FaceFinder, FaceModel, People, Person, chosen_face, crop_face, overlap, people, yunet};
pub use fbank::log_mel;
pub use hearing::voice_from_samples;
pub use hog::{HOG_SIDE_PX, HOG_WIDTH, hog};
pub use microphone::{Microphone, MicrophoneInfo, microphones};
pub use picker::{spread_frames, training_frames};
pub use picture::{Filter, centre_square, clip_square, letterbox, resize, resize_short_side, umbenet_square};
pub use player::{Chunk, Player};
pub use prepare::{Prepared, Request, frames_from_crops, prepare};
pub use resample::resample;
pub use speech::{SpeechListener, SpeechModel};
pub use subtitles::subtitles;
pub use waveform::waveform;
