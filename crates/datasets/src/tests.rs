//! Layouts of datasets, built in a folder of their own, and what becomes of them.

use std::fs;
use std::path::Path;

use emotion::{Affect, FaceChoice, FaceSource, FeatureRef, Manifest, Modality, Split, Stream};
use tempfile::TempDir;

use super::*;

mod corpora;
mod folders;
mod splits;

/// A folder with `files`: name and content.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn import_files(files: &[(&str, &str)]) -> Result<Manifest, DatasetError> {
    import(folder(files).path(), &Options::default())
}

/// Clips as `id=label`, in order; then problems must contain each of `problems`, in order, and be as many.
#[track_caller]
fn check(files: &[(&str, &str)], clips: &[&str], problems: &[&str]) -> Manifest {
    let manifest = import_files(files).unwrap();
    let found: Vec<String> =
        manifest.clips.iter().map(|clip| format!("{}={}", clip.id, manifest.labels.name(clip.label))).collect();
    assert_eq!(found, clips, "problems: {:#?}", manifest.problems);
    let reasons: Vec<String> =
        manifest.problems.iter().map(|problem| format!("{}: {}", problem.path.display(), problem.reason)).collect();
    assert_eq!(reasons.len(), problems.len(), "{reasons:#?}");
    for (reason, part) in reasons.iter().zip(problems) {
        assert!(reason.contains(part), "{reason:?} should contain {part:?}");
    }
    assert!(!manifest.protocol.is_empty());
    manifest
}

#[track_caller]
fn check_error(files: &[(&str, &str)], parts: &[&str]) {
    let error = import_files(files).unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "{error:?} should contain {part:?}");
    }
}

fn sizes(manifest: &Manifest) -> [usize; 3] {
    Split::ALL.map(|split| manifest.split(split).count())
}

const A: (&str, &str) = ("a.mp4", "");
const B: (&str, &str) = ("b.mp4", "");
const TWO: [&str; 2] = ["a.mp4=anger", "b.mp4=fear"];

#[test]
fn lists_are_read_however_they_are_written() {
    for list in [
        "path,label\na.mp4,anger\nb.mp4,fear\n",
        "path,label\r\na.mp4,anger\r\nb.mp4,fear",
        "\u{feff}path,label\na.mp4,anger\nb.mp4,fear\n",
        "path;label\na.mp4;anger\nb.mp4;fear\n",
        "path\tlabel\na.mp4\tanger\nb.mp4\tfear\n",
        "sep=;\npath;label\na.mp4;anger\nb.mp4;fear\n",
        "\u{feff}SEP=|\r\npath|label\r\na.mp4|anger\r\nb.mp4|fear\r\n",
        "\"sep=\t\"\npath\tlabel\na.mp4\tanger\nb.mp4\tfear\n",
        "\"path\",\"label\"\n\"a.mp4\",\"anger\"\n\"b.mp4\",\"fear\"\n",
        " File Name , Emotion \n a.mp4 , anger \n b.mp4 , fear \n,\n\n",
        "idx,VIDEO-NAME,Class\n0,a.mp4,anger\n1,b.mp4,fear\n",
        "clip,emotion\n./a.mp4,anger\nb,fear\n",
        "clip,emotion\nA.MP4,anger\nC:\\data\\b.mp4,fear\n",
    ] {
        check(&[A, B, ("labels.csv", list)], &TWO, &[]);
        check(&[A, B, ("my list.tsv", list)], &TWO, &[]);
    }
}

#[test]
fn columns_carry_split_speaker_text_and_box() {
    let list = "clip,emotion,set,actor,utterance,x,y,w,h\n\
                a.mp4,anger,train,03,\"so, \"\"what\"\"\nnow\",1,2,30,40.5\n\
                b.mp4,fear,dev,04,,1,2,30,40\n\
                c.mp4,fear,test,05,x,1,2,30,40\n";
    let manifest =
        check(&[A, B, ("c.mp4", ""), ("labels.csv", list)], &["a.mp4=anger", "b.mp4=fear", "c.mp4=fear"], &[]);
    let [a, b, c] = manifest.clips.as_slice() else { panic!("three clips") };
    assert_eq!((a.split, b.split, c.split), (Split::Train, Split::Val, Split::Test));
    assert_eq!((a.speaker.as_deref(), a.text.as_deref()), (Some("03"), Some("so, \"what\"\nnow")));
    assert_eq!(b.text, None);
    assert_eq!(a.face.map(|face| (face.x_px, face.height_px)), Some((1.0, 40.5)));
    assert_eq!(manifest.faces, FaceSource::Boxes);
    assert!(manifest.protocol == "as the dataset gives it", "{}", manifest.protocol);
}

