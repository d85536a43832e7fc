//! MSP-IMPROV (Busso et al. 2017): 8,438 turns of twelve actors in six dyads, four emotions, and ratings from 1 to 5.
//!
//! `Evalution.txt` (sic): `UTD-IMPROV-S01A-F01-S-FM01.avi; N; A:3.000000; V:3.500000; D:3.000000;`, media are called
//! MSP-IMPROV instead. VAVL's `label_consensus_1.csv` has the ratings and splits, and no classes, its `Face_features`
//! an array a turn.

use std::path::{Path, PathBuf};

use emotion::{Affect, Manifest, Problem, Scale};

use crate::assemble::{Draft, Row};
use crate::split::fold_of_part;
use crate::table::{Lines, Table};
use crate::tree::{Recordings, Tree, entries, stem};
use crate::vavl::add_face_features;
use crate::{DatasetError, Importer, Options, Variant, variant};

const LABELS: [&str; 4] = ["anger", "happiness", "neutral", "sadness"];
const CODES: [&str; 4] = ["A", "H", "N", "S"];

/// Folder of MSP-IMPROV, with the lists of VAVL if they are there.
pub struct MspImprov;

impl Importer for MspImprov {
    fn name(&self) -> &'static str {
        "msp-improv"
    }

    fn describe(&self) -> &'static str {
        "MSP-IMPROV: Evalution.txt with Audio/session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.wav, or VAVL's label_consensus_K.csv, Face_features/*.npy"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "perceived", describe: "what most raters saw and heard (Evalution.txt)" },
            Variant { name: "consensus", describe: "ratings and splits by VAVL; classes are the intended emotions" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        evaluation(root).is_some() || !partitions(root).is_empty()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let variant = match &options.variant {
            None if evaluation(root).is_none() => "consensus",
            _ => variant(self, options)?,
        };
        let mut draft = Draft::new(self.name(), root, root, warn);
        let files = Tree::walk(root, &mut |problem| draft.warn(problem))?.files;
        let recordings = Recordings::new(&files);
        draft.labels = LABELS.to_vec();
        draft.scale = Some(Scale::ONE_TO_FIVE);
        if variant == "consensus" {
            consensus(root, &recordings, options, &mut draft)?;
            add_face_features(root, &files, &mut draft);
            return draft.finish(options);
        }
        let list = evaluation(root)
            .ok_or_else(|| DatasetError::Incomplete { what: "Evalution.txt".to_owned(), path: root.to_owned() })?;
        for (line, text) in Lines::read(&list)?.lines {
            // Lines of single raters are indented or start with their names.
            let mut fields = text.split(';').map(str::trim);
            let name = fields.next().unwrap_or_default();
            if text.starts_with(char::is_whitespace) || !name.to_uppercase().contains("-IMPROV-") {
                continue;
            }
            let turn = stem(Path::new(name)).to_uppercase().replace("UTD-IMPROV", "MSP-IMPROV");
            let code = fields.next().unwrap_or_default();
            let label = match CODES.iter().position(|own| *own == code) {
                Some(label) => LABELS[label].to_owned(),
                None if code == "O" || code == "X" => {
                    let what =
                        if code == "O" { "the raters saw another emotion (O)" } else { "the raters do not agree (X)" };
                    draft.leave_out(&turn, what);
                    continue;
                }
                None => {
                    draft.skip(&turn, format!("line {line} has the unknown class {code:?}: left out"));
                    continue;
                }
            };
            let mut ratings = [None; 3];
            for field in fields {
                let Some((kind, value)) = field.split_once(':') else { continue };
                if let Some(place) = ["V", "A", "D"].iter().position(|own| *own == kind.trim()) {
                    ratings[place] = value.trim().parse().ok();
                }
            }
            let affect = affect(ratings, &turn, &mut draft);
            let split = session(&turn).map(|session| session.to_string());
            push(&mut draft, &turn, &recordings, Row { label, affect, split, ..Row::default() });
        }
        add_face_features(root, &files, &mut draft);
        draft.protocol = Some("MSP-IMPROV, perceived emotions; sessions as".to_owned());
        let fold = fold_of_part(&mut draft.rows, options.fold, 1);
        draft.finish(&Options { fold, ..options.clone() })
    }
}

