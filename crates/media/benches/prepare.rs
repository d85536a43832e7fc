//! How fast a clip becomes a sample: 60 frames of 128 × 128, 2.4 s of sound, without and with looking for a face.

use criterion::Criterion;
use emotion::{FaceChoice, FaceInput, FaceSource, Inputs, TextInput, VoiceInput};
use limbic_media::sample_clips::{SampleSet, create};
use limbic_media::{BUILT_IN, Request, prepare};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let dir = tempfile::tempdir().expect("the system has a folder for temporary files");
    let set = SampleSet { n_clips: 14, n_classes: 7, seed: 1 };
    create(dir.path(), &set, &|| true, &|_, _| {}).expect("a few small clips fit the disk");
    let clips = std::fs::read_dir(dir.path().join("clips")).expect("the clips were just made");
    let path = clips.flatten().map(|entry| entry.path()).min().expect("there are several clips");
    let inputs = Inputs {
        face: Some(FaceInput { n_frames: 16, size_px: 64 }),
        voice: Some(VoiceInput::LogMel { rate_hz: 16000, n_frames: 300, n_bins: 64 }),
        text: Some(TextInput { max_tokens: 32 }),
        features: Vec::new(),
    };
    for (name, faces) in [("cropped", FaceSource::Cropped), ("detect", FaceSource::Detect)] {
        let request = Request {
            path: &path,
            audio: None,
            text: Some("a caption"),
            faces,
            face: None,
            choice: FaceChoice::Size,
            detectors: &BUILT_IN,
            inputs: &inputs,
        };
        criterion.bench_function(&format!("prepare a sample clip, {name}"), |bencher| {
            bencher.iter(|| prepare(&request).expect("the clip is whole"));
        });
    }
    criterion.final_summary();
}
