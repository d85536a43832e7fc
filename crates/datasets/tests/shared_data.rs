//! Real corpora import with the counts that their descriptions give, where they are there (`LIMBIC_DATA`, default
//! `../shared/data` from the project's root).
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

use std::path::{Path, PathBuf};

use datasets::{Options, import};
use emotion::{FaceSource, Manifest, Split};
use limbic_datasets as datasets;

fn data(part: &str) -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("LIMBIC_DATA").map_or_else(default, PathBuf::from).join(part);
    if !root.exists() {
        eprintln!("skipped: {} is not there", root.display());
        return None;
    }
    Some(root)
}

fn counts(manifest: &Manifest) -> Vec<(String, usize)> {
    let n_clips = |label| manifest.clips.iter().filter(|clip| clip.label == label).count();
    manifest.labels.names().iter().cloned().zip((0..manifest.labels.len()).map(n_clips)).collect()
}

#[track_caller]
fn check(part: &str, importer: &str, options: &Options, expected: &[(&str, usize)]) -> Option<Manifest> {
    let begin = std::time::Instant::now();
    let manifest = import(&data(part)?, options).unwrap();
    let elapsed = begin.elapsed();
    assert!(elapsed.as_secs_f64() < 3.0, "{part}: {elapsed:?}");
    assert_eq!(manifest.importer, importer);
    let expected: Vec<(String, usize)> = expected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    assert_eq!(counts(&manifest), expected, "{:#?}", &manifest.problems[..manifest.problems.len().min(9)]);
    Some(manifest)
}

fn sizes(manifest: &Manifest) -> [usize; 3] {
    Split::ALL.map(|split| manifest.split(split).count())
}

#[test]
fn ravdess_has_1200_takes_of_twenty_actors_and_their_features() {
    let takes = [
        ("neutral", 80),
        ("calm", 160),
        ("happiness", 160),
        ("sadness", 160),
        ("anger", 160),
        ("fear", 160),
        ("disgust", 160),
        ("surprise", 160),
    ];
    let Some(manifest) = check("ravdess", "ravdess", &Options::default(), &takes) else { return };
    assert_eq!(manifest.problems, []);
    assert_eq!(sizes(&manifest), [600, 300, 300], "{}", manifest.protocol);
    let streams: Vec<_> = manifest.streams.iter().map(|stream| (stream.name.as_str(), stream.n_dims)).collect();
    let expected = [("au35_mfcc259/au", 35), ("au35_mfcc259/mfcc", 259), ("openface_au_mean/au", 35)];
    assert_eq!(streams, expected);
    assert!(manifest.clips.iter().all(|clip| clip.features.len() == 3 && clip.has_media()));
}

#[test]
fn mosi_has_1447_training_utterances_of_62_videos() {
    let Some(manifest) =
        check("mosi_bclstm", "mosi-utterances", &Options::default(), &[("negative", 738), ("positive", 709)])
    else {
        return;
    };
    let mut videos: Vec<_> = manifest.clips.iter().filter_map(|clip| clip.speaker.clone()).collect();
    videos.sort();
    videos.dedup();
    assert_eq!(videos.len(), 62);
    let dims: Vec<usize> = manifest.streams.iter().map(|stream| stream.n_dims).collect();
    assert_eq!(dims, [100, 73, 100]);
    assert!(manifest.clips.iter().all(|clip| clip.features.len() == 3 && clip.text.is_some()));
}

#[test]
fn fer_plus_has_10579_faces_of_which_41_show_no_class() {
    let faces = [
        ("neutral", 2581 + 1329),
        ("happiness", 1877 + 899),
        ("surprise", 832 + 458),
        ("sadness", 859 + 415),
        ("anger", 605 + 325),
        ("disgust", 36 + 32),
        ("fear", 156 + 71),
        ("contempt", 37 + 26),
    ];
    let Some(manifest) = check("images/ferplus", "fer-plus", &Options::default(), &faces) else { return };
    assert_eq!(manifest.faces, FaceSource::Cropped);
    assert_eq!(manifest.split(Split::Test).count(), 3579 - 24, "the part called valid, {}", manifest.protocol);
    let says = |part: &str| manifest.problems.iter().filter(|problem| problem.reason.contains(part)).count();
    assert_eq!((says("cannot tell, and 39 more: left out"), says("see no face: left out")), (1, 1));
    // FER2013 is known to hold many pictures twice.
    assert!(says("the same content as train") > 50);
    let mean: f32 = manifest.clips.iter().map(|clip| clip.votes.iter().sum::<f32>()).sum::<f32>();
    assert!((mean / manifest.clips.len() as f32 - 1.0).abs() < 1e-4);
    let majority = Options { variant: Some("majority".into()), ..Options::default() };
    let n = import(&data("images/ferplus").unwrap(), &majority).unwrap().clips.len();
    assert_eq!(n, 6196 + 3191, "as many as FER+'s own reader keeps");
}

#[test]
fn meld_has_its_9989_and_1109_utterances() {
    let emotions = [
        ("anger", 1109 + 153),
        ("disgust", 271 + 22),
        ("fear", 268 + 40),
        ("happiness", 1743 + 163),
        ("neutral", 4710 + 470),
        ("sadness", 683 + 111),
        ("surprise", 1205 + 150),
    ];
    let Some(manifest) = check("text/meld", "meld", &Options::default(), &emotions) else { return };
    assert_eq!(manifest.split(Split::Test).count(), 1109, "{}", manifest.protocol);
    let sentiment = Options { variant: Some("sentiment".into()), ..Options::default() };
    check("text/meld", "meld", &sentiment, &[("negative", 3351), ("neutral", 5180), ("positive", 2567)]);
}

#[test]
fn tweet_eval_has_its_3257_and_374_texts() {
    let Some(root) = data("text/tweeteval_emotion") else { return };
    let manifest = import(&root, &Options::default()).unwrap();
    assert_eq!(manifest.importer, "tweet-eval");
    assert_eq!(manifest.labels.names(), ["anger", "joy", "optimism", "sadness"]);
    assert_eq!((manifest.clips.len(), manifest.split(Split::Test).count()), (3257 + 374, 374));
}

#[test]
fn go_emotions_keeps_texts_with_one_label() {
    let Some(root) = data("text/goemotions_ekman") else { return };
    let begin = std::time::Instant::now();
    let manifest = import(&root, &Options::default()).unwrap();
    assert!(begin.elapsed().as_secs_f64() < 3.0, "{:?}", begin.elapsed());
    assert_eq!(manifest.importer, "go-emotions");
    let several = manifest.problems.iter().find(|problem| problem.reason.starts_with("several labels")).unwrap();
    let n_more: usize = several.reason.split("and ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert_eq!(manifest.clips.len() + n_more + 1, 43_410 + 5_426);
}
