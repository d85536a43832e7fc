//! Clips to samples in the cache, all cores at work, with progress and a way out.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use emotion::{Clip, Inputs, Manifest, Modalities, Sample, Split};
use media::{MediaError, Request, SampleCache};

use crate::in_order::in_order;
use crate::sequences::{self, ClipSequence, SequenceReader};
use crate::truth::Truths;
use crate::{Control, Event, TrainError};

/// Threads besides one a core: somebody always waits, for the disk or for a face to be found.
const N_MORE_THREADS: usize = 1;
/// Between two reports of progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// A clip that can be used.
#[derive(Debug, Clone)]
pub struct PreparedClip {
    /// The clip.
    pub clip: Clip,
    /// Its file; the dataset's folder where it has none.
    pub path: PathBuf,
    /// Key of what was decoded, in the cache; `None` where the model needs no media or the clip has none.
    pub key: Option<String>,
    /// What is said, if the model reads it.
    pub text: Option<String>,
    /// Features that the model reads.
    pub sequences: Vec<ClipSequence>,
    /// What the sample has.
    pub present: Modalities,
}

/// Errors when the dataset's clips are not where they were.
pub(crate) fn check_there(manifest: &Manifest) -> Result<(), TrainError> {
    match datasets::is_away(manifest) {
        true => Err(TrainError::Away { root: manifest.root.clone() }),
        false => Ok(()),
    }
}

/// Prepares `clips` of `manifest`; those that cannot be used are reported and left out.
///
/// Stops with [`TrainError::Stopped`] when asked to; what is in the cache then need not be done again.
pub fn prepare<'a>(
    manifest: &Manifest,
    clips: impl IntoIterator<Item = &'a Clip>,
    inputs: &Inputs,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<Vec<PreparedClip>, TrainError> {
    check_there(manifest)?;
    let clips: Vec<&Clip> = clips.into_iter().collect();
    let total = clips.len();
    let mut prepared = Vec::with_capacity(total);
    let start = Instant::now();
    on_event(Event::Preparing { done: 0, total, remaining_secs: None });
    let reader = SequenceReader::new(manifest);
    let sequences = sequences::find(manifest, &clips, &inputs.features, &reader, on_event)?;
    let mut sequences = sequences.into_iter();
    let n_threads = rayon::current_num_threads() + N_MORE_THREADS;
    let (mut done, mut told) = (0, Instant::now());
    in_order(
        &clips,
        n_threads,
        |clip| decoded(manifest, clip, inputs, cache),
        |&clip, result| {
            control.wait_while_paused();
            if control.is_stopping() {
                return Err(TrainError::Stopped);
            }
            let sequences = sequences.next().unwrap_or_default();
            let result = match result {
                Err(error) if !sequences.is_empty() && !matches!(error, MediaError::Cache { .. }) => {
                    let notes = vec![format!("{error}: only its features are used")];
                    Ok(Decoded { key: None, text: None, present: Modalities::NONE, notes })
                }
                result => result,
            };
            let path = name_of(manifest, clip);
            match result {
                Ok(Decoded { key, text, present, notes }) => {
                    for note in notes {
                        on_event(Event::Warning { path: path.clone(), reason: note });
                    }
                    let features = sequences.iter().map(|sequence| sequence.modality);
                    let present = features.fold(present, |all, modality| all.with(modality, true));
                    if present.is_empty() {
                        on_event(Event::Warning { path, reason: nothing(clip, inputs) });
                    } else {
                        prepared.push(PreparedClip { clip: clip.clone(), path, key, text, sequences, present });
                    }
                }
                // A disk that is full will be full for the next clip too; a bad clip is only itself.
                Err(error @ MediaError::Cache { .. }) => return Err(error.into()),
                Err(error) => on_event(Event::Warning { path, reason: format!("{error}: skipped") }),
            }
            done += 1;
            if done == total || told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                let per_clip = start.elapsed().as_secs_f64() / done as f64;
                on_event(Event::Preparing { done, total, remaining_secs: Some(per_clip * (total - done) as f64) });
            }
            Ok(())
        },
    )?;
    Ok(prepared)
}

/// Prepares the clips of a split that have what is learned or scored; how many have not is reported.
pub(crate) fn prepare_rated(
    manifest: &Manifest,
    split: Split,
    inputs: &Inputs,
    truths: &Truths,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<Vec<PreparedClip>, TrainError> {
    let mut prepared = prepare(manifest, manifest.split(split), inputs, cache, control, on_event)?;
    let n_prepared = prepared.len();
    prepared.retain(|clip| truths.knows(&clip.clip));
    if prepared.len() < n_prepared {
        let n = n_prepared - prepared.len();
        let reason = format!("clips of {} that nobody rated, left out: {n}", split.name());
        on_event(Event::Warning { path: manifest.root.clone(), reason });
    }
    Ok(prepared)
}

/// What a clip has besides features.
struct Decoded {
    key: Option<String>,
    text: Option<String>,
    present: Modalities,
    notes: Vec<String>,
}

fn decoded(manifest: &Manifest, clip: &Clip, inputs: &Inputs, cache: &SampleCache) -> Result<Decoded, MediaError> {
    let of = |key, sample: Sample, notes| Decoded { key, present: inputs.present(&sample), text: sample.text, notes };
    if !inputs.needs_media() || !(clip.has_media() || clip.audio.is_some()) {
        let text = inputs.text.and(clip.text.clone()).filter(|text| !text.trim().is_empty());
        return Ok(of(None, Sample { text, ..Sample::default() }, Vec::new()));
    }
    let path = if clip.has_media() { manifest.clip_path(clip) } else { PathBuf::new() };
    let audio = clip.audio.as_ref().map(|audio| manifest.root.join(audio));
    let text = clip.text.as_deref();
    let ((faces, face, choice), detectors) = (manifest.face_of(clip), cache.detectors());
    let request = Request { path: &path, audio: audio.as_deref(), text, faces, face, choice, detectors, inputs };
    let (key, found) = cache.prepare(&request)?;
    Ok(of(Some(key), found.sample, found.notes))
}

/// What a clip is called by: its file, that of its sound, or its name where it has neither.
fn name_of(manifest: &Manifest, clip: &Clip) -> PathBuf {
    match &clip.audio {
        _ if clip.has_media() => manifest.clip_path(clip),
        Some(audio) => manifest.root.join(audio),
        None => PathBuf::from(&clip.id),
    }
}

/// Why a clip is of no use.
fn nothing(clip: &Clip, inputs: &Inputs) -> String {
    match inputs.features.is_empty() {
        true => "it has no face, no voice and no text: skipped".into(),
        false => format!("clip {:?} has none of the features that the model reads: skipped", clip.id),
    }
}
