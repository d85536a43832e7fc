//! RAVDESS (Livingstone & Russo 2018): 24 actors, eight emotions, two sentences, spoken and sung.
//!
//! `03-01-06-01-02-01-12.wav`: modality, vocal channel, emotion, intensity, sentence, repetition, actor. The first
//! number is 01 for film with sound, 02 without and 03 for sound alone, so the rest names the take. Tables of action
//! units or MFCC statistics that name takes are their features.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use emotion::{FeatureRef, Manifest, Modality, Problem, Stream};

use crate::assemble::{Draft, Row};
use crate::split::fold_of_part;
use crate::table::Table;
use crate::tree::{Tree, entries, extension, is_media, stem};
use crate::{DatasetError, Importer, Options, Variant, variant};

/// Emotion 01 is the first.
pub(crate) const LABELS: [&str; 8] =
    ["neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"];
/// Actors of the five subject-wise test folds of Luna-Jiménez et al. (2021), balanced in gender.
const FOLDS: [&[&str]; 5] = [
    &["02", "05", "14", "15", "16"],
    &["03", "06", "07", "13", "18"],
    &["10", "11", "12", "19", "20"],
    &["08", "17", "21", "23", "24"],
    &["01", "04", "09", "22"],
];
const SENTENCES: [&str; 2] = ["Kids are talking by the door.", "Dogs are sitting by the door."];
/// Folders down to which a first recording is looked for.
const DEPTH: usize = 3;

/// Folder of RAVDESS, in whatever folders the recordings lie.
pub struct Ravdess;

impl Importer for Ravdess {
    fn name(&self) -> &'static str {
        "ravdess"
    }

    fn describe(&self) -> &'static str {
        "RAVDESS: recordings called like 03-01-06-01-02-01-12.wav, tables of action units or MFCCs"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "speech", describe: "spoken sentences" },
            Variant { name: "song", describe: "sung sentences" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        has_takes(root, DEPTH)
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let variant = variant(self, options)?;
        let channel = if variant == "song" { "02" } else { "01" };
        let mut draft = Draft::new(self.name(), root, root, warn);
        let files = Tree::walk(root, &mut |problem| draft.warn(problem))?.files;
        // Of one take, film with sound comes before film and sound apart.
        let mut takes: BTreeMap<String, [Option<PathBuf>; 3]> = BTreeMap::new();
        for file in files.iter().filter(|file| is_media(file)) {
            let Some([modality, rest @ ..]) = numbers(stem(file)) else {
                draft.skip(file, "not called like 03-01-06-01-02-01-12: left out");
                continue;
            };
            let place = match modality {
                "01" => 0,
                "02" => 1,
                _ => 2,
            };
            takes.entry(rest.join("-")).or_default()[place].get_or_insert_with(|| file.clone());
        }
        let features = features(root, &files, &mut draft)?;
        for (take, [both, film, sound]) in takes {
            let parts: Vec<&str> = take.split('-').collect();
            let [own_channel, emotion, _, sentence, _, actor] = parts[..] else { continue };
            if own_channel != channel {
                let other = if variant == "song" { "spoken" } else { "sung" };
                draft.leave_out(
                    both.or(film).or(sound).unwrap_or_default(),
                    format!("{other}, and the variant is {variant}"),
                );
                continue;
            }
            let (path, audio) = match (both, film, sound) {
                (Some(both), _, _) => (both, None),
                (None, Some(film), sound) => (film, sound),
                (None, None, sound) => (sound.unwrap_or_default(), None),
            };
            let index = |number: &str| number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let Some(label) = index(emotion).and_then(|emotion| LABELS.get(emotion)) else {
                draft.skip(path, format!("there is no emotion {emotion}: left out"));
                continue;
            };
            let fold = FOLDS.iter().position(|actors| actors.contains(&actor)).map(|fold| (fold + 1).to_string());
            draft.rows.push(Row {
                path,
                audio,
                label: (*label).to_owned(),
                split: fold,
                speaker: Some(actor.to_owned()),
                text: index(sentence).and_then(|sentence| SENTENCES.get(sentence)).map(ToString::to_string),
                features: features.get(&take).cloned().unwrap_or_default(),
                ..Row::default()
            });
        }
        draft.labels = if variant == "song" { LABELS[..6].to_vec() } else { LABELS.to_vec() };
        draft.protocol = Some(format!("RAVDESS, {variant}; subject-wise after Luna-Jiménez et al. 2021,"));
        let fold = fold_of_part(&mut draft.rows, options.fold, 1);
        draft.finish(&Options { fold, ..options.clone() })
    }
}

