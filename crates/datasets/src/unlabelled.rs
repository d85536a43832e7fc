//! Corpora whose recordings came without their annotation, told by what they call their folders.

use std::path::Path;

use crate::tree::child;

/// Name, folders of which one is enough to tell it, and what says the labels.
const CORPORA: [(&str, &[&str], &str); 7] = [
    ("DFEW", &["Clip/original", "Clip/clip_224x224"], "EmoLabel_DataSplit with the lists of its folds"),
    ("FERV39k", &["2_ClipsforFaceCrop", "3_ClipsforScenImages"], "4_setups/All_scenes"),
    ("MAFW", &["data/clips", "data/faces", "data/frames"], "Train & Test Set, or Labels/single-set.xlsx"),
    (
        "MELD",
        &["train_splits", "dev_splits_complete", "output_repeated_splits_test"],
        "train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv",
    ),
    ("IEMOCAP", &["Session1/sentences", "Session3/sentences", "Session5/sentences"], "Session1/dialog/EmoEvaluation"),
    ("MSP-IMPROV", &["Audio/session1", "Video/session1"], "Evalution.txt"),
    ("AffectNet", &["train_set/images", "val_set/images"], "train_set/annotations"),
];

/// What is missing where `root` has the folders of a corpus, in words; `None` where it looks like none.
pub(crate) fn missing(root: &Path) -> Option<String> {
    let is_there =
        |path: &&str| path.split('/').try_fold(root.to_owned(), |folder, name| child(&folder, &[name])).is_some();
    let (corpus, _, annotation) = CORPORA.iter().find(|(_, folders, _)| folders.iter().any(is_there))?;
    Some(format!("they are those of {corpus}, whose annotation is missing ({annotation})"))
}