#[test]
fn a_folder_of_pictures_is_a_clip_where_a_list_names_it() {
    let list = ("labels.csv", "path,label\nclips/a/,anger\nclips/b,fear\nclips/c,fear\n");
    let files = [("clips/a/1.jpg", ""), ("clips/b/1.png", ""), ("clips/c/notes.txt", ""), list];
    check(&files, &["clips/a=anger", "clips/b=fear"], &["clips/c: file of line 4 is missing"]);
}

#[test]
fn lists_name_features_and_clips_with_some_need_no_media() {
    let table = |n_steps: usize, n_dims: usize| vec![vec!["0.5"; n_dims].join(","); n_steps].join("\n");
    let (long, short, wide, one) = (table(5, 3), table(2, 3), table(2, 4), table(1, 6));
    let tables =
        [("f/a.csv", long.as_str()), ("f/b.csv", &short), ("f/wide.csv", &wide), ("t.csv", &one), ("a.mp4", "")];
    let with = |list| -> Vec<(&str, &str)> { tables.iter().copied().chain([("labels.csv", list)]).collect() };
    let list = "path,label,split,Audio Features,text_features_path\n\
                a.mp4,anger,train,f/a.csv,t.csv\n\
                utterance 2,fear,train,f/b.csv,\n\
                b.mp4,fear,val,f/b.csv,t.csv\n\
                c,fear,test,f/wide.csv,t.csv\n\
                d,fear,test,f/gone.csv,\n";
    let manifest = check(
        &with(list),
        &["a.mp4=anger", "utterance 2=fear", "b.mp4=fear", "c=fear"],
        &[
            "b.mp4: file of line 4 is missing: only its features are used",
            "f/wide.csv: features of line 5 are not used: 4 values a step instead of 3",
            "d: features of line 6 are not used: cannot read",
        ],
    );
    let streams: Vec<_> = manifest.streams.iter().map(|own| (own.name.as_str(), own.modality, own.n_dims)).collect();
    assert_eq!(streams, [("voice_features", Modality::Voice, 3), ("text_features", Modality::Text, 6)]);
    let steps = |clip: usize| -> Vec<usize> { manifest.clips[clip].features.iter().map(|own| own.n_steps).collect() };
    assert_eq!([steps(0), steps(1), steps(3)], [vec![5, 1], vec![2], vec![1]]);
    assert_eq!((manifest.clips[0].has_media(), manifest.clips[1].has_media()), (true, false));
    let list = "label,voice_features\nanger,f/a.csv\nfear,f/b.csv\n";
    check(&with(list), &["f/a.csv=anger", "f/b.csv=fear"], &[]);
}

