//! Features of clips, made from the Library page and trained on.

use egui_kittest::kittest::Queryable as _;
use emotion::Modality;
use limbic::command::Command;
use limbic::project::Project;
use limbic::state::{Level, PageName};
use media::sample_clips::{SampleSet, create};
use training::FeatureKind;

use super::Window;

/// A window with a project of a few sample clips.
pub(super) fn with_sample() -> Window {
    let mut window = Window::open();
    let project = Project::create(&window.home.path().join("study")).unwrap();
    let root = project.dataset_dir("sample");
    create(&root, &SampleSet { n_clips: 28, n_classes: 2, seed: 4 }, &|| true, &|_, _| {}).unwrap();
    let mut manifest = datasets::import(&root, &datasets::Options::default()).unwrap();
    training::inspect(&mut manifest, &|| true, &|_, _| {});
    datasets::save(&manifest, &root.join("manifest.json")).unwrap();
    window.harness.state_mut().obey(Command::OpenProject(project.dir));
    window.wait_until(|app| app.state.datasets.len() == 1);
    window.show(PageName::Library);
    window
}

#[test]
fn copies_of_voices_are_made_after_the_voices_themselves() {
    let mut window = with_sample();
    window.harness.get_by_label("Extract features…").click();
    window.settle();
    window.harness.get_by_label("mfcc").click();
    window.settle();
    window.harness.get_by_label("Voices at other speeds as well: 0.87, 0.93, 1.07, 1.15").click();
    window.settle();
    window.harness.get_by_label("Extract").click();
    window.settle();
    window.wait_until(|app: &limbic::app::App| {
        app.state.datasets[0].manifest.streams.len() == 5 && app.state.jobs.is_empty()
    });
    let dataset = window.harness.state().state.datasets[0].clone();
    let names: Vec<&str> = dataset.manifest.streams.iter().map(|stream| stream.name.as_str()).collect();
    assert_eq!(names, ["mfcc", "mfcc@0.87", "mfcc@0.93", "mfcc@1.07", "mfcc@1.15"]);
    assert_eq!(dataset.facts.n_with_stream, [28; 5]);
}

#[test]
fn features_are_extracted_from_the_library_and_named_in_the_dataset() {
    let mut window = with_sample();
    window.harness.get_by_label("Extract features…").click();
    window.settle();
    // All kinds that the engine has are offered; networks only with their weights.
    for name in FeatureKind::names() {
        window.sees(name);
    }
    window.harness.get_by_label("mfcc").click();
    window.harness.get_by_label("voice-statistics").click();
    window.settle();
    window.harness.get_by_label("Extract").click();
    window.settle();
    let is_made =
        |app: &limbic::app::App| app.state.datasets[0].manifest.streams.len() == 2 && app.state.jobs.is_empty();
    window.wait_until(is_made);
    let dataset = window.harness.state().state.datasets[0].clone();
    let mfcc = &dataset.manifest.streams[0];
    assert_eq!((mfcc.name.as_str(), mfcc.modality, mfcc.n_dims, mfcc.extracted), ("mfcc", Modality::Voice, 39, true));
    assert_eq!(dataset.facts.n_with_stream, [28, 28]);
    assert!(dataset.manifest.clips.iter().all(|clip| dataset.manifest.root.join(&clip.features[0].path).exists()));
    assert_eq!(datasets::load(&dataset.dir.join("manifest.json")).unwrap(), *dataset.manifest);
    assert!(window.harness.state().state.notices.iter().all(|notice| notice.level != Level::Error));
    window.sees("voice · 28 clips");

    // Read again, they are still there.
    let import = limbic::command::Import { replaces: true, ..dataset.import };
    window.harness.state_mut().obey(Command::Import(import));
    window.wait_until(|app| {
        app.state.jobs.is_empty() && app.state.notices.iter().any(|own| own.text.contains("read again"))
    });
    assert_eq!(window.harness.state().state.datasets[0].facts.n_with_stream, [28, 28]);
}

#[test]
fn a_network_without_its_weights_leads_to_the_page_of_models() {
    let mut window = with_sample();
    window.harness.get_by_label("Extract features…").click();
    window.settle();
    window.harness.get_by_label("Choose the weights of mae-face").click();
    window.settle();
    assert_eq!(window.harness.state().state.page, PageName::Models);
    assert!(window.harness.query_by_label("Extract").is_none());
}

#[test]
fn a_folder_that_cannot_be_made_is_said_and_changes_nothing() {
    let mut window = with_sample();
    std::fs::write(window.harness.state().state.datasets[0].dir.join("features"), "a file in its place").unwrap();
    window.harness.get_by_label("Extract features…").click();
    window.settle();
    window.harness.get_by_label("mfcc").click();
    window.settle();
    window.harness.get_by_label("Extract").click();
    window.settle();
    window.wait_until(|app| app.state.notices.iter().any(|notice| notice.level == Level::Error));
    window.sees("mfcc could not be extracted");
    assert!(window.harness.state().state.datasets[0].manifest.streams.is_empty());
}
