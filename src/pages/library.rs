//! Library: datasets, their clips, and what was wrong with them; and imports that are being decided about.

mod about;
mod extract;
mod import;
mod person;
mod tiles;

use std::sync::Arc;

use egui::{Align, Layout, Panel, ScrollArea, Ui, vec2};
use emotion::{Clip, Manifest, Split};

use super::{Page, Shell};
use crate::command::Command;
use crate::state::{Dataset, DialogFor, PageName};
use crate::theme::{self, caption};
use crate::widgets::button::{Weight, button, button_if, choice, icon_button, row};
use crate::widgets::combo::combo;
use crate::widgets::icon::Icon;
use crate::widgets::tile::{empty, header};
use crate::wording::count;
use about::{about_ui, clip_ui};
use extract::ExtractForm;
use import::Editor;
use tiles::tile_ui;

pub(super) use tiles::thumbnail_ui;

/// Library.
#[derive(Default)]
pub struct Library {
    split: Option<Split>,
    label: Option<usize>,
    search: String,
    /// The clip that is open, and where it was last.
    clip: Option<(String, usize)>,
    import: Editor,
    extract: Option<ExtractForm>,
    shown: Shown,
}

/// The clips that pass the filters, found anew only when something changes.
#[derive(Default)]
struct Shown {
    of: Option<Arc<Manifest>>,
    split: Option<Split>,
    label: Option<usize>,
    search: String,
    clips: Vec<usize>,
}

impl Shown {
    fn update(&mut self, manifest: &Arc<Manifest>, split: Option<Split>, label: Option<usize>, search: &str) {
        let is_same = self.of.as_ref().is_some_and(|own| Arc::ptr_eq(own, manifest));
        if is_same && (self.split, self.label, self.search.as_str()) == (split, label, search) {
            return;
        }
        let needle = search.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&needle);
        let passes = |clip: &Clip| {
            split.is_none_or(|split| clip.split == split)
                && label.is_none_or(|label| clip.label == label)
                && (needle.is_empty()
                    || has(&clip.id)
                    || clip.text.as_deref().is_some_and(has)
                    || clip.speaker.as_deref().is_some_and(has))
        };
        let clips = (0..manifest.clips.len()).filter(|&clip_idx| passes(&manifest.clips[clip_idx])).collect();
        *self = Self { of: Some(Arc::clone(manifest)), split, label, search: search.to_owned(), clips };
    }
}

impl Page for Library {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let state = shell.state;
        let frame = theme::page(ui);
        if let Some(draft) = &state.import {
            self.import.ui(ui, shell, draft);
            return;
        }
        if state.datasets.is_empty() {
            egui::CentralPanel::default().frame(frame).show(ui, |ui| {
                let sentence =
                    "A library holds clips with labels. Import the folder of a corpus or of clips, or drop one anywhere in this window.";
                if empty(ui, Icon::Library, sentence, Some((Icon::Import, "Import clips…"))) {
                    shell.ask(Command::Choose(DialogFor::ImportFolder));
                }
            });
            return;
        }
        let ctx = ui.ctx();
        let is_free = self.extract.is_none() && !ctx.text_edit_focused() && !egui::Popup::is_any_open(ctx);
        if is_free && ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            self.clip = None;
        }
        let wide = ui.available_width() > 1000.0;
        let side = theme::panel(ui);
        Panel::left("datasets").frame(side).exact_size(if wide { 220.0 } else { 180.0 }).resizable(false).show(
            ui,
            |ui| {
                datasets_ui(ui, shell);
            },
        );
        let Some(dataset) = state.current_dataset() else { return };
        Panel::right("about the dataset")
            .frame(side)
            .exact_size(if wide { 288.0 } else { 240.0 })
            .resizable(false)
            .show(ui, |ui| {
                let clips = &dataset.manifest.clips;
                let clip = self.clip.as_ref().and_then(|(id, at)| {
                    clips.get(*at).filter(|clip| clip.id == *id).or_else(|| clips.iter().find(|clip| clip.id == *id))
                });
                ScrollArea::vertical().auto_shrink(false).show(ui, |ui| match clip {
                    Some(clip) => {
                        if clip_ui(ui, shell, dataset, clip) {
                            self.clip = None;
                        }
                    }
                    None => {
                        if about_ui(ui, shell, dataset) {
                            self.extract = Some(ExtractForm::new(dataset));
                        }
                    }
                });
            });
        egui::CentralPanel::default().frame(frame).show(ui, |ui| self.clips_ui(ui, shell, dataset));
        let ctx = ui.ctx().clone();
        let is_other = |form: &ExtractForm| form.dataset != dataset.name;
        if self.extract.as_mut().is_some_and(|form| is_other(form) || form.ui(&ctx, shell, dataset)) {
            self.extract = None;
        }
    }
}

