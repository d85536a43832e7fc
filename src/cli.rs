//! The command line: one function a command, on the engine that the window uses.
//!
//! Results go to stdout, everything else to stderr. With `--json`, stdout is one event a line. Exit codes: 0 done, 1 failed,
//! 2 wrong usage, 130 interrupted.

mod models;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ::models::{DeviceId, ModelKind, Predict};
use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use crossbeam_channel::RecvTimeoutError;
use emotion::{FaceSource, Manifest, Modalities, Prediction, Scale, Split};
use media::{Detectors, FaceChoice, Request, SampleCache, sample_clips};
use serde::Serialize;
use training::{Control, Event, Job, Outcome, Report, Run};

use crate::project::{CacheRoom, Places, Project, Settings};
use crate::wording;

const INTERRUPTED: u8 = 130;

/// A studio for multimodal emotion models.
///
/// Without a command the window opens. The commands do the same work in scripts and on servers:
///
///   limbic sample demo
///   limbic import demo --out demo/manifest.json
///   limbic train --manifest demo/manifest.json --model umbenet --preset tiny --out demo-run
///   limbic evaluate demo-run
#[derive(Parser)]
#[command(version, verbatim_doc_comment, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Print one JSON event a line on stdout; everything else goes to stderr.
    #[arg(long, global = true)]
    json: bool,

    /// Where to compute: auto, cpu, gpu:N or cuda:N; `limbic devices` lists them.
    #[arg(long, global = true, default_value = "auto", value_name = "DEVICE")]
    device: DeviceId,

    /// Where prepared clips are kept between runs; default: the user's cache folder.
    #[arg(long, global = true, value_name = "DIR")]
    cache: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Open the window on a project, making it where there is none.
    Open(OpenArgs),
    /// Make a labelled dataset of cartoon faces, synthetic voices and captions from nothing.
    Sample(SampleArgs),
    /// Read a dataset's annotations and look into every clip.
    Import(ImportArgs),
    /// Decode the clips of a dataset into the cache.
    Prepare(PrepareArgs),
    /// Train a model; the run folder gets everything that reproduces it.
    Train(TrainArgs),
    /// Train and score a model on every fold of a dataset; mean and deviation of the scores.
    CrossValidate(CrossValidateArgs),
    /// Score a trained model with every subset of modalities.
    Evaluate(EvaluateArgs),
    /// Say which emotion each clip shows.
    Predict(PredictArgs),
    /// Watch a file, or camera and microphone, and predict as it goes.
    Live(LiveArgs),
    /// Write a trained model for use elsewhere: safetensors, burn's format, description and card.
    Export(ExportArgs),
    /// What models there are, what they need, and what a file of weights is.
    #[command(subcommand)]
    Models(models::Models),
    /// List the devices that can compute, and try each.
    Devices,
}

#[derive(Args)]
struct OpenArgs {
    /// Folder of the project.
    project: PathBuf,
}

