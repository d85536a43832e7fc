//! What is known about a dataset, and about one of its clips.

use egui::{Align, Layout, Ui, vec2};
use emotion::{Clip, FaceSource, Manifest, Problem, Split};

use super::person::{choice_ui, clip_picture_ui};
use crate::command::{Command, LiveSource, Whose};
use crate::pages::Shell;
use crate::state::{Dataset, DialogFor, Facts, PageName, Speakers, State};
use crate::theme::{self, caption, label_colors, palette};
use crate::widgets::bars::stacked;
use crate::widgets::button::{Weight, button, button_if, icon_button};
use crate::widgets::icon::Icon;
use crate::widgets::tile::{dot, pair, remark};
use crate::wording::{capital, clip_length, count, grouped, without_path};

/// What is known about a dataset; whether features of it are to be extracted.
pub fn about_ui(ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset) -> bool {
    let mut extracts = false;
    let manifest = &dataset.manifest;
    ui.spacing_mut().item_spacing.y = 6.0;
    ui.label(theme::group_title("About this dataset"));
    let in_use = in_use(shell.state, dataset);
    if dataset.is_away {
        let text = "Its folder is not there. Connect its disk, or say where the clips are now.";
        remark(ui, Icon::Warning, palette(ui).danger, text);
        if button_if(ui, Some(Icon::Folder), "Choose its folder…", Weight::Plain, in_use).clicked() {
            shell.ask(Command::ReadAgain(dataset.name.clone()));
            shell.ask(Command::Choose(DialogFor::MovedFolder));
        }
    }
    pair(ui, "Clips", &grouped(manifest.clips.len()));
    pair(ui, "Length", &crate::wording::duration(f64::from(dataset.facts.total_secs)));
    pair(ui, "Read as", &manifest.importer);
    pair(ui, "Folder", &manifest.root.display().to_string());
    if !manifest.protocol.is_empty() {
        ui.add(egui::Label::new(caption(format!("Splits: {}", manifest.protocol))).wrap());
    }

    for (stream, n_clips) in manifest.streams.iter().zip(&dataset.facts.n_with_stream) {
        let value = format!("{} · {}", stream.modality.name(), count(*n_clips, "clip"));
        pair(ui, &stream.name, &value);
    }

    classes_ui(ui, manifest, &dataset.facts);
    speakers_ui(ui, &dataset.facts.speakers);
    if manifest.problems.is_empty() && !dataset.is_away {
        ui.add_space(theme::GAP);
        remark(ui, Icon::Check, palette(ui).good, "All files could be read");
    }
    problems_ui(ui, shell, &manifest.problems);
    whose_ui(ui, shell, dataset, in_use);
    ui.add_space(theme::GAP);
    ui.horizontal_wrapped(|ui| {
        if button(ui, Some(Icon::Folder), "Show in folder", Weight::Quiet).clicked() {
            shell.ask(Command::Reveal(manifest.root.clone()));
        }
        extracts = button_if(ui, Some(Icon::Voice), "Extract features…", Weight::Quiet, in_use).clicked();
        if button_if(ui, Some(Icon::Refresh), "Read again…", Weight::Quiet, in_use).clicked() {
            shell.ask(Command::ReadAgain(dataset.name.clone()));
        }
        if button_if(ui, Some(Icon::Trash), "Delete dataset", Weight::Quiet, in_use).clicked() {
            shell.ask(Command::DeleteDataset(dataset.name.clone()));
        }
    });
    extracts
}

/// Why a dataset cannot be changed.
fn in_use(state: &State, dataset: &Dataset) -> Option<&'static str> {
    let job = state.training_run().and_then(|run| run.record.job.as_ref());
    job.is_some_and(|job| job.manifest.starts_with(&dataset.dir)).then_some("A model is being trained on it")
}

/// Whose face, where clips show several people.
fn whose_ui(ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset, fixed: Option<&str>) {
    let manifest = &dataset.manifest;
    if manifest.faces == FaceSource::Cropped {
        return;
    }
    ui.add_space(theme::GAP);
    ui.label(theme::group_title("Whose face, of several"));
    let example = dataset.facts.first_media.map(|at| manifest.clip_path(&manifest.clips[at]));
    let chosen = ui.add_enabled_ui(fixed.is_none(), |ui| choice_ui(ui, shell, manifest.person, example.as_deref()));
    if let Some(person) = chosen.inner {
        let dataset = dataset.name.clone();
        shell.ask(Command::ChoosePerson(Whose { dataset, clip: None, person: Some(person) }));
    }
    if dataset.facts.n_chosen_by_hand > 0 {
        let n = dataset.facts.n_chosen_by_hand;
        ui.label(caption(format!("Chosen by hand in {}", count(n, "clip"))));
    }
}

/// Colours of train, val and test.
fn split_colors() -> [egui::Color32; 3] {
    [theme::series_color(0), theme::series_color(1), theme::series_color(2)]
}

