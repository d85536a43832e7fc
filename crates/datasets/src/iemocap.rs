//! IEMOCAP (Busso et al. 2008): five sessions of two actors each, cut into utterances.
//!
//! `Session1/dialog/EmoEvaluation/Ses01F_impro01.txt` with lines `[6.2901 - 8.2357]⇥Ses01F_impro01_F000⇥neu⇥[2.5, 2.5,
//! 2.5]`, sound in `Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav`, words in
//! `Session1/dialog/transcriptions`.
//! Left out: pictures, which exist of whole dialogues only.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{Affect, Manifest, Problem, Scale};

use crate::assemble::{Draft, Row};
use crate::split::fold_of_part;
use crate::table::Lines;
use crate::tree::{child, entries, extension};
use crate::{DatasetError, Importer, Options, Variant, variant};

const CODES: [(&str, &str); 9] = [
    ("ang", "anger"),
    ("dis", "disgust"),
    ("exc", "excitement"),
    ("fea", "fear"),
    ("fru", "frustration"),
    ("hap", "happiness"),
    ("neu", "neutral"),
    ("sad", "sadness"),
    ("sur", "surprise"),
];

/// Official folder of IEMOCAP.
pub struct Iemocap;

impl Importer for Iemocap {
    fn name(&self) -> &'static str {
        "iemocap"
    }

    fn describe(&self) -> &'static str {
        "IEMOCAP: Session1…5 with dialog/EmoEvaluation/*.txt and sentences/wav"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant {
                name: "four",
                describe: "anger, happiness with excitement, neutral, sadness: the usual 5,531 utterances",
            },
            Variant { name: "six", describe: "anger, excitement, frustration, happiness, neutral, sadness" },
            Variant { name: "nine", describe: "all emotions that the raters could name" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        sessions(root).iter().any(|(_, session)| session.join("dialog/EmoEvaluation").is_dir())
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let variant = variant(self, options)?;
        let mut draft = Draft::new(self.name(), root, root, warn);
        for (number, session) in sessions(root) {
            let texts = transcripts(&session)?;
            for list in text_files(&session.join("dialog/EmoEvaluation"))? {
                for (_, line) in Lines::read(&list)?.lines {
                    let Some(turn) = Turn::of(&line) else { continue };
                    let name = turn.name;
                    let Some(label) = class(turn.code, variant) else {
                        draft.leave_out(
                            name,
                            match turn.code {
                                "xxx" => "the raters do not agree (xxx)".to_owned(),
                                code => format!("{code} is none of the classes of the variant {variant}"),
                            },
                        );
                        continue;
                    };
                    let dialogue = name.rsplit_once('_').map_or(name, |(dialogue, _)| dialogue);
                    let wav = session.join("sentences/wav").join(dialogue).join(format!("{name}.wav"));
                    if !wav.is_file() {
                        draft.skip(name, "sound is missing: left out");
                        continue;
                    }
                    let [valence, arousal, dominance] = turn.ratings.map(|rating| {
                        // Some means are 0.5 and 5.5: single raters left the scale.
                        rating.and_then(|rating| Scale::ONE_TO_FIVE.to_unit(rating))
                    });
                    if turn.ratings.iter().flatten().count() > [valence, arousal, dominance].iter().flatten().count() {
                        draft.note(name, "a rating is not in 1 to 5 and is not used");
                    }
                    let gender = name.rsplit('_').next().and_then(|last| last.chars().next()).unwrap_or('?');
                    draft.rows.push(Row {
                        path: wav.strip_prefix(root).expect("sessions are below the root").to_owned(),
                        label: label.to_owned(),
                        affect: Affect { valence, arousal, dominance },
                        split: Some(number.to_string()),
                        speaker: Some(format!("{number}{gender}")),
                        text: texts.get(name).cloned(),
                        ..Row::default()
                    });
                }
            }
        }
        draft.labels = CODES.iter().map(|(_, label)| *label).filter(|label| kept(label, variant)).collect();
        draft.scale = Some(Scale::ONE_TO_FIVE);
        let merged = if variant == "four" { ", excitement counts as happiness" } else { "" };
        draft.protocol = Some(format!("IEMOCAP, {variant} classes{merged}; sessions as"));
        let fold = fold_of_part(&mut draft.rows, options.fold, 5);
        draft.finish(&Options { fold, ..options.clone() })
    }
}

fn sessions(root: &Path) -> Vec<(u32, PathBuf)> {
    let number = |path: &Path| path.file_name()?.to_str()?.to_lowercase().strip_prefix("session")?.trim().parse().ok();
    let found = entries(root).unwrap_or_default().into_iter().filter(|(_, is_folder)| *is_folder);
    found.filter_map(|(path, _)| Some((number(&path)?, path))).collect()
}

fn text_files(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let found = entries(folder).map_err(|source| DatasetError::Read { path: folder.to_owned(), source })?;
    let is_text = |path: &PathBuf| extension(path).is_some_and(|extension| extension == "txt");
    Ok(found.into_iter().map(|(path, _)| path).filter(is_text).collect())
}

/// Words by utterance; a session may come without them.
fn transcripts(session: &Path) -> Result<HashMap<String, String>, DatasetError> {
    let mut texts = HashMap::new();
    let Some(folder) = child(&session.join("dialog"), &["transcriptions"]) else { return Ok(texts) };
    for list in text_files(&folder)? {
        for (_, line) in Lines::read(&list)?.lines {
            // Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
            let Some((head, text)) = line.split_once("]:") else { continue };
            let name = head.split('[').next().unwrap_or_default().trim();
            if !text.trim().is_empty() {
                texts.insert(name.to_owned(), text.trim().to_owned());
            }
        }
    }
    Ok(texts)
}

/// The line of an utterance; those of single raters begin otherwise.
struct Turn<'a> {
    name: &'a str,
    code: &'a str,
    /// Valence, activation, dominance from 1 to 5.
    ratings: [Option<f32>; 3],
}

impl<'a> Turn<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::trim);
        let times = fields.next()?;
        let (name, code) = (fields.next()?, fields.next()?);
        if !times.starts_with('[') || !name.starts_with("Ses") {
            return None;
        }
        let ratings = fields.next().unwrap_or_default().trim_matches(['[', ']']);
        let mut ratings = ratings.split(',').map(|rating| rating.trim().parse().ok());
        Some(Self { name, code, ratings: std::array::from_fn(|_| ratings.next().flatten()) })
    }
}

fn kept(label: &str, variant: &str) -> bool {
    match variant {
        "four" => ["anger", "happiness", "neutral", "sadness"].contains(&label),
        "six" => !["disgust", "fear", "surprise"].contains(&label),
        _ => true,
    }
}

fn class(code: &str, variant: &str) -> Option<&'static str> {
    let (_, label) = CODES.iter().find(|(own, _)| *own == code)?;
    let label = if variant == "four" && *label == "excitement" { "happiness" } else { label };
    kept(label, variant).then_some(label)
}