/// `Evalution.txt` at the top or one folder below.
fn evaluation(root: &Path) -> Option<PathBuf> {
    let own = entries(root).ok()?;
    let below =
        own.iter().filter(|(_, is_folder)| *is_folder).flat_map(|(folder, _)| entries(folder).unwrap_or_default());
    let is_list = |path: &Path| {
        ["evalution", "evaluation"].contains(&stem(path).to_lowercase().as_str())
            && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
    };
    own.iter().cloned().chain(below).find(|(path, is_folder)| !is_folder && is_list(path)).map(|(path, _)| path)
}

/// VAVL's lists in their folder or beside the media.
fn partitions(root: &Path) -> Vec<(usize, PathBuf)> {
    let own = entries(root).unwrap_or_default();
    let below: Vec<_> = own
        .iter()
        .filter(|(_, is_folder)| *is_folder)
        .flat_map(|(folder, _)| entries(folder).unwrap_or_default())
        .collect();
    let mut found: Vec<(usize, PathBuf)> = own
        .into_iter()
        .chain(below)
        .filter_map(|(path, _)| {
            let name = stem(&path).strip_prefix("label_consensus_").or(stem(&path).strip_prefix("labels_consensus_"))?;
            let number = name.parse().ok()?;
            Table::read(&path).is_ok_and(|table| table.column("EmoVal").is_some()).then_some((number, path))
        })
        .collect();
    found.sort();
    found
}

/// The number of the dyad, from the actor's part: `F01`.
fn session(turn: &str) -> Option<u32> {
    actor(turn)?[1..].parse().ok()
}

fn actor(turn: &str) -> Option<&str> {
    turn.split('-').nth(3).filter(|actor| actor.len() == 3 && actor.starts_with(['F', 'M']))
}

/// The ratings valence, arousal, dominance on the scale of 1 to 5; what is outside is said and left out.
fn affect(ratings: [Option<f32>; 3], turn: &str, draft: &mut Draft<'_>) -> Affect {
    let mut unit = |rating: Option<f32>| {
        let rating = rating?;
        let mapped = Scale::ONE_TO_FIVE.to_unit(rating);
        if mapped.is_none() {
            draft.note(turn, format!("the rating {rating} is not in 1 to 5 and is not used"));
        }
        mapped
    };
    let [valence, arousal, dominance] = ratings;
    Affect { valence: unit(valence), arousal: unit(arousal), dominance: unit(dominance) }
}

fn push(draft: &mut Draft<'_>, turn: &str, recordings: &Recordings, row: Row) {
    match recordings.find(turn) {
        Some((path, audio)) => draft.rows.push(Row { path, audio, speaker: actor(turn).map(str::to_owned), ..row }),
        None => draft.skip(turn, "neither video nor sound is there: left out"),
    }
}

fn consensus(
    root: &Path,
    recordings: &Recordings,
    options: &Options,
    draft: &mut Draft<'_>,
) -> Result<(), DatasetError> {
    let partitions = partitions(root);
    let fold = options.fold.or_else(|| partitions.first().map(|(number, _)| *number)).unwrap_or(1);
    let there = partitions.iter().map(|(number, _)| number.to_string()).collect::<Vec<_>>().join(", ");
    let no_fold = || DatasetError::NoFold { asked: fold, there, path: root.to_owned() };
    let (_, list) = partitions.iter().find(|(number, _)| *number == fold).ok_or_else(no_fold)?;
    let table = Table::read(list)?;
    let [name, split, arousal, valence, dominance] =
        table.columns(["FileName", "Split_Set", "EmoAct", "EmoVal", "EmoDom"], list)?;
    for record in &table.records {
        let turn = stem(Path::new(record.field(name))).to_uppercase();
        // MSP-IMPROV-S01A-…: sentence 1, angry.
        let code = turn.split('-').nth(2).and_then(|scene| scene.get(3..4));
        let Some(label) = code.and_then(|code| CODES.iter().position(|own| *own == code)) else {
            draft.skip(&turn, format!("no intended emotion in the name in line {}: left out", record.line));
            continue;
        };
        let ratings = [valence, arousal, dominance].map(|column| record.field(column).parse().ok());
        let affect = affect(ratings, &turn, draft);
        let (label, split) = (LABELS[label].to_owned(), Some(record.field(split).to_owned()));
        push(draft, &turn, recordings, Row { label, affect, split, ..Row::default() });
    }
    draft.protocol = Some(format!(
        "MSP-IMPROV, VAVL's partition {fold} of {}; classes are the intended emotions, for the lists have none",
        partitions.len()
    ));
    Ok(())
}
