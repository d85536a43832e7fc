//! FER+ (Barsoum et al. 2016): the faces of FER2013, 48 × 48 pixels, with the votes of ten taggers.
//!
//! `train_label.csv` beside `train`, or `FER2013Train/label.csv`, with `file,box` and ten columns of votes; the
//! official files have no header. The class is that of most votes, or as FER+'s own reader has it: single votes are
//! noise, and of the others more than half must agree. `fer2013.csv` and `fer2013new.csv`, of which these are made, are
//! read as FER2013.

use std::path::{Path, PathBuf};

use emotion::{FaceBox, FaceSource, Manifest, Problem, Split};

use crate::assemble::{Draft, Row};
use crate::table::{Record, Table};
use crate::tree::{entries, is_media, stem};
use crate::{DatasetError, Importer, Options, Variant, variant};

/// The columns of votes that are classes.
pub(crate) const LABELS: [&str; 8] =
    ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"];
/// Columns after them: the tagger cannot tell; there is no face.
const OTHERS: [&str; 2] = ["the taggers cannot tell", "the taggers see no face"];

/// How votes become a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The class with most votes; of several the first.
    Plurality,
    /// The class with more than half of the votes, single ones aside, as `ferplus.py` of microsoft/FERPlus reads them
    /// (`majority`).
    Majority,
}

impl Rule {
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Plurality => "FER+, the class with most votes",
            Self::Majority => "FER+, the class with more than half of the votes, single ones aside",
        }
    }
}

/// Folder of FER+.
pub struct FerPlus;

impl Importer for FerPlus {
    fn name(&self) -> &'static str {
        "fer-plus"
    }

    fn describe(&self) -> &'static str {
        "FER+: {train,valid,test}_label.csv beside folders of pictures, or FER2013Train/label.csv"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "plurality", describe: "the class with most votes; of several the first" },
            Variant {
                name: "majority",
                describe: "the class with more than half of the votes, single ones aside, as FER+'s reader has it",
            },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        lists(root).iter().any(|list| {
            let is_face = |record: &Record| record.fields.len() == 12 && face(record.field(1)).is_some();
            Table::head(&list.path).is_ok_and(|table| table.records.first().is_some_and(is_face))
        })
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let rule = if variant(self, options)? == "majority" { Rule::Majority } else { Rule::Plurality };
        let mut draft = Draft::new(self.name(), root, root, warn);
        let mut n_ties = 0;
        let mut cropped = true;
        for list in lists(root) {
            let table = Table::read(&list.path)?;
            let has_header = face(table.header.get(1).map_or("", String::as_str)).is_none();
            let records = if has_header { table.records } else { table.headless() };
            for record in &records {
                let path = list.folder.join(record.field(0));
                let votes: Option<Vec<f32>> = (2..12).map(|column| record.field(column).parse().ok()).collect();
                let Some(votes) = votes else {
                    draft.skip(path, format!("line {} has no ten votes: left out", record.line));
                    continue;
                };
                let Verdict { label, shares, is_tie } = match verdict(&votes, rule) {
                    Ok(verdict) => verdict,
                    Err(reason) => {
                        draft.leave_out(&path, reason);
                        continue;
                    }
                };
                if !root.join(&path).is_file() {
                    draft.skip(path, format!("picture of line {} is missing: left out", record.line));
                    continue;
                }
                n_ties += usize::from(is_tie);
                let face = face(record.field(1));
                cropped &= face.is_none_or(|face| (face.x_px, face.y_px) == (0.0, 0.0));
                draft.rows.push(Row {
                    path,
                    label: label.to_owned(),
                    votes: shares,
                    split: Some(list.split.name().to_owned()),
                    face,
                    ..Row::default()
                });
            }
        }
        if n_ties > 0 {
            draft.note(root, ties(n_ties));
        }
        if cropped {
            // The boxes are those of the whole picture.
            draft.rows.iter_mut().for_each(|row| row.face = None);
            draft.faces = FaceSource::Cropped;
        }
        draft.labels = LABELS.to_vec();
        draft.protocol = Some(rule.protocol().to_owned());
        draft.finish(options)
    }
}

