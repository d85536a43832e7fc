//! A first look into every clip of a fresh manifest: does it open, what does it have, how long is it.

use std::sync::atomic::{AtomicUsize, Ordering};

use emotion::{Clip, Manifest, Modalities, Modality, Problem};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

/// Probes all clips in parallel; unreadable ones move to the problems, the others learn their length and modalities.
///
/// `on_progress` gets clips done and clips in all. When `keep_going` says no, the rest stays as it is.
pub fn inspect(
    manifest: &mut Manifest,
    keep_going: &(dyn Fn() -> bool + Sync),
    on_progress: &(dyn Fn(usize, usize) + Sync),
) {
    let clips = std::mem::take(&mut manifest.clips);
    let total = clips.len();
    let done = AtomicUsize::new(0);
    let looked_at: Vec<(Clip, Option<String>)> = clips
        .into_par_iter()
        .map(|mut clip| {
            if !keep_going() {
                return (clip, None);
            }
            let problem = match media::probe(&manifest.root.join(&clip.path)) {
                Ok(info) => {
                    clip.duration_secs = Some(info.duration_secs as f32);
                    let present = Modalities::NONE
                        .with(Modality::Face, info.video.is_some())
                        .with(Modality::Voice, info.audio.is_some())
                        .with(Modality::Text, clip.text.is_some());
                    clip.present = Some(present);
                    None
                }
                Err(error) => Some(format!("{error}: skipped")),
            };
            on_progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            (clip, problem)
        })
        .collect();
    for (clip, problem) in looked_at {
        match problem {
            None => manifest.clips.push(clip),
            Some(reason) => manifest.problems.push(Problem { path: clip.path, reason }),
        }
    }
}
