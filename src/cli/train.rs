//! `limbic train`, `cross-validate` and `evaluate`, and what a job says meanwhile.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use emotion::{Modalities, Split};
use training::{Event, Job, JobSetting, Outcome, Report, Run};

use super::{Interrupted, ModelArgs, Shell, interruptible, key_value, stopped_or};
use crate::wording;

#[derive(Args)]
pub(super) struct TrainArgs {
    /// The dataset; not needed with --resume.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["resume", "list_settings"])]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// The run folder.
    #[arg(long, value_name = "RUN", required_unless_present = "list_settings")]
    out: Option<PathBuf>,
    /// Epochs of every stage, at most.
    #[arg(long)]
    epochs: Option<usize>,
    /// Initial values, order of the clips, dropped modalities and augmentation follow from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Change a setting; --list-settings shows them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
    /// Go on where an interrupted run stopped; the run's own settings count.
    #[arg(long)]
    resume: bool,
    /// List what --set can change.
    #[arg(long)]
    list_settings: bool,
}

#[derive(Args)]
pub(super) struct CrossValidateArgs {
    /// The dataset; its own parts do not count.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Number of folds; nobody who speaks is in two of them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..))]
    folds: u16,
    #[command(flatten)]
    model: ModelArgs,
    /// Folder for the folds' runs and cross-validation.json; what is finished there is not done again.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Epochs of every stage, at most.
    #[arg(long)]
    epochs: Option<usize>,
    /// The folds follow from it, and all that --seed of `limbic train` decides.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Change a setting; `limbic train --list-settings` shows them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
}

