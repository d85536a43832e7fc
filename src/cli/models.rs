//! `limbic models`: what there is, what it needs, what a file of weights is, a model made of one, what a preset costs.

use std::path::PathBuf;

use ::models::identify::{Released, Report, identify};
use ::models::measure::{Cost, claim, measure};
use ::models::{Fit, ModelKind, PUBLISHED, Published};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use emotion::LabelSet;
use training::Job;

use super::{Shell, interruptible};
use crate::wording::grouped;

/// Names listed before it says how many more there are.
const LISTED: usize = 10;

/// A file that was checked does not fit; what is wrong has been said.
#[derive(Debug, thiserror::Error)]
#[error("not everything fits")]
pub(super) struct Unfit;

#[derive(Subcommand)]
pub(super) enum Models {
    /// List models, presets and the files that these start from.
    List,
    /// Say what files of weights are, which model they serve, and what of them does not fit.
    Check(CheckArgs),
    /// Make a model of Limbic of a trained one that the released code of UMBEnet, MMA-DFER or VAVL saved.
    Import(ImportArgs),
    /// Print what each preset costs on the processor as a table; one preset alone runs in this process.
    Measure(MeasureArgs),
}

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Checkpoints, a model of Limbic, or the folder of a set of files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Args)]
pub(super) struct ImportArgs {
    /// The checkpoint; for VAVL the folder of its files, train_norm_stat.pkl among them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Folder to make: a model as `limbic export` writes it, or with --manifest a run.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The model, where the checkpoint's names do not tell.
    #[arg(long, requires = "preset")]
    model: Option<ModelKind>,
    /// Its preset, whose sizes the checkpoint must have; without it sizes are taken from the checkpoint.
    #[arg(long, requires = "model")]
    preset: Option<String>,
    /// Change a setting; `limbic train --list-settings` shows them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = super::key_value)]
    settings: Vec<(String, String)>,
    /// The classes in the order of the model's outputs, a,b,c; or a known order: four, six, seven (UMBEnet on DFEW),
    /// eight, eleven (UMBEnet on MAFW), dfew (MMA-DFER on DFEW and FERV39k), mafw (MMA-DFER on MAFW), crema-d (VAVL on
    /// CREMA-D).
    #[arg(long, value_name = "NAMES")]
    labels: String,
    /// The dataset to score it on; the same names of classes, in any order.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct MeasureArgs {
    /// The model.
    #[arg(long, requires = "preset")]
    model: Option<ModelKind>,
    /// Its preset.
    #[arg(long, requires = "model")]
    preset: Option<String>,
}

pub(super) fn run(shell: &Shell, command: &Models) -> anyhow::Result<()> {
    match command {
        Models::List => list(shell),
        Models::Check(args) => return check(shell, args),
        Models::Import(args) => return import(shell, args),
        Models::Measure(MeasureArgs { model: Some(model), preset: Some(preset) }) => {
            let cost = measure(&model.preset(preset)?)?;
            shell.event(&cost);
            if !shell.json {
                shell.out(&row(*model, preset, &cost));
            }
        }
        Models::Measure(_) => return table(shell),
    }
    Ok(())
}

fn list(shell: &Shell) {
    for model in ModelKind::ALL {
        for preset in model.presets() {
            let needs: Vec<_> = Published::of_preset(model, preset).collect();
            let keys: Vec<&str> = needs.iter().map(|(published, _)| published.key).collect();
            shell.event(&serde_json::json!({
                "event": "preset", "model": model.name(), "title": model.title(), "preset": preset, "needs": keys,
            }));
            if !shell.json {
                let needs = if keys.is_empty() { "nothing else".to_owned() } else { keys.join(", ") };
                shell.out(&format!("{:<10}{preset:<17}needs {needs}", model.name()));
            }
        }
    }
    for published in PUBLISHED {
        shell.event(&serde_json::json!({ "event": "published", "weights": published }));
        if shell.json {
            continue;
        }
        let Published { key, title, what, file, source, size, licence, sha256, .. } = published;
        shell.out(&format!("\n{key}: {title}, {what}\n  {file}, {size}, {licence}\n  {source}"));
        if let Some(sha256) = sha256 {
            shell.out(&format!("  SHA-256 {sha256}"));
        }
    }
}

fn check(shell: &Shell, args: &CheckArgs) -> anyhow::Result<()> {
    let mut n_bad = 0;
    for path in &args.files {
        match identify(path) {
            Ok(report) => {
                shell.event(&serde_json::json!({ "event": "weights", "whole": report.is_whole(), "report": report }));
                if !shell.json {
                    print(shell, &report);
                }
                n_bad += usize::from(!report.is_whole());
            }
            Err(error) => {
                n_bad += 1;
                shell.event(&serde_json::json!({ "event": "weights", "whole": false, "path": path, "error": error.to_string() }));
                shell.note(&format!("error: {error}"));
            }
        }
    }
    if n_bad > 0 { Err(Unfit.into()) } else { Ok(()) }
}