#[test]
fn a_list_says_which_row_of_an_array_is_the_clips() {
    let root = folder(&[A]);
    // Three clips of four steps at most: the second is padded after two steps, the third before three, and one is all
    // zeros.
    let steps = [[1, 1, 1, 1], [2, 2, 0, 0], [0, 3, 3, 3], [0, 0, 0, 0]];
    let values: Vec<f32> = steps.iter().flatten().flat_map(|&step: &u8| [f32::from(step); 2]).collect();
    features::write_npy(&root.path().join("all.npy"), &[4, 4, 2], &values).unwrap();
    features::write_npy(&root.path().join("words.npy"), &[3, 1], &[7.0, 8.0, 9.0]).unwrap();
    let with = |list: &str| {
        fs::write(root.path().join("labels.csv"), list).unwrap();
        import(root.path(), &Options::default()).unwrap()
    };
    let list = "path,label,voice_features,voice_row,text_features,Row\n\
                a.mp4,anger,all.npy,1.0,words.npy,2\n\
                b,fear,all.npy,2,words.npy,0\n\
                c,fear,all.npy,3,words.npy,1\n\
                d,fear,all.npy,4,words.npy,1\n\
                e,fear,all.npy,,words.npy,x\n";
    let manifest = with(list);
    let mut reader = features::Reader::new(&manifest.root);
    let values: Vec<Vec<Vec<f32>>> = manifest
        .clips
        .iter()
        .map(|clip| clip.features.iter().map(|own| reader.read(&manifest.streams, own).unwrap().0.values).collect())
        .collect();
    assert_eq!(values[0], [vec![2.0; 4], vec![9.0]]);
    assert_eq!(values[1], [vec![3.0; 6], vec![7.0]]);
    assert_eq!(values[2], [[8.0]]);
    assert_eq!(values.len(), 4, "nothing is left of e");
    let said: Vec<&str> = manifest.problems.iter().map(|problem| problem.reason.as_str()).collect();
    for (said, part) in said.iter().zip([
        "line 4 are not used: they are all zeros",
        "line 5 are not used: there is no row 4, counted from 0, in an array of shape [4, 4, 2]",
        "line 6 are not used: it says no row, as other lines do for the same array: left out",
    ]) {
        assert!(said.contains(part), "{said:?} should contain {part:?}");
    }
    assert_eq!(said.len(), 3, "{said:?}");
    let list = "path,label,voice_features,row\na.mp4,anger,all.npy,\nb,fear,words.npy,x\nc,fear,words.npy,1\n";
    let manifest = with(list);
    for (problem, part) in manifest.problems.iter().zip([
        "line 2 are not used: an array of shape [4, 4, 2] is no sequence of vectors; where each row is a clip, say",
        "line 3 are not used: the row \"x\" is no number",
    ]) {
        assert!(problem.reason.contains(part), "{problem:?} should contain {part:?}");
    }
    // Clips of features alone are called by file and row.
    let manifest = with("label,audio features,audio feats row\nanger,all.npy,0\nfear,all.npy,1\n");
    let ids: Vec<&str> = manifest.clips.iter().map(|clip| clip.id.as_str()).collect();
    assert_eq!(ids, ["all.npy[0]", "all.npy[1]"]);
    // Under headers of one's own.
    fs::write(root.path().join("labels.csv"), "name,label,w2v,at\na,anger,all.npy,0\nb,fear,all.npy,1\n").unwrap();
    let columns = ColumnMap {
        features: [None, Some("w2v".into()), None],
        rows: [None, Some("at".into()), None],
        ..ColumnMap::default()
    };
    let manifest = import(root.path(), &Options { columns, ..Options::default() }).unwrap();
    let rows: Vec<_> = manifest.clips.iter().map(|clip| clip.features[0].row).collect();
    assert_eq!(rows, [Some(0), Some(1)]);
}

#[test]
fn what_cannot_be_used_is_listed_and_skipped() {
    let list = "path,label,text\n\
                a.mp4,anger,caf\n\
                gone.mp4,fear,\n\
                b.mp4,fear,\n\
                ,fear,\n\
                c.mp4,,\n\
                b.mp4,fear,again\n\
                d.mp4,anger,\n\
                d.mp4,fear,\n";
    check(
        &[A, B, ("c.mp4", ""), ("d.mp4", ""), ("labels.csv", list)],
        &TWO,
        &[
            "gone.mp4: file of line 3 is missing",
            "line 5 names no file",
            "c.mp4: no label in line 6",
            "b.mp4: listed 2 times: the first row is kept",
            "d.mp4: listed 2 times, as anger and fear: left out",
        ],
    );
}

#[test]
fn files_of_one_name_in_two_folders_stay_apart() {
    let files = [("x/a.mp4", ""), ("y/a.mp4", ""), ("y/b.mp4", "")];
    let with = |list| [files[0], files[1], files[2], ("labels.csv", list)];
    check(&with("path,label\nx/a.mp4,anger\ny/a.mp4,fear\n"), &["x/a.mp4=anger", "y/a.mp4=fear"], &[]);
    check(
        &with("path,label\nx/a,anger\na.mp4,fear\nb,fear\n"),
        &["x/a.mp4=anger", "y/b.mp4=fear"],
        &["a.mp4: line 3 can mean 2 files (x/a.mp4, y/a.mp4)"],
    );
}

