//! Trained models of the released codes as runs: nothing is trained, but scored like everything else.

use std::path::{Path, PathBuf};

use emotion::{LabelSet, Manifest};
use media::SampleCache;
use models::{Bundle, Card, compute};

use crate::fit::score;
use crate::{Control, Event, Job, Outcome, Run, TrainError};

/// Makes a model of Limbic in the folder `to` of files of a released code; `labels` are the classes in the order of its
/// outputs.
///
/// A `.pkl` file among them, or VAVL's in a folder that is named, holds what inputs are normalized by.
pub fn import_released(job: &Job, labels: &LabelSet, files: &[PathBuf], to: &Path) -> Result<Bundle, TrainError> {
    let about = Manifest::new(&job.name, "none", Path::new(""), labels.clone());
    let card = Card { dataset: "unknown to Limbic".into(), ..card(job, files) };
    Ok(models::import_released(&job.config, &about, files, card, to)?)
}

/// The same as a run in the folder `to`, with the scores on the job's dataset, whose classes may come in another order;
/// a job without a dataset gives a run without scores.
///
/// The run appears when it is whole: [`TrainError::Stopped`] and any other error leave nothing.
pub fn import_released_run(
    job: &Job,
    labels: &LabelSet,
    files: &[PathBuf],
    to: &Path,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<(), TrainError> {
    if Run::at(to).exists() {
        return Err(TrainError::Occupied { path: to.to_owned() });
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let partly = to.with_file_name(format!(".{name}.partly"));
    // What a killed import left.
    std::fs::remove_dir_all(&partly).ok();
    let made = make_run(job, labels, files, &partly, cache, control, on_event).and_then(|()| {
        // A folder without a run may be there; one with files in it stays, and the error says so.
        std::fs::remove_dir(to).ok();
        std::fs::rename(&partly, to).map_err(|source| TrainError::Write { path: to.to_owned(), source })
    });
    if made.is_err() {
        std::fs::remove_dir_all(&partly).ok();
    }
    made
}

fn make_run(
    job: &Job,
    labels: &LabelSet,
    files: &[PathBuf],
    to: &Path,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<(), TrainError> {
    let has_dataset = !job.manifest.as_os_str().is_empty();
    let manifest = if has_dataset { Some(datasets::load(&job.manifest)?) } else { None };
    let run = Run::at(to);
    let device = compute::resolve(&job.device);
    let mut bundle = match &manifest {
        Some(manifest) => {
            // Clips say which ratings there are; their labels are those of the dataset, and are not looked at.
            let about = Manifest { labels: labels.clone(), ..manifest.clone() };
            let card = Card { dataset: manifest.name.clone(), ..card(job, files) };
            models::import_released(&job.config, &about, files, card, &run.best_dir())?
        }
        None => import_released(job, labels, files, &run.best_dir())?,
    };
    run.create(job)?;
    let mut log = run.event_log()?;
    let mut tell = |event: Event| {
        let written = log.push(&event);
        on_event(event);
        written
    };
    tell(Event::Started {
        job: Box::new(job.clone()),
        labels: bundle.labels.clone(),
        stages: Vec::new(),
        n_train: 0,
        n_val: 0,
        n_parameters: models::load(&run.best_dir(), &device)?.n_parameters(),
        device: device.to_string(),
    })?;
    if let Some(manifest) = &manifest {
        score(&run, &mut bundle, manifest, &device, cache, control, &mut tell)?;
    }
    if control.is_stopping() {
        return Err(TrainError::Stopped);
    }
    tell(Event::Finished { outcome: Outcome::Complete, checksum: run.checksum().ok() })
}

fn card(job: &Job, files: &[PathBuf]) -> Card {
    let names = files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy());
    Card {
        name: job.name.clone(),
        preset: job.preset.clone(),
        protocol: format!("imported from {}", names.collect::<Vec<_>>().join(", ")),
        device: "unknown".into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Card::default()
    }
}
