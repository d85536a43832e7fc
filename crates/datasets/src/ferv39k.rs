//! FERV39k (Wang et al. 2022): 38,935 clips of 22 scenes as folders of pictures, no sound.
//!
//! `4_setups/All_scenes/{train,test}_All.csv` without a header, `Action/Sad/0010 Sad`, beside `2_ClipsforFaceCrop`.
//! Left out: the setups of single scenes; the lists themselves can be imported for those.

use std::path::{Path, PathBuf};

use emotion::{FaceSource, Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::frame_lists::note_few_frames;
use crate::naming::class_of;
use crate::table::Lines;
use crate::tree::child;
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
        lists(root).is_some() && (crops(root).is_some() || scenes(root).is_some())
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let missing = |what: &str| DatasetError::Incomplete { what: what.to_owned(), path: root.to_owned() };
        let lists = lists(root).ok_or_else(|| missing("4_setups/All_scenes"))?;
        let wants_scenes = matches!(options.faces, FaceSource::Detect | FaceSource::Boxes);
        let (clips, faces) = match (wants_scenes, crops(root), scenes(root)) {
            (false, Some(crops), _) | (true, Some(crops), None) => (crops, FaceSource::Cropped),
            (_, _, Some(scenes)) => (scenes, FaceSource::Detect),
            _ => return Err(missing("2_ClipsforFaceCrop")),
        };
        let clips = clips.strip_prefix(root).expect("it is listed below the root").to_owned();
        let mut draft = Draft::new(self.name(), root, root, warn);
        for split in ["train", "test"] {
            let list =
                child(&lists, &[&format!("{split}_All.csv")]).ok_or_else(|| missing(&format!("{split}_All.csv")))?;
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
        note_few_frames(root, &mut draft);
        draft.labels = dfew::LABELS.to_vec();
        draft.protocol = Some("FERV39k's official train and test, all scenes".to_owned());
        draft.faces = faces;
        draft.finish(options)
    }
}

fn lists(root: &Path) -> Option<PathBuf> {
    child(&child(root, &["4_setups"])?, &["All_scenes"])
}

fn crops(root: &Path) -> Option<PathBuf> {
    child(root, &["2_ClipsforFaceCrop"])
}

fn scenes(root: &Path) -> Option<PathBuf> {
    child(root, &["3_ClipsforScenImages"])
}
