//! Corpora as they lie about: unpacked elsewhere, in part, with names that are wrong.

use super::*;

/// `split id` of each clip.
#[track_caller]
fn splits(manifest: &Manifest) -> Vec<String> {
    let shown = |clip: &emotion::Clip| format!("{} {}", clip.split.name(), clip.id);
    manifest.clips.iter().map(shown).collect()
}

/// File or folder, sound, of each clip.
fn media(manifest: &Manifest) -> Vec<(String, Option<String>)> {
    let shown = |path: &PathBuf| path.display().to_string();
    manifest.clips.iter().map(|clip| (shown(&clip.path), clip.audio.as_ref().map(shown))).collect()
}

#[track_caller]
fn check_problem(manifest: &Manifest, part: &str) {
    let says = manifest.problems.iter().any(|problem| problem.reason.contains(part));
    assert!(says, "{:#?} should contain {part:?}", manifest.problems);
}

fn meld(class: &str) -> String {
    format!("Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\nHm,{class},{class},neutral,0,0\n")
}

#[test]
fn the_lists_of_meld_are_found_where_its_archives_unpack() {
    let [train, dev, test] = ["anger", "fear", "neutral"].map(meld);
    for [train_at, dev_at, test_at] in [
        ["train/", "", ""],
        ["train/", "dev/", "test/"],
        ["train_splits/", "dev/dev_splits_complete/", "output_repeated_splits_test/"],
    ] {
        let manifest = import_files(&[
            (&format!("{train_at}train_sent_emo.csv"), &train),
            (&format!("{dev_at}dev_sent_emo.csv"), &dev),
            (&format!("{test_at}test_sent_emo.csv"), &test),
            ("train/train_splits/dia0_utt0.mp4", ""),
        ])
        .unwrap();
        assert_eq!(splits(&manifest), ["train train/dia0_utt0", "val dev/dia0_utt0", "test test/dia0_utt0"]);
        assert_eq!(manifest.clips[0].path, Path::new("train/train_splits/dia0_utt0.mp4"));
    }
    let manifest = import_files(&[("dev_sent_emo.csv", &dev), ("test_sent_emo.csv", &test)]).unwrap();
    check_problem(&manifest, "the list of train is missing");
}

#[test]
fn frames_are_counted_where_they_lie() {
    let list = "/s/mfaw/clips_faces/00001 15 1\n/s/mfaw/clips_faces/00002 99 3\n";
    let names: Vec<String> = (0..16).map(|frame| format!("clips_faces/00001/{frame}.png")).collect();
    let mut files = vec![("annotation/MAFW_set_1_train.txt", list), ("clips_faces/00002/1.png", "")];
    files.extend(names.iter().map(|name| (name.as_str(), "")));
    let reasons: Vec<_> = import_files(&files).unwrap().problems;
    assert!(
        reasons[0].path == Path::new("clips_faces/00002") && reasons[0].reason.starts_with("only 1 "),
        "{reasons:?}"
    );
    assert!(!reasons.iter().any(|problem| problem.reason.contains("15")), "{reasons:?}");
}
