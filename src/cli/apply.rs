//! `limbic predict`, `live` and `export`: what a trained model is used for.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::models::Predict;
use anyhow::{Context as _, bail};
use clap::Args;
use crossbeam_channel::RecvTimeoutError;
use emotion::{FaceChoice, FaceSource, Modalities, Prediction};
use media::{Detectors, Request};

use super::shell::whole;
use super::{Shell, Warned, interruptible};
use crate::project::Places;

#[derive(Args)]
pub(super) struct PredictArgs {
    /// A run folder or an exported model.
    run: PathBuf,
    /// Media files; a .txt beside a clip is its text.
    #[arg(required = true)]
    clips: Vec<PathBuf>,
    /// Write a table: clip, label, one column per emotion.
    #[arg(long, value_name = "OUT")]
    csv: Option<PathBuf>,
    /// What is switched on: v (face), a (voice), t (text). What is off need not be in the clips.
    #[arg(long, default_value = "vat")]
    modalities: Modalities,
    /// Where faces come from: auto, detect or cropped.
    #[arg(long, default_value = "auto")]
    faces: FaceSource,
    /// Whose face, where there are several: size (the largest), centre, or a place such as 0.25,0.4 of width and
    /// height.
    #[arg(long, value_name = "WHO", default_value = "size")]
    person: FaceChoice,
    /// What is said in the clips, where no .txt stands beside them.
    #[arg(long)]
    text: Option<String>,
}

#[derive(Args)]
pub(super) struct LiveArgs {
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
    /// Whose face, where there are several: size (the largest), centre, or a place such as 0.25,0.4 of width and
    /// height.
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
pub(super) struct ExportArgs {
    /// A run folder.
    run: PathBuf,
    /// Folder to make.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Where networks that the user brings are looked for; a user without a home has none.
pub(super) fn models_folder() -> PathBuf {
    Places::of_user().map(|places| places.models).unwrap_or_default()
}

pub(super) fn predict(shell: &Shell, args: &PredictArgs) -> anyhow::Result<()> {
    let model = ::models::load(&args.run, &shell.device)?;
    let detectors = Detectors::in_folder(&models_folder())?;
    let (mut rows, mut n_failed, mut n_warned) = (Vec::new(), 0, 0);
    for clip in &args.clips {
        match predict_clip(&*model, clip, &detectors, args) {
            Ok((prediction, notes)) => {
                n_warned += usize::from(!notes.is_empty());
                for note in notes {
                    shell.event(&serde_json::json!({ "event": "warning", "path": clip, "reason": note }));
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
    match (n_failed, n_warned) {
        (0, 0) => Ok(()),
        (0, n) => Err(Warned(n).into()),
        (n, _) => bail!("{n} of {} clips could not be used, for the reasons above", args.clips.len()),
    }
}

pub(super) fn predict_clip(
    model: &dyn Predict,
    clip: &Path,
    detectors: &Detectors,
    args: &PredictArgs,
) -> anyhow::Result<(Prediction, Vec<String>)> {
    let own = media::caption(clip);
    let text = own.as_deref().or(args.text.as_deref());
    let inputs = &model.inputs().only(args.modalities);
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
    let mut predictions = model.predict(&[&prepared.sample], args.modalities).with_context(|| {
        // What the clip lacks is why nothing can be said of it.
        let parts: Vec<&str> = prepared.notes.iter().map(String::as_str).collect();
        if parts.is_empty() { clip.display().to_string() } else { format!("{} ({})", clip.display(), parts.join("; ")) }
    })?;
    Ok((predictions.remove(0), prepared.notes))
}

/// `clip,label` and one probability per emotion, or one value per attribute.
pub(super) fn write_table(path: &Path, model: &dyn Predict, rows: &[(&PathBuf, Prediction)]) -> anyhow::Result<()> {
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

pub(super) fn live(shell: &Shell, args: LiveArgs) -> anyhow::Result<()> {
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

pub(super) fn export(shell: &Shell, args: &ExportArgs) -> anyhow::Result<()> {
    let files = ::models::copy_bundle(&args.run, &args.to)?;
    shell.event(&serde_json::json!({ "event": "exported", "dir": args.to, "files": files }));
    shell.note(&format!("{} is whole: {}", args.to.display(), files.join(", ")));
    Ok(())
}
