//! Whose face: who is in a clip, and whom it is about from now on.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use emotion::{FaceChoice, Manifest, Modality};
use media::FaceModel;

use super::Desk;
use super::import::{MANIFEST, load_dataset};
use crate::command::{Command, Whose};
use crate::state::{Computed, Event, Level, Notice, PeopleOf};

/// Looks for the people of a clip.
pub fn find(asked: PeopleOf, choice: FaceChoice, models: &Path, desk: &Desk) {
    let found = (|| {
        let model = FaceModel::in_folder(models)?;
        media::people(&asked.path, asked.faces, choice, &model)
    })();
    let found =
        found.map_or_else(|error| Computed::Failed(error.to_string()), |found| Computed::Ready(Arc::new(found)));
    desk.tell(Event::People(asked, found));
}

/// Notes in the dataset in `dir` whose face it is: of one clip, or of all that do not say it themselves.
pub fn choose(dir: &Path, whose: &Whose, desk: &Desk) -> anyhow::Result<()> {
    let path = dir.join(MANIFEST);
    let mut manifest = datasets::load(&path)?;
    let before = manifest.clone();
    let undo = match &whose.clip {
        None => {
            let person = whose.person.unwrap_or_default();
            Whose { person: Some(std::mem::replace(&mut manifest.person, person)), ..whose.clone() }
        }
        Some(id) => {
            let clip = manifest.clips.iter_mut().find(|clip| clip.id == *id);
            let clip = clip.with_context(|| format!("the dataset has no clip {id:?} any more"))?;
            Whose { person: std::mem::replace(&mut clip.person, whose.person), ..whose.clone() }
        }
    };
    let n_stale = forget_features(&mut manifest, &before);
    datasets::save(&manifest, &path)?;
    desk.tell(Event::Dataset(load_dataset(dir)?));
    let text = match (&whose.clip, whose.person) {
        (None, person) => format!("Faces of “{}”: {}", whose.dataset, words(person.unwrap_or_default())),
        (Some(id), Some(_)) => format!("“{id}” is about the face that you chose"),
        (Some(id), None) => format!("“{id}” is about the face that the dataset says"),
    };
    let (level, more) = match n_stale {
        0 => (Level::Success, String::new()),
        n => (Level::Warning, format!("; features of {} have to be extracted again", crate::wording::count(n, "clip"))),
    };
    desk.notice(Notice::new(level, text + &more).with_action("Undo", Command::ChoosePerson(undo)));
    Ok(())
}

/// Takes features that Limbic made of other people's faces off the clips, and says of how many; their files stay.
fn forget_features(manifest: &mut Manifest, before: &Manifest) -> usize {
    let ours = |stream: &emotion::Stream| stream.extracted && stream.modality == Modality::Face;
    let ours: Vec<bool> = manifest.streams.iter().map(ours).collect();
    let is_other: Vec<bool> = manifest
        .clips
        .iter()
        .zip(&before.clips)
        .map(|(now, then)| manifest.face_of(now) != before.face_of(then))
        .collect();
    let mut n_stale = 0;
    for (clip, _) in manifest.clips.iter_mut().zip(is_other).filter(|(_, is_other)| *is_other) {
        let n_before = clip.features.len();
        clip.features.retain(|feature| !ours[feature.stream]);
        n_stale += usize::from(clip.features.len() < n_before);
    }
    n_stale
}

/// A choice in words.
pub fn words(person: FaceChoice) -> &'static str {
    match person {
        FaceChoice::Size => "the largest",
        FaceChoice::Centre => "nearest the centre",
        FaceChoice::Point { .. } => "nearest a place",
    }
}
