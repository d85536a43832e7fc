//! Features of clips as files: one `.npy` a clip, which models here and other tools read, and a manifest that names
//! them.
//!
//! A file's name says of what it was made: the content of the clip, the settings and the content of the weights. What
//! is there under its name is kept, so that an extraction that was stopped goes on, and one that is repeated makes what
//! changed.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use emotion::{Clip, FaceChoice, FaceInput, FaceSource, FeatureRef, Frames, Inputs, Manifest, Modality, Stream};
use media::{HOG_SIDE_PX, HOG_WIDTH, MediaError, Request, STATISTICS_RATE_HZ, SampleCache};
use models::{DeviceId, Extractor, FACE_SIDE_PX, VOICE_RATE_HZ, WORD_WIDTH, compute};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::prepare::check_there;
use crate::{Control, Event, Speed, TrainError};

/// Mel bins of log-mel features, as AudioMAE takes them.
const LOG_MEL_BINS: usize = 128;
/// Clips between two looks at the control and reports of progress.
const CHUNK: usize = 16;
/// Changes whenever the same clip and settings give other features than before.
const VERSION: u32 = 2;
/// Digits of the key in the name of a file.
const KEY_DIGITS: usize = 16;
const EXTENSION: &str = "npy";

/// A kind of features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureKind {
    /// Kaldi-compatible log-mel energies, 128 every 10 ms.
    LogMel,
    /// Cepstral coefficients with first and second slopes, 39 every 10 ms.
    Mfcc,
    /// Statistics of pitch, loudness, voice quality, spectrum and cepstral coefficients, once a clip.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    /// The features.
    pub kind: FeatureKind,
    /// Published weights, where the kind needs them.
    pub weights: Option<PathBuf>,
    /// Frames of a clip, for faces.
    pub n_frames: usize,
    /// Of copies of the clips at this speed, for voices.
    pub speed: Option<Speed>,
}