#[derive(Args)]
struct SampleArgs {
    /// Folder to make; it must be empty or hold an earlier sample.
    dir: PathBuf,
    /// Number of clips.
    #[arg(long, default_value_t = 350)]
    clips: usize,
    /// Number of emotions, 2 to 7.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(2..=7))]
    classes: u8,
    /// The same seed makes the same clips.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct ImportArgs {
    /// Folder of a corpus, or with a labels.csv, or with one folder per class; or the list itself.
    #[arg(required_unless_present = "list")]
    root: Option<PathBuf>,
    /// The manifest to write; what an earlier one at this place knows about clips that did not change is kept.
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Where faces come from: auto, detect, cropped or boxes.
    #[arg(long, default_value = "auto")]
    faces: FaceSource,
    /// Header name of a role: path=FILE, label=EMOTION, split=…, speaker=…, text=…
    #[arg(long = "column", value_name = "ROLE=HEADER", value_parser = key_value)]
    columns: Vec<(String, String)>,
    /// Read it as this layout instead of recognizing it; --list shows them.
    #[arg(long, value_name = "NAME")]
    importer: Option<String>,
    /// Which of the corpus's annotations or protocols; --list shows them.
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// Which fold is scored, from 1.
    #[arg(long, value_name = "K")]
    fold: Option<usize>,
    /// Map the labels: four, six, seven, eight or eleven, then OLD=NEW to merge or rename, OLD=- to leave out, with commas.
    #[arg(long, value_name = "SET,OLD=NEW")]
    labels: Option<String>,
    /// The scale of a list's columns valence, arousal and dominance, as in 1..5; without it they are not used.
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    scale: Option<Scale>,
    /// List the layouts that are recognized, and their variants.
    #[arg(long)]
    list: bool,
    /// Seed of the splits, where the dataset brings none.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Args)]
struct ModelArgs {
    /// The model.
    #[arg(long, default_value = "umbenet")]
    model: ModelKind,
    /// Its preset.
    #[arg(long, default_value = "tiny")]
    preset: String,
}

#[derive(Args)]
struct PrepareArgs {
    /// The dataset.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Args)]
struct TrainArgs {
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
struct CrossValidateArgs {
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
struct EvaluateArgs {
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

#[derive(Args)]
struct PredictArgs {
    /// A run folder or an exported model.
    run: PathBuf,
    /// Media files; a .txt beside a clip is its text.
    #[arg(required = true)]
    clips: Vec<PathBuf>,
    /// Write a table: clip, label, one column per emotion.
    #[arg(long, value_name = "OUT")]
    csv: Option<PathBuf>,
    /// What is switched on: v (face), a (voice), t (text).
    #[arg(long, default_value = "vat")]
    modalities: Modalities,
    /// Where faces come from: auto, detect or cropped.
    #[arg(long, default_value = "auto")]
    faces: FaceSource,
    /// Whose face, where there are several: size (the largest), centre, or a place such as 0.25,0.4 of width and height.
    #[arg(long, value_name = "WHO", default_value = "size")]
    person: FaceChoice,
    /// What is said in the clips, where no .txt stands beside them.
    #[arg(long)]
    text: Option<String>,
}

#[derive(Args)]
struct LiveArgs {
    /// A run folder or an exported model.
    run: PathBuf,
    /// Watch a file instead of devices.
    #[arg(long, value_name = "CLIP", conflicts_with_all = ["camera", "microphone"])]
    file: Option<PathBuf>,
    /// The camera, as the system names it; FORMAT:SPEC opens any FFmpeg input device. Default: the first.
    #[arg(long)]
    camera: Option<String>,
    /// The microphone, as the system names it. Default: the system's.
    #[arg(long)]
    microphone: Option<String>,
    /// Play the file by the clock instead of as fast as it goes.
    #[arg(long)]
    real_time: bool,
    /// Stop after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// What is switched on: v (face), a (voice), t (text).
    #[arg(long, default_value = "vat")]
    modalities: Modalities,
    /// Whose face, where there are several: size (the largest), centre, or a place such as 0.25,0.4 of width and height.
    #[arg(long, value_name = "WHO", default_value = "size")]
    person: FaceChoice,
    /// What is said.
    #[arg(long, default_value = "")]
    text: String,
    /// Smoothing over time, 0 (off) to 1.
    #[arg(long, default_value_t = 0.0)]
    smoothing: f32,
    /// Write the predictions as a table.
    #[arg(long, value_name = "OUT")]
    csv: Option<PathBuf>,
}

#[derive(Args)]
struct ExportArgs {
    /// A run folder.
    run: PathBuf,
    /// Folder to make.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// What every command may need.
struct Shell {
    json: bool,
    device: DeviceId,
    cache_dir: Option<PathBuf>,
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("LIMBIC_LOG").unwrap_or_else(|_| "limbic=info,error".into()),
        )
        .init();
    let shell = Shell { json: cli.json, device: cli.device, cache_dir: cli.cache };
    let result = match cli.command {
        None => crate::app::run(crate::app::Options::default()),
        Some(Command::Open(args)) => open(&args),
        Some(Command::Sample(args)) => sample(&shell, &args),
        Some(Command::Import(args)) => import(&shell, args),
        Some(Command::Prepare(args)) => prepare(&shell, &args),
        Some(Command::Train(args)) => train(&shell, args),
        Some(Command::CrossValidate(args)) => cross_validate(&shell, args),
        Some(Command::Evaluate(args)) => evaluate(&shell, &args),
        Some(Command::Predict(args)) => predict(&shell, &args),
        Some(Command::Live(args)) => live(&shell, args),
        Some(Command::Export(args)) => export(&shell, &args),
        Some(Command::Models(command)) => models::run(&shell, &command),
        Some(Command::Devices) => devices(&shell),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Err(error) if error.is::<models::Unfit>() => ExitCode::FAILURE,
        Err(error) => {
            shell.fail(&error);
            ExitCode::FAILURE
        }
    }
}

/// Somebody asked a command to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interrupted;

impl Shell {
    /// An event on stdout, with `--json` only.
    fn event(&self, event: &impl Serialize) {
        if self.json {
            let line = serde_json::to_string(event).expect("events have string keys and no failing parts");
            self.out(&line);
        }
    }

