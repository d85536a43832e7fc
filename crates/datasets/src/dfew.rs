//! DFEW, Dynamic Facial Expression in the Wild (Jiang et al. 2020): 11,697 single-labelled film clips, five official
//! folds.
//!
//! `EmoLabel_DataSplit/{train,test}(single-labeled)/set_1.csv` with `video_name,label`; clips are numbers, padded in
//! one place and not in the next, and the original films are often left in `part_1` … `part_11` as they were shipped.
//! Left out: the votes of the ten annotators, which are in a spreadsheet.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{FaceSource, Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::frame_lists::note_few_frames;
use crate::table::Table;
use crate::tree::{Kind, Tree, child, entries, kind, stem};
use crate::{DatasetError, Importer, Options};

/// Label 1 is the first.
pub(crate) const LABELS: [&str; 7] = ["happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear"];

const N_FOLDS: usize = 5;

/// Official folder of DFEW.
pub struct Dfew;

impl Importer for Dfew {
    fn name(&self) -> &'static str {
        "dfew"
    }

    fn describe(&self) -> &'static str {
        "DFEW: EmoLabel_DataSplit/{train,test}(single-labeled)/set_K.csv with Clip/original or Clip/clip_224x224"
    }

    fn recognizes(&self, root: &Path) -> bool {
        part(root, "train").is_some() && part(root, "test").is_some()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let mut draft = Draft::new(self.name(), root, root, warn);
        let clips = Clips::of(Tree::walk_to_frames(root, &mut |problem| draft.warn(problem))?);
        let is_there = |fold: &usize| part(root, "train").is_some_and(|folder| list(&folder, *fold).is_file());
        let fold = options.fold.or_else(|| (1..=N_FOLDS).find(is_there)).unwrap_or(1);
        let mut stand_ins = Vec::new();
        for split in ["train", "test"] {
            let missing = || DatasetError::Incomplete {
                what: format!("the folder of the {split} lists"),
                path: root.join("EmoLabel_DataSplit"),
            };
            let folder = part(root, split).ok_or_else(missing)?;
            let list = list(&folder, fold);
            if !(1..=N_FOLDS).contains(&fold) {
                return Err(DatasetError::NoFold { asked: fold, there: format!("1 to {N_FOLDS}"), path: folder });
            }
            if !list.is_file() {
                return Err(DatasetError::Incomplete { what: format!("set_{fold}.csv"), path: folder });
            }
            let table = Table::read(&list)?;
            let [name_column, label_column] = table.columns(["video_name", "label"], &list)?;
            for record in &table.records {
                let (name, line) = (record.field(name_column), record.line);
                let label = record
                    .field(label_column)
                    .parse::<usize>()
                    .ok()
                    .and_then(|label| LABELS.get(label.wrapping_sub(1)));
                let Some(label) = label else {
                    let found = record.field(label_column);
                    draft.skip(name, format!("line {line} of {split} has the label {found:?}, not 1 to 7: left out"));
                    continue;
                };
                let Some((path, audio)) = number(name).and_then(|number| clips.find(number, options.faces)) else {
                    draft.skip(name, format!("clip of line {line} of {split} is missing: left out"));
                    continue;
                };
                if !clips.uses_crops(options.faces) && clips.is_crop(&path) {
                    stand_ins.push(path.clone());
                }
                let (label, split) = ((*label).to_owned(), Some(split.to_owned()));
                draft.rows.push(Row { path, audio, label, split, ..Row::default() });
            }
        }
        match stand_ins.as_slice() {
            [] => {}
            [one] => draft.note(one, "its film is missing: the faces cut out of it stand in"),
            [first, more @ ..] => {
                let n = more.len();
                let reason = format!("its film is missing, and those of {n} more: the faces cut out of them stand in");
                draft.note(first, reason);
            }
        }
        note_few_frames(root, &mut draft);
        draft.labels = LABELS.to_vec();
        draft.protocol = Some(format!("DFEW's official fold {fold} of {N_FOLDS}, single-labelled clips"));
        draft.faces = clips.faces(options.faces);
        draft.finish(options)
    }
}

/// The folder of the single-labelled lists of a split; archives spell it `(single-labeled)` and `(single_labeled)`.
fn part(root: &Path, split: &str) -> Option<PathBuf> {
    let lists = child(root, &["EmoLabel_DataSplit"])?;
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_part = |path: &Path| name(path).starts_with(split) && name(path).contains("single");
    let below = |folder: &Path| entries(folder).ok()?.into_iter().find(|(path, is_folder)| *is_folder && is_part(path));
    let (part, _) = below(&lists)?;
    // Windows extracts an archive into a folder of its name, in which the archive's own folder lies.
    Some(below(&part).map_or(part, |(inner, _)| inner))
}

fn list(folder: &Path, fold: usize) -> PathBuf {
    folder.join(format!("set_{fold}.csv"))
}

/// The number of a clip, however it is padded and whatever ends it.
pub(crate) fn number(name: &str) -> Option<u32> {
    stem(Path::new(name)).parse().ok()
}

/// What there is of each clip.
struct Clips {
    originals: HashMap<u32, PathBuf>,
    /// Faces cut out, as one film or as pictures.
    crops: HashMap<u32, PathBuf>,
    sounds: HashMap<u32, PathBuf>,
}

impl Clips {
    fn of(tree: Tree) -> Self {
        let mut clips = Self { originals: HashMap::new(), crops: HashMap::new(), sounds: HashMap::new() };
        // Sixteen frames a clip are a choice that somebody made for one model; all frames come first.
        let (all, sixteen): (Vec<_>, Vec<_>) = tree.frames.into_iter().partition(|path| !is_under(path, "16f"));
        for path in tree.files.into_iter().chain(all).chain(sixteen) {
            let Some(number) = number(&path.to_string_lossy()) else { continue };
            let place = match kind(&path) {
                Some(Kind::Sound) => &mut clips.sounds,
                Some(Kind::Video) if !is_under(&path, "224") => &mut clips.originals,
                Some(Kind::Picture) => continue,
                _ => &mut clips.crops,
            };
            place.entry(number).or_insert(path);
        }
        clips
    }

    fn uses_crops(&self, faces: FaceSource) -> bool {
        faces == FaceSource::Cropped || self.originals.is_empty()
    }

    /// File of a clip, and where its sound is if not in there.
    fn find(&self, number: u32, faces: FaceSource) -> Option<(PathBuf, Option<PathBuf>)> {
        let (original, crop) = (self.originals.get(&number), self.crops.get(&number));
        let sound = self.sounds.get(&number).or(original).cloned();
        match (self.uses_crops(faces), crop, original) {
            (true, Some(crop), _) | (false, Some(crop), None) => Some((crop.clone(), sound)),
            (false, _, Some(original)) => Some((original.clone(), None)),
            _ => None,
        }
    }

    fn is_crop(&self, path: &Path) -> bool {
        number(&path.to_string_lossy()).is_some_and(|number| self.crops.get(&number).is_some_and(|crop| crop == path))
    }

    fn faces(&self, asked: FaceSource) -> FaceSource {
        if self.uses_crops(asked) { FaceSource::Cropped } else { FaceSource::Auto }
    }
}

/// Whether a folder above `path` has `word` in its name.
pub(crate) fn is_under(path: &Path, word: &str) -> bool {
    path.parent().is_some_and(|folder| folder.iter().any(|part| part.to_string_lossy().contains(word)))
}
