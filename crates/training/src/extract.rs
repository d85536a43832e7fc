//! Features of clips as files: one `.npy` a clip, which models here and other tools read, and a manifest that names them.
//!
//! Files that are there already are kept, so that an extraction that was stopped goes on; the folder remembers how they were
//! made and takes no others.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use emotion::{Clip, FaceInput, FeatureRef, Frames, Inputs, Manifest, Modality, Stream};
use media::{FaceChoice, HOG_SIDE_PX, HOG_WIDTH, Request, STATISTICS_RATE_HZ, SampleCache};
use models::{DeviceId, Extractor, FACE_SIDE_PX, VOICE_RATE_HZ, WORD_WIDTH, compute};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};

use crate::run::{read, write_atomically};
use crate::{Control, Event, TrainError};

/// Mel bins of log-mel features, as AudioMAE takes them.
const LOG_MEL_BINS: usize = 128;
/// Mel bins below cepstral coefficients (HTK's and Kaldi's usual ones are 23 to 40).
const MFCC_BINS: usize = 26;
/// Clips between two looks at the control and reports of progress.
const CHUNK: usize = 16;
/// How the files of a folder were made.
const RECORD: &str = "features.toml";

/// A kind of features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// Kaldi-compatible log-mel energies, 128 every 10 ms.
    LogMel,
    /// Cepstral coefficients with first and second slopes, 39 every 10 ms.
    Mfcc,
    /// Statistics of pitch, loudness, voice quality and spectrum, once a clip.
    VoiceStatistics,
    /// Histograms of oriented gradients of the face, once a frame.
    Hog,
    /// Hashes of words and of their parts, once a word.
    Words,
    /// What a published network makes of faces or voices, by the key of its weights.
    Network(String),
}

impl FeatureKind {
    /// All kinds, by name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ["log-mel", "mfcc", "voice-statistics", "hog", "words"].into_iter().chain(Extractor::KEYS)
    }

    /// Whether weights are needed.
    pub fn needs_weights(&self) -> bool {
        matches!(self, Self::Network(_))
    }
}

impl FromStr for FeatureKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "log-mel" => Ok(Self::LogMel),
            "mfcc" => Ok(Self::Mfcc),
            "voice-statistics" => Ok(Self::VoiceStatistics),
            "hog" => Ok(Self::Hog),
            "words" => Ok(Self::Words),
            key if Extractor::KEYS.contains(&key) => Ok(Self::Network(key.to_owned())),
            _ => Err(format!("unknown features {name:?}: use {}", Self::names().collect::<Vec<_>>().join(", "))),
        }
    }
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogMel => "log-mel",
            Self::Mfcc => "mfcc",
            Self::VoiceStatistics => "voice-statistics",
            Self::Hog => "hog",
            Self::Words => "words",
            Self::Network(key) => key,
        })
    }
}

/// What to extract, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extraction {
    /// The features.
    pub kind: FeatureKind,
    /// Published weights, where the kind needs them.
    pub weights: Option<PathBuf>,
    /// Frames of a clip, for faces.
    pub n_frames: usize,
}

/// How features are made: by arithmetic, or by a network.
enum Maker {
    Voice { n_dims: usize, rate_hz: u32, make: fn(&[f32]) -> Vec<f32> },
    Face { n_dims: usize, side_px: usize, make: fn(&[u8]) -> Vec<f32> },
    Text { n_dims: usize, make: fn(&str) -> Vec<f32> },
    Network(Extractor),
}

impl Maker {
    fn new(extraction: &Extraction, device: &DeviceId) -> Result<Self, TrainError> {
        let rate_hz = VOICE_RATE_HZ;
        Ok(match &extraction.kind {
            FeatureKind::LogMel => Self::Voice {
                n_dims: LOG_MEL_BINS,
                rate_hz,
                make: |samples| media::log_mel(samples, VOICE_RATE_HZ, LOG_MEL_BINS).values,
            },
            FeatureKind::Mfcc => Self::Voice {
                n_dims: 3 * media::N_CEPSTRA,
                rate_hz,
                make: |samples| media::mfcc(&media::log_mel(samples, VOICE_RATE_HZ, MFCC_BINS)),
            },
            FeatureKind::VoiceStatistics => Self::Voice {
                n_dims: media::voice_statistic_names().len(),
                rate_hz: STATISTICS_RATE_HZ,
                make: |samples| media::voice_statistics(samples).unwrap_or_default(),
            },
            FeatureKind::Hog => Self::Face { n_dims: HOG_WIDTH, side_px: HOG_SIDE_PX, make: media::hog },
            FeatureKind::Words => Self::Text { n_dims: WORD_WIDTH, make: models::hashed_words },
            FeatureKind::Network(key) => {
                let weights = extraction.weights.as_deref().ok_or_else(|| TrainError::NoWeights(key.clone()))?;
                Self::Network(Extractor::open(key, weights, &compute::open(device)?)?)
            }
        })
    }

