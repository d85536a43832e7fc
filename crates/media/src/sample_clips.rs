//! A labelled audio-visual-text data set made from nothing: cartoon faces, synthesized voices, short captions.
//!
//! Face, voice and text each tell the emotion in about two clips of three, and look or sound unreadable in the
//! others; together they nearly always tell. So a model that sees all three beats one that sees one, and a model
//! that knows when not to trust a modality beats one that does not.
//! Everything is drawn and synthesized here; the same seed gives the same clips.

mod artist;
mod canvas;
mod caption;
mod dressing;
mod expression;
mod face;
mod look;
mod plan;
mod voice;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use emotion::Modality;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::encode::{Recording, write_mp4, write_whole};
use crate::{Image, MediaError};
use face::Shown;
use look::Look;
use plan::{ClipPlan, Plan};
use voice::{Larynx, Spoken};

/// Which data set to make; the same values give the same clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSet {
    /// Number of clips, at least 1.
    pub n_clips: usize,
    /// Number of emotions, clamped to 2..=7.
    pub n_classes: usize,
    /// For everything at random.
    pub seed: u64,
}

impl Default for SampleSet {
    /// 350 clips of seven emotions: ready in half a minute, enough to learn from.
    fn default() -> Self {
        Self { n_clips: 350, n_classes: 7, seed: 0 }
    }
}

/// Written first, so that a folder can be told to be ours even when the making of it was cut short.
const ABOUT: &str = "ABOUT.txt";
const ABOUT_BEGINS: &str = "Limbic sample clips";
const LABELS: &str = "labels.csv";
const CLIPS: &str = "clips";

/// Makes `set` in `dir`: `clips/*.mp4`, then `labels.csv` with the columns `path,label,split,speaker,text`.
///
/// `dir` is created; it must be empty or hold an earlier sample set, which is replaced. Clips are made in parallel,
/// `on_progress` hears how many are ready and how many there will be, from any thread. When `keep_going` says no,
/// what was made is removed and [`MediaError::Stopped`] returned.
pub fn create(
    dir: &Path,
    set: &SampleSet,
    keep_going: &(dyn Fn() -> bool + Sync),
    on_progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<(), MediaError> {
    claim(dir, set)?;
    let plan = plan::plan(set);
    let cast = cast(&plan, set.seed);
    let n_done = AtomicUsize::new(0);
    let made = plan.clips.iter().enumerate().collect::<Vec<_>>().par_iter().try_for_each(|&(clip_idx, clip)| {
        if !keep_going() {
            return Err(MediaError::Stopped(dir.to_owned()));
        }
        let Made { frames, samples, .. } = make(clip, &cast[clip.speaker_idx]);
        let recording = Recording {
            frames: &frames,
            frame_rate_hz: face::RATE_HZ,
            samples: &samples,
            sample_rate_hz: voice::RATE_HZ,
            n_b_frames: 0,
        };
        write_mp4(&dir.join(clip_path(clip_idx)), &recording)?;
        on_progress(n_done.fetch_add(1, Ordering::Relaxed) + 1, plan.clips.len());
        Ok(())
    });
    let finished = made.and_then(|()| write_whole(&dir.join(LABELS), labels_csv(&plan).as_bytes()));
    if finished.is_err() {
        // Half a data set is worth nothing, and a full disk needs the room. What cannot be removed is replaced next
        // time.
        let _ = fs::remove_dir_all(dir.join(CLIPS));
        let _ = fs::remove_file(dir.join(ABOUT));
    }
    finished
}

/// Path of a clip, relative to the folder of the set, with forward slashes.
fn clip_path(clip_idx: usize) -> String {
    format!("{CLIPS}/clip_{:04}.mp4", clip_idx + 1)
}

/// Makes sure that nobody else's files are in `dir`, and that it can be written to.
fn claim(dir: &Path, set: &SampleSet) -> Result<(), MediaError> {
    fs::create_dir_all(dir).map_err(|error| MediaError::io("creating the folder", dir, error))?;
    let about = dir.join(ABOUT);
    let is_ours = fs::read_to_string(&about).is_ok_and(|text| text.starts_with(ABOUT_BEGINS));
    if !is_ours {
        let entries = fs::read_dir(dir).map_err(|error| MediaError::io("reading the folder", dir, error))?;
        let is_visible = |entry: &io::Result<fs::DirEntry>| {
            entry.as_ref().map_or(true, |entry| !entry.file_name().to_string_lossy().starts_with('.'))
        };
        if entries.into_iter().any(|entry| is_visible(&entry)) {
            let other = io::Error::other("there are other files in it; choose an empty folder");
            return Err(MediaError::io("making sample clips", dir, other));
        }
    }
    let SampleSet { n_clips, n_classes, seed } = set;
    let text = format!(
        "{ABOUT_BEGINS}\n\n{n_clips} clips, {n_classes} emotions, seed {seed}.\nDrawn and synthesized by Limbic; nobody is shown, \
         nobody is heard. Free to use for anything.\nThis folder is replaced when sample clips are made here again.\n"
    );
    write_whole(&about, text.as_bytes())?;
    for (result, doing) in [
        (fs::remove_file(dir.join(LABELS)), "removing the earlier labels"),
        (fs::remove_dir_all(dir.join(CLIPS)), "removing the earlier clips"),
    ] {
        match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(MediaError::io(doing, dir, error)),
            _ => {}
        }
    }
    let clips = dir.join(CLIPS);
    fs::create_dir(&clips).map_err(|error| MediaError::io("creating the folder", &clips, error))
}