impl Library {
    fn clips_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset) {
        let manifest = &dataset.manifest;
        header(ui, &dataset.name, |ui| {
            let blocked = match &shell.state.training {
                Some(_) => Some("A model is being trained already"),
                None => dataset.is_away.then_some("Its folder is not there: see “About this dataset”"),
            };
            if button_if(ui, Some(Icon::Train), "Train a model", Weight::Primary, blocked).clicked() {
                shell.ask(Command::GoTo(PageName::Train));
            }
        });
        ui.horizontal_wrapped(|ui| {
            choice(
                ui,
                &mut self.split,
                &[(None, "All"), (Some(Split::Train), "Train"), (Some(Split::Val), "Val"), (Some(Split::Test), "Test")],
            );
            if self.label.is_some_and(|label| label >= manifest.labels.len()) {
                self.label = None;
            }
            let chosen = self.label.map_or("All classes", |label| manifest.labels.name(label));
            combo(ui, "Class shown", chosen, 120.0, |ui| {
                ui.selectable_value(&mut self.label, None, "All classes");
                for (label_idx, name) in manifest.labels.names().iter().enumerate() {
                    ui.selectable_value(&mut self.label, Some(label_idx), name);
                }
            });
            ui.add(egui::TextEdit::singleline(&mut self.search).hint_text("Search clips").desired_width(140.0))
                .accessible_name("Search clips");
        });
        ui.add_space(theme::GAP_SMALL);

        self.shown.update(manifest, self.split, self.label, &self.search);
        let shown = &self.shown.clips;
        if shown.is_empty() {
            if empty(ui, Icon::Search, "No clip is like that.", Some((Icon::Close, "Show all clips"))) {
                (self.split, self.label) = (None, None);
                self.search.clear();
            }
            return;
        }
        let gap = 10.0;
        let width = ui.available_width() - 10.0;
        let (n_columns, tile) = tiles::grid(width, gap);
        ui.spacing_mut().item_spacing = vec2(gap, gap);
        ScrollArea::vertical().auto_shrink(false).show_rows(ui, tile.y, shown.len().div_ceil(n_columns), |ui, rows| {
            for row in rows {
                ui.horizontal(|ui| {
                    for &clip_idx in shown.iter().skip(row * n_columns).take(n_columns) {
                        let clip = &manifest.clips[clip_idx];
                        let selected = self.clip.as_ref().is_some_and(|(id, _)| *id == clip.id);
                        if tile_ui(ui, shell, manifest, clip, tile, selected).clicked() {
                            self.clip = (!selected).then(|| (clip.id.clone(), clip_idx));
                        }
                    }
                });
            }
        });
    }
}

fn datasets_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let state = shell.state;
    ui.horizontal(|ui| {
        ui.label(theme::group_title("Datasets"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, Icon::Plus, "Import clips…").clicked() {
                shell.ask(Command::Choose(DialogFor::ImportFolder));
            }
        });
    });
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        for dataset in &state.datasets {
            let selected = state.dataset.as_ref() == Some(&dataset.name);
            let clicked = row(ui, selected, &format!("Dataset {}", dataset.name), 48.0, |ui| {
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    ui.add(egui::Label::new(&dataset.name).truncate());
                    ui.label(caption(count(dataset.manifest.clips.len(), "clip")));
                });
            })
            .clicked();
            if clicked {
                shell.ask(Command::SelectDataset(dataset.name.clone()));
            }
        }
        ui.add_space(theme::GAP);
        if button(ui, Some(Icon::Import), "Import…", Weight::Plain).clicked() {
            shell.ask(Command::Choose(DialogFor::ImportFolder));
        }
    });
}