    fn n_dims(&self) -> usize {
        match self {
            Self::Voice { n_dims, .. } | Self::Face { n_dims, .. } | Self::Text { n_dims, .. } => *n_dims,
            Self::Network(network) => network.n_dims(),
        }
    }

    fn modality(&self) -> Modality {
        match self {
            Self::Face { .. } => Modality::Face,
            Self::Network(network) if network.sees() => Modality::Face,
            Self::Voice { .. } | Self::Network(_) => Modality::Voice,
            Self::Text { .. } => Modality::Text,
        }
    }
}

/// Extracts features of all clips of `manifest` into `dir` and returns the manifest with their stream.
///
/// A clip without the modality, or of which nothing can be read, is reported and has no file. Stops with
/// [`TrainError::Stopped`] when asked to; what is made by then stays.
///
/// # Errors
///
/// Weights that are missing or of another network, a folder that holds features made otherwise or that cannot be written.
pub fn extract(
    manifest: &Manifest,
    extraction: &Extraction,
    dir: &Path,
    device: &DeviceId,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<Manifest, TrainError> {
    claim(dir, extraction)?;
    let maker = Maker::new(extraction, device)?;
    let (total, start) = (manifest.clips.len(), Instant::now());
    let mut lengths = vec![None; total];
    let (mut n_fresh, mut done) = (0, 0);
    on_event(Event::Preparing { done, total, remaining_secs: None });
    for (clips, lengths) in manifest.clips.chunks(CHUNK).zip(lengths.chunks_mut(CHUNK)) {
        control.wait_while_paused();
        if control.is_stopping() {
            return Err(TrainError::Stopped);
        }
        let work = |clip: &Clip| one(manifest, clip, extraction, &maker, dir, cache);
        // A network keeps all cores busy with one clip.
        let results: Vec<_> = match maker {
            Maker::Voice { .. } | Maker::Face { .. } | Maker::Text { .. } => clips.par_iter().map(work).collect(),
            Maker::Network(_) => clips.iter().map(work).collect(),
        };
        for ((clip, result), length) in clips.iter().zip(results).zip(lengths) {
            match result {
                Ok(Made { n_steps, fresh }) => {
                    n_fresh += usize::from(fresh);
                    *length = Some(n_steps);
                }
                Err(error @ TrainError::Features(features::FeatureError::Write { .. })) => return Err(error),
                Err(error) => {
                    let path = manifest.clip_path(clip);
                    on_event(Event::Warning { path, reason: format!("no features: {error}") });
                }
            }
        }
        done += clips.len();
        let per_clip = start.elapsed().as_secs_f64() / f64::from(n_fresh.max(1) as u32);
        on_event(Event::Preparing { done, total, remaining_secs: Some(per_clip * (total - done) as f64) });
    }
    Ok(with_stream(manifest, extraction, &maker, dir, &lengths))
}

/// What became of a clip.
struct Made {
    n_steps: usize,
    fresh: bool,
}

fn one(
    manifest: &Manifest,
    clip: &Clip,
    extraction: &Extraction,
    maker: &Maker,
    dir: &Path,
    cache: &SampleCache,
) -> Result<Made, TrainError> {
    let path = dir.join(file_name(clip));
    let n_dims = maker.n_dims();
    if let Ok(store) = features::Store::open(&path)
        && let Some(&[n_steps, width]) = store.shape("")
        && width == n_dims
    {
        return Ok(Made { n_steps, fresh: false });
    }
    let nothing = |what| Err(TrainError::NothingToExtract { clip: clip.id.clone(), what });
    let values = match maker {
        Maker::Text { make, .. } => match clip.text.as_deref() {
            Some(text) => make(text),
            None => return nothing("no text"),
        },
        Maker::Voice { rate_hz, make, .. } => match sound(manifest, clip, *rate_hz)? {
            Some(samples) => make(&samples),
            None => return nothing("no audio track"),
        },
        Maker::Network(network) if !network.sees() => match sound(manifest, clip, VOICE_RATE_HZ)? {
            Some(samples) => network.voice(&samples)?,
            None => return nothing("no audio track"),
        },
        Maker::Network(network) => match face(manifest, clip, extraction.n_frames, FACE_SIDE_PX, cache)? {
            Some(frames) => network.faces(&frames)?,
            None => return nothing("no face"),
        },
        Maker::Face { side_px, make, .. } => match face(manifest, clip, extraction.n_frames, *side_px, cache)? {
            // A short clip's last frame is repeated for models that need their number, not here.
            Some(frames) => (0..frames.n_frames())
                .filter(|&frame_idx| frames.valid[frame_idx])
                .flat_map(|frame_idx| make(frames.frame(frame_idx)))
                .collect(),
            None => return nothing("no face"),
        },
    };
    if values.is_empty() {
        return nothing("too short, silent or without words");
    }
    let n_steps = values.len() / n_dims;
    features::write_npy(&path, &[n_steps, n_dims], &values)?;
    Ok(Made { n_steps, fresh: true })
}

/// The sound of a clip.
fn sound(manifest: &Manifest, clip: &Clip, rate_hz: u32) -> Result<Option<Vec<f32>>, TrainError> {
    let path = clip.audio.as_ref().map_or_else(|| manifest.clip_path(clip), |audio| manifest.root.join(audio));
    Ok(media::decode_audio(&path, rate_hz)?)
}

/// The face crops of a clip.
fn face(
    manifest: &Manifest,
    clip: &Clip,
    n_frames: usize,
    size_px: usize,
    cache: &SampleCache,
) -> Result<Option<Frames>, TrainError> {
    let path = manifest.clip_path(clip);
    let face = FaceInput { n_frames, size_px };
    let inputs = Inputs { face: Some(face), voice: None, text: None, features: Vec::new() };
    let (faces, face, choice, detectors) = (manifest.faces, clip.face, FaceChoice::Size, cache.detectors());
    let request = Request { path: &path, audio: None, text: None, faces, face, choice, detectors, inputs: &inputs };
    Ok(cache.prepare(&request)?.1.sample.face)
}

/// A clip's name as a file can be called on every system; two clips never get the same.
fn file_name(clip: &Clip) -> String {
    let plain: String =
        clip.id.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).take(80).collect();
    let hash = blake3::hash(clip.id.as_bytes()).to_hex();
    if plain == clip.id { format!("{plain}.npy") } else { format!("{plain}-{}.npy", &hash[..8]) }
}

