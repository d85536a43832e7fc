//! Whose face: chosen for a dataset in a list, for a clip by a click or by keys, and what follows for preparing it.

use std::path::{Path, PathBuf};

use egui::Key;
use egui::accesskit::Toggled;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use emotion::{FaceChoice, FaceInput, Inputs, Manifest};
use limbic::app::App;
use limbic::command::{Command, Import};
use limbic::project::Project;
use limbic::state::{Computed, PageName};
use media::sample_clips::{SampleSet, create};
use media::{Filter, SampleCache, resize, thumbnail};
use training::Control;

use super::Window;

/// Two of the sample's people in one picture, the right one smaller; and a picture of one.
fn write_pictures(home: &Path, root: &Path) {
    create(&home.join("drawn"), &SampleSet { n_clips: 12, n_classes: 2, seed: 1 }, &|| true, &|_, _| {}).unwrap();
    let face = |name: &str, side_px: u32| {
        let image = thumbnail(&home.join("drawn/clips").join(name), 256).unwrap();
        let image = resize(&image, side_px as usize, side_px as usize, Filter::Bilinear);
        image::RgbImage::from_raw(side_px, side_px, image.rgb).unwrap()
    };
    let (left, right) = (face("clip_0004.mp4", 208), face("clip_0002.mp4", 160));
    let mut both = image::RgbImage::from_pixel(400, 224, image::Rgb([128; 3]));
    image::imageops::replace(&mut both, &left, 0, 8);
    let mut one = both.clone();
    image::imageops::replace(&mut both, &right, 230, 8);
    one.put_pixel(0, 0, image::Rgb([0; 3]));
    for (class, picture) in [("anger", both), ("fear", one)] {
        std::fs::create_dir_all(root.join(class)).unwrap();
        picture.save(root.join(class).join("clip.png")).unwrap();
    }
}

/// A window with a dataset of those pictures, its clip of two people opened.
fn opened() -> (Window, PathBuf) {
    let mut window = Window::open();
    let project = Project::create(&window.home.path().join("study")).unwrap();
    let dir = project.dataset_dir("pictures");
    write_pictures(window.home.path(), &window.home.path().join("pictures"));
    window.harness.state_mut().obey(Command::OpenProject(project.dir.clone()));
    window.wait_until(|app| app.state.project.is_some());
    window.harness.state_mut().obey(Command::Import(Import::new(window.home.path().join("pictures"), "pictures")));
    window.wait_until(|app| app.state.datasets.len() == 1 && app.state.jobs.is_empty());
    window.show(PageName::Library);
    window.harness.get_by_label_contains("Clip anger/clip").click();
    window.settle();
    window.wait_until(|app| matches!(&app.state.people, Some((_, Computed::Ready(people))) if people.is_some()));
    (window, dir.join("manifest.json"))
}

fn of_clip(app: &App) -> Option<FaceChoice> {
    app.state.datasets[0].manifest.clips[0].person
}

fn is_marked(window: &Window, label: &str) -> bool {
    window.harness.get_by_label(label).accesskit_node().toggled() == Some(Toggled::True)
}

#[test]
fn a_click_on_a_face_makes_it_the_clips_and_is_taken_back() {
    let (mut window, path) = opened();
    assert!(is_marked(&window, "Face 1 of 2") && !is_marked(&window, "Face 2 of 2"), "the largest is meant at first");
    window.harness.get_by_label("Face 2 of 2").click();
    window.settle();
    window.wait_until(|app| of_clip(app).is_some());
    assert!(is_marked(&window, "Face 2 of 2") && !is_marked(&window, "Face 1 of 2"));
    let kept = |path: &Path| datasets::load(path).unwrap().clips[0].person;
    assert!(matches!(kept(&path), Some(FaceChoice::Point { x, .. }) if x > 0.5), "{:?}", kept(&path));

    window.wait_until(|app| app.state.notices.iter().any(|notice| notice.action.is_some() && !notice.closed));
    window.harness.get_by_label("Undo").click();
    window.settle();
    window.wait_until(|app| of_clip(app).is_none());
    assert!(is_marked(&window, "Face 1 of 2") && kept(&path).is_none());

    // The same by keys alone, and back to what the dataset says.
    window.harness.get_by_label("Face 2 of 2").focus();
    window.settle();
    window.harness.key_press(Key::Enter);
    window.settle();
    window.wait_until(|app| of_clip(app).is_some());
    window.harness.get_by_label("As in the dataset").click();
    window.settle();
    window.wait_until(|app| of_clip(app).is_none());
}

#[test]
fn a_chosen_face_survives_reading_again_and_only_its_clip_is_prepared_anew() {
    let (mut window, path) = opened();
    let inputs =
        Inputs { face: Some(FaceInput { n_frames: 1, size_px: 32 }), voice: None, text: None, features: Vec::new() };
    let cache = SampleCache::open(&window.home.path().join("cache")).unwrap();
    let keys = |manifest: &Manifest| -> Vec<Option<String>> {
        let prepared =
            training::prepare(manifest, &manifest.clips, &inputs, &cache, &Control::default(), &mut |_| {}).unwrap();
        prepared.into_iter().map(|clip| clip.key).collect()
    };
    let before = keys(&datasets::load(&path).unwrap());
    window.harness.get_by_label("Face 2 of 2").click();
    window.settle();
    window.wait_until(|app| of_clip(app).is_some());
    let after = keys(&datasets::load(&path).unwrap());
    assert!(before.len() == 2 && before[0] != after[0] && before[1] == after[1], "{before:?} {after:?}");

    let import = Import { replaces: true, ..window.harness.state().state.datasets[0].import.clone() };
    let chosen = of_clip(window.harness.state());
    window.harness.state_mut().obey(Command::Import(import));
    window.wait_until(|app| {
        app.state.jobs.is_empty() && app.state.notices.iter().any(|own| own.text.contains("read again"))
    });
    assert_eq!(of_clip(window.harness.state()), chosen);
    assert_eq!(keys(&datasets::load(&path).unwrap()), after);
}

#[test]
fn whose_face_it_is_in_a_dataset_is_kept_and_asked_for_in_a_later_reading() {
    let (mut window, path) = opened();
    window.harness.get_by_label("Close the clip").click();
    window.settle();
    window.harness.get_by_label("Whose face").click();
    window.settle();
    window.harness.get_by_label("Nearest the centre").click();
    window.settle();
    window.wait_until(|app| app.state.datasets[0].manifest.person == FaceChoice::Centre);
    assert_eq!(datasets::load(&path).unwrap().person, FaceChoice::Centre);
    assert_eq!(window.harness.state().state.datasets[0].import.options.person, FaceChoice::Centre);
    window.wait_until(|app| app.state.notices.iter().any(|notice| notice.text.contains("nearest the centre")));
    window.harness.get_by_label("Undo").click();
    window.settle();
    window.wait_until(|app| app.state.datasets[0].manifest.person == FaceChoice::Size);
}
