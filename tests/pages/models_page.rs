//! Trained models of released codes, imported from the Models page.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;
use egui_kittest::kittest::Queryable as _;
use limbic::app::App;
use limbic::command::Command;
use limbic::state::{Checked, Computed, Event, Level, PageName, Weights};
use models::identify::{Kind, Released, Report};
use models::mma_dfer::{self, MmaDfer};
use models::{Config, EmotionModel as _, Init, ModelKind, export};

use super::Window;
use super::features::with_sample;

/// Random values under the released code's names.
fn checkpoint(window: &Window) -> PathBuf {
    let Config::MmaDfer(config) = ModelKind::MmaDfer.preset("tiny").unwrap() else { panic!("MMA-DFER") };
    let model = MmaDfer::build(&config, 2, &mut Init::new(3, &Device::flex()));
    let path = window.home.path().join("dfew.safetensors");
    export(&model, &path, mma_dfer::RENAMES).unwrap();
    path
}

fn is_looked_into(app: &App) -> bool {
    matches!(&app.state.release, Some((_, Computed::Ready(_) | Computed::Failed(_))))
}

/// Opens the form about a file and says which classes it has.
fn decide(window: &mut Window, path: PathBuf, classes: &str) {
    window.harness.state_mut().obey(Command::ShowRelease(path));
    window.wait_until(is_looked_into);
    assert_eq!(window.harness.state().state.page, PageName::Models);
    window.sees("A trained MMA-DFER of the released code");
    window.harness.get_by_label("Model and preset").click();
    window.settle();
    window.harness.get_by_label("MMA-DFER · tiny").click();
    window.settle();
    window.harness.get_by_label("Classes").click();
    window.settle();
    window.harness.get_by_label("Classes").type_text(classes);
    window.settle();
}

#[test]
fn a_released_checkpoint_becomes_a_run_with_scores() {
    let mut window = with_sample();
    let path = checkpoint(&window);
    decide(&mut window, path, "sadness, happiness");
    window.harness.get_by_label("Dataset that it is scored on").click();
    window.settle();
    window.harness.get_by_label("sample").click();
    window.settle();
    window.harness.get_by_label("Import").click();
    window.settle();
    window.wait_until(|app| app.state.runs.len() == 1 && app.state.jobs.is_empty());
    let state = &window.harness.state().state;
    let run = state.current_run().unwrap();
    assert_eq!(run.name, "dfew");
    assert!(run.has_model() && run.record.is_imported());
    assert_eq!(run.record.report.as_ref().unwrap().labels.names(), ["sadness", "happiness"]);
    assert!(state.release.is_none() && state.notices.iter().all(|notice| notice.level != Level::Error));
}

#[test]
fn without_a_dataset_it_serves_live_and_insight_says_why_there_is_nothing() {
    let mut window = with_sample();
    let path = checkpoint(&window);
    decide(&mut window, path, "sadness, happiness");
    window.harness.get_by_label("Import").click();
    window.settle();
    window.wait_until(|app| app.state.runs.len() == 1 && app.state.jobs.is_empty());
    assert!(window.harness.state().state.live_run().is_some());
    window.show(PageName::Insight);
    window.sees("This model was trained elsewhere");
    assert!(window.harness.query_by_label("Resume training").is_none());
    window.harness.get_by_label("Confusion").click();
    window.settle();
    window.sees("imported without a dataset");
}

#[test]
fn what_does_not_fit_is_said_and_leaves_no_run() {
    let mut window = with_sample();
    let path = checkpoint(&window);
    // Two outputs cannot be three classes, and the names must differ.
    decide(&mut window, path.clone(), "sadness, happiness, anger");
    window.sees("It has 2 outputs, these are 3");
    window.harness.state_mut().obey(Command::DropRelease);
    window.settle();
    window.harness.state_mut().obey(Command::ShowRelease(path));
    window.wait_until(is_looked_into);
    // Not tiny but what its names say: the paper's sizes, which it does not have.
    window.harness.get_by_label("Classes").click();
    window.settle();
    window.harness.get_by_label("Classes").type_text("sadness, happiness");
    window.settle();
    window.harness.get_by_label("Import").click();
    window.settle();
    window.wait_until(|app| app.state.notices.iter().any(|notice| notice.level == Level::Error));
    let state = &window.harness.state().state;
    assert!(state.runs.is_empty());
    assert!(state.notices.iter().any(|notice| notice.text.contains("could not be imported: ")));
    let runs = state.project.as_ref().unwrap().dir.join("runs");
    assert!(std::fs::read_dir(runs).map_or(0, Iterator::count) == 0, "a folder is left");
}

#[test]
fn a_file_that_is_no_trained_model_is_told_what_it_is() {
    let mut window = with_sample();
    let text = window.home.path().join("notes.pt");
    std::fs::write(&text, "no weights").unwrap();
    window.harness.state_mut().obey(Command::ShowRelease(text));
    window.wait_until(is_looked_into);
    assert!(window.harness.query_by_label("Import").is_none());
    window.sees("notes.pt");
    window.harness.get_by_label("Close").click();
    window.settle();
    assert!(window.harness.state().state.release.is_none());
}

#[test]
fn a_file_that_an_import_reads_besides_is_asked_for() {
    let mut window = with_sample();
    let report = |path: &str, kind, published, released| Report {
        path: path.into(),
        kind,
        title: "a trained UMBEnet of the released code".into(),
        packing: String::new(),
        published,
        uses: Vec::new(),
        released,
        set_aside: Vec::new(),
        fit: None,
        notes: Vec::new(),
    };
    let needs: &[&str] = &["vocabulary"];
    let released =
        Released { model: ModelKind::Umbenet, preset: "official-compat", settings: Vec::new(), n_outputs: 2, needs };
    window.tell(Event::Release("umbenet.ckpt".into(), Computed::Underway));
    let found = report("umbenet.ckpt", Kind::Umbenet, None, Some(released));
    window.tell(Event::Release("umbenet.ckpt".into(), Computed::Ready(Arc::new(found))));
    window.show(PageName::Models);
    window.harness.get_by_label("Classes").click();
    window.settle();
    window.harness.get_by_label("Classes").type_text("anger, fear");
    window.settle();
    window.sees("It needs CLIP's vocabulary");
    let report = report("vocabulary.gz", Kind::Vocabulary, Some("clip-vocabulary"), None);
    let checked = Computed::Ready(Arc::new(Checked { report, checksum: None }));
    let weights = Weights { path: "vocabulary.gz".into(), checked };
    window.tell(Event::Weights { key: "clip-vocabulary".into(), weights });
    window.settle();
    assert!(window.harness.query_by_label_contains("It needs").is_none());
}
