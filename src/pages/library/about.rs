//! What is known about a dataset, and about one of its clips.

use egui::{Align, Layout, Sense, Ui, vec2};
use emotion::{Clip, Manifest, Problem, Split};

use super::tiles::thumbnail_ui;
use crate::command::{Command, LiveSource};
use crate::pages::Shell;
use crate::state::{Dataset, PageName, Speakers};
use crate::theme::{self, caption, label_colors, palette};
use crate::widgets::bars::stacked;
use crate::widgets::button::{Weight, button, button_if, icon_button};
use crate::widgets::icon::Icon;
use crate::widgets::tile::{dot, pair, remark};
use crate::wording::{capital, clip_length, count, grouped};

pub fn about_ui(ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset) {
    let manifest = &dataset.manifest;
    ui.spacing_mut().item_spacing.y = 6.0;
    ui.label(theme::group_title("About this dataset"));
    let total_secs: f32 = manifest.clips.iter().filter_map(|clip| clip.duration_secs).sum();
    pair(ui, "Clips", &grouped(manifest.clips.len()));
    pair(ui, "Length", &crate::wording::duration(f64::from(total_secs)));
    pair(ui, "Read as", &manifest.importer);
    pair(ui, "Folder", &manifest.root.display().to_string());
    if !manifest.protocol.is_empty() {
        ui.add(egui::Label::new(caption(format!("Splits: {}", manifest.protocol))).wrap());
    }

    classes_ui(ui, manifest);
    speakers_ui(ui, &dataset.speakers);
    problems_ui(ui, shell, &manifest.problems);
    ui.add_space(theme::GAP);
    ui.horizontal_wrapped(|ui| {
        if button(ui, Some(Icon::Folder), "Show in folder", Weight::Quiet).clicked() {
            shell.ask(Command::Reveal(manifest.root.clone()));
        }
        let in_use = shell
            .state
            .training_run()
            .and_then(|run| run.record.job.as_ref())
            .is_some_and(|job| job.manifest.starts_with(&dataset.dir))
            .then_some("A model is being trained on it");
        if button_if(ui, Some(Icon::Refresh), "Read again…", Weight::Quiet, in_use).clicked() {
            shell.ask(Command::ReadAgain(dataset.name.clone()));
        }
        if button_if(ui, Some(Icon::Trash), "Delete dataset", Weight::Quiet, in_use).clicked() {
            shell.ask(Command::DeleteDataset(dataset.name.clone()));
        }
    });
}

/// Colours of train, val and test.
fn split_colors() -> [egui::Color32; 3] {
    [theme::series_color(0), theme::series_color(1), theme::series_color(2)]
}

/// Classes with their clips, split by split.
pub fn classes_ui(ui: &mut Ui, manifest: &Manifest) {
    ui.add_space(theme::GAP);
    ui.label(theme::group_title("Classes"));
    ui.horizontal(|ui| {
        for (split, color) in Split::ALL.into_iter().zip(split_colors()) {
            dot(ui, color);
            ui.label(caption(format!("{} {}", split.name(), manifest.split(split).count())));
        }
    });
    let counts = Split::ALL.map(|split| manifest.class_counts(split));
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

/// Files that were skipped or are doubtful, each with the reason.
pub fn problems_ui(ui: &mut Ui, shell: &mut Shell<'_>, problems: &[Problem]) {
    ui.add_space(theme::GAP);
    if problems.is_empty() {
        remark(ui, Icon::Check, palette(ui).good, "All files could be read");
    } else {
        let title = format!("{} skipped or doubtful", count(problems.len(), "file"));
        egui::CollapsingHeader::new(title).default_open(problems.len() < 5).show(ui, |ui| {
            for problem in problems.iter().take(200) {
                remark(ui, Icon::Warning, palette(ui).warning, &problem.reason);
                ui.add(egui::Label::new(caption(problem.path.display().to_string())).truncate())
                    .on_hover_text(problem.path.display().to_string());
            }
            if button(ui, Some(Icon::Copy), "Copy the list", Weight::Quiet).clicked() {
                let lines = problems.iter().map(|problem| format!("{}: {}", problem.path.display(), problem.reason));
                shell.ask(Command::Copy(lines.collect::<Vec<_>>().join("\n")));
            }
        });
    }
}

/// What is known about a clip; whether it should be closed.
pub fn clip_ui(ui: &mut Ui, shell: &mut Shell<'_>, manifest: &Manifest, clip: &Clip) -> bool {
    let mut close = false;
    ui.spacing_mut().item_spacing.y = 6.0;
    ui.horizontal(|ui| {
        ui.add(egui::Label::new(theme::group_title(&clip.id)).truncate());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            close = icon_button(ui, Icon::Close, "Close the clip").clicked();
        });
    });
    let path = manifest.clip_path(clip);
    let side = ui.available_width().min(260.0);
    let (area, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
    thumbnail_ui(ui, shell, &path, area);
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