    /// A line of the result.
    fn out(&self, line: &str) {
        let mut stdout = std::io::stdout().lock();
        if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
            // Nobody reads any more, as in `limbic … | head -1`.
            std::process::exit(0);
        }
    }

    /// A line for the person who waits.
    fn note(&self, line: &str) {
        writeln!(std::io::stderr(), "{line}").ok();
    }

    /// What went wrong, and its causes.
    fn fail(&self, error: &anyhow::Error) {
        let message = whole(error);
        self.event(&serde_json::json!({ "event": "failed", "message": message }));
        self.note(&format!("error: {message}"));
    }

    fn cache(&self) -> anyhow::Result<SampleCache> {
        let places = Places::of_user();
        let settings = places.as_ref().map_or_else(|_| Ok(Settings::default()), Settings::load);
        let settings = settings.unwrap_or_else(|error| {
            self.note(&format!("warning: {}", whole(&error)));
            Settings::default()
        });
        let dir = match &self.cache_dir {
            Some(dir) => dir.clone(),
            None => places?.sample_cache(),
        };
        CacheRoom { dir, limit_bytes: settings.cache_limit_bytes(), models: models_folder() }.open()
    }

    /// Progress that a terminal overwrites and a log gets a line of now and then.
    fn progress(&self, what: &str) -> Progress<'_> {
        Progress { shell: self, what: what.to_owned(), start: Instant::now(), last: Mutex::new(None) }
    }
}

/// Counts towards a total, on stderr.
struct Progress<'a> {
    shell: &'a Shell,
    what: String,
    start: Instant,
    last: Mutex<Option<Instant>>,
}

/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

impl Progress<'_> {
    fn at(&self, done: usize, total: usize) {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if done < total && last.is_some_and(|last| last.elapsed() < PROGRESS_EVERY) {
            return;
        }
        *last = Some(Instant::now());
        let secs = self.start.elapsed().as_secs_f64();
        let remaining = (done > 0).then(|| secs / done as f64 * (total - done) as f64);
        let what = &self.what;
        self.shell.event(&serde_json::json!({
            "event": "progress", "what": what, "done": done, "total": total, "remaining_secs": remaining,
        }));
        let left = match remaining {
            Some(secs) if done < total => format!(", {}", wording::remaining(secs)),
            _ => String::new(),
        };
        self.shell.note(&format!("{what}: {done} of {total}{left}"));
    }
}

/// An error with its causes, but none that the words before it already say.
fn whole(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        match said.is_empty() {
            true => cause,
            false if said.contains(&cause) => said,
            false => format!("{said}: {cause}"),
        }
    })
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

fn open(args: &OpenArgs) -> anyhow::Result<()> {
    let project = Project::create(&args.project)?;
    crate::app::run(crate::app::Options { project: Some(project.dir) })
}

fn sample(shell: &Shell, args: &SampleArgs) -> anyhow::Result<()> {
    let set = sample_clips::SampleSet { n_clips: args.clips, n_classes: usize::from(args.classes), seed: args.seed };
    let progress = shell.progress("clips");
    sample_clips::create(&args.dir, &set, &|| true, &|done, total| progress.at(done, total))?;
    let dir = args.dir.display();
    shell.event(&serde_json::json!({ "event": "sample", "dir": args.dir, "clips": args.clips }));
    shell.note(&format!(
        "{} clips and labels.csv are in {dir}; next: limbic import {dir} --out {dir}/manifest.json",
        args.clips
    ));
    Ok(())
}

