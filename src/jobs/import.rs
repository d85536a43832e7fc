//! Folders become datasets: looked at first, then imported, and read again when the user wants it otherwise.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use emotion::LabelMap;
use serde::{Deserialize, Serialize};

use super::Desk;
use crate::command::{Command, Import};
use crate::project::{Project, folder_name, write_whole};
use crate::state::{Dataset, Event, Facts, Found, Level, Notice, PageName};
use crate::wording::count;

pub const MANIFEST: &str = "manifest.json";
/// How the dataset was imported, so that it can be read again.
const IMPORT: &str = "import.json";
/// What the dataset is about to become.
const PLAN: &str = "exchange.json";

/// Reads the dataset in `dir`.
pub fn load_dataset(dir: &Path) -> anyhow::Result<Dataset> {
    finish_exchange(dir)?;
    let manifest = datasets::load(&dir.join(MANIFEST))?;
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // Datasets that the command line made have none.
    let import =
        std::fs::read_to_string(dir.join(IMPORT)).ok().and_then(|text| serde_json::from_str::<Import>(&text).ok());
    let import = import.unwrap_or_else(|| Import::new(manifest.root.clone(), &manifest.name));
    let mut import = Import { name: name.clone(), ..import };
    // It may have been chosen since.
    import.options.person = manifest.person;
    let is_away = datasets::is_away(&manifest);
    Ok(Dataset { is_away, ..Dataset::new(&name, dir, manifest, import) })
}

/// Reads annotations, looks at every clip, saves the manifest; `None` when it was cancelled.
pub fn import_dataset(project: &Project, import: &Import, desk: &Desk) -> anyhow::Result<Option<Dataset>> {
    let name = folder_name(&import.name);
    let dir = project.dataset_dir(&name);
    let options = datasets::Options { pictures: Some(dir.join("pictures")), ..import.options.clone() };
    let mut manifest = datasets::import(&import.root, &options)?;
    manifest.name.clone_from(&import.name);
    finish_exchange(&dir)?;
    let earlier = datasets::load(&dir.join(MANIFEST)).ok();
    if let Some(earlier) = &earlier {
        datasets::keep_known(&mut manifest, earlier);
    }
    let keep_going = || desk.keep_going();
    training::inspect(&mut manifest, &keep_going, &|done, total| desk.progress("looking at clips", done, total));
    if !desk.keep_going() {
        return Ok(None);
    }
    if manifest.clips.is_empty() {
        let first = manifest.problems.first();
        let reason = first.map_or_else(|| "there are no clips".into(), |problem| problem.reason.clone());
        anyhow::bail!("none of the clips can be used, the first because: {reason}: {}", import.root.display());
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("the folder cannot be made: {}", dir.display()))?;
    let place = earlier.is_some().then(|| set_aside(project, &dir)).transpose()?;
    datasets::save(&manifest, &dir.join(MANIFEST))?;
    write_whole(&dir.join(IMPORT), &serde_json::to_vec_pretty(import)?)?;
    let dataset = load_dataset(&dir)?;
    let n_problems = manifest.problems.len();
    let verb = if place.is_some() { "read again" } else { "imported" };
    let text = format!("“{name}” is {verb}: {}", count(manifest.clips.len(), "clip"));
    let notice = if n_problems == 0 {
        Notice::new(Level::Success, text)
    } else {
        Notice::new(Level::Warning, format!("{text}, {} skipped or doubtful", count(n_problems, "file")))
    };
    desk.tell(Event::Dataset(dataset.clone()));
    desk.notice(match place {
        Some(place) => notice.with_action("Undo", Command::Exchange { place, dir }),
        None => notice.with_action("Show", Command::GoTo(PageName::Library)),
    });
    Ok(Some(dataset))
}

/// Copies what a dataset is now to the project's bin, and says where to.
fn set_aside(project: &Project, dir: &Path) -> anyhow::Result<PathBuf> {
    let place = project.place_in_bin(dir)?;
    std::fs::create_dir_all(&place).with_context(|| format!("the folder cannot be made: {}", place.display()))?;
    for file in [MANIFEST, IMPORT] {
        if dir.join(file).exists() {
            std::fs::copy(dir.join(file), place.join(file))
                .with_context(|| format!("the earlier reading cannot be kept in {}", place.display()))?;
        }
    }
    Ok(place)
}

/// Exchanges what a dataset is with what was set aside in `place`; the other way round undoes it.
pub fn exchange(place: &Path, dir: &Path, desk: &Desk) -> anyhow::Result<()> {
    let now = Reading::of(dir)?;
    Reading::of(place)?.plan(dir)?;
    now.put(place)?;
    finish_exchange(dir)?;
    let dataset = load_dataset(dir)?;
    let text = format!("“{}” is as it was: {}", dataset.name, count(dataset.manifest.clips.len(), "clip"));
    desk.tell(Event::Dataset(dataset));
    let undo = Command::Exchange { place: place.to_owned(), dir: dir.to_owned() };
    desk.notice(Notice::new(Level::Success, text).with_action("Undo", undo));
    Ok(())
}

