//! A first look into every clip of a fresh manifest: does it open, what does it have, how long is it.

use std::sync::atomic::{AtomicUsize, Ordering};

use emotion::{Clip, Manifest, Modality, Problem};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

/// Probes all clips in parallel; unreadable ones move to the problems, the others learn their length and modalities.
/// Clips of which that is known already are left alone.
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
            let problem = look_at(manifest, &mut clip).err().map(|error| format!("{error}: skipped"));
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

/// Finds out what `clip` has, unless that is known from an earlier import of the same file.
fn look_at(manifest: &Manifest, clip: &mut Clip) -> Result<(), media::MediaError> {
    if clip.present.is_some() {
        return Ok(());
    }
    let path = manifest.clip_path(clip);
    let features = clip.features.iter().map(|feature| manifest.streams[feature.stream].modality);
    let mut found: Vec<Modality> = features.collect();
    found.extend(clip.text.as_ref().map(|_| Modality::Text));
    found.extend(clip.audio.as_ref().map(|_| Modality::Voice));
    if clip.has_media() && path.is_dir() {
        // Numbered pictures.
        found.push(Modality::Face);
    } else if clip.has_media() {
        let info = media::probe(&path)?;
        clip.duration_secs = Some(info.duration_secs as f32);
        found.extend(info.video.map(|_| Modality::Face));
        found.extend(info.audio.map(|_| Modality::Voice));
    }
    clip.present = Some(found.into_iter().collect());
    Ok(())
}