#[test]
fn spellings_of_emotions_become_one_and_it_is_said() {
    let c = ("c.mp4", "");
    check(
        &[A, B, c, ("labels.csv", "path,label\na.mp4,Happy\nb.mp4,joy\nc.mp4,sadness\n")],
        &["a.mp4=happiness", "b.mp4=happiness", "c.mp4=sadness"],
        &["\"Happy\" (1), \"joy\" (1) is read as happiness"],
    );
    let d = ("d.mp4", "");
    check(
        &[A, B, c, d, ("labels.csv", "path,label\na.mp4,Happy\nb.mp4,Bored\nc.mp4,Happiness\nd.mp4,bored\n")],
        &["a.mp4=happiness", "b.mp4=Bored", "c.mp4=happiness", "d.mp4=Bored"],
        &["\"bored\" (1) is read as Bored; \"Happiness\" (1), \"Happy\" (1) is read as happiness"],
    );
    check(
        &[A, B, c, ("labels.csv", "path,label\na.mp4,Negative\nb.mp4,Neutral\nc.mp4,Positive\n")],
        &["a.mp4=Negative", "b.mp4=Neutral", "c.mp4=Positive"],
        &[],
    );
    let words =
        [("mapping.txt", "0\tjoy\n1\toptimism\n"), ("train_text.txt", "Oh\nAh\n"), ("train_labels.txt", "0\n1\n")];
    check(&words, &["train/1=joy", "train/2=optimism"], &[]);
    let with_others = [A, B, c, d, ("labels.csv", "path,label\na.mp4,happy\nb.mp4,angry\nc.mp4,anger\nd.mp4,other\n")];
    let options = Options { labels: Some("other=-".to_owned()), ..Options::default() };
    assert_eq!(import(folder(&with_others).path(), &options).unwrap().labels.names(), ["anger", "happiness"]);
    let manifest = check(
        &[A, B, c, ("labels.csv", "path,label\na.mp4,10\nb.mp4,2\nc.mp4,2.0\n")],
        &["a.mp4=10", "b.mp4=2", "c.mp4=2"],
        &["labels are numbers"],
    );
    assert_eq!(manifest.labels.names(), ["2", "10"]);
}

#[test]
fn broken_encoding_costs_no_row() {
    let folder = folder(&[A, B]);
    fs::write(folder.path().join("labels.csv"), b"path,label,text\na.mp4,anger,caf\xE9\nb.mp4,fear,\xC3\xBC\n")
        .unwrap();
    let manifest = import(folder.path(), &Options::default()).unwrap();
    let texts: Vec<_> = manifest.clips.iter().filter_map(|clip| clip.text.as_deref()).collect();
    assert_eq!(texts, ["café", "ü"]);
    assert!(manifest.problems[0].reason.contains("not UTF-8, read as GBK or Windows-1252: 1"));
}

#[test]
fn cells_beyond_the_header_are_noticed() {
    let list = "path,label,text\na.mp4,anger,well, yes\nb.mp4,fear,so,\n";
    let said = "more cells than columns, 1, the first: line 2 has 4, the header 3";
    check(&[A, B, ("labels.csv", list)], &TWO, &[said]);
}

#[test]
fn where_one_class_is_left_the_reason_is_said() {
    let vector = |n_dims: usize| vec!["0.5"; n_dims].join(",");
    let (odd, even) = (vector(3), vector(2));
    let list = "path,label,voice_features\na,anger,odd.csv\nb,fear,even.csv\nc,joy,even.csv\n";
    let files = [("odd.csv", odd.as_str()), ("even.csv", &even), ("labels.csv", list)];
    let error = import(folder(&files).path(), &Options::default()).unwrap_err().to_string();
    let said =
        "2 of 3 rows cannot be used, the first: b: features of line 3 are not used: 2 values a step instead of 3";
    assert!(error.contains("all clips have the label \"anger\"") && error.contains(said), "{error}");
}

#[test]
fn an_open_quote_is_noticed() {
    let list = "path,label,text\na.mp4,anger,x\nb.mp4,fear,\"oh\nc.mp4,fear,y\n";
    check(&[A, B, ("c.mp4", ""), ("labels.csv", list)], &TWO, &["opened in line 3 is not closed; rows lost in it: 1"]);
}

#[test]
fn one_list_per_split_is_one_dataset() {
    let manifest = check(
        &[
            A,
            B,
            ("c.mp4", ""),
            ("train.csv", "path,label\na.mp4,anger\n"),
            ("dev.csv", "path,label\nb.mp4,fear\n"),
            ("test.csv", "path,label\nc.mp4,fear\n"),
        ],
        &["b.mp4=fear", "c.mp4=fear", "a.mp4=anger"],
        &[],
    );
    assert_eq!(
        manifest.clips.iter().map(|clip| clip.split).collect::<Vec<_>>(),
        [Split::Val, Split::Test, Split::Train]
    );
}