impl Extraction {
    /// What the features are called: their kind, with the speed of a copy as in `mfcc@0.9`.
    pub fn stream(&self) -> String {
        match self.speed {
            Some(speed) => format!("{}@{speed}", self.kind),
            None => self.kind.to_string(),
        }
    }
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
                make: |samples| media::mfcc(&media::log_mel(samples, VOICE_RATE_HZ, media::MFCC_BINS)),
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

/// What an extraction made.
#[derive(Debug)]
pub struct Extracted {
    /// The dataset with the stream of the features.
    pub manifest: Manifest,
    /// Clips whose features were made.
    pub n_made: usize,
    /// Clips whose features were there, made of the same content in the same way.
    pub n_kept: usize,
    /// Files of the folder that the same clips had before they, the settings or the weights changed; nothing names them
    /// once the manifest is saved.
    pub outdated: Vec<PathBuf>,
}

/// Extracts features of all clips of `manifest` into `dir`.
///
/// A clip without the modality, or of which nothing can be read, is reported and has no file. Stops with
/// [`TrainError::Stopped`] when asked to; what is made by then stays.
///
/// # Errors
///
/// Weights that are missing or of another network, a speed for what is not heard, a folder that cannot be written.
pub fn extract(
    manifest: &Manifest,
    extraction: &Extraction,
    dir: &Path,
    device: &DeviceId,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<Extracted, TrainError> {
    if extraction.speed.is_some() && extraction.kind.modality() != Modality::Voice {
        return Err(TrainError::NoSpeed(extraction.kind.to_string()));
    }
    check_there(manifest)?;
    std::fs::create_dir_all(dir).map_err(|source| TrainError::Write { path: dir.to_owned(), source })?;
    let maker = Maker::new(extraction, device)?;
    let recipe = recipe(extraction)?;
    let total = manifest.clips.len();
    let mut files: Vec<Option<Made>> = Vec::with_capacity(total);
    let (mut n_made, mut done) = (0, 0);
    let (mut making, mut n_timed) = (Duration::ZERO, 0);
    on_event(Event::Preparing { done, total, remaining_secs: None });
    for clips in manifest.clips.chunks(CHUNK) {
        control.wait_while_paused();
        if control.is_stopping() {
            return Err(TrainError::Stopped);
        }
        let (begun, n_made_before) = (Instant::now(), n_made);
        let work = |clip: &Clip| one(manifest, clip, extraction, &recipe, &maker, dir, cache);
        // A network keeps all cores busy with one clip.
        let results: Vec<_> = match maker {
            Maker::Voice { .. } | Maker::Face { .. } | Maker::Text { .. } => clips.par_iter().map(work).collect(),
            Maker::Network(_) => clips.iter().map(work).collect(),
        };
        for (clip, result) in clips.iter().zip(results) {
            match result {
                Ok(mut made) => {
                    n_made += usize::from(made.fresh);
                    for reason in made.notes.drain(..) {
                        on_event(Event::Warning { path: manifest.clip_path(clip), reason });
                    }
                    files.push(Some(made));
                }
                // A full disk is full for the next clip, too.
                Err(
                    error @ (TrainError::Features(features::FeatureError::Write { .. })
                    | TrainError::Media(MediaError::Cache { .. })),
                ) => return Err(error),
                Err(error) => {
                    let path = manifest.clip_path(clip);
                    on_event(Event::Warning { path, reason: format!("no features: {error}") });
                    files.push(None);
                }
            }
        }
        done += clips.len();
        // Clips that are there already take no time, and say nothing of the others.
        if n_made > n_made_before {
            making += begun.elapsed();
            n_timed += clips.len();
        }
        let per_clip = (n_timed > 0).then(|| making.as_secs_f64() / n_timed as f64);
        let remaining_secs = per_clip.map(|per_clip| per_clip * (total - done) as f64);
        on_event(Event::Preparing { done, total, remaining_secs });
    }
    Ok(Extracted {
        n_made,
        n_kept: files.iter().flatten().count() - n_made,
        outdated: outdated(manifest, dir, &files),
        manifest: with_stream(manifest, extraction, &maker, dir, &files, n_made > 0),
    })
}

/// The features of a clip.
struct Made {
    file: String,
    n_steps: usize,
    fresh: bool,
    /// What is wrong with the clip, in words.
    notes: Vec<String>,
}

/// What all clips have in common: kind, settings and weights.
fn recipe(extraction: &Extraction) -> Result<blake3::Hasher, TrainError> {
    let mut recipe = blake3::Hasher::new();
    recipe.update(&VERSION.to_le_bytes()).update(extraction.stream().as_bytes());
    if let Some(path) = extraction.weights.as_deref().filter(|_| extraction.kind.needs_weights()) {
        let failed = |source| TrainError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        recipe.update_reader(file).map_err(failed)?;
    }
    Ok(recipe)
}

/// Files in `dir` of the clips of `manifest` other than those in `files`.
fn outdated(manifest: &Manifest, dir: &Path, files: &[Option<Made>]) -> Vec<PathBuf> {
    // Of a clip that could not be read this time, what there was stays.
    let current: HashMap<String, &str> = manifest
        .clips
        .iter()
        .zip(files)
        .filter_map(|(clip, made)| Some((stem(clip), made.as_ref()?.file.as_str())))
        .collect();
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let is_outdated = |path: &PathBuf| {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
        let Some(key_at) = name.len().checked_sub(KEY_DIGITS + 2 + EXTENSION.len()) else { return false };
        let stem = name.get(..key_at).filter(|_| name.ends_with(EXTENSION));
        stem.and_then(|stem| current.get(stem)).is_some_and(|&file| file != name)
    };
    let mut outdated: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_outdated).collect();
    outdated.sort();
    outdated
}

fn one(
    manifest: &Manifest,
    clip: &Clip,
    extraction: &Extraction,
    recipe: &blake3::Hasher,
    maker: &Maker,
    dir: &Path,
    cache: &SampleCache,
) -> Result<Made, TrainError> {
    let (hears, sees) = (maker.modality() == Modality::Voice, maker.modality() == Modality::Face);
    let media = match &clip.audio {
        Some(audio) if hears => manifest.root.join(audio),
        _ => manifest.clip_path(clip),
    };
    let size_px = if let Maker::Face { side_px, .. } = maker { *side_px } else { FACE_SIDE_PX };
    let face = sees.then_some(FaceInput { n_frames: extraction.n_frames, size_px });
    let inputs = Inputs { face, voice: None, text: None, features: Vec::new() };
    // Where faces are has no say in what is heard.
    let of_nobody = (FaceSource::Auto, None, FaceChoice::Size);
    let (faces, face, choice) = if sees { manifest.face_of(clip) } else { of_nobody };
    let detectors = cache.detectors();
    let request = Request { path: &media, audio: None, text: None, faces, face, choice, detectors, inputs: &inputs };
    let content = match maker {
        Maker::Text { .. } => clip.text.clone().unwrap_or_default(),
        Maker::Voice { .. } | Maker::Face { .. } | Maker::Network(_) => cache.key(&request)?,
    };
    let key = recipe.clone().update(content.as_bytes()).finalize().to_hex();
    let file = format!("{}-{}.{EXTENSION}", stem(clip), &key[..KEY_DIGITS]);
    let path = dir.join(&file);
    let n_dims = maker.n_dims();
    if let Ok(store) = features::Store::open(&path)
        && let Some(&[n_steps, width]) = store.shape("")
        && width == n_dims
    {
        return Ok(Made { file, n_steps, fresh: false, notes: Vec::new() });
    }
    let nothing = |what| Err(TrainError::NothingToExtract { clip: clip.id.clone(), what });
    let mut notes = Vec::new();
    let values = match maker {
        Maker::Text { make, .. } => match clip.text.as_deref() {
            Some(text) => make(text),
            None => return nothing("no text"),
        },
        Maker::Voice { rate_hz, make, .. } => match heard(&media, *rate_hz, extraction.speed, &mut notes)? {
            Some(samples) => make(&samples),
            None => return nothing("no audio track"),
        },
        Maker::Network(network) if hears => match heard(&media, VOICE_RATE_HZ, extraction.speed, &mut notes)? {
            Some(samples) => network.voice(&samples)?,
            None => return nothing("no audio track"),
        },
        Maker::Network(network) => match seen(cache, &request, &mut notes)? {
            Some(frames) => network.faces(&frames)?,
            None => return nothing("no face"),
        },
        Maker::Face { make, .. } => match seen(cache, &request, &mut notes)? {
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
    Ok(Made { file, n_steps, fresh: true, notes })
}

/// All sound of a file, faster or slower where asked for; what is wrong with it goes to `notes`.
fn heard(
    path: &Path,
    rate_hz: u32,
    speed: Option<Speed>,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<f32>>, TrainError> {
    let read_at_hz = speed.map_or(rate_hz, |speed| speed.read_at_hz(rate_hz));
    let Some(sound) = media::decode_audio(path, read_at_hz)? else { return Ok(None) };
    *notes = sound.notes;
    Ok(Some(sound.samples))
}

/// The faces of a clip; what is wrong with it goes to `notes`.
fn seen(cache: &SampleCache, request: &Request<'_>, notes: &mut Vec<String>) -> Result<Option<Frames>, TrainError> {
    let (_, prepared) = cache.prepare(request)?;
    *notes = prepared.notes;
    Ok(prepared.sample.face)
}

/// A clip's name as a file can be called on every system; two clips never get the same.
fn stem(clip: &Clip) -> String {
    let plain: String =
        clip.id.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).take(80).collect();
    let hash = blake3::hash(clip.id.as_bytes()).to_hex();
    if plain == clip.id { plain } else { format!("{plain}-{}", &hash[..8]) }
}

/// The manifest with the features of those clips that have some; without copies of what is made anew, which may be of
/// other clips or other weights.
fn with_stream(
    manifest: &Manifest,
    extraction: &Extraction,
    maker: &Maker,
    dir: &Path,
    files: &[Option<Made>],
    is_new: bool,
) -> Manifest {
    let mut manifest = manifest.clone();
    let made = Stream {
        name: extraction.stream(),
        modality: maker.modality(),
        n_dims: maker.n_dims(),
        aligned: false,
        extracted: true,
    };
    if is_new {
        manifest.drop_copies(&made.name);
    }
    let stream = match manifest.streams.iter().position(|stream| stream.name == made.name) {
        // An earlier version, or other weights, may have made other numbers of them.
        Some(known) => {
            manifest.streams[known] = made;
            known
        }
        None => {
            manifest.streams.push(made);
            manifest.streams.len() - 1
        }
    };
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    // Inside of the dataset a path stays true when both are moved.
    let dir = dir.strip_prefix(&manifest.root).map(Path::to_owned).unwrap_or(dir);
    for (clip, made) in manifest.clips.iter_mut().zip(files) {
        clip.features.retain(|feature| feature.stream != stream);
        clip.features.extend(made.as_ref().map(|made| FeatureRef {
            stream,
            path: dir.join(&made.file),
            array: None,
            row: None,
            first_dim: 0,
            first_step: 0,
            n_steps: made.n_steps,
        }));
    }
    manifest
}

#[cfg(test)]
mod tests;