/// The seven numbers of a name.
fn numbers(stem: &str) -> Option<[&str; 7]> {
    let mut parts = stem.split('-');
    let numbers = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let is_number = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    (numbers.iter().all(is_number) && parts.next().is_none()).then_some(numbers)
}

/// Who speaks in the recording `stem`; `None` where it is not called like one.
pub(crate) fn actor(stem: &str) -> Option<&str> {
    numbers(stem).map(|[.., actor]| actor)
}

/// Whether the first recording at or below `folder` is called like a take.
fn has_takes(folder: &Path, depth: usize) -> bool {
    let Ok(found) = entries(folder) else { return false };
    if let Some((file, _)) = found.iter().find(|(path, is_folder)| !is_folder && is_media(path)) {
        return numbers(stem(file)).is_some();
    }
    depth > 0 && found.iter().any(|(path, is_folder)| *is_folder && has_takes(path, depth - 1))
}

/// Features by take, from tables with a `name` column; their streams go to the draft.
fn features(
    root: &Path,
    files: &[PathBuf],
    draft: &mut Draft<'_>,
) -> Result<BTreeMap<String, Vec<FeatureRef>>, DatasetError> {
    let mut by_take: BTreeMap<String, Vec<FeatureRef>> = BTreeMap::new();
    let is_table = |file: &&PathBuf| extension(file).is_some_and(|extension| extension == "csv");
    for file in files.iter().filter(is_table) {
        let Ok(table) = Table::read(&root.join(file)) else { continue };
        let Some(name) = table.column("name") else { continue };
        for (modality, first_dim, n_dims) in columns(&table.header) {
            let stream = draft.streams.len();
            let kind = if modality == Modality::Face { "au" } else { "mfcc" };
            let stream_name = format!("{}/{kind}", stem(file));
            draft.streams.push(Stream { name: stream_name, modality, n_dims, aligned: false, extracted: false });
            for (row, record) in table.records.iter().enumerate() {
                let Some([_, take @ ..]) = numbers(record.field(name)) else { continue };
                let features = by_take.entry(take.join("-")).or_default();
                if features.iter().any(|own| own.stream == stream) {
                    let name = record.field(name);
                    draft.note(file, format!("line {} is another row of {name}: not used", record.line));
                    continue;
                }
                let (path, row) = (file.clone(), Some(row));
                features.push(FeatureRef { stream, path, array: None, row, first_dim, first_step: 0, n_steps: 1 });
            }
        }
    }
    Ok(by_take)
}

/// Runs of columns called like action units (`au0`, `AU01_r`) and MFCCs: modality, first column, number of columns.
fn columns(header: &[String]) -> Vec<(Modality, usize, usize)> {
    let modality = |name: &String| {
        let letters: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
        match letters.to_lowercase().as_str() {
            "au" => Some(Modality::Face),
            "mfcc" => Some(Modality::Voice),
            _ => None,
        }
    };
    let mut runs: Vec<(Modality, usize, usize)> = Vec::new();
    for (column, name) in header.iter().enumerate() {
        let Some(modality) = modality(name) else { continue };
        match runs.last_mut() {
            Some((own, first, n)) if *own == modality && *first + *n == column => *n += 1,
            _ => runs.push((modality, column, 1)),
        }
    }
    runs
}
