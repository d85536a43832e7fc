//! The command line: one function a command, on the engine that the window uses.
//!
//! Results go to stdout, everything else to stderr. With `--json`, stdout is one event a line. Exit codes: 0 done, 1
//! failed, 2 wrong usage, 3 predicted with warnings about clips, 130 interrupted.

mod apply;
mod data;
mod features;
mod models;
mod shell;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use ::models::{DeviceId, ModelKind};
use clap::{Args, Parser, Subcommand};

use crate::project::Project;
use shell::{Interrupted, Shell, interruptible, stopped_or};
use train::show;

const WARNED: u8 = 3;
const INTERRUPTED: u8 = 130;

/// All is done, but of so many clips something is missing or damaged, which was said.
#[derive(Debug, thiserror::Error)]
#[error("the predictions of {0} of the clips are of what is there: see above")]
struct Warned(usize);

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
    Sample(data::SampleArgs),
    /// Read a dataset's annotations and look into every clip.
    Import(data::ImportArgs),
    /// Decode the clips of a dataset into the cache.
    Prepare(data::PrepareArgs),
    /// Extract features of clips to files that models here and other tools read.
    Features(features::Features),
    /// Train a model; the run folder gets everything that reproduces it.
    Train(train::TrainArgs),
    /// Train and score a model on every fold of a dataset; mean and deviation of the scores.
    CrossValidate(train::CrossValidateArgs),
    /// Score a trained model with every subset of modalities.
    Evaluate(train::EvaluateArgs),
    /// Say which emotion each clip shows.
    Predict(apply::PredictArgs),
    /// Watch a file, or camera and microphone, and predict as it goes.
    Live(apply::LiveArgs),
    /// Write a trained model for use elsewhere: safetensors, burn's format, description and card.
    Export(apply::ExportArgs),
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
struct ModelArgs {
    /// The model.
    #[arg(long, default_value = "umbenet")]
    model: ModelKind,
    /// Its preset.
    #[arg(long, default_value = "tiny")]
    preset: String,
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
        Some(Command::Sample(args)) => data::sample(&shell, &args),
        Some(Command::Import(args)) => data::import(&shell, args),
        Some(Command::Prepare(args)) => data::prepare(&shell, &args),
        Some(Command::Train(args)) => train::train(&shell, args),
        Some(Command::Features(args)) => features::run(&shell, &args),
        Some(Command::CrossValidate(args)) => train::cross_validate(&shell, args),
        Some(Command::Evaluate(args)) => train::evaluate(&shell, &args),
        Some(Command::Predict(args)) => apply::predict(&shell, &args),
        Some(Command::Live(args)) => apply::live(&shell, args),
        Some(Command::Export(args)) => apply::export(&shell, &args),
        Some(Command::Models(command)) => models::run(&shell, &command),
        Some(Command::Devices) => devices(&shell),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Err(error) if error.is::<Warned>() => {
            shell.note(&format!("warning: {error}"));
            ExitCode::from(WARNED)
        }
        Err(error) if error.is::<models::Unfit>() => ExitCode::FAILURE,
        Err(error) => {
            shell.fail(&error);
            ExitCode::FAILURE
        }
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

fn open(args: &OpenArgs) -> anyhow::Result<()> {
    let project = Project::create(&args.project)?;
    crate::app::run(crate::app::Options { project: Some(project.dir) })
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
