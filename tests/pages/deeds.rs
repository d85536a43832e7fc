//! What can be done from the window with real files and a real run: dropping, scoring again, exporting.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui_kittest::kittest::Queryable as _;
use limbic::command::Command;
use limbic::project::Project;
use limbic::state::{Level, PageName};
use media::SampleCache;
use media::sample_clips::{SampleSet, create};
use models::{DeviceId, ModelKind};
use training::{Control, Job, fit};

use super::Window;
use super::importing::looked_at;

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

impl Window {
    /// Lets `path` go over the window.
    fn drop_in(&mut self, path: &Path) {
        self.harness.input_mut().dropped_files.push(Arc::new(Dropped(path.to_owned())));
        self.settle();
    }
}

#[test]
fn a_dropped_folder_is_looked_at_and_a_dropped_clip_says_what_it_needs() {
    let mut window = Window::open();
    let folder = window.home.path().join("dropped");
    std::fs::create_dir(&folder).unwrap();
    window.drop_in(&folder);
    window.wait_until(looked_at);
    assert_eq!(window.harness.state().state.page, PageName::Library);
    assert_eq!(window.harness.state().state.import.as_ref().unwrap().import.root, folder);

    let mut window = Window::open();
    let clip = window.home.path().join("clip.mp4");
    std::fs::write(&clip, "").unwrap();
    window.drop_in(&clip);
    window.sees("Drop a folder of clips");
}

#[test]
fn a_trained_run_is_scored_again_and_its_model_exported_and_loaded_elsewhere() {
    let mut window = Window::open();
    let project = Project::create(&window.home.path().join("study")).unwrap();
    let root = project.dataset_dir("sample");
    create(&root, &SampleSet { n_clips: 28, n_classes: 2, seed: 4 }, &|| true, &|_, _| {}).unwrap();
    let mut manifest = datasets::import(&root, &datasets::Options::default()).unwrap();
    training::inspect(&mut manifest, &|| true, &|_, _| {});
    datasets::save(&manifest, &root.join("manifest.json")).unwrap();
    let mut job = Job::new("first", &root.join("manifest.json"), ModelKind::Umbenet, "tiny", &[]).unwrap();
    job.device = DeviceId::Cpu;
    job.set_epochs(1).unwrap();
    let cache = SampleCache::open(&window.home.path().join("cache")).unwrap();
    fit(&job, &project.run_dir("first"), &cache, &Control::default(), &mut |_| {}).unwrap();
    std::fs::remove_file(project.run_dir("first").join("report.json")).unwrap();

    window.harness.state_mut().obey(Command::OpenProject(project.dir.clone()));
    window.wait_until(|app| app.state.runs.len() == 1);
    window.harness.state_mut().obey(Command::SelectRuns(vec!["first".into()]));
    window.show(PageName::Runs);
    window.harness.get_by_label("Evaluate").click();
    window.settle();
    window.wait_until(|app| app.state.runs[0].record.report.is_some() && app.state.jobs.is_empty());
    assert!(project.run_dir("first").join("report.json").exists());

    window.harness.get_by_label("Export model…").click();
    window.wait_until(|app| app.state.notices.iter().any(|notice| notice.text.contains("first-model")));
    assert!(window.harness.state().state.notices.iter().all(|notice| notice.level != Level::Error));
    let elsewhere = window.home.path().join("elsewhere");
    std::fs::rename(project.exports().join("first-model"), &elsewhere).unwrap();
    let model = models::load(&elsewhere, &DeviceId::Cpu).unwrap();
    assert_eq!(model.labels(), &manifest.labels);
}

#[test]
fn a_dataset_that_is_read_again_comes_back_with_undo() {
    let mut window = Window::open();
    let project = Project::create(&window.home.path().join("study")).unwrap();
    let root = project.dataset_dir("sample");
    create(&root, &SampleSet { n_clips: 28, n_classes: 2, seed: 4 }, &|| true, &|_, _| {}).unwrap();
    let manifest = datasets::import(&root, &datasets::Options::default()).unwrap();
    datasets::save(&manifest, &root.join("manifest.json")).unwrap();
    let before = manifest.labels.names().to_vec();
    window.harness.state_mut().obey(Command::OpenProject(project.dir.clone()));
    window.wait_until(|app| app.state.datasets.len() == 1);
    window.show(PageName::Library);
    window.harness.get_by_label("Read again…").click();
    window.settle();
    window.wait_until(looked_at);
    let mut import = window.harness.state().state.import.as_ref().unwrap().import.clone();
    import.options.labels = Some(format!("{}=calm", before[0]));
    window.harness.state_mut().obey(Command::ChangeImport(import));
    window.wait_until(looked_at);
    window.harness.get_by_role_and_label(egui::accesskit::Role::Button, "Read again").click();
    let names = |app: &limbic::app::App| app.state.datasets[0].manifest.labels.names().to_vec();
    window.wait_until(|app| app.state.import.is_none() && names(app).contains(&"calm".to_owned()));
    window.wait_until(|app| app.state.jobs.is_empty() && !app.state.notices.is_empty());
    window.harness.get_by_label("Undo").click();
    window.wait_until(|app| names(app) == before);
    assert_eq!(datasets::load(&root.join("manifest.json")).unwrap().labels, manifest.labels);
}
