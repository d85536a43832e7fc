//! Clips to samples in the cache, all cores at work, with progress and a way out.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use emotion::{Clip, Inputs, Manifest, Modalities};
use media::{FaceChoice, MediaError, Request, SampleCache};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::{Control, Event, TrainError};

/// Clips prepared between two looks at the control and reports of progress.
const CHUNK: usize = 16;

/// A clip whose sample is in the cache.
#[derive(Debug, Clone)]
pub struct PreparedClip {
    /// The clip.
    pub clip: Clip,
    /// Its file.
    pub path: PathBuf,
    /// Key of its sample.
    pub key: String,
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
    for chunk in clips.chunks(CHUNK) {
        control.wait_while_paused();
        if control.is_stopping() {
            return Err(TrainError::Stopped);
        }
        let results: Vec<_> = chunk
            .par_iter()
            .map(|&clip| {
                let path = if clip.has_media() { manifest.clip_path(clip) } else { PathBuf::new() };
                let audio = clip.audio.as_ref().map(|audio| manifest.root.join(audio));
                let request = Request {
                    path: &path,
                    audio: audio.as_deref(),
                    text: clip.text.as_deref(),
                    faces: manifest.faces,
                    face: clip.face,
                    choice: FaceChoice::Size,
                    detectors: cache.detectors(),
                    inputs,
                };
                let result = cache.prepare(&request);
                n_fresh.fetch_add(1, Ordering::Relaxed);
                // What has no file of its own is called by its name.
                let path = [Some(path), audio].into_iter().flatten().find(|path| !path.as_os_str().is_empty());
                (clip, path.unwrap_or_else(|| PathBuf::from(&clip.id)), result)
            })
            .collect();
        for (clip, path, result) in results {
            match result {
                Ok((key, found)) => {
                    for note in found.notes {
                        on_event(Event::Warning { path: path.clone(), reason: note });
                    }
                    let present = found.sample.present();
                    if present.is_empty() {
                        let reason = "it has no face, no voice and no text: skipped".into();
                        on_event(Event::Warning { path, reason });
                        continue;
                    }
                    prepared.push(PreparedClip { clip: clip.clone(), path, key, present });
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
