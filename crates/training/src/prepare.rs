//! Clips to samples in the cache, all cores at work, with progress and a way out.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use emotion::{Clip, Inputs, Manifest, Modalities, Sample};
use media::{MediaError, Request, SampleCache};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::sequences::{self, ClipSequence, SequenceReader};
use crate::{Control, Event, TrainError};

/// Clips for each core between two looks at the control and reports of progress. A core that waits for a face to be found begins
/// the next clip meanwhile, so that as many clips are in memory at once.
const CLIPS_A_CORE: usize = 2;

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
    let clips: Vec<&Clip> = clips.into_iter().collect();
    let total = clips.len();
    let n_fresh = AtomicUsize::new(0);
    let mut prepared = Vec::with_capacity(total);
    let start = Instant::now();
    on_event(Event::Preparing { done: 0, total, remaining_secs: None });
    let reader = SequenceReader::new(manifest);
    let sequences = sequences::find(manifest, &clips, &inputs.features, &reader, on_event)?;
    let mut sequences = sequences.into_iter();
    for chunk in clips.chunks(CLIPS_A_CORE * rayon::current_num_threads()) {
        control.wait_while_paused();
        if control.is_stopping() {
            return Err(TrainError::Stopped);
        }
        let results: Vec<_> = chunk
            .par_iter()
            .map(|&clip| {
                let path = if clip.has_media() { manifest.clip_path(clip) } else { PathBuf::new() };
                let audio = clip.audio.as_ref().map(|audio| manifest.root.join(audio));
                let result = decoded(manifest, clip, &path, audio.as_deref(), inputs, cache);
                n_fresh.fetch_add(1, Ordering::Relaxed);
                // What has no file of its own is called by its name.
                let path = [Some(path), audio].into_iter().flatten().find(|path| !path.as_os_str().is_empty());
                (clip, path.unwrap_or_else(|| PathBuf::from(&clip.id)), result)
            })
            .collect();
        for ((clip, path, result), sequences) in results.into_iter().zip(sequences.by_ref()) {
            let result = match result {
                Err(error) if !sequences.is_empty() && !matches!(error, MediaError::Cache { .. }) => {
                    let notes = vec![format!("{error}: only its features are used")];
                    Ok(Decoded { key: None, sample: Sample::default(), notes })
                }
                result => result,
            };
            match result {
                Ok(Decoded { key, sample, notes }) => {
                    for note in notes {
                        on_event(Event::Warning { path: path.clone(), reason: note });
                    }
                    let features = sequences.iter().map(|sequence| sequence.modality);
                    let present = features.fold(inputs.present(&sample), |all, modality| all.with(modality, true));
                    if present.is_empty() {
                        let reason = nothing(clip, inputs);
                        on_event(Event::Warning { path, reason });
                        continue;
                    }
                    let text = sample.text;
                    prepared.push(PreparedClip { clip: clip.clone(), path, key, text, sequences, present });
                }
                // A disk that is full will be full for the next clip too; a bad clip is only itself.
                Err(error @ MediaError::Cache { .. }) => return Err(error.into()),
                Err(error) => {
                    on_event(Event::Warning { path, reason: format!("{error}: skipped") });
                }
            }
        }
        let done = n_fresh.load(Ordering::Relaxed);
        let per_clip = start.elapsed().as_secs_f64() / done as f64;
        on_event(Event::Preparing { done, total, remaining_secs: Some(per_clip * (total - done) as f64) });
    }
    Ok(prepared)
}

/// What a clip has besides features.
struct Decoded {
    key: Option<String>,
    sample: Sample,
    notes: Vec<String>,
}

fn decoded(
    manifest: &Manifest,
    clip: &Clip,
    path: &Path,
    audio: Option<&Path>,
    inputs: &Inputs,
    cache: &SampleCache,
) -> Result<Decoded, MediaError> {
    if !inputs.needs_media() || !(clip.has_media() || audio.is_some()) {
        let text = inputs.text.and(clip.text.clone()).filter(|text| !text.trim().is_empty());
        return Ok(Decoded { key: None, sample: Sample { text, ..Sample::default() }, notes: Vec::new() });
    }
    let text = clip.text.as_deref();
    let ((faces, face, choice), detectors) = (manifest.face_of(clip), cache.detectors());
    let request = Request { path, audio, text, faces, face, choice, detectors, inputs };
    let (key, found) = cache.prepare(&request)?;
    Ok(Decoded { key: Some(key), sample: found.sample, notes: found.notes })
}

/// Why a clip is of no use.
fn nothing(clip: &Clip, inputs: &Inputs) -> String {
    match inputs.features.is_empty() {
        true => "it has no face, no voice and no text: skipped".into(),
        false => format!("clip {:?} has none of the features that the model reads: skipped", clip.id),
    }
}
