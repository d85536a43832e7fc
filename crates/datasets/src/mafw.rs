//! MAFW (Liu et al. 2022): 10,045 film clips with sound and bilingual captions, eleven emotions, five official folds.
//!
//! `Train & Test Set/{single,compound}/{no_caption,with_caption}/set_1/{train,test}.txt`: `00025.mp4 anger`, or with captions
//! `clip.mp4⇥label⇥Chinese⇥English`. The captioned lists mix Windows-1252 and GBK, and some lists end without a line feed.
//! The English caption is the text, the Chinese one where there is no other. Left out: the spreadsheets with the votes.

use std::path::{Path, PathBuf};

use emotion::{FaceSource, Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::naming::class_of;
use crate::table::Lines;
use crate::tree::{Kind, Tree, child, kind, stem};
use crate::{DatasetError, Importer, Options, Variant, variant};

/// The official order.
const LABELS: [&str; 11] = [
    "anger",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
    "contempt",
    "anxiety",
    "helplessness",
    "disappointment",
];
const N_FOLDS: usize = 5;

/// Official folder of MAFW.
pub struct Mafw;

impl Importer for Mafw {
    fn name(&self) -> &'static str {
        "mafw"
    }

    fn describe(&self) -> &'static str {
        "MAFW: Train & Test Set/single/with_caption/set_K/{train,test}.txt with data/clips/*.mp4"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "single", describe: "one of eleven emotions a clip" },
            Variant { name: "compound", describe: "combinations of emotions as classes of their own" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        lists(root, "single").or_else(|| lists(root, "compound")).is_some()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let variant = variant(self, options)?;
        let missing = |what: String| DatasetError::Incomplete { what, path: root.to_owned() };
        let lists = lists(root, variant).ok_or_else(|| missing(format!("Train & Test Set/{variant}")))?;
        let fold = options.fold.unwrap_or(1);
        let set = child(&lists, &[&format!("set_{fold}")]);
        let no_fold = || DatasetError::NoFold { asked: fold, there: format!("1 to {N_FOLDS}"), path: lists.clone() };
        let set = set.ok_or_else(no_fold)?;
        let mut draft = Draft::new(self.name(), root, root, warn);
        let clips = Clips::of(Tree::walk_to_frames(root, &mut |problem| draft.warn(problem))?);
        for split in ["train", "test"] {
            let list = child(&set, &[&format!("{split}.txt")]).ok_or_else(|| missing(format!("{split}.txt")))?;
            let Lines { lines, n_foreign } = Lines::read(&list)?;
            if n_foreign > 0 {
                draft.note(&list, format!("lines that are not UTF-8, read as GBK or Windows-1252: {n_foreign}"));
            }
            for (line, text) in lines {
                let mut fields =
                    if text.contains('\t') { text.splitn(4, '\t') } else { text.splitn(4, ' ') }.map(str::trim);
                let (name, word) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
                let label = match variant {
                    "single" => class_of(word, &LABELS).map(str::to_owned),
                    _ => Some(word.to_lowercase()).filter(|word| !word.is_empty()),
                };
                let Some(label) = label else {
                    draft.skip(name, format!("line {line} of {split} has the unknown class {word:?}: left out"));
                    continue;
                };
                let Some((path, audio)) = clips.find(stem(Path::new(name)), options.faces) else {
                    draft.skip(name, format!("clip of line {line} of {split} is missing: left out"));
                    continue;
                };
                let (chinese, english) = (fields.next(), fields.next());
                let caption = english.into_iter().chain(chinese).find(|caption| !caption.is_empty()).map(str::to_owned);
                let split = Some(split.to_owned());
                draft.rows.push(Row { path, audio, label, split, text: caption, ..Row::default() });
            }
        }
        if variant == "single" {
            draft.labels = LABELS.to_vec();
        }
        draft.protocol = Some(format!("MAFW's official fold {fold} of {N_FOLDS}, {variant} labels"));
        draft.faces = if clips.uses_faces(options.faces) { FaceSource::Cropped } else { FaceSource::Auto };
        draft.finish(options)
    }
}

/// The folder of the folds, with captions where those are there.
fn lists(root: &Path, variant: &str) -> Option<PathBuf> {
    let sets = child(root, &["Train & Test Set", "Train&Test Set", "Train_Test_Set"])?;
    child(&child(&sets, &[variant])?, &["with_caption", "no_caption"])
}

/// What there is of each clip, as the tree has it.
struct Clips {
    films: crate::tree::Recordings,
    /// Folders of cut-out faces by number.
    faces: std::collections::HashMap<String, PathBuf>,
    has_films: bool,
}

impl Clips {
    fn of(tree: Tree) -> Self {
        let is_face = |path: &PathBuf| path.iter().any(|part| part.to_string_lossy().to_lowercase().contains("face"));
        let faces = tree.frames.into_iter().filter(is_face);
        Self {
            has_films: tree.files.iter().any(|file| kind(file) == Some(Kind::Video)),
            films: crate::tree::Recordings::new(&tree.files),
            faces: faces.map(|path| (stem(&path).to_owned(), path)).collect(),
        }
    }

    fn uses_faces(&self, asked: FaceSource) -> bool {
        asked == FaceSource::Cropped || !self.has_films
    }

    fn find(&self, name: &str, asked: FaceSource) -> Option<(PathBuf, Option<PathBuf>)> {
        let film = self.films.get(name, Kind::Video).cloned();
        if !self.uses_faces(asked) {
            return Some((film?, None));
        }
        let sound = self.films.get(name, Kind::Sound).cloned().or(film);
        Some((self.faces.get(name)?.clone(), sound))
    }
}
