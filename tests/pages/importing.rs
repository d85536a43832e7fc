//! An import, decided by hand before it is made.

use egui::Key;
use egui_kittest::kittest::Queryable as _;
use limbic::app::App;
use limbic::command::Command;

use super::Window;

/// A list in a folder of its own, with a file for each clip.
fn listed(window: &Window, header: &str) -> std::path::PathBuf {
    let folder = window.home.path().join("listed");
    std::fs::create_dir_all(&folder).unwrap();
    let mut list = format!("{header}\n");
    for (idx, class) in ["happiness", "sadness", "anger", "contempt"].into_iter().cycle().take(24).enumerate() {
        std::fs::write(folder.join(format!("clip{idx}.mp4")), [idx as u8]).unwrap();
        list += &format!("clip{idx}.mp4,{class},s{}\n", idx / 6);
    }
    std::fs::write(folder.join("labels.csv"), list).unwrap();
    folder
}

pub(super) fn looked_at(app: &App) -> bool {
    app.state.import.as_ref().is_some_and(|draft| !draft.is_underway())
}

fn classes(app: &App) -> Vec<String> {
    let found = app.state.import.as_ref().unwrap().found.as_ref().unwrap();
    let mut names = found.manifest.as_ref().unwrap().labels.names().to_vec();
    names.sort();
    names
}

#[test]
fn an_import_is_looked_at_before_it_is_made_and_its_classes_are_merged_and_taken_back() {
    let mut window = Window::open();
    let folder = listed(&window, "path,label,speaker");
    window.harness.state_mut().obey(Command::ShowImport(folder.clone()));
    window.wait_until(looked_at);
    assert_eq!(classes(window.harness.state()), ["anger", "contempt", "happiness", "sadness"]);
    window.sees("24 clips. Files stay where they are.");
    window.sees("Nobody is in two splits");
    let found = window.harness.state().state.import.as_ref().unwrap().found.clone().unwrap();
    assert_eq!((found.recognized, found.facts.speakers.n), (Some("csv"), 4));

    window.harness.get_by_label("New name of sadness").focus();
    window.settle();
    window.harness.get_by_label("New name of sadness").type_text("anger");
    window.settle();
    window.harness.key_press(Key::Enter);
    window.settle();
    window.wait_until(looked_at);
    assert_eq!(classes(window.harness.state()), ["anger", "contempt", "happiness"], "merged");

    window.harness.get_by_label("Use contempt").click();
    window.settle();
    window.wait_until(looked_at);
    assert_eq!(classes(window.harness.state()), ["anger", "happiness"], "left out");

    window.harness.get_by_label("Undo the last decision").click();
    window.settle();
    window.wait_until(looked_at);
    assert_eq!(classes(window.harness.state()), ["anger", "contempt", "happiness"], "taken back");
}

#[test]
fn columns_that_nobody_knows_are_said_and_can_be_chosen() {
    let mut window = Window::open();
    let folder = listed(&window, "where,what,who");
    window.harness.state_mut().obey(Command::ShowImport(folder.clone()));
    window.wait_until(looked_at);
    window.sees("Choose another layout or other columns");
    let mut import = window.harness.state().state.import.as_ref().unwrap().import.clone();
    let columns = &mut import.options.columns;
    (columns.path, columns.label) = (Some("where".into()), Some("what".into()));
    columns.speaker = Some("who".into());
    window.harness.state_mut().obey(Command::ChangeImport(import));
    window.wait_until(looked_at);
    assert_eq!(classes(window.harness.state()).len(), 4);
}

#[test]
fn columns_of_features_and_of_their_rows_are_chosen_by_hand() {
    let mut window = Window::open();
    let folder = listed(&window, "path,label,speaker");
    let values: Vec<f32> = (0..24 * 3).map(|at| 1.0 + at as f32).collect();
    ::features::write_npy(&folder.join("all.npy"), &[24, 3], &values).unwrap();
    let list = std::fs::read_to_string(folder.join("labels.csv")).unwrap();
    let line = |(number, line): (usize, &str)| match number {
        0 => format!("{line},numbers,place\n"),
        _ => format!("{line},all.npy,{}\n", 24 - number),
    };
    std::fs::write(folder.join("labels.csv"), list.lines().enumerate().map(line).collect::<String>()).unwrap();
    window.harness.state_mut().obey(Command::ShowImport(folder.clone()));
    window.wait_until(looked_at);
    window.harness.get_by_label("Columns of the list").click();
    window.settle();
    for (role, column) in [("voice features", "numbers"), ("row of features", "place")] {
        let combo = format!("Column of the {role}");
        window.harness.get_by_label(&combo).scroll_to_me();
        window.settle();
        window.harness.get_by_label(&combo).click();
        window.settle();
        window.harness.get_by_label(column).click();
        window.settle();
        window.wait_until(looked_at);
    }
    let found = window.harness.state().state.import.as_ref().unwrap().found.clone().unwrap();
    let manifest = found.manifest.unwrap();
    let stream = &manifest.streams[0];
    assert_eq!((stream.modality, stream.n_dims), (emotion::Modality::Voice, 3));
    let row = |id: &str| manifest.clips.iter().find(|clip| clip.id.starts_with(id)).unwrap().features[0].row;
    assert_eq!((row("clip0"), row("clip23")), (Some(23), Some(0)));
}
