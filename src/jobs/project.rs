//! Projects: opened, made, and what in them is thrown away or put back.

use std::path::{Path, PathBuf};

use media::sample_clips::{self, SampleSet};

use super::Desk;
use super::import::{import_dataset, load_dataset};
use crate::command::{Command, Import};
use crate::project::{self, Project, unused_name};
use crate::run::Run;
use crate::state::{Event, Level, Notice};

/// The sample project: enough clips to learn from in two minutes on two cores.
const SAMPLE: SampleSet = SampleSet { n_clips: 350, n_classes: 7, seed: 0 };

/// Opens the project in `dir`, or makes one; what of it cannot be read becomes notices.
pub fn open(dir: &Path, desk: &Desk) -> anyhow::Result<()> {
    let project = Project::create(dir)?;
    let mut datasets = Vec::new();
    for name in project.dataset_names() {
        match load_dataset(&project.dataset_dir(&name)) {
            Ok(dataset) => datasets.push(dataset),
            Err(error) => desk.notice(Notice::error(&format!("Dataset “{name}” could not be opened"), &error)),
        }
    }
    let mut runs = Vec::new();
    for name in project.run_names() {
        match Run::load(&project.run_dir(&name)) {
            Ok(run) => runs.push(run),
            Err(error) => desk.notice(Notice::error(&format!("Run “{name}” could not be opened"), &error)),
        }
    }
    desk.tell(Event::Opened { project, datasets, runs });
    Ok(())
}

/// Makes the sample project, with its clips, and opens it.
pub fn create_sample(dir: &Path, desk: &Desk) -> anyhow::Result<()> {
    let is_new = !dir.exists();
    let made = (|| {
        let project = Project::create(dir)?;
        let root = project.dataset_dir("sample");
        let keep_going = || desk.keep_going();
        sample_clips::create(&root, &SAMPLE, &keep_going, &|done, total| desk.progress("drawing clips", done, total))?;
        anyhow::ensure!(desk.keep_going(), "cancelled");
        let dataset = import_dataset(&project, &Import::new(root, "sample"), desk)?;
        anyhow::Ok((project, dataset))
    })();
    match made {
        Ok((project, dataset)) => {
            desk.tell(Event::Opened { project, datasets: dataset.into_iter().collect(), runs: Vec::new() });
            Ok(())
        }
        Err(error) => {
            if is_new {
                // Half a sample is of no use to anybody; what cannot be removed does no harm either.
                std::fs::remove_dir_all(dir).ok();
            }
            if desk.keep_going() { Err(error) } else { Ok(()) }
        }
    }
}

/// Moves runs and datasets into the bin.
pub fn discard(project: &Project, dirs: &[PathBuf], desk: &Desk) -> anyhow::Result<()> {
    for dir in dirs {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_run = dir.parent() == Some(&project.dir.join("runs"));
        let place = project.discard(dir)?;
        desk.tell(if is_run { Event::RunGone(name.clone()) } else { Event::DatasetGone(name.clone()) });
        let what = if is_run { "Run" } else { "Dataset" };
        desk.notice(
            Notice::new(Level::Info, format!("{what} “{name}” was deleted"))
                .with_action("Undo", Command::Restore { place, dir: dir.clone() }),
        );
    }
    Ok(())
}

/// Puts a run or a dataset back from the bin.
pub fn restore(place: &Path, dir: &Path, desk: &Desk) -> anyhow::Result<()> {
    let dir = &project::restore(place, dir)?;
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if dir.join("manifest.json").exists() {
        desk.tell(Event::Dataset(load_dataset(dir)?));
    } else {
        desk.tell(Event::Run(Run::load(dir)?));
    }
    desk.notice(Notice::new(Level::Success, format!("“{name}” is back")));
    Ok(())
}

/// The folder for a new sample project.
pub fn sample_dir(projects: &Path) -> PathBuf {
    projects.join(unused_name(projects, "sample"))
}
