//! A first look into every clip of a fresh manifest: does it open, what does it have, how long is it, what is said in
//! it where the annotation does not tell.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use emotion::{Clip, Manifest, Modality, Problem};
use media::Captions;
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
    let untold = clips.iter().filter(|clip| clip.text.is_none() && clip.has_media());
    let untold: Vec<PathBuf> = untold.map(|clip| manifest.clip_path(clip)).collect();
    let captions = Captions::beside(untold.iter().map(PathBuf::as_path));
    let total = clips.len();
    let done = AtomicUsize::new(0);
    let looked_at: Vec<(Clip, Vec<Problem>, bool)> = clips
        .into_par_iter()
        .map(|mut clip| {
            if !keep_going() {
                return (clip, Vec::new(), true);
            }
            let mut problems = Vec::new();
            let usable = look_at(manifest, &captions, &mut clip, &mut problems);
            on_progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            (clip, problems, usable)
        })
        .collect();
    for (clip, problems, usable) in looked_at {
        manifest.problems.extend(problems);
        manifest.clips.extend(usable.then_some(clip));
    }
}

/// Finds out what `clip` has, unless that is known from an earlier import of the same file; whether it can be used.
fn look_at(manifest: &Manifest, captions: &Captions, clip: &mut Clip, problems: &mut Vec<Problem>) -> bool {
    let path = manifest.clip_path(clip);
    if clip.text.is_none() && clip.has_media() {
        clip.text = captions.of(&path);
        // A text that was not there before is something that the clip has.
        clip.present = clip.present.filter(|_| clip.text.is_none());
    }
    if clip.present.is_some() {
        return true;
    }
    let features = clip.features.iter().map(|feature| manifest.streams[feature.stream].modality);
    let mut found: Vec<Modality> = features.collect();
    if clip.has_media() {
        match media::probe(&path) {
            Ok(info) => {
                clip.duration_secs = Some(info.duration_secs as f32).filter(|&secs| secs > 0.0);
                found.extend(info.video.map(|_| Modality::Face));
                found.extend(info.audio.map(|_| Modality::Voice));
                if clip.text.is_none() && info.has_subtitles {
                    clip.text = media::subtitles(&path);
                }
            }
            Err(error) => {
                problems.push(Problem { path: clip.path.clone(), reason: format!("{error}: skipped") });
                return false;
            }
        }
    }
    found.extend(clip.text.as_ref().map(|_| Modality::Text));
    if let Some(audio) = &clip.audio {
        match media::probe(&manifest.root.join(audio)) {
            Ok(info) => {
                clip.duration_secs = clip.duration_secs.or(Some(info.duration_secs as f32));
                found.extend(info.audio.map(|_| Modality::Voice));
            }
            Err(error) => {
                problems.push(Problem { path: audio.clone(), reason: format!("{error}: the clip is used without it") });
            }
        }
    }
    clip.present = Some(found.into_iter().collect());
    true
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use emotion::{LabelSet, Modalities};

    use super::*;

    #[test]
    fn a_clip_has_what_its_files_have_and_the_text_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let set = media::sample_clips::SampleSet { n_clips: 2, n_classes: 2, seed: 1 };
        media::sample_clips::create(dir.path(), &set, &|| true, &|_, _| {}).unwrap();
        let mut films: Vec<PathBuf> =
            std::fs::read_dir(dir.path().join("clips")).unwrap().flatten().map(|entry| entry.path()).collect();
        films.retain(|path| path.extension().is_some_and(|extension| extension == "mp4"));
        std::fs::rename(&films[0], dir.path().join("film.mp4")).unwrap();
        std::fs::write(dir.path().join("film.en.srt"), "1\n00:00:01,000 --> 00:00:02,000\nWell, well.\n").unwrap();
        std::fs::write(dir.path().join("damaged.mp4"), "damaged").unwrap();

        let mut manifest = Manifest::new("m", "csv", dir.path(), LabelSet::basic(2));
        let clip = |id: &str, path: &str, audio: Option<&str>, text: Option<&str>| Clip {
            id: id.into(),
            path: path.into(),
            audio: audio.map(PathBuf::from),
            text: text.map(str::to_owned),
            ..Clip::default()
        };
        manifest.clips = vec![
            clip("untold", "film.mp4", None, None),
            clip("told", "film.mp4", Some("nowhere.wav"), Some("Annotated.")),
            clip("heard", "", Some("film.mp4"), None),
            clip("damaged", "damaged.mp4", None, None),
            clip("read", "", None, Some("Only words.")),
        ];
        inspect(&mut manifest, &|| true, &|_, _| {});
        let found: Vec<_> = manifest.clips.iter().map(|clip| (clip.text.as_deref(), clip.present.unwrap())).collect();
        let has = |letters: &str| letters.parse::<Modalities>().unwrap();
        assert_eq!(
            found,
            [
                (Some("Well, well."), has("vat")),
                (Some("Annotated."), has("vat")),
                (None, has("a")),
                (Some("Only words."), has("t")),
            ]
        );
        let paths: Vec<&Path> = manifest.problems.iter().map(|problem| problem.path.as_path()).collect();
        assert_eq!(paths, [Path::new("nowhere.wav"), Path::new("damaged.mp4")]);
        assert!(manifest.problems[0].reason.ends_with("the clip is used without it"));
    }
}