/// The files that make a dataset, each as it is or absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reading {
    manifest: Option<String>,
    import: Option<String>,
}

impl Reading {
    fn of(dir: &Path) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = dir.join(file);
            let text = path.exists().then(|| std::fs::read_to_string(&path)).transpose();
            text.with_context(|| format!("the file cannot be read: {}", path.display()))
        };
        Ok(Self { manifest: read(MANIFEST)?, import: read(IMPORT)? })
    }

    /// Says in one file what `dir` is to become: who reads the dataset next does that first, whatever happens
    /// meanwhile.
    fn plan(&self, dir: &Path) -> anyhow::Result<()> {
        write_whole(&dir.join(PLAN), &serde_json::to_vec(self)?)
    }

    fn put(&self, dir: &Path) -> anyhow::Result<()> {
        for (file, text) in [(MANIFEST, &self.manifest), (IMPORT, &self.import)] {
            let path = dir.join(file);
            match text {
                Some(text) => write_whole(&path, text.as_bytes())?,
                None if path.exists() => std::fs::remove_file(&path)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// Ends an exchange of the dataset in `dir` that was begun, if any.
fn finish_exchange(dir: &Path) -> anyhow::Result<()> {
    let plan = dir.join(PLAN);
    if !plan.exists() {
        return Ok(());
    }
    let context = || format!("the earlier reading cannot be put back: {}", plan.display());
    let reading: Reading =
        serde_json::from_slice(&std::fs::read(&plan).with_context(context)?).with_context(context)?;
    reading.put(dir)?;
    std::fs::remove_file(&plan).with_context(context)
}

/// What an import would make; files are listed, not decoded.
pub fn look(import: &Import) -> Found {
    let datasets::Survey { recognized, header } = datasets::survey(&import.root);
    // Classes are those before they are mapped, so that the map can still be mended where it does not fit.
    let unmapped = datasets::Options { labels: None, ..import.options.clone() };
    let mut classes = Vec::new();
    let manifest =
        datasets::import(&import.root, &unmapped).map_err(|error| error.to_string()).and_then(|mut manifest| {
            classes = (0..manifest.labels.len())
                .map(|label| {
                    let n_clips = manifest.clips.iter().filter(|clip| clip.label == label).count();
                    (manifest.labels.name(label).to_owned(), n_clips)
                })
                .collect();
            if let Some(spec) = &import.options.labels {
                LabelMap::parse(&manifest.labels, spec)
                    .and_then(|map| manifest.relabel(&map))
                    .map_err(|error| error.to_string())?;
            }
            Ok(Arc::new(manifest))
        });
    let facts = manifest.as_ref().map_or_else(|_| Facts::default(), |manifest| Facts::of(manifest));
    Found { recognized, header, classes, facts, manifest }
}

#[cfg(test)]
mod tests {
    use emotion::{Clip, LabelSet, Manifest};

    use super::*;

    #[test]
    fn an_exchange_that_was_killed_is_ended_when_the_dataset_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("demo");
        let reading = |name: &str| {
            let mut manifest = Manifest::new(name, "csv", folder.path(), LabelSet::basic(2));
            manifest.clips.push(Clip { id: name.into(), path: name.into(), ..Clip::default() });
            datasets::save(&manifest, &dir.join(MANIFEST)).unwrap();
            let mut import = Import::new(folder.path().into(), name);
            import.options.seed = name.len() as u64;
            write_whole(&dir.join(IMPORT), &serde_json::to_vec(&import).unwrap()).unwrap();
            Reading::of(&dir).unwrap()
        };
        let old = reading("old");
        let new = reading("newer");
        // Killed as soon as it was decided; and after the first of the two files.
        for half_done in [false, true] {
            new.put(&dir).unwrap();
            old.plan(&dir).unwrap();
            if half_done {
                Reading { manifest: old.manifest.clone(), import: new.import.clone() }.put(&dir).unwrap();
            }
            let dataset = load_dataset(&dir).unwrap();
            assert_eq!((dataset.manifest.clips[0].id.as_str(), dataset.import.options.seed), ("old", 3));
            assert_eq!(Reading::of(&dir).unwrap(), old);
            assert!(!dir.join(PLAN).exists());
        }
        // A dataset that the command line made has one file only.
        Reading { manifest: old.manifest.clone(), import: None }.plan(&dir).unwrap();
        load_dataset(&dir).unwrap();
        assert!(!dir.join(IMPORT).exists());
    }
}
