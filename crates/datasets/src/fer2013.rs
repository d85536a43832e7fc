//! FER2013 (Goodfellow et al. 2013) as it is published: one list with the pixels of each picture as text.
//!
//! `fer2013.csv` with `emotion,pixels,Usage`, or `icml_face_data.csv`, where blanks lead the names; `fer2013new.csv`
//! beside it has the votes of FER+, row by row. Pictures are written as PNG, called as FER+ calls them; those that are
//! there already stay, so that an import that was stopped goes on. Left out: lists without `emotion`, as the test of
//! the competition was.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use emotion::{FaceSource, Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::fer_plus::{self, Rule, Verdict};
use crate::table::{Table, is_list, is_spreadsheet};
use crate::tree::entries;
use crate::{DatasetError, Importer, Options, Variant, opening, variant};

/// In the order of the numbers.
const LABELS: [&str; 7] = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"];
/// Parts by what the list calls them.
const USAGES: [(&str, &str); 3] = [("Training", "train"), ("PublicTest", "val"), ("PrivateTest", "test")];
/// The list of FER+.
const VOTES: &str = "fer2013new.csv";

/// The list, or its folder.
pub struct Fer2013;

impl Importer for Fer2013 {
    fn name(&self) -> &'static str {
        "fer2013"
    }

    fn describe(&self) -> &'static str {
        "FER2013: fer2013.csv or icml_face_data.csv with the columns emotion, pixels, Usage; with fer2013new.csv FER+"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "original", describe: "FER2013's own label, seven classes" },
            Variant { name: "votes", describe: "what most taggers of FER+ say, eight classes" },
            Variant {
                name: "majority",
                describe: "what more than half of them say, single votes aside, as FER+'s reader has it",
            },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        list(root).is_some()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let rule = match variant(self, options)? {
            "votes" => Some(Rule::Plurality),
            "majority" => Some(Rule::Majority),
            _ => None,
        };
        let missing = |what: &str| DatasetError::Incomplete { what: what.to_owned(), path: root.to_owned() };
        let path = list(root).ok_or_else(|| missing("a list with the columns emotion and pixels"))?;
        let folder = path.parent().unwrap_or(&path);
        let mut draft = Draft::new(self.name(), options.pictures.as_deref().unwrap_or(folder), &path, warn);
        if options.pictures.is_none() {
            draft.note(&path, "its pictures are written as files when it is imported");
        }
        let mut rows = Rows::open(&path)?;
        let [emotion, pixels] = ["emotion", "pixels"].map(|name| rows.column(name));
        let (emotion, pixels) = (emotion.ok_or_else(|| missing("emotion"))?, pixels.ok_or_else(|| missing("pixels"))?);
        let usage = rows.column("Usage");
        let mut votes = rule.map(|_| Rows::open(&folder.join(VOTES))).transpose()?;
        let mut n_ties = 0;
        for number in 0.. {
            let Some(record) = rows.next()? else { break };
            let votes = votes.as_mut().map(Rows::next).transpose()?.zip(rule);
            let name = format!("fer{number:07}.png");
            let word = usage.map_or("Training", |column| text(&record, column));
            let Some(&(_, split)) = USAGES.iter().find(|(own, _)| *own == word) else {
                draft.skip(name, format!("row {} is for {word:?}, which is no part of FER2013: left out", number + 1));
                continue;
            };
            let clip = Path::new(word).join(name);
            let (label, shares) = match votes {
                None => match text(&record, emotion).parse::<usize>().ok().and_then(|at| LABELS.get(at)) {
                    Some(label) => ((*label).to_owned(), Vec::new()),
                    None => {
                        draft.skip(clip, format!("row {} has no emotion from 0 to 6: left out", number + 1));
                        continue;
                    }
                },
                Some((None, _)) => return Err(missing(&format!("a row of {VOTES} for each picture"))),
                Some((Some(votes), rule)) => {
                    let votes: Vec<f32> = (2..12).map(|column| text(&votes, column).parse().unwrap_or(0.0)).collect();
                    match fer_plus::verdict(&votes, rule) {
                        Ok(Verdict { label, shares, is_tie }) => {
                            n_ties += usize::from(is_tie);
                            (label.to_owned(), shares)
                        }
                        Err(reason) => {
                            draft.leave_out(clip, reason);
                            continue;
                        }
                    }
                }
            };
            let Some((side, grey)) = grey(text(&record, pixels)) else {
                draft.skip(clip, format!("row {} is no square of pixels from 0 to 255: left out", number + 1));
                continue;
            };
            if let Some(folder) = &options.pictures {
                write_once(&folder.join(&clip), &png(side, &grey))?;
            }
            draft.rows.push(Row { path: clip, label, votes: shares, split: Some(split.to_owned()), ..Row::default() });
        }
        if n_ties > 0 {
            draft.note(&path, fer_plus::ties(n_ties));
        }
        draft.labels = if rule.is_some() { fer_plus::LABELS.to_vec() } else { LABELS.to_vec() };
        draft.faces = FaceSource::Cropped;
        draft.protocol = Some(rule.map_or("FER2013", Rule::protocol).to_owned());
        let mut manifest = draft.finish(options)?;
        if let Some(name) = folder.file_name() {
            manifest.name = name.to_string_lossy().into_owned();
        }
        Ok(manifest)
    }
}