/// Classes with their clips, split by split.
pub fn classes_ui(ui: &mut Ui, manifest: &Manifest, facts: &Facts) {
    ui.add_space(theme::GAP);
    ui.label(theme::group_title("Classes"));
    ui.horizontal(|ui| {
        for ((split, n_clips), color) in Split::ALL.into_iter().zip(facts.n_clips()).zip(split_colors()) {
            dot(ui, color);
            ui.label(caption(format!("{} {n_clips}", split.name())));
        }
    });
    let counts = &facts.class_counts;
    let totals: Vec<usize> =
        (0..manifest.labels.len()).map(|label| counts.iter().map(|count| count[label]).sum()).collect();
    let largest = totals.iter().copied().max().unwrap_or(0);
    let colors = label_colors(&manifest.labels);
    for (label_idx, name) in manifest.labels.names().iter().enumerate() {
        let width = ui.available_width();
        ui.allocate_ui_with_layout(vec2(width, 18.0), Layout::left_to_right(Align::Center), |ui| {
            ui.set_width(width);
            dot(ui, colors[label_idx]);
            ui.label(egui::RichText::new(name).size(13.0));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.label(caption(totals[label_idx].to_string())));
        });
        let parts: Vec<_> = counts.iter().zip(split_colors()).map(|(count, color)| (count[label_idx], color)).collect();
        let width = ui.available_width();
        stacked(ui, &parts, largest, width);
    }
}

/// How many speakers each split has, and those who are in several.
pub fn speakers_ui(ui: &mut Ui, speakers: &Speakers) {
    if speakers.n == 0 {
        return;
    }
    ui.add_space(theme::GAP);
    ui.label(theme::group_title("Speakers"));
    let [train, val, test] = speakers.per_split;
    pair(ui, &count(speakers.n, "speaker"), &format!("train {train} · val {val} · test {test}"));
    if speakers.shared.is_empty() {
        remark(ui, Icon::Check, palette(ui).good, "Nobody is in two splits");
    } else {
        let names = speakers.shared.iter().take(6).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if speakers.shared.len() > 6 { ", …" } else { "" };
        let n = count(speakers.shared.len(), "speaker");
        let text = format!("{n} in more than one split ({names}{more}): scores will look better than they are");
        remark(ui, Icon::Warning, palette(ui).warning, &text);
    }
}

/// Files that were skipped or are doubtful, each with the reason; nothing where there are none.
pub fn problems_ui(ui: &mut Ui, shell: &mut Shell<'_>, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    ui.add_space(theme::GAP);
    let title = format!("{} skipped or doubtful", count(problems.len(), "file"));
    egui::CollapsingHeader::new(title).default_open(problems.len() < 5).show(ui, |ui| {
        for problem in problems.iter().take(200) {
            remark(ui, Icon::Warning, palette(ui).warning, without_path(&problem.reason, &problem.path));
            ui.add(egui::Label::new(caption(problem.path.display().to_string())).truncate())
                .on_hover_text(problem.path.display().to_string());
        }
        if button(ui, Some(Icon::Copy), "Copy the list", Weight::Quiet).clicked() {
            let lines = problems.iter().map(|problem| format!("{}: {}", problem.path.display(), problem.reason));
            shell.ask(Command::Copy(lines.collect::<Vec<_>>().join("\n")));
        }
    });
}

/// What is known about a clip; whether it should be closed.
pub fn clip_ui(ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset, clip: &Clip) -> bool {
    let manifest = &dataset.manifest;
    let mut close = false;
    ui.spacing_mut().item_spacing.y = 6.0;
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            close = icon_button(ui, Icon::Close, "Close the clip").clicked();
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(egui::Label::new(theme::group_title(&clip.id)).truncate());
            });
        });
    });
    let path = manifest.clip_path(clip);
    let fixed = in_use(shell.state, dataset);
    clip_picture_ui(ui, shell, dataset, clip, fixed);
    let label = manifest.labels.name(clip.label);
    ui.horizontal(|ui| {
        dot(ui, label_colors(&manifest.labels)[clip.label]);
        ui.label(capital(label));
    });
    if let Some(text) = &clip.text {
        ui.add(egui::Label::new(egui::RichText::new(format!("“{text}”")).italics()).wrap().selectable(true));
    }
    pair(ui, "Split", clip.split.name());
    if let Some(speaker) = &clip.speaker {
        pair(ui, "Speaker", speaker);
    }
    if let Some(secs) = clip.duration_secs {
        pair(ui, "Length", &clip_length(secs));
    }
    if let Some(present) = clip.present {
        let names: Vec<&str> = present.iter().map(emotion::Modality::name).collect();
        pair(ui, "Has", &names.join(", "));
    }
    pair(ui, "File", &clip.path.display().to_string());
    ui.add_space(theme::GAP);
    ui.horizontal_wrapped(|ui| {
        let blocked = (!shell.state.runs.iter().any(crate::run::Run::has_model)).then_some("Train a model first");
        if button_if(ui, Some(Icon::Play), "Play in live", Weight::Plain, blocked).clicked() {
            shell.ask(Command::StartLive(LiveSource::File { path: path.clone(), text: clip.text.clone() }));
            shell.ask(Command::GoTo(PageName::Live));
        }
        if button(ui, Some(Icon::Folder), "Show in folder", Weight::Quiet).clicked() {
            shell.ask(Command::Reveal(path.clone()));
        }
    });
    close
}
