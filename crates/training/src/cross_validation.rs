//! The same job on every fold of a dataset, and what its scores are on average.

use std::collections::BTreeMap;
use std::path::Path;

use emotion::{Attribute, Modalities, Scores, Spread};
use media::SampleCache;
use serde::{Deserialize, Serialize};

use crate::{Control, Event, Job, Outcome, Report, Run, TrainError, fit, resume, run};

/// Scores over folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossReport {
    /// Number of folds.
    pub n_folds: usize,
    /// Clips that were scored, each once.
    pub n_clips: usize,
    /// Weighted recall (accuracy), unweighted recall and macro F1 with each subset of modalities, over folds that have
    /// it.
    pub per_subset: BTreeMap<Modalities, [Spread; 3]>,
    /// Mean absolute error, Pearson's and concordance correlation of each attribute, for a model of attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(Attribute, [Spread; 3])>,
}

impl CrossReport {
    /// The mean and the deviation of `reports`, at least one.
    pub fn of(reports: &[Report]) -> Self {
        let spread = |values: Vec<f64>| (!values.is_empty()).then(|| Spread::of(&values));
        let subset = |subset: Modalities| {
            let of = |score: fn(&Scores) -> f64| {
                spread(reports.iter().filter_map(|report| report.per_subset.get(&subset)).map(score).collect())
            };
            Some((subset, [of(|scores| scores.war)?, of(|scores| scores.uar)?, of(|scores| scores.macro_f1)?]))
        };
        let attribute = |attribute: Attribute| {
            let of = |score: fn(&emotion::Agreement) -> Option<f64>| {
                let all = reports.iter().flat_map(|report| &report.attributes);
                spread(all.filter(|own| own.attribute == attribute).filter_map(|own| score(&own.agreement)).collect())
            };
            Some((attribute, [of(|own| Some(own.mae))?, of(|own| own.pearson)?, of(|own| own.ccc)?]))
        };
        Self {
            n_folds: reports.len(),
            n_clips: reports.iter().map(|report| report.n_clips).sum(),
            per_subset: Modalities::subsets().into_iter().filter_map(subset).collect(),
            attributes: Attribute::ALL.into_iter().filter_map(attribute).collect(),
        }
    }
}

/// Trains and scores `job` once a fold, in `dir/fold-1` and so on, and writes `dir/cross-validation.json`; `None` if it
/// was stopped. What an earlier call finished is not done again.
///
/// Errors when the folder was begun with another job.
pub fn cross_validate(
    job: &Job,
    n_folds: usize,
    dir: &Path,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(usize, Event),
) -> Result<Option<CrossReport>, TrainError> {
    let manifest = datasets::load(&job.manifest)?;
    std::fs::create_dir_all(dir).map_err(|source| TrainError::Write { path: dir.to_owned(), source })?;
    let dir = std::path::absolute(dir).map_err(|source| TrainError::Write { path: dir.to_owned(), source })?;
    let mut reports = Vec::with_capacity(n_folds);
    for fold in 1..=n_folds {
        let path = dir.join(format!("fold-{fold}.manifest.json"));
        let own = Job { name: format!("{}, fold {fold}", job.name), manifest: path.clone(), ..job.clone() };
        let run = Run::at(&dir.join(format!("fold-{fold}")));
        let is_begun = run.exists();
        if is_begun && run.job()? != own {
            return Err(TrainError::Occupied { path: run.dir().to_owned() });
        }
        if !is_begun {
            datasets::save(&datasets::fold(&manifest, n_folds, fold, job.seed), &path)?;
        }
        let is_done = |event: &Event| matches!(event, Event::Finished { outcome: Outcome::Complete, .. });
        if !(is_begun && run.events()?.iter().any(is_done)) {
            let mut on_event = |event| on_event(fold, event);
            let outcome = match is_begun {
                true => resume(run.dir(), cache, control, &mut on_event)?,
                false => fit(&own, run.dir(), cache, control, &mut on_event)?,
            };
            if outcome != Outcome::Complete {
                return Ok(None);
            }
        }
        reports.push(run.report()?);
    }
    let report = CrossReport::of(&reports);
    let path = dir.join("cross-validation.json");
    let text = serde_json::to_string_pretty(&report)
        .map_err(|error| TrainError::Damaged { reason: error.to_string(), path: path.clone() })?;
    run::write_atomically(&path, text.as_bytes())?;
    Ok(Some(report))
}
