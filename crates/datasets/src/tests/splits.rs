//! Train, val and test, and folds.

use std::collections::BTreeSet;

use super::*;

/// `n_speakers` × `n_each` clips of two classes; `extra` is appended to each row by clip number.
fn many(n_speakers: usize, n_each: usize, header: &str, extra: impl Fn(usize) -> String) -> Manifest {
    let root = folder(&[]);
    let mut list = format!("path,label,speaker{header}\n");
    for clip in 0..n_speakers * n_each {
        fs::write(root.path().join(format!("{clip:03}.wav")), "").unwrap();
        let speaker = if n_speakers == 1 { String::new() } else { format!("s{}", clip / n_each) };
        list += &format!("{clip:03}.wav,{},{speaker}{}\n", ["happiness", "fear"][clip % 2], extra(clip));
    }
    fs::write(root.path().join("labels.csv"), list).unwrap();
    import(root.path(), &Options { seed: 3, ..Default::default() }).unwrap()
}

#[track_caller]
fn check_speakers_apart(manifest: &Manifest) {
    let speakers = |split| manifest.split(split).filter_map(|clip| clip.speaker.clone()).collect::<BTreeSet<_>>();
    let [train, val, test] = Split::ALL.map(speakers);
    assert!(train.is_disjoint(&val) && train.is_disjoint(&test) && val.is_disjoint(&test));
    assert!(!train.is_empty() && !val.is_empty() && !test.is_empty());
}

#[test]
fn speakers_are_in_one_part_only() {
    let manifest = many(10, 6, "", |_| String::new());
    assert_eq!(sizes(&manifest), [42, 6, 12]);
    assert_eq!(manifest.class_counts(Split::Test), [6, 6]);
    check_speakers_apart(&manifest);
    assert!(manifest.protocol.contains("speaker-independent"), "{}", manifest.protocol);
    check_speakers_apart(&many(3, 4, "", |_| String::new()));
}

#[test]
fn without_speakers_each_class_is_divided_and_it_is_said() {
    let manifest = many(1, 60, "", |_| String::new());
    assert_eq!(sizes(&manifest), [42, 6, 12]);
    assert_eq!(manifest.class_counts(Split::Val), [3, 3]);
    assert!(manifest.protocol.contains("no speakers are known"), "{}", manifest.protocol);
    let two = many(2, 30, "", |_| String::new());
    assert!(two.protocol.contains("only 2 speakers"), "{}", two.protocol);
}