fn labels_csv(plan: &Plan) -> String {
    let mut csv = String::from("path,label,split,speaker,text\n");
    for (clip_idx, clip) in plan.clips.iter().enumerate() {
        let text = caption(clip).replace('"', "\"\"");
        let (path, label, split) = (clip_path(clip_idx), clip.mood.name(), clip.split.name());
        csv += &format!("{path},{label},{split},s{:02},\"{text}\"\n", clip.speaker_idx + 1);
    }
    csv
}

/// The emotions, as [`emotion::LabelSet::basic`] names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mood {
    Anger,
    Disgust,
    Fear,
    Happiness,
    Neutral,
    Sadness,
    Surprise,
}

impl Mood {
    const ALL: [Self; 7] =
        [Self::Anger, Self::Disgust, Self::Fear, Self::Happiness, Self::Neutral, Self::Sadness, Self::Surprise];

    fn name(self) -> &'static str {
        ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"][self as usize]
    }

    fn random(rng: &mut Pcg64Mcg) -> Self {
        Self::ALL[rng.random_range(0..Self::ALL.len())]
    }
}

/// Somebody who appears in clips.
#[derive(Debug, Clone, PartialEq)]
struct Speaker {
    look: Look,
    larynx: Larynx,
}

fn cast(plan: &Plan, seed: u64) -> Vec<Speaker> {
    let mut rng = Pcg64Mcg::seed_from_u64(!seed);
    let first: usize = rng.random_range(0..1000);
    (first..first + plan.n_speakers)
        .map(|idx| Speaker { look: Look::random(idx, &mut rng), larynx: Larynx::random(idx, &mut rng) })
        .collect()
}

/// Pictures and sound of one clip.
#[derive(Debug, PartialEq)]
struct Made {
    frames: Vec<Image>,
    samples: Vec<f32>,
}

