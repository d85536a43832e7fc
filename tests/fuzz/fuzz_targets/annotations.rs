//! Annotations of corpora: the first byte chooses a file of a tiny corpus, which the rest replaces.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use datasets::{IMPORTERS, Options, import};
use libfuzzer_sys::fuzz_target;

/// Lists of the copies in the tests of `datasets`, by the importer that reads them.
const LISTS: [(&str, &str); 16] = [
    ("dfew", "EmoLabel_DataSplit/train(single-labeled)/set_1.csv"),
    ("ferv39k", "4_setups/All_scenes/train_All.csv"),
    ("mafw", "Train & Test Set/single/with_caption/set_1/train.txt"),
    ("frame-lists", "annotation/DFEW_set_1_train.txt"),
    ("path-lists", "audio_visual/single/split01/train.csv"),
    ("crema-d", "processedResults/summaryTable.csv"),
    ("crema-d", "labels_consensus_6class_M/label_consensus_1.csv"),
    ("msp-improv", "Evalution.txt"),
    ("iemocap", "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"),
    ("ravdess", "openface.csv"),
    ("mosi-utterances", "text_train.csv"),
    ("mmsa", "label.csv"),
    ("fer-plus", "train_label.csv"),
    ("meld", "train_sent_emo.csv"),
    ("tweet-eval", "train_labels.txt"),
    ("go-emotions", "train.tsv"),
];

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/datasets/tests/assets");
    copy(&assets, folder.path());
    folder
});

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder can be written to");
    for entry in std::fs::read_dir(from).expect("the copies are part of the project").flatten() {
        let target: PathBuf = to.join(entry.file_name());
        match entry.path() {
            path if path.is_dir() => copy(&path, &target),
            path => drop(std::fs::copy(path, target).expect("the folder can be written to")),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&which, content)) = data.split_first() else { return };
    let (importer, list) = LISTS[usize::from(which) % LISTS.len()];
    let root = FOLDER.path().join(importer);
    std::fs::write(root.join(list), content).expect("the folder can be written to");
    let known = IMPORTERS.iter().find(|own| own.name() == importer).expect("it is one of the importers");
    drop(import(&root, &Options { importer: Some(importer.into()), ..Options::default() }));
    for variant in known.variants() {
        let variant = Some(variant.name.to_owned());
        let options = Options { importer: Some(importer.into()), variant, ..Options::default() };
        if let Ok(manifest) = import(&root, &options) {
            manifest.check().expect("an import that succeeds makes a whole manifest");
        }
    }
});