fn import(shell: &Shell, args: ImportArgs) -> anyhow::Result<()> {
    let (Some(root), Some(out), false) = (args.root, args.out, args.list) else {
        list_importers(shell);
        return Ok(());
    };
    let mut options = datasets::Options {
        faces: args.faces,
        importer: args.importer,
        variant: args.variant,
        fold: args.fold,
        labels: args.labels,
        scale: args.scale,
        seed: args.seed,
        ..Default::default()
    };
    for (role, header) in args.columns {
        let columns = &mut options.columns;
        let place = match role.as_str() {
            "path" => &mut columns.path,
            "label" => &mut columns.label,
            "split" => &mut columns.split,
            "speaker" => &mut columns.speaker,
            "text" => &mut columns.text,
            "valence" => &mut columns.ratings[0],
            "arousal" => &mut columns.ratings[1],
            "dominance" => &mut columns.ratings[2],
            _ => bail!("unknown role {role:?}: use path, label, split, speaker, text, valence, arousal or dominance"),
        };
        *place = Some(header);
    }
    let mut manifest = datasets::import(&root, &options)?;
    // An earlier manifest that cannot be read is replaced, as any other file of that name would be.
    if let Ok(earlier) = datasets::load(&out) {
        let n_known = datasets::keep_known(&mut manifest, &earlier);
        shell.note(&format!("clips that did not change since the last import: {n_known}"));
    }
    let progress = shell.progress("clips looked at");
    training::inspect(&mut manifest, &|| true, &|done, total| progress.at(done, total));
    for problem in &manifest.problems {
        shell.event(&Event::Warning { path: problem.path.clone(), reason: problem.reason.clone() });
        shell.note(&format!("skipped or doubtful: {}: {}", problem.path.display(), problem.reason));
    }
    if manifest.clips.is_empty() {
        bail!("none of the clips can be used: {}", root.display());
    }
    if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
    }
    datasets::save(&manifest, &out)?;
    summarize(shell, &manifest, &out);
    Ok(())
}

fn list_importers(shell: &Shell) {
    for importer in datasets::IMPORTERS {
        let variants: Vec<_> =
            importer.variants().iter().map(|variant| serde_json::json!([variant.name, variant.describe])).collect();
        shell.event(&serde_json::json!({
            "event": "importer", "name": importer.name(), "layout": importer.describe(), "variants": variants,
        }));
        if shell.json {
            continue;
        }
        shell.out(&format!("{:<16} {}", importer.name(), importer.describe()));
        for variant in importer.variants() {
            shell.out(&format!("{:<16}   --variant {:<12} {}", "", variant.name, variant.describe));
        }
    }
}

fn summarize(shell: &Shell, manifest: &Manifest, path: &Path) {
    let counts = |split| manifest.class_counts(split);
    shell.event(&serde_json::json!({
        "event": "imported", "manifest": path, "importer": manifest.importer, "protocol": manifest.protocol,
        "labels": manifest.labels, "clips": manifest.clips.len(), "problems": manifest.problems.len(),
        "splits": { "train": counts(Split::Train), "val": counts(Split::Val), "test": counts(Split::Test) },
    }));
    if shell.json {
        return;
    }
    shell.out(&format!("{} clips, {} problems; {}", manifest.clips.len(), manifest.problems.len(), manifest.protocol));
    shell.out(&format!("{:<16}{:>7}{:>7}{:>7}", "", "train", "val", "test"));
    let [train, val, test] = Split::ALL.map(counts);
    for (label_idx, label) in manifest.labels.names().iter().enumerate() {
        shell.out(&format!("{label:<16}{:>7}{:>7}{:>7}", train[label_idx], val[label_idx], test[label_idx]));
    }
}

fn prepare(shell: &Shell, args: &PrepareArgs) -> anyhow::Result<()> {
    let manifest = datasets::load(&args.manifest)?;
    let inputs = args.model.model.preset(&args.model.preset)?.for_dataset(&manifest)?.inputs();
    let cache = shell.cache()?;
    let found_by = cache.detectors().to_string();
    shell.note(&found_by);
    let control = interruptible()?;
    let prepared = training::prepare(&manifest, &manifest.clips, &inputs, &cache, &control, &mut |event| {
        show(shell, &event);
    });
    let prepared = stopped_or(prepared)?;
    let n_clips = manifest.clips.len();
    if prepared.is_empty() {
        bail!("none of the {n_clips} clips can be used: {}", args.manifest.display());
    }
    shell.event(
        &serde_json::json!({ "event": "prepared", "clips": prepared.len(), "of": n_clips, "detectors": found_by }),
    );
    shell.note(&format!("{} of {n_clips} clips are prepared", prepared.len()));
    Ok(())
}