#[test]
fn one_list_in_the_folder_of_each_split_names_what_lies_there() {
    for at in ["", "data/"] {
        let path = |path: &str| format!("{at}{path}");
        let files = [
            (path("train/metadata.csv"), "file_name,label\na.png,happy\nin/B.png,sad\nin/c.png,sad\n"),
            (path("train/a.png"), "1"),
            (path("train/in/b.png"), "2"),
            (path("validation/metadata.csv"), "file_name,label\na.png,sad\n"),
            (path("validation/a.png"), "3"),
            (path("test/metadata.csv"), "file_name,label\nin/c.png,happy\n"),
            (path("test/in/c.png"), "4"),
            ("README.md".to_owned(), ""),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        let clips =
            ["test/in/c.png=happiness", "train/a.png=happiness", "train/in/b.png=sadness", "validation/a.png=sadness"];
        let missing = format!("{at}train/in/c.png: file of line 4 is missing");
        let clips = clips.map(path);
        let manifest =
            check(&files, &clips.each_ref().map(String::as_str), &[&missing, "\"happy\" (2) is read as happiness"]);
        assert_eq!((manifest.importer.as_str(), sizes(&manifest)), ("csv", [2, 1, 1]));
        let list = path("train/metadata.jsonl");
        check_error(&[files[1], files[4], (&list, "{}")], &["save it as metadata.csv", &list]);
    }
}

#[test]
fn a_list_is_imported_by_itself_and_by_named_columns() {
    let folder = folder(&[A, B, ("x.csv", "q,r\na.mp4,anger\nb.mp4,fear\n"), ("y.csv", "")]);
    let columns = ColumnMap { path: Some("Q".into()), label: Some("r".into()), ..Default::default() };
    let options = Options { columns, ..Default::default() };
    let manifest = import(&folder.path().join("x.csv"), &options).unwrap();
    assert_eq!((manifest.clips.len(), manifest.root.as_path()), (2, folder.path()));
    let columns = ColumnMap { label: Some("s".into()), ..options.columns };
    let error = import(&folder.path().join("x.csv"), &Options { columns, ..Default::default() }).unwrap_err();
    assert!(error.to_string().contains("\"s\"") && error.to_string().contains("\"q\", \"r\""), "{error}");
}

#[test]
fn class_folders_label_what_is_below_them() {
    let manifest = check(
        &[
            ("anger/a.mp4", ""),
            ("anger/deep/a.wav", ""),
            ("fear/b.JPG", ""),
            ("fear/.hidden.mp4", ""),
            ("__MACOSX/fear/b.mp4", ""),
            ("readme.md", ""),
            ("stray.mp4", ""),
        ],
        &["anger/a.mp4=anger", "anger/deep/a.wav=anger", "fear/b.JPG=fear"],
        &["stray.mp4: outside the class folders"],
    );
    assert_eq!(manifest.importer, "folders");
}

#[test]
fn split_folders_hold_class_folders() {
    let files = [("train/joy/a.mp4", ""), ("train/sad/b.mp4", ""), ("valid/joy/c.mp4", ""), ("Test/sad/d.mp4", "")];
    let manifest = check(
        &files,
        &[
            "Test/sad/d.mp4=sadness",
            "train/joy/a.mp4=happiness",
            "train/sad/b.mp4=sadness",
            "valid/joy/c.mp4=happiness",
        ],
        &["\"joy\" (2) is read as happiness"],
    );
    let splits: Vec<_> = manifest.clips.iter().map(|clip| clip.split).collect();
    assert_eq!(splits, [Split::Test, Split::Train, Split::Train, Split::Val]);
}

#[test]
fn a_folder_around_the_dataset_is_seen_through() {
    let ids = |files: &[(&str, &str)]| -> Vec<String> {
        import_files(files).unwrap().clips.into_iter().map(|clip| clip.id).collect()
    };
    assert_eq!(ids(&[("set/anger/a.mp4", ""), ("set/fear/b.mp4", "")]), ["anger/a.mp4", "fear/b.mp4"]);
    assert_eq!(ids(&[("s/labels.csv", "path,label\na.mp4,x\nb.mp4,y"), ("s/a.mp4", ""), ("s/b.mp4", "")]).len(), 2);
}

#[test]
fn a_loose_list_beside_class_folders_does_not_hide_them() {
    let files = [("anger/a.mp4", ""), ("fear/b.mp4", ""), ("notes.csv", "who,when\nme,now\n")];
    check(&files, &["anger/a.mp4=anger", "fear/b.mp4=fear"], &[]);
}

#[test]
fn errors_say_what_to_do() {
    check_error(&[], &["the folder is empty", "one folder of clips per class"]);
    check_error(&[("a.txt", ""), ("b.txt", ""), ("c.pdf", "")], &["only 2 .txt and 1 .pdf files", "labels.csv"]);
    check_error(&[A, B], &["2 clips, but nothing that labels them"]);
    check_error(&[("train/a.mp4", ""), ("valid/b.mp4", "")], &["2 clips, but nothing that labels them"]);
    check_error(&[("anger/a.mp4", ""), ("anger/b.mp4", "")], &["all clips have the label \"anger\""]);
    check_error(&[A, ("labels.csv", "path,mood\na.mp4,x\n")], &["no label column", "\"path\", \"mood\"", "rename"]);
    check_error(&[A, ("labels.csv", "what,label\na.mp4,x\n")], &["no path column", "\"what\", \"label\""]);
    check_error(
        &[A, B, ("labels.csv", "a.mp4,anger,train\nb.mp4,fear,test\n")],
        &["no header: write", "path and label"],
    );
    check_error(&[A, ("labels.csv", "path,label\n")], &["no rows"]);
    check_error(&[A, ("labels.csv", "")], &["no rows"]);
    check_error(
        &[A, ("labels.csv", "path,label\nx.mp4,a\ny.mp4,b\n")],
        &["none of 2 clips", "the first: x.mp4: file of line 2 is missing; files are looked for in /", "/labels.csv"],
    );
    check_error(&[("labels.csv", "sep=;\npath;label\nx.mp4;a\n"), A], &["x.mp4: file of line 3"]);
    check_error(&[A, B, ("labels.csv", "path,label\na.mp4,0.4\nb.mp4,-1.2\n")], &["measurements", "-1.2"]);
    let ratings = "path,label,valence\nx.mp4,a,1\n";
    check_error(
        &[A, ("labels.csv", ratings)],
        &["none of 1 clips can be used; the first: x.mp4: file of line 2 is missing"],
    );
    check_error(&[A, ("x.csv", "path,label\n"), ("y.csv", "path,label\n")], &["x.csv, y.csv"]);
    let root = folder(&[("a.txt", ""), ("anger/a.mp4", ""), ("fear/a.mp4", "")]);
    let fails = |path: &Path, options: &Options| import(path, options).unwrap_err().to_string();
    assert!(fails(&root.path().join("gone"), &Options::default()).contains("no such folder"));
    assert!(fails(&root.path().join("a.txt"), &Options::default()).contains("a dataset is a folder"));
    for importer in IMPORTERS.iter().map(|importer| importer.name()) {
        let error =
            fails(&root.path().join("a.txt"), &Options { importer: Some(importer.into()), ..Default::default() });
        let wants_folder = error.contains("this is a file: give the folder that it lies in");
        assert_eq!(wants_folder, !OF_FILES.contains(&importer), "{importer}: {error}");
        assert!(!error.contains("os error"), "{importer}: {error}");
    }
    let options = Options { importer: Some("xls".into()), ..Default::default() };
    assert!(fails(root.path(), &options).contains("kaldi, csv, folders"));
    let options = Options { faces: FaceSource::Boxes, ..Default::default() };
    assert!(fails(root.path(), &options).contains("face_width"));
}

#[test]
fn manifests_survive_a_move_of_their_project() {
    let home = folder(&[("p/data/anger/a.mp4", ""), ("p/data/fear/b.mp4", ""), ("elsewhere/x", "")]);
    let old = home.path().join("p");
    let manifest = import(&old.join("data"), &Options::default()).unwrap();
    for at in ["data/manifest.json", "out/manifest.json", "manifest.json"] {
        save(&manifest, &old.join(at)).unwrap();
        assert_eq!(load(&old.join(at)).unwrap(), manifest);
    }
    // Far apart: absolute, so that moving the manifest alone does no harm.
    save(&manifest, &home.path().join("a/b/c/manifest.json")).unwrap();
    fs::rename(home.path().join("a"), home.path().join("z")).unwrap();
    assert_eq!(load(&home.path().join("z/b/c/manifest.json")).unwrap(), manifest);
    // In one project: relative across several levels.
    fs::write(old.join("limbic.toml"), "").unwrap();
    save(&manifest, &old.join("datasets/d/manifest.json")).unwrap();
    let new = home.path().join("q");
    fs::rename(&old, &new).unwrap();
    for at in ["data/manifest.json", "out/manifest.json", "manifest.json", "datasets/d/manifest.json"] {
        let moved = load(&new.join(at)).unwrap();
        assert_eq!(moved.root, new.join("data"), "{at}");
        assert_eq!(moved.clips, manifest.clips);
    }
    let left: Vec<_> = fs::read_dir(new.join("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["manifest.json"], "no temporary file stays");
}

#[test]
fn damaged_and_newer_manifests_are_told_apart() {
    let root = folder(&[("bad.json", "{\"format\":1"), ("new.json", "{\"format\":99}"), ("other.json", "[1]")]);
    let message = |name: &str| load(&root.path().join(name)).unwrap_err().to_string();
    assert!(message("bad.json").contains("not a manifest, or a damaged one"));
    assert!(message("other.json").contains("not a manifest"));
    assert!(message("new.json").contains("update Limbic"));
    assert!(message("gone.json").contains("cannot read"));
    let manifest = Manifest::new("m", "csv", root.path(), emotion::LabelSet::basic(2));
    assert!(matches!(save(&manifest, &root.path().join("bad.json/m.json")), Err(DatasetError::Write { .. })));
}

#[test]
fn the_rows_of_a_long_list_are_found_without_their_extensions() {
    let root = folder(&[]);
    let mut list = "path,label,speaker\n".to_owned();
    for clip in 0..2_000 {
        fs::write(root.path().join(format!("{clip}.mp4")), "").unwrap();
        // Without extension, so that the folder has to be searched.
        list += &format!("{clip},{},{}\n", clip % 7, clip % 50);
    }
    fs::write(root.path().join("labels.csv"), list).unwrap();
    let manifest = import(root.path(), &Options::default()).unwrap();
    assert_eq!(sizes(&manifest), [1_400, 200, 400]);
    save(&manifest, &root.path().join("manifest.json")).unwrap();
    assert_eq!(load(&root.path().join("manifest.json")).unwrap(), manifest);
}

#[test]
fn one_content_in_two_splits_is_reported() {
    let list =
        "path,label,split\na.mp4,anger,train\nb.mp4,fear,train\nc.mp4,fear,val\nd.mp4,anger,test\ne.mp4,fear,test\n";
    let files = [
        ("a.mp4", "one take"),
        ("b.mp4", "a second"),
        ("c.mp4", "a third "),
        ("d.mp4", "one take"),
        ("e.mp4", ""),
        ("labels.csv", list),
    ];
    let clips = ["a.mp4=anger", "b.mp4=fear", "c.mp4=fear", "d.mp4=anger", "e.mp4=fear"];
    check(&files, &clips, &["d.mp4: the same content as a.mp4: one is in test, the other in train"]);
    let frames = ["train/anger/a", "train/fear/b", "test/fear/c", "test/anger/d"].map(|clip| {
        [1, 2].map(|frame| (format!("{clip}/{frame:02}.jpg"), format!("frame {frame} of {}", &clip[clip.len() - 1..])))
    });
    let mut frames = frames.concat();
    // The last has the pictures of the first.
    frames[6].1 = frames[0].1.clone();
    frames[7].1 = frames[1].1.clone();
    let frames: Vec<(&str, &str)> = frames.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
    let reason = "train/anger/a: the same content as test/anger/d: one is in train, the other in test";
    check(
        &frames,
        &["test/anger/d=anger", "test/fear/c=fear", "train/anger/a=anger", "train/fear/b=fear"],
        &["each of which is one clip: 4", reason],
    );
    let long = "x".repeat(20_000);
    let other = format!("{}y", &long[1..]);
    check(&[("fear/a.mp4", &long), ("sadness/b.mp4", &other)], &["fear/a.mp4=fear", "sadness/b.mp4=sadness"], &[]);
}

#[test]
fn a_second_scan_keeps_what_is_known_of_clips_that_did_not_change() {
    let root = folder(&[("anger/a.mp4", "1"), ("fear/b.mp4", "22"), ("fear/c.mp4", "333")]);
    let mut earlier = import(root.path(), &Options::default()).unwrap();
    for clip in &mut earlier.clips {
        clip.duration_secs = Some(2.5);
        clip.present = Some(emotion::Modalities::ALL);
    }
    earlier.clips[2].text = Some("with words".into());
    earlier.clips[1].person = Some(FaceChoice::Centre);
    let stream = |name: &str, extracted| Stream {
        name: name.into(),
        modality: Modality::Voice,
        n_dims: 2,
        aligned: false,
        extracted,
    };
    earlier.streams = vec![stream("theirs", false), stream("mfcc", true)];
    for clip in &mut earlier.clips[..2] {
        let path = "features/x.npy".into();
        let of_ours = FeatureRef { stream: 1, path, array: None, row: None, first_dim: 0, first_step: 0, n_steps: 3 };
        clip.features.push(of_ours);
    }
    fs::write(root.path().join("fear/b.mp4"), "another").unwrap();
    fs::write(root.path().join("fear/d.mp4"), "4444").unwrap();
    let mut fresh = import(root.path(), &Options::default()).unwrap();
    assert_eq!(keep_known(&mut fresh, &earlier), 1);
    let known: Vec<_> = fresh.clips.iter().map(|clip| clip.duration_secs).collect();
    assert_eq!(known, [Some(2.5), None, None, None], "a is as it was, b changed, c has lost its text, d is new");
    assert_eq!(fresh.streams, [stream("mfcc", true)], "what the annotation named is gone with it");
    let features: Vec<_> =
        fresh.clips.iter().map(|clip| clip.features.iter().map(|own| own.stream).collect::<Vec<_>>()).collect();
    assert_eq!(features, [vec![0], vec![], vec![], vec![]]);
    assert_eq!(fresh.clips[1].person, Some(FaceChoice::Centre), "a decision stays");
}

// Elsewhere folders are not opened like files, which setting their time takes.
#[cfg(unix)]
#[test]
fn a_second_scan_knows_folders_of_pictures_that_did_not_change() {
    let clips = ["anger/a", "fear/b", "fear/c", "fear/d"];
    let pictures: Vec<String> =
        clips.iter().flat_map(|clip| [format!("{clip}/1.jpg"), format!("{clip}/2.jpg")]).collect();
    let files: Vec<(&str, &str)> = pictures.iter().map(|path| (path.as_str(), path.as_str())).collect();
    let root = folder(&files);
    let at = |path: &str, secs: u64| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs);
        fs::File::open(root.path().join(path)).unwrap().set_modified(time).unwrap();
    };
    files.iter().for_each(|(path, _)| at(path, 1_000));
    clips.iter().for_each(|clip| at(clip, 1_000));
    let mut earlier = import(root.path(), &Options::default()).unwrap();
    earlier.clips.iter_mut().for_each(|clip| clip.present = Some(emotion::Modalities::ALL));
    // One picture changed, one is longer, and one was swapped for another of its length.
    at("fear/b/1.jpg", 2_000);
    fs::write(root.path().join("fear/c/2.jpg"), "a longer picture").unwrap();
    at("fear/c/2.jpg", 1_000);
    at("fear/d", 3_000);
    let mut fresh = import(root.path(), &Options::default()).unwrap();
    assert_eq!(keep_known(&mut fresh, &earlier), 1);
    let known: Vec<bool> = fresh.clips.iter().map(|clip| clip.present.is_some()).collect();
    assert_eq!(known, [true, false, false, false]);
}

#[test]
fn labels_are_merged_and_dropped_on_request_only() {
    let files = [("joy/a.mp4", ""), ("excited/b.mp4", ""), ("sad/c.mp4", ""), ("calm/d.mp4", "")];
    let import_as = |labels: &str| {
        import(folder(&files).path(), &Options { labels: Some(labels.to_owned()), ..Default::default() })
    };
    let manifest = import_as("four,excitement=happiness,calm=-").unwrap();
    assert_eq!(manifest.labels, emotion::LabelSet::named("four").unwrap());
    assert_eq!(manifest.clips.len(), 3);
    assert!(manifest.protocol.contains("excitement → happiness; "), "{}", manifest.protocol);
    let error = import_as("four").unwrap_err().to_string();
    assert!(error.contains("means calm, excitement"), "{error}");
}

#[test]
fn a_manifest_whose_folder_is_gone_is_away_unless_it_needs_no_file_of_it() {
    let root = folder(&[("labels.csv", "path,label\na.mp4,joy\nb.mp4,anger\n"), ("a.mp4", ""), ("b.mp4", "b")]);
    let mut manifest = import(root.path(), &Options::default()).unwrap();
    assert!(!is_away(&manifest));
    let elsewhere = root.path().join("gone");
    let there = manifest.clip_path(&manifest.clips[0]);
    manifest.root = elsewhere;
    assert!(is_away(&manifest));
    manifest.clips[0].path = there;
    assert!(!is_away(&manifest), "clips may lie outside");
    manifest.clips.iter_mut().for_each(|clip| clip.path = "".into());
    assert!(!is_away(&manifest), "texts need no file");
}

#[test]
fn ratings_need_their_scale() {
    let files = [A, B, ("labels.csv", "path,label,Valence,activation\na.mp4,anger,1.5,\nb.mp4,fear,3,7\n")];
    let manifest = check(&files, &TWO, &["the columns of ratings are not used: say which scale"]);
    assert!(manifest.scale.is_none() && manifest.clips.iter().all(|clip| clip.affect.is_empty()));
    let scale = Some(Scale::ONE_TO_FIVE);
    let manifest = import(folder(&files).path(), &Options { scale, ..Options::default() }).unwrap();
    assert_eq!((manifest.scale, manifest.clips[0].affect.valence), (scale, Some(-0.75)));
    assert_eq!(manifest.clips[0].affect.arousal, None);
    assert!(manifest.problems[0].reason.contains("the rating \"7\" in line 3 is not on the scale"));
    // The other one of the same clip is.
    assert_eq!(manifest.clips[1].affect, Affect { valence: Some(0.0), ..Affect::default() });
}