/// What the taggers say of a picture.
pub(crate) struct Verdict {
    pub label: &'static str,
    /// Of each class.
    pub shares: Vec<f32>,
    pub is_tie: bool,
}

/// The class that the ten `votes` give by `rule`; the error says why there is none.
pub(crate) fn verdict(votes: &[f32], rule: Rule) -> Result<Verdict, &'static str> {
    let counted: Vec<f32> = match rule {
        Rule::Plurality => votes.to_vec(),
        Rule::Majority => votes.iter().map(|&n| if n > 1.0 { n } else { 0.0 }).collect(),
    };
    let best = counted.iter().copied().fold(0.0, f32::max);
    if rule == Rule::Majority && best * 2.0 <= counted.iter().sum() {
        return Err("no majority of the taggers");
    }
    let winners: Vec<usize> = (0..counted.len()).filter(|&column| counted[column] == best).collect();
    let label = *winners.first().filter(|_| best > 0.0).ok_or("without votes")?;
    let label = *LABELS.get(label).ok_or_else(|| OTHERS[label - LABELS.len()])?;
    let total: f32 = votes[..LABELS.len()].iter().sum();
    Ok(Verdict { label, shares: votes[..LABELS.len()].iter().map(|n| n / total).collect(), is_tie: winners.len() > 1 })
}

pub(crate) fn ties(n: usize) -> String {
    format!("pictures on which taggers tie, of which the first class in the order of FER+ counts: {n}")
}

/// Votes of one split, and the folder of its pictures relative to the root.
struct List {
    path: PathBuf,
    folder: PathBuf,
    split: Split,
}

fn lists(root: &Path) -> Vec<List> {
    let mut lists = Vec::new();
    for (path, is_folder) in entries(root).unwrap_or_default() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if is_folder {
            let split = name.to_lowercase().strip_prefix("fer2013").and_then(|rest| rest.parse().ok());
            let inner = path.join("label.csv");
            if let Some(split) = split.filter(|_| inner.is_file()) {
                lists.push(List { path: inner, folder: name.into(), split });
            }
        } else if let Some(word) = stem(&path).strip_suffix("_label")
            && let Ok(split) = word.parse()
            && !is_media(&path)
        {
            lists.push(List { folder: word.into(), split, path });
        }
    }
    lists
}

/// `(0, 0, 48, 48)`: left, top, right, bottom.
fn face(text: &str) -> Option<FaceBox> {
    let mut sides =
        text.trim().strip_prefix('(')?.strip_suffix(')')?.split(',').map(|side| side.trim().parse::<f32>().ok());
    let (x_px, y_px) = (sides.next()??, sides.next()??);
    let (right, bottom) = (sides.next()??, sides.next()??);
    Some(FaceBox { x_px, y_px, width_px: right - x_px, height_px: bottom - y_px })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_more_than_half_of_the_votes_single_ones_aside() {
        for (votes, plurality, majority) in [
            ([8, 1, 1, 0, 0, 0, 0, 0, 0, 0], Ok("neutral"), Ok("neutral")),
            // Five of nine, and single votes are no votes.
            ([5, 0, 0, 4, 1, 0, 0, 0, 0, 0], Ok("neutral"), Ok("neutral")),
            ([5, 1, 1, 1, 1, 1, 0, 0, 0, 0], Ok("neutral"), Ok("neutral")),
            ([4, 0, 0, 2, 2, 0, 0, 0, 0, 2], Ok("neutral"), Err("no majority of the taggers")),
            ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], Ok("neutral"), Err("no majority of the taggers")),
            ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], Ok("neutral"), Err("no majority of the taggers")),
            ([0, 0, 2, 1, 1, 1, 0, 0, 5, 0], Err("the taggers cannot tell"), Err("the taggers cannot tell")),
            ([0, 0, 0, 0, 0, 0, 0, 3, 0, 7], Err("the taggers see no face"), Err("the taggers see no face")),
        ] {
            let votes = votes.map(|n: u8| f32::from(n));
            let label = |rule| verdict(&votes, rule).map(|verdict| verdict.label);
            assert_eq!((label(Rule::Plurality), label(Rule::Majority)), (plurality, majority), "{votes:?}");
        }
    }
}