/// What a job is made of.
struct Wanted {
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

fn cross_validate(shell: &Shell, args: CrossValidateArgs) -> anyhow::Result<()> {
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

fn train(shell: &Shell, args: TrainArgs) -> anyhow::Result<()> {
    if args.list_settings {
        for setting in training::settings(args.model.model, &args.model.preset)? {
            shell.out(&format!("{:<24}{:<12}{}", setting.key, setting.value, setting.help));
        }
        return Ok(());
    }
    let out = args.out.context("--out is needed")?;
    let job = if args.resume {
        Run::at(&out).job()?
    } else {
        let manifest = args.manifest.context("--manifest is needed")?;
        let wanted =
            Wanted { manifest, model: args.model, epochs: args.epochs, seed: args.seed, settings: args.settings };
        wanted.job(shell, &out)?
    };
    let cache = shell.cache()?;
    let control = interruptible()?;
    let outcome = training::fit(&job, &out, args.resume, &cache, &control, &mut |event| show(shell, &event))?;
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
fn show(shell: &Shell, event: &Event) {
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

fn print_report(shell: &Shell, report: &Report) {
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

fn evaluate(shell: &Shell, args: &EvaluateArgs) -> anyhow::Result<()> {
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

/// Where networks that the user brings are looked for; a user without a home has none.
fn models_folder() -> PathBuf {
    Places::of_user().map(|places| places.models).unwrap_or_default()
}

fn predict(shell: &Shell, args: &PredictArgs) -> anyhow::Result<()> {
    let model = ::models::load(&args.run, &shell.device)?;
    let detectors = Detectors::in_folder(&models_folder())?;
    let (mut rows, mut n_failed) = (Vec::new(), 0);
    for clip in &args.clips {
        match predict_clip(&*model, clip, &detectors, args) {
            Ok((prediction, notes)) => {
                for note in notes {
                    shell.note(&format!("warning: {}: {note}", clip.display()));
                }
                shell.event(&serde_json::json!({ "event": "prediction", "clip": clip, "label": prediction.top_label(), "prediction": prediction }));
                if !shell.json {
                    let best = prediction.values.first().or(prediction.probabilities.get(prediction.top()));
                    shell.out(&format!(
                        "{}\t{}\t{:.3}\t{}",
                        clip.display(),
                        prediction.top_label(),
                        best.copied().unwrap_or_default(),
                        prediction.used
                    ));
                }
                rows.push((clip, prediction));
            }
            Err(error) => {
                n_failed += 1;
                shell.event(&serde_json::json!({ "event": "warning", "path": clip, "reason": whole(&error) }));
                shell.note(&format!("error: {}", whole(&error)));
            }
        }
    }
    if let Some(path) = &args.csv {
        write_table(path, &*model, &rows)?;
    }
    match n_failed {
        0 => Ok(()),
        n => bail!("{n} of {} clips could not be used", args.clips.len()),
    }
}

fn predict_clip(
    model: &dyn Predict,
    clip: &Path,
    detectors: &Detectors,
    args: &PredictArgs,
) -> anyhow::Result<(Prediction, Vec<String>)> {
    let own = media::caption(clip);
    let text = own.as_deref().or(args.text.as_deref());
    let inputs = model.inputs();
    if let Some(feature) = inputs.features.first() {
        bail!(
            "the model reads precomputed features ({:?} and the like), which no media file has: import them as a dataset and use \
             limbic evaluate --csv: {}",
            feature.stream,
            clip.display()
        );
    }
    let (faces, choice) = (args.faces, args.person);
    let request = Request { path: clip, audio: None, text, faces, face: None, choice, detectors, inputs };
    let prepared = media::prepare(&request)?;
    let mut predictions =
        model.predict(&[&prepared.sample], args.modalities).with_context(|| clip.display().to_string())?;
    Ok((predictions.remove(0), prepared.notes))
}

/// `clip,label` and one probability per emotion, or one value per attribute.
fn write_table(path: &Path, model: &dyn Predict, rows: &[(&PathBuf, Prediction)]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let attributes = model.attributes().iter().map(|attribute| attribute.name());
    let classes = model.labels().names().iter().map(String::as_str).filter(|_| model.attributes().is_empty());
    writer.write_record(["clip", "label"].into_iter().chain(attributes).chain(classes))?;
    for (clip, prediction) in rows {
        let fixed = [clip.display().to_string(), prediction.top_label().to_owned()];
        let numbers = prediction.values.iter().chain(&prediction.probabilities).map(|number| format!("{number:.6}"));
        writer.write_record(fixed.into_iter().chain(numbers))?;
    }
    crate::project::write_whole(path, &writer.into_inner()?)
}

fn live(shell: &Shell, args: LiveArgs) -> anyhow::Result<()> {
    let model = ::models::load(&args.run, &shell.device)?;
    let labels = model.labels().clone();
    let source = match args.file {
        Some(path) => live::Source::File(path),
        None => live::Source::Devices {
            camera: args.camera.or_else(|| media::cameras().into_iter().next().map(|camera| camera.id)),
            microphone: Some(args.microphone.unwrap_or_default()),
        },
    };
    let mut settings = live::Settings::new(source, model.inputs());
    settings.real_time = args.real_time;
    settings.smoothing = args.smoothing;
    settings.text = args.text;
    settings.choice = args.person;
    settings.detectors = Detectors::in_folder(&models_folder())?;
    let mut recorder = args.csv.as_deref().map(|path| live::Recorder::create(path, &labels)).transpose()?;
    let control = interruptible()?;
    let start = Instant::now();
    let session = live::Session::start(model, settings, || {})?;
    session.switch(args.modalities);
    // Long enough to be idle, short enough that an interrupt feels immediate.
    const WAIT: Duration = Duration::from_millis(100);
    let (mut n_predictions, mut end) = (0, "the session ended".to_owned());
    loop {
        let late = args.seconds.is_some_and(|secs| start.elapsed().as_secs_f64() > secs);
        if late || control.is_stopping() {
            break;
        }
        let event = match session.events().recv_timeout(WAIT) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        shell.event(&event);
        if let Some(recorder) = &mut recorder {
            recorder.record(&event)?;
        }
        match event {
            live::Event::Prediction { at_secs, prediction, smoothed, latency_ms } => {
                n_predictions += 1;
                if !shell.json {
                    let best = smoothed.iter().copied().fold(0.0_f32, f32::max);
                    let top = smoothed.iter().position(|&value| value == best).unwrap_or(0);
                    let (name, used) = (labels.name(top), prediction.used.to_string());
                    shell.out(&format!("{at_secs:8.2} s  {name:<16}{best:.3}  {used:<3}  {latency_ms:.0} ms"));
                }
            }
            live::Event::Notice { what, .. } => shell.note(&what.to_string()),
            live::Event::Ended { reason } => {
                shell.note(&reason);
                end = reason;
                break;
            }
            _ => {}
        }
    }
    session.stop();
    if n_predictions == 0 && !control.is_stopping() {
        bail!("nothing was predicted: {end}");
    }
    Ok(())
}

fn export(shell: &Shell, args: &ExportArgs) -> anyhow::Result<()> {
    let files = ::models::copy_bundle(&args.run, &args.to)?;
    shell.event(&serde_json::json!({ "event": "exported", "dir": args.to, "files": files }));
    shell.note(&format!("{} is whole: {}", args.to.display(), files.join(", ")));
    Ok(())
}

fn devices(shell: &Shell) -> anyhow::Result<()> {
    for info in ::models::compute::devices() {
        let probed = ::models::compute::probe(&info.id);
        let result = match &probed {
            Ok(report) => format!("works, {:.1} GFLOP/s, first use {:.1} s", report.gflops, report.first_secs),
            Err(error) => format!("fails: {error}"),
        };
        shell.event(&serde_json::json!({
            "event": "device", "device": info, "probe": probed.as_ref().ok(), "error": probed.as_ref().err().map(ToString::to_string),
        }));
        if !shell.json {
            shell.out(&format!("{:<8}{} ({}, {}): {result}", info.id.to_string(), info.name, info.kind, info.backend));
        }
    }
    Ok(())
}

/// A control that Ctrl-C stops; what was saved stays. A second one ends the process at once.
fn interruptible() -> anyhow::Result<Control> {
    let control = Control::default();
    let handle = control.clone();
    ctrlc::set_handler(move || {
        if handle.is_stopping() {
            std::process::exit(i32::from(INTERRUPTED));
        }
        handle.order(training::Order::Abort);
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(control)
}

fn stopped_or<T>(result: Result<T, training::TrainError>) -> anyhow::Result<T> {
    match result {
        Err(training::TrainError::Stopped) => Err(Interrupted.into()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once() {
        let cause = || std::io::Error::other("the disk is full");
        let error = anyhow::Error::new(cause()).context("cannot write (the disk is full): run");
        assert_eq!(whole(&error), "cannot write (the disk is full): run");
        let error = anyhow::Error::new(cause()).context("cannot write: run");
        assert_eq!(whole(&error), "cannot write: run: the disk is full");
    }
}