#[test]
fn splits_depend_on_the_seed_and_not_on_the_order() {
    let names: Vec<(String, &str)> = (0..40).map(|n| (format!("{}/{n}.wav", ["joy", "fear"][n % 2]), "")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    let root = folder(&files);
    let splits = |path: &Path, seed| -> Vec<(String, Split)> {
        let mut manifest = import(path, &Options { seed, ..Default::default() }).unwrap();
        manifest.clips.sort_by(|a, b| a.id.cmp(&b.id));
        manifest.clips.into_iter().map(|clip| (clip.id, clip.split)).collect()
    };
    let by_folder = splits(root.path(), 1);
    assert_ne!(by_folder, splits(root.path(), 2));
    let rows: Vec<String> =
        files.iter().rev().map(|(name, _)| format!("{name},{}", name.split('/').next().unwrap())).collect();
    fs::write(root.path().join("labels.csv"), format!("path,label\n{}", rows.join("\n"))).unwrap();
    assert_eq!(by_folder, splits(root.path(), 1));
}

#[test]
fn missing_parts_are_taken_from_train() {
    let train_test = many(10, 6, ",split", |clip| if clip < 48 { ",train".into() } else { ",test".into() });
    assert_eq!(sizes(&train_test), [42, 6, 12]);
    check_speakers_apart(&train_test);
    assert!(train_test.protocol.contains("held out of train"), "{}", train_test.protocol);
    let train_val = many(10, 6, ",split", |clip| if clip < 48 { ",train".into() } else { ",val".into() });
    assert_eq!(sizes(&train_val), [42, 6, 12]);
    assert!(train_val.protocol.contains("its val is scored as test"), "{}", train_val.protocol);
    let train_only = many(10, 6, ",split", |_| ",train".into());
    assert_eq!(sizes(&train_only), [42, 6, 12]);
    assert_eq!(sizes(&many(2, 5, ",split", |_| ",test".into())), [0, 0, 10]);
}

#[test]
fn folds_become_parts() {
    let manifest = many(5, 4, ",fold", |clip| format!(",{}", clip / 4 + 1));
    assert_eq!(sizes(&manifest), [12, 4, 4]);
    assert!(manifest.protocol.contains("fold 5 is test, fold 4 is val"), "{}", manifest.protocol);
}

#[test]
fn speakers_in_two_given_parts_are_reported() {
    let manifest = many(2, 6, ",split", |clip| format!(",{}", ["train", "val", "test"][clip % 3]));
    assert!(manifest.problems[0].reason.contains("both in test and in train or val: 2"));
    let unknown = many(2, 6, ",split", |clip| format!(",{}", ["train", "val", "test", "foo"][clip % 4]));
    assert_eq!(unknown.clips.len(), 9);
    assert!(unknown.problems[0].reason.contains("\"foo\""), "{:?}", unknown.problems);
}

#[test]
fn a_clip_that_is_listed_in_two_parts_is_reported() {
    for (parts, reason) in [
        (["train", "test", "dev"], "listed in train and in test and in val: the train row is kept"),
        (["valid", "train", "val"], "listed in val and in train: the val row is kept"),
        (["1", "2", "1"], "listed in fold 1 and in fold 2: the fold 1 row is kept"),
        (["train", "training", "train"], "listed 3 times: the first row is kept"),
    ] {
        let rows = parts.map(|part| format!("a.mp4,anger,{part}\n")).concat();
        let list = format!("path,label,split\n{rows}b.mp4,fear,{}\n", parts[1]);
        check(&[A, B, ("labels.csv", &list)], &TWO, &[reason]);
    }
}

#[test]
fn the_fold_to_score_can_be_chosen() {
    let root = folder(&[]);
    let mut list = "path,label,fold\n".to_owned();
    for clip in 0..10 {
        fs::write(root.path().join(format!("{clip}.wav")), "").unwrap();
        list += &format!("{clip}.wav,{},{}\n", ["fear", "anger"][clip % 2], clip / 2 + 1);
    }
    fs::write(root.path().join("labels.csv"), list).unwrap();
    let with = |fold| import(root.path(), &Options { fold: Some(fold), ..Default::default() });
    let manifest = with(1).unwrap();
    assert!(manifest.protocol.contains("fold 1 is test, fold 5 is val"), "{}", manifest.protocol);
    assert_eq!(manifest.split(Split::Test).map(|clip| clip.id.as_str()).collect::<Vec<_>>(), ["0.wav", "1.wav"]);
    assert!(with(6).unwrap_err().to_string().contains("no fold 6; the folds are 1, 2, 3, 4 and 5"));
    // One fold is no choice, and words that are no folds are none.
    for (words, says) in [("7,7", "only fold 7 is here"), ("1,test", "this dataset has no folds")] {
        let (first, second) = words.split_once(',').unwrap();
        let list = format!("path,label,fold\n0.wav,fear,{first}\n1.wav,anger,{second}\n2.wav,anger,{second}\n");
        fs::write(root.path().join("labels.csv"), list).unwrap();
        for asked in [1, 7] {
            let error = with(asked).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
    let files = [("anger/a.mp4", ""), ("fear/b.mp4", "")];
    let error = import(folder(&files).path(), &Options { fold: Some(1), ..Default::default() }).unwrap_err();
    assert!(error.to_string().starts_with("this dataset has no folds"), "{error}");
}
