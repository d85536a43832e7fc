//! FERV39k (Wang et al. 2022): 38,935 clips of 22 scenes as folders of pictures, no sound.
//!
//! `4_setups/All_scenes/{train,test}_All.csv` without a header, `Action/Sad/0010 Sad`, beside `2_ClipsforFaceCrop`.
//! A single scene is imported by one of its lists, `4_setups/Action/train_Action.csv`.

use std::path::{Path, PathBuf};

use emotion::{FaceSource, Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::frame_lists::note_few_frames;
use crate::naming::class_of;
use crate::table::Lines;
use crate::tree::{child, stem};
use crate::{DatasetError, Importer, Options, dfew};

/// Official folder of FERV39k.
pub struct Ferv39k;

impl Importer for Ferv39k {
    fn name(&self) -> &'static str {
        "ferv39k"
    }

    fn describe(&self) -> &'static str {
        "FERV39k: 4_setups/All_scenes/{train,test}_All.csv with 2_ClipsforFaceCrop/SCENE/EMOTION/NUMBER"
    }

    fn recognizes(&self, root: &Path) -> bool {
        let Some(setup) = Setup::of(root) else { return false };
        crops(&setup.root).is_some() || scenes(&setup.root).is_some()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let missing = |what: &str| DatasetError::Incomplete { what: what.to_owned(), path: root.to_owned() };
        let Setup { root, lists, scene } = Setup::of(root).ok_or_else(|| missing("4_setups/All_scenes"))?;
        let root = root.as_path();
        let wants_scenes = matches!(options.faces, FaceSource::Detect | FaceSource::Boxes);
        let (clips, faces) = match (wants_scenes, crops(root), scenes(root)) {
            (false, Some(crops), _) | (true, Some(crops), None) => (crops, FaceSource::Cropped),
            (_, _, Some(scenes)) => (scenes, FaceSource::Detect),
            _ => return Err(missing("2_ClipsforFaceCrop")),
        };
        let clips = clips.strip_prefix(root).expect("it is listed below the root").to_owned();
        let mut draft = Draft::new(self.name(), root, root, warn);
        for split in ["train", "test"] {
            let name = format!("{split}_{scene}.csv");
            let list = child(&lists, &[&name]).ok_or_else(|| missing(&name))?;
            for (line, text) in Lines::read(&list)?.lines {
                // The class is a word; what stands before it is the path, spaces included.
                let Some((name, word)) = text.trim().rsplit_once([' ', '\t', ',']) else {
                    draft.skip(&list, format!("line {line} of {split} is not PATH CLASS: left out"));
                    continue;
                };
                let name = name.trim().replace('\\', "/");
                let Some(label) = class_of(word, &dfew::LABELS) else {
                    draft.skip(name, format!("line {line} of {split} has the unknown class {word:?}: left out"));
                    continue;
                };
                let path = clips.join(&name);
                if !root.join(&path).is_dir() {
                    draft.skip(path, format!("clip of line {line} of {split} is missing: left out"));
                    continue;
                }
                draft.rows.push(Row { path, label: label.to_owned(), split: Some(split.to_owned()), ..Row::default() });
            }
        }
        draft.labels = dfew::LABELS.to_vec();
        note_few_frames(root, &mut draft);
        let which = if scene == "All" { "all scenes".to_owned() } else { format!("the scene {scene}") };
        draft.protocol = Some(format!("FERV39k's official train and test, {which}"));
        draft.faces = faces;
        draft.finish(options)
    }
}

/// Lists of train and test.
struct Setup {
    /// The folder of the corpus.
    root: PathBuf,
    /// The folder of the lists.
    lists: PathBuf,
    /// What their names end in.
    scene: String,
}

impl Setup {
    /// All scenes of a folder, or those of a list; `None` for another folder or file.
    fn of(given: &Path) -> Option<Self> {
        if !given.is_file() {
            let lists = child(&child(given, &["4_setups"])?, &["All_scenes"])?;
            return Some(Self { root: given.to_owned(), lists, scene: "All".to_owned() });
        }
        let scene = stem(given).strip_prefix("train_").or(stem(given).strip_prefix("test_"))?.to_owned();
        let lists = given.parent()?;
        let setups = lists.parent().filter(|setups| setups.file_name().is_some_and(|name| name == "4_setups"))?;
        let root = setups.parent()?.to_owned();
        Some(Self { root, lists: lists.to_owned(), scene })
    }
}

fn crops(root: &Path) -> Option<PathBuf> {
    child(root, &["2_ClipsforFaceCrop"])
}

fn scenes(root: &Path) -> Option<PathBuf> {
    child(root, &["3_ClipsforScenImages"])
}