/// The list at `root` or in it; one that says which part a picture is for comes first.
fn list(root: &Path) -> Option<PathBuf> {
    let inside = || entries(root).unwrap_or_default().into_iter().filter(|(_, is_folder)| !is_folder);
    let lists = if root.is_file() { vec![root.to_owned()] } else { inside().map(|(path, _)| path).collect() };
    let columns = |path: &PathBuf| {
        let head = (is_list(path) && !is_spreadsheet(path)).then(|| Table::head(path).ok()).flatten()?;
        let has = |name| head.column(name).is_some();
        (has("emotion") && has("pixels")).then(|| has("Usage"))
    };
    let mut found: Vec<(bool, PathBuf)> =
        lists.into_iter().filter_map(|path| columns(&path).map(|has_usage| (!has_usage, path))).collect();
    found.sort();
    found.into_iter().next().map(|(_, path)| path)
}

/// A list of hundreds of megabytes, row by row.
struct Rows {
    path: PathBuf,
    header: Vec<String>,
    reader: csv::Reader<File>,
}

impl Rows {
    fn open(path: &Path) -> Result<Self, DatasetError> {
        let file = opening::open(path).map_err(|error| match error {
            DatasetError::Read { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                DatasetError::Incomplete { what: "the list of votes".to_owned(), path }
            }
            error => error,
        })?;
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
        let unreadable =
            |error: csv::Error| DatasetError::Unreadable { reason: error.to_string(), path: path.to_owned() };
        let header = reader.byte_headers().map_err(unreadable)?;
        let header = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        Ok(Self { path: path.to_owned(), header, reader })
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|own| own.trim_start_matches('\u{FEFF}').eq_ignore_ascii_case(name))
    }

    fn next(&mut self) -> Result<Option<ByteRecord>, DatasetError> {
        let mut record = ByteRecord::new();
        let unreadable =
            |error: csv::Error| DatasetError::Unreadable { reason: error.to_string(), path: self.path.clone() };
        Ok(self.reader.read_byte_record(&mut record).map_err(unreadable)?.then_some(record))
    }
}

fn text(record: &ByteRecord, column: usize) -> &str {
    record.get(column).and_then(|field| std::str::from_utf8(field).ok()).unwrap_or_default().trim()
}

/// Side and values of a square picture.
fn grey(pixels: &str) -> Option<(u32, Vec<u8>)> {
    let values: Option<Vec<u8>> = pixels.split_ascii_whitespace().map(|value| value.parse().ok()).collect();
    let values = values.filter(|values| !values.is_empty())?;
    let side = values.len().isqrt();
    (side * side == values.len()).then_some((side as u32, values))
}

fn png(side: u32, grey: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(grey));
    written.expect("a square of bytes is a picture, and memory takes it");
    bytes
}

/// Writes a file, unless it is there with this content.
fn write_once(path: &Path, bytes: &[u8]) -> Result<(), DatasetError> {
    if opening::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder)?;
        // Not synced, which takes minutes for all of them: a picture that was cut off is told when it is prepared, and
        // written anew when the dataset is read again.
        std::fs::write(path, bytes)
    };
    write().map_err(|source| DatasetError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_a_square_of_bytes() {
        for (pixels, expected) in [
            ("0 255 7 9", Some((2, vec![0, 255, 7, 9]))),
            (" 3\n", Some((1, vec![3]))),
            ("1 2 3", None),
            ("256", None),
            ("", None),
        ] {
            assert_eq!(grey(pixels), expected, "{pixels:?}");
        }
    }
}