#[derive(Args)]
pub(super) struct EvaluateArgs {
    /// A run folder or an exported model.
    run: PathBuf,
    /// The dataset; default: the run's own.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// train, val or test.
    #[arg(long, default_value = "test")]
    split: Split,
    /// What is switched on for the main scores: v (face), a (voice), t (text).
    #[arg(long, default_value = "vat")]
    modalities: Modalities,
    /// Write the predictions as a table.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// What a job is made of.
pub(super) struct Wanted {
    manifest: PathBuf,
    model: ModelArgs,
    epochs: Option<usize>,
    seed: u64,
    settings: Vec<(String, String)>,
}

impl Wanted {
    /// The job, called like the folder that it is for.
    fn job(self, shell: &Shell, out: &Path) -> anyhow::Result<Job> {
        let Self { manifest, model, epochs, seed, settings } = self;
        let manifest = std::path::absolute(&manifest).with_context(|| format!("cannot find {}", manifest.display()))?;
        let name = out.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
        let mut job = Job::new(&name, &manifest, model.model, &model.preset, &settings)?;
        job.seed = seed;
        job.device = shell.device;
        if let Some(n_epochs) = epochs {
            job.set_epochs(n_epochs)?;
            job.check()?;
        }
        Ok(job)
    }
}

pub(super) fn cross_validate(shell: &Shell, args: CrossValidateArgs) -> anyhow::Result<()> {
    let CrossValidateArgs { manifest, folds, model, out, epochs, seed, settings } = args;
    let job = Wanted { manifest, model, epochs, seed, settings }.job(shell, &out)?;
    let (cache, control) = (shell.cache()?, interruptible()?);
    let n_folds = usize::from(folds);
    let mut begun = 0;
    let report = training::cross_validate(&job, n_folds, &out, &cache, &control, &mut |fold, event| {
        if fold != begun {
            begun = fold;
            shell.note(&format!("fold {fold} of {n_folds}"));
        }
        show(shell, &event);
    })?;
    let Some(report) = report else {
        shell.note("stopped; the same command goes on");
        return Err(Interrupted.into());
    };
    shell.event(&serde_json::json!({ "event": "cross_validated", "report": report }));
    if shell.json {
        return Ok(());
    }
    let show = |name: &str, [war, uar, f1]: &[emotion::Spread; 3], titles: [&str; 3]| {
        let score =
            |title: &str, spread: &emotion::Spread| format!("{title} {:.3} ± {:.3}", spread.mean, spread.deviation);
        let scores = [score(titles[0], war), score(titles[1], uar), score(titles[2], f1)];
        shell.out(&format!("  {name:<9} {}", scores.join("  ")));
    };
    shell.out(&format!("{} clips in {} folds, mean ± deviation over the folds", report.n_clips, report.n_folds));
    for (subset, scores) in &report.per_subset {
        show(&subset.to_string(), scores, ["WAR", "UAR", "macro F1"]);
    }
    for (attribute, scores) in &report.attributes {
        show(attribute.name(), scores, ["MAE", "Pearson", "CCC"]);
    }
    Ok(())
}

pub(super) fn train(shell: &Shell, args: TrainArgs) -> anyhow::Result<()> {
    if args.list_settings {
        let settings = training::settings(args.model.model, &args.model.preset)?;
        let longest = |part: fn(&JobSetting) -> &str| settings.iter().map(|setting| part(setting).len()).max();
        let key_width = longest(|setting| &setting.key).unwrap_or(0) + 2;
        let value_width = longest(|setting| &setting.value).unwrap_or(0) + 2;
        for JobSetting { key, value, help } in &settings {
            shell.out(&format!("{key:<key_width$}{value:<value_width$}{help}"));
        }
        return Ok(());
    }
    let out = args.out.context("--out is needed")?;
    let job = if args.resume {
        None
    } else {
        let manifest = args.manifest.context("--manifest is needed")?;
        let wanted =
            Wanted { manifest, model: args.model, epochs: args.epochs, seed: args.seed, settings: args.settings };
        Some(wanted.job(shell, &out)?)
    };
    let cache = shell.cache()?;
    let control = interruptible()?;
    let mut tell = |event| show(shell, &event);
    let outcome = match job {
        Some(job) => training::fit(&job, &out, &cache, &control, &mut tell)?,
        None => training::resume(&out, &cache, &control, &mut tell)?,
    };
    match outcome {
        Outcome::Complete => Ok(()),
        Outcome::Kept => Ok(()),
        Outcome::Aborted => {
            shell.note(&format!("stopped; to go on: limbic train --resume --out {}", out.display()));
            Err(Interrupted.into())
        }
    }
}

/// An event of a job as JSON or as a line for people.
pub(super) fn show(shell: &Shell, event: &Event) {
    shell.event(event);
    let left = |secs: &Option<f64>| secs.map_or_else(String::new, |secs| format!(", {}", wording::remaining(secs)));
    match event {
        Event::Preparing { done, total, remaining_secs } => {
            shell.note(&format!("prepared {done} of {total} clips{}", left(remaining_secs)));
        }
        Event::Warning { path, reason } => shell.note(&format!("warning: {}: {reason}", path.display())),
        Event::Started { labels, n_train, n_val, n_parameters, device, .. } => shell.note(&format!(
            "training on {n_train} clips, validating on {n_val}, {} classes, {n_parameters} parameters, on {device}",
            labels.len()
        )),
        Event::StageStarted { stage, epochs_done } => {
            shell.note(&format!("stage run {}, {epochs_done} epochs done", stage + 1));
        }
        Event::Step { .. } => {}
        Event::EpochFinished { stage, epoch, record } => shell.note(&format!(
            "run {} epoch {:>3}  loss {:.3}  train {:.3}  val loss {:.3}  val WAR {:.3}  rate {:.1e}  {:.1} s{}",
            stage + 1,
            epoch + 1,
            record.train_loss,
            record.train_war,
            record.val_loss,
            record.val_war,
            record.learning_rate,
            record.secs,
            if record.is_best { "  best" } else { "" }
        )),
        Event::StageFinished { stage, reason, best_epoch } => {
            shell.note(&format!("stage run {} is over ({reason:?}), epoch {} is kept", stage + 1, best_epoch + 1));
        }
        Event::Paused => shell.note("paused"),
        Event::Resumed => shell.note("goes on"),
        Event::Evaluated { report } => print_report(shell, report),
        Event::Finished { checksum, .. } => {
            if let Some(checksum) = checksum {
                shell.note(&format!("weights {checksum}"));
            }
        }
        // The command fails with the same message.
        Event::Failed { .. } => {}
    }
}

pub(super) fn print_report(shell: &Shell, report: &Report) {
    if shell.json {
        return;
    }
    let Report { split, n_clips, scores, .. } = report;
    shell.out(&format!(
        "{} clips of the {} split: WAR {:.3}  UAR {:.3}  macro F1 {:.3}",
        n_clips,
        split.name(),
        scores.war,
        scores.uar,
        scores.macro_f1
    ));
    for scores in &report.attributes {
        shell.out(&format!("  {}", wording::attribute_scores(scores)));
    }
    for subset in Modalities::subsets() {
        if let Some(scores) = report.per_subset.get(&subset) {
            let name = subset.to_string();
            shell.out(&format!(
                "  {name:<5} WAR {:.3}  UAR {:.3}  macro F1 {:.3}",
                scores.war, scores.uar, scores.macro_f1
            ));
        }
    }
}

pub(super) fn evaluate(shell: &Shell, args: &EvaluateArgs) -> anyhow::Result<()> {
    let model = ::models::load(&args.run, &shell.device)?;
    let manifest_path = match &args.manifest {
        Some(path) => path.clone(),
        None => {
            Run::at(&args.run).job().context("an exported model knows no dataset: name one with --manifest")?.manifest
        }
    };
    let manifest = datasets::load(&manifest_path)?;
    let cache = shell.cache()?;
    let control = interruptible()?;
    let scored = training::evaluate(&*model, &manifest, args.split, args.modalities, &cache, &control, &mut |event| {
        if let Event::Warning { path, reason } = event {
            shell.note(&format!("warning: {}: {reason}", path.display()));
        }
    });
    let (report, predictions) = stopped_or(scored)?;
    if let Some(path) = &args.csv {
        training::write_predictions(&predictions, path)?;
    }
    if shell.json {
        shell.event(&report);
    } else {
        print_report(shell, &report);
    }
    Ok(())
}