fn import(shell: &Shell, args: &ImportArgs) -> anyhow::Result<()> {
    let ImportArgs { files, out, model, preset, settings, labels, manifest } = args;
    let labels = match datasets::label_order(labels) {
        Some(labels) => labels,
        None => {
            LabelSet::new(labels.split(',').map(str::trim)).context("--labels is neither a known order nor a list")?
        }
    };
    let name = out.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
    let dataset = match manifest {
        Some(path) => std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))?,
        None => PathBuf::new(),
    };
    let (model, preset, mut changed) = match (model, preset) {
        (Some(model), Some(preset)) => (*model, preset.clone(), Vec::new()),
        _ => {
            let report = identify(&files[0])?;
            let released = report.released.with_context(|| {
                format!("this cannot be imported, it is {}: {}", report.title, report.path.display())
            })?;
            let changed = released.settings.into_iter().map(|setting| (setting.key, setting.value)).collect();
            (released.model, released.preset.to_owned(), changed)
        }
    };
    changed.extend(settings.iter().cloned());
    let mut job = Job::new(&name, &dataset, model, &preset, &changed)?;
    job.device = shell.device;
    if manifest.is_some() {
        let (cache, control) = (shell.cache()?, interruptible()?);
        let mut show = |event| super::show(shell, &event);
        training::import_released_run(&job, &labels, files, out, &cache, &control, &mut show)?;
    } else {
        training::import_released(&job, &labels, files, out)?;
    }
    shell.event(&serde_json::json!({ "event": "imported", "path": out, "labels": labels }));
    shell.note(&format!("{} with the classes {} is in {}", model.title(), labels.names().join(", "), out.display()));
    Ok(())
}

fn print(shell: &Shell, report: &Report) {
    shell.out(&report.path.display().to_string());
    let packing = if report.packing.is_empty() { String::new() } else { format!(" ({})", report.packing) };
    shell.out(&format!("  {}{packing}", report.title));
    for line in crate::wording::uses(&report.uses) {
        shell.out(&format!("  {line}"));
    }
    if let Some(fit) = &report.fit {
        shell.out(&format!("  {} tensors map, {} values", fit.n_mapped, grouped(fit.n_values)));
        for (what, names) in crate::wording::problems(fit, LISTED) {
            shell.out(&format!("  {what}: {names}"));
        }
        for leftovers in &fit.leftovers {
            shell.out(&format!("  not needed: {} of {}", leftovers.names.len(), leftovers.what));
        }
    }
    if !report.set_aside.is_empty() {
        let n = report.set_aside.len();
        shell.out(&format!("  not needed: {n} beside the weights, {} the first", report.set_aside[0]));
    }
    if let Some(released) = report.released.as_ref().filter(|_| report.is_whole()) {
        let n = released.n_outputs;
        shell.out(&format!(
            "  import it, NAMES being its {n} classes in their order: {}",
            import_line(report, released)
        ));
    }
    for note in &report.notes {
        shell.out(&format!("  note: {note}"));
    }
    shell.out(match report.fit.as_ref().map(Fit::is_whole) {
        Some(true) => "  everything maps",
        Some(false) => "  it does not fit",
        None => "  nothing maps",
    });
}

/// The command that makes a model of a checkpoint.
fn import_line(report: &Report, released: &Released) -> String {
    let path = report.path.display().to_string();
    let path = if path.contains(' ') { format!("'{path}'") } else { path };
    let needs: String = released.needs.iter().map(|setting| format!(" --set {setting}=FILE")).collect();
    format!("limbic models import {path} --labels NAMES{needs} --out DIR")
}

fn table(shell: &Shell) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("this program cannot find itself")?;
    shell.out(
        "| model | preset | parameters | trained | paper's claim | forward, 1 clip | peak memory | of the weights |",
    );
    shell.out("|---|---|--:|--:|---|--:|--:|--:|");
    for model in ModelKind::ALL {
        for preset in model.presets() {
            // Each in a process of its own, whose memory is the model's.
            let mut command = std::process::Command::new(&program);
            command.args(["models", "measure", "--model", model.name(), "--preset", preset, "--json"]);
            let output = command.output().context("a process for a preset cannot be started")?;
            let cost: Cost = serde_json::from_slice(&output.stdout).with_context(|| {
                let errors = String::from_utf8_lossy(&output.stderr);
                format!("{} {preset} cannot be measured: {}", model.title(), errors.trim())
            })?;
            shell.event(&serde_json::json!({ "event": "cost", "model": model.name(), "preset": preset, "cost": cost }));
            if !shell.json {
                shell.out(&row(model, preset, &cost));
            }
        }
    }
    Ok(())
}

/// A row of the table.
fn row(model: ModelKind, preset: &str, cost: &Cost) -> String {
    let memory = cost.peak_bytes.map_or_else(|| "–".to_owned(), crate::wording::bytes);
    let ratio = cost.peak_over_weights().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
    format!(
        "| {} | {preset} | {} | {} | {} | {:.2} s | {memory} | {ratio} |",
        model.title(),
        grouped(cost.n_parameters),
        grouped(cost.n_trained),
        claim(model, preset),
        cost.forward_secs,
    )
}
