//! `limbic sample`, `import` and `prepare`: clips from nothing, annotations, decoded samples.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use emotion::{FaceChoice, FaceSource, Manifest, Scale, Split};
use media::sample_clips;
use training::Event;

use super::{ModelArgs, Shell, interruptible, key_value, show, stopped_or};

#[derive(Args)]
pub(super) struct SampleArgs {
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
pub(super) struct ImportArgs {
    /// Folder of a corpus, or with a labels.csv or labels.xlsx, or with one folder per class; or the list itself.
    #[arg(required_unless_present = "list")]
    root: Option<PathBuf>,
    /// The manifest to write; what an earlier one at this place knows about clips that did not change is kept.
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Where faces come from: auto, detect, cropped or boxes.
    #[arg(long, default_value = "auto")]
    faces: FaceSource,
    /// Whose face, where there are several: size (the largest), centre, or a place such as 0.25,0.4 of width and
    /// height; as before, or else size.
    #[arg(long, value_name = "WHO")]
    person: Option<FaceChoice>,
    /// Header name of a role: path=FILE, label=EMOTION, split=…, speaker=…, text=…, voice_features=…, row=…
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
    /// Map the labels: four, six, seven, eight or eleven, then OLD=NEW to merge or rename, OLD=- to leave out, with
    /// commas.
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
pub(super) struct PrepareArgs {
    /// The dataset.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Whose face from now on, where there are several: size (the largest), centre, or a place such as 0.25,0.4 of
    /// width and height. The manifest keeps it.
    #[arg(long, value_name = "WHO")]
    person: Option<FaceChoice>,
    #[command(flatten)]
    model: ModelArgs,
}

pub(super) fn sample(shell: &Shell, args: &SampleArgs) -> anyhow::Result<()> {
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

pub(super) fn import(shell: &Shell, args: ImportArgs) -> anyhow::Result<()> {
    let (Some(root), Some(out), false) = (args.root, args.out, args.list) else {
        list_importers(shell);
        return Ok(());
    };
    let mut options = datasets::Options {
        faces: args.faces,
        person: args.person.unwrap_or_default(),
        importer: args.importer,
        variant: args.variant,
        fold: args.fold,
        labels: args.labels,
        scale: args.scale,
        seed: args.seed,
        pictures: Some(pictures_beside(&out)?),
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
            "face_features" => &mut columns.features[0],
            "voice_features" => &mut columns.features[1],
            "text_features" => &mut columns.features[2],
            "row" => &mut columns.row,
            "face_row" => &mut columns.rows[0],
            "voice_row" => &mut columns.rows[1],
            "text_row" => &mut columns.rows[2],
            _ => bail!(
                "unknown role {role:?}: use path, label, split, speaker, text, valence, arousal, dominance, face_features, voice_features, text_features, row, face_row, voice_row or text_row"
            ),
        };
        *place = Some(header);
    }
    let mut manifest = datasets::import(&root, &options)?;
    // An earlier manifest that cannot be read is replaced, as any other file of that name would be.
    if let Ok(earlier) = datasets::load(&out) {
        manifest.person = args.person.unwrap_or(earlier.person);
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

/// Where pictures go that a dataset keeps inside of a list.
fn pictures_beside(manifest: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(manifest).with_context(|| format!("no such place: {}", manifest.display()))?;
    Ok(path.with_file_name("pictures"))
}

pub(super) fn list_importers(shell: &Shell) {
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

pub(super) fn summarize(shell: &Shell, manifest: &Manifest, path: &Path) {
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

pub(super) fn prepare(shell: &Shell, args: &PrepareArgs) -> anyhow::Result<()> {
    let mut manifest = datasets::load(&args.manifest)?;
    if let Some(person) = args.person.filter(|person| *person != manifest.person) {
        manifest.person = person;
        datasets::save(&manifest, &args.manifest)?;
    }
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