/// Makes `dir`, or checks that what is in it was made in the same way.
fn claim(dir: &Path, extraction: &Extraction) -> Result<(), TrainError> {
    std::fs::create_dir_all(dir).map_err(|source| TrainError::Write { path: dir.to_owned(), source })?;
    let path = dir.join(RECORD);
    if !path.exists() {
        let text = toml::to_string(extraction).expect("an extraction is plain TOML");
        return write_atomically(&path, text.as_bytes());
    }
    match toml::from_str::<Extraction>(&read(&path)?) {
        Ok(other) if other == *extraction => Ok(()),
        _ => Err(TrainError::OtherFeatures { kind: extraction.kind.to_string(), path: dir.to_owned() }),
    }
}

/// The manifest with the features of those clips that have some.
fn with_stream(
    manifest: &Manifest,
    extraction: &Extraction,
    maker: &Maker,
    dir: &Path,
    lengths: &[Option<usize>],
) -> Manifest {
    let mut manifest = manifest.clone();
    let name = extraction.kind.to_string();
    let stream = manifest.streams.iter().position(|stream| stream.name == name).unwrap_or_else(|| {
        manifest.streams.push(Stream {
            name: name.clone(),
            modality: maker.modality(),
            n_dims: maker.n_dims(),
            aligned: false,
        });
        manifest.streams.len() - 1
    });
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    // Inside of the dataset a path stays true when both are moved.
    let dir = dir.strip_prefix(&manifest.root).map(Path::to_owned).unwrap_or(dir);
    for (clip, length) in manifest.clips.iter_mut().zip(lengths) {
        clip.features.retain(|feature| feature.stream != stream);
        clip.features.extend(length.map(|n_steps| FeatureRef {
            stream,
            path: dir.join(file_name(clip)),
            array: None,
            row: None,
            first_dim: 0,
            first_step: 0,
            n_steps,
        }));
    }
    manifest
}