/// A random stream of its own for each part of a clip, so that a change to one leaves the others as they are.
fn stream(clip: &ClipPlan, part: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(clip.seed.wrapping_add(part.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
}

fn make(clip: &ClipPlan, speaker: &Speaker) -> Made {
    let mut rng = stream(clip, 1);
    let n_frames = rng.random_range(29..=36);
    let n_samples = n_frames * (voice::RATE_HZ / face::RATE_HZ) as usize;
    // An unreadable modality carries some emotion or other, so that nothing at all can be learned from it.
    let (seen, heard) = [Modality::Face, Modality::Voice]
        .map(|modality| if clip.tells(modality) { clip.mood } else { Mood::random(&mut rng) })
        .into();
    let strength = rng.random_range(0.75..1.0);
    let mut intensity = || (strength + rng.random_range(-0.06..0.06_f32)).clamp(0.7, 1.0);
    let spoken = Spoken { mood: heard, intensity: intensity(), audible: clip.tells(Modality::Voice) };
    let shown = Shown { mood: seen, intensity: intensity(), readable: clip.tells(Modality::Face) };
    let (samples, loudness) = voice::speak(&speaker.larynx, spoken, n_samples, n_frames, &mut stream(clip, 2));
    let frames = face::draw(&speaker.look, shown, &loudness, &mut stream(clip, 3));
    Made { frames, samples }
}

fn caption(clip: &ClipPlan) -> String {
    caption::write(clip.mood, clip.tells(Modality::Text), &mut stream(clip, 4))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use emotion::Modalities;

    use super::*;

    fn made(seed: u64, n_clips: usize) -> (Vec<Made>, String) {
        let plan = plan::plan(&SampleSet { n_clips: 7, n_classes: 7, seed });
        let cast = cast(&plan, seed);
        let clips = plan.clips.iter().take(n_clips).map(|clip| make(clip, &cast[clip.speaker_idx])).collect();
        (clips, labels_csv(&plan))
    }

    #[test]
    fn a_seed_decides_every_pixel_sample_and_word() {
        let (clips, csv) = made(3, 2);
        assert_eq!((&clips, &csv), (&made(3, 2).0, &made(3, 2).1));
        let (others, other_csv) = made(4, 2);
        assert_ne!(csv, other_csv);
        for (clip, other) in clips.iter().zip(&others) {
            assert!(clip.frames[0] != other.frames[0] && clip.samples[..1000] != other.samples[..1000]);
        }
    }

    #[test]
    fn an_unreadable_modality_does_not_depend_on_the_label() {
        let mut plan = plan::plan(&SampleSet { n_clips: 1, n_classes: 7, seed: 5 });
        let cast = cast(&plan, 5);
        let clip = &mut plan.clips[0];
        let mut of = |mood, informative| {
            (clip.mood, clip.informative) = (mood, informative);
            (make(clip, &cast[0]), caption(clip).ends_with('…'))
        };
        let (anger, is_mumble) = of(Mood::Anger, Modalities::NONE);
        assert!(anger == of(Mood::Surprise, Modalities::NONE).0 && is_mumble);
        let (all, is_mumble) = of(Mood::Anger, Modalities::ALL);
        assert!(all != of(Mood::Surprise, Modalities::ALL).0 && !is_mumble);
    }

    #[test]
    fn a_set_is_written_and_replaced_but_other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("sample");
        let go = || true;
        let seen = Mutex::new(Vec::new());
        for n_clips in [4, 3] {
            let set = SampleSet { n_clips, n_classes: 2, seed: 1 };
            create(&dir, &set, &go, &|done, all| seen.lock().unwrap().push((done, all))).unwrap();
        }
        assert_eq!(seen.into_inner().unwrap().iter().filter(|(done, all)| done == all).count(), 2);
        let csv = fs::read_to_string(dir.join(LABELS)).unwrap();
        let mut lines = csv.lines();
        assert_eq!(lines.next(), Some("path,label,split,speaker,text"));
        let paths: Vec<&str> = lines.map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(paths, ["clips/clip_0001.mp4", "clips/clip_0002.mp4", "clips/clip_0003.mp4"]);
        assert_eq!(fs::read_dir(dir.join(CLIPS)).unwrap().count(), 3);
        for path in paths {
            let info = crate::probe(&dir.join(path)).unwrap();
            let video = info.video.unwrap();
            assert_eq!((video.width_px, video.height_px, video.rate_hz), (128, 128, 16.0));
            assert!(info.audio.is_some() && (1.8..2.4).contains(&info.duration_secs), "{info:?}");
        }

        fs::write(folder.path().join(LABELS), "path,label\n").unwrap();
        let error = create(folder.path(), &SampleSet::default(), &go, &|_, _| {}).unwrap_err();
        assert!(error.to_string().contains("other files"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join(LABELS)).unwrap(), "path,label\n");
    }

    #[test]
    fn stopping_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let error = create(folder.path(), &SampleSet::default(), &|| false, &|_, _| {}).unwrap_err();
        assert!(matches!(error, MediaError::Stopped(_)), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
