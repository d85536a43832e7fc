//! Features of clips as files: one `.npy` a clip, which models here and other tools read, and a manifest that names them.
//!
//! Files that are there already are kept, so that an extraction that was stopped goes on; the folder remembers how they were
//! made and takes no others.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use emotion::{Clip, FaceInput, FeatureRef, Inputs, Manifest, Modality, Stream};
use media::{Request, STATISTICS_RATE_HZ, SampleCache};
use models::{DeviceId, Extractor, FACE_SIDE_PX, VOICE_RATE_HZ, compute};
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
    /// What a published network makes of faces or voices, by the key of its weights.
    Network(String),
}

impl FeatureKind {
    /// All kinds, by name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ["log-mel", "mfcc", "voice-statistics"].into_iter().chain(Extractor::KEYS)
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

/// How features are made: from a voice by arithmetic, or by a network.
enum Maker {
    Voice { n_dims: usize, rate_hz: u32, make: fn(&[f32]) -> Vec<f32> },
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
            FeatureKind::Network(key) => {
                let weights = extraction.weights.as_deref().ok_or_else(|| TrainError::NoWeights(key.clone()))?;
                Self::Network(Extractor::open(key, weights, &compute::open(device)?)?)
            }
        })
    }

    fn n_dims(&self) -> usize {
        match self {
            Self::Voice { n_dims, .. } => *n_dims,
            Self::Network(network) => network.n_dims(),
        }
    }

    fn modality(&self) -> Modality {
        match self {
            Self::Network(network) if network.sees() => Modality::Face,
            Self::Voice { .. } | Self::Network(_) => Modality::Voice,
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
            Maker::Voice { .. } => clips.par_iter().map(work).collect(),
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
    let path = dir.join(file_name(manifest, clip, maker.modality()));
    let n_dims = maker.n_dims();
    if let Ok(store) = features::Store::open(&path)
        && let Some(&[n_steps, width]) = store.shape("")
        && width == n_dims
    {
        return Ok(Made { n_steps, fresh: false });
    }
    let nothing = |what| Err(TrainError::NothingToExtract { clip: clip.id.clone(), what });
    let media = manifest.clip_path(clip);
    let values = if maker.modality() == Modality::Voice {
        let sound = clip.audio.as_ref().map_or(media, |audio| manifest.root.join(audio));
        let rate_hz = if let Maker::Voice { rate_hz, .. } = maker { *rate_hz } else { VOICE_RATE_HZ };
        let Some(samples) = media::decode_audio(&sound, rate_hz)? else { return nothing("no audio track") };
        match maker {
            Maker::Voice { make, .. } => make(&samples),
            Maker::Network(network) => network.voice(&samples)?,
        }
    } else {
        let face = FaceInput { n_frames: extraction.n_frames, size_px: FACE_SIDE_PX };
        let inputs = Inputs { face: Some(face), voice: None, text: None, features: Vec::new() };
        let ((faces, face, choice), detectors) = (manifest.face_of(clip), cache.detectors());
        let request =
            Request { path: &media, audio: None, text: None, faces, face, choice, detectors, inputs: &inputs };
        let (_, prepared) = cache.prepare(&request)?;
        match (maker, prepared.sample.face) {
            (Maker::Network(network), Some(frames)) => network.faces(&frames)?,
            _ => return nothing("no face"),
        }
    };
    if values.is_empty() {
        return nothing("too short, or silent");
    }
    let n_steps = values.len() / n_dims;
    features::write_npy(&path, &[n_steps, n_dims], &values)?;
    Ok(Made { n_steps, fresh: true })
}

/// A clip's name as a file can be called on every system; two clips never get the same, nor two people of one clip.
fn file_name(manifest: &Manifest, clip: &Clip, modality: Modality) -> String {
    let plain: String =
        clip.id.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).take(80).collect();
    let (_, _, person) = manifest.face_of(clip);
    let person = if modality == Modality::Face && !person.is_usual() { format!("\n{person}") } else { String::new() };
    if plain == clip.id && person.is_empty() {
        return format!("{plain}.npy");
    }
    let hash = blake3::hash(format!("{}{person}", clip.id).as_bytes()).to_hex();
    format!("{plain}-{}.npy", &hash[..8])
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
    before: &Manifest,
    extraction: &Extraction,
    maker: &Maker,
    dir: &Path,
    lengths: &[Option<usize>],
) -> Manifest {
    let mut manifest = before.clone();
    let name = extraction.kind.to_string();
    let stream = manifest.streams.iter().position(|stream| stream.name == name).unwrap_or_else(|| {
        manifest.streams.push(Stream {
            name: name.clone(),
            modality: maker.modality(),
            n_dims: maker.n_dims(),
            aligned: false,
            extracted: true,
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
            path: dir.join(file_name(before, clip, maker.modality())),
            array: None,
            row: None,
            first_dim: 0,
            first_step: 0,
            n_steps,
        }));
    }
    manifest
}
