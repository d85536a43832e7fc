//! Deciding about an import: what was recognized, how it will be read, and what comes of it, before anything is made.
//!
//! A decision is looked at on a worker and can be taken back. What is typed counts once the field is left.

use std::str::FromStr;

use egui::{Align, Layout, Panel, ScrollArea, TextEdit, Ui, vec2};
use emotion::{FaceSource, LabelSpec, Manifest};

use super::about::{classes_ui, problems_ui, speakers_ui};
use super::person::choice_ui;
use super::tiles;
use crate::command::{Command, Import};
use crate::pages::Shell;
use crate::state::{DialogFor, Found, ImportDraft};
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, button_if, icon_button, switch};
use crate::widgets::icon::Icon;
use crate::widgets::tile::{empty, header, pair, remark};
use crate::wording::{count, grouped};

/// Clips that are shown as examples, at most.
const N_EXAMPLES: usize = 60;
const PANEL: f32 = 288.0;
/// Width of what a column means.
const ROLE: f32 = 96.0;

const FACES: [(FaceSource, &str); 4] = [
    (FaceSource::Auto, "Automatic"),
    (FaceSource::Detect, "Find the face in each frame"),
    (FaceSource::Cropped, "The whole frame is the face"),
    (FaceSource::Boxes, "Boxes from the annotation"),
];
const SETS: [&str; 5] = ["four", "six", "seven", "eight", "eleven"];
const RATINGS: [&str; 3] = ["valence", "arousal", "dominance"];

/// What is being typed, until it counts.
#[derive(Default)]
pub struct Editor {
    /// The decision that the fields show.
    shown: Option<Import>,
    name: String,
    scale: String,
    fold: String,
    /// New names of the classes that have one.
    labels: LabelSpec,
}

impl Editor {
    /// Draws the draft.
    pub fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, draft: &ImportDraft) {
        let options = &draft.import.options;
        if self.shown.as_ref() != Some(&draft.import) {
            self.name.clone_from(&draft.import.name);
            self.scale = options.scale.map(|scale| scale.to_string()).unwrap_or_default();
            self.fold = options.fold.map(|fold| fold.to_string()).unwrap_or_default();
            self.labels = LabelSpec::from(options.labels.as_deref().unwrap_or_default());
            self.shown = Some(draft.import.clone());
        }
        let side = theme::panel(ui);
        let frame = theme::page(ui);
        let wide = ui.available_width() > 1000.0;
        let mut wanted = draft.import.clone();
        // Another folder begins at the top.
        let column = || ScrollArea::vertical().id_salt(&draft.import.root).auto_shrink(false);
        Panel::left("how to read it").frame(side).exact_size(PANEL).resizable(false).show(ui, |ui| {
            column().show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 6.0;
                self.reading_ui(ui, shell, draft, &mut wanted);
                if let Some(found) = &draft.found {
                    self.labels_ui(ui, found, &mut wanted);
                    if !wide {
                        found_ui(ui, shell, found);
                    }
                }
            });
        });
        if wide && let Some(found) = &draft.found {
            Panel::right("what was found").frame(side).exact_size(PANEL).resizable(false).show(ui, |ui| {
                column().show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 6.0;
                    found_ui(ui, shell, found);
                });
            });
        }
        egui::CentralPanel::default().frame(frame).show(ui, |ui| examples_ui(ui, shell, draft));
        if wanted != draft.import {
            shell.ask(Command::ChangeImport(wanted));
        }
    }

    /// Layout, columns, faces and splits.
    fn reading_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, draft: &ImportDraft, wanted: &mut Import) {
        ui.label(theme::group_title("How to read it"));
        let root = draft.import.root.display().to_string();
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if icon_button(ui, Icon::Folder, "Choose another folder…").clicked() {
                    shell.ask(Command::Choose(DialogFor::MovedFolder));
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(egui::Label::new(caption(&root)).truncate()).on_hover_text(&root);
                });
            });
        });
        ui.label(caption("Name"));
        ui.add_enabled_ui(!draft.import.replaces, |ui| {
            if typed(ui, &mut self.name, "Name of the dataset", "") && !self.name.trim().is_empty() {
                self.name.trim().clone_into(&mut wanted.name);
            }
        });
        layout_ui(ui, draft, wanted);
        let header = draft.found.as_ref().map_or(&[][..], |found| &found.header);
        if !header.is_empty() {
            columns_ui(ui, header, wanted);
            ui.label(caption("Scale of the ratings, as in 1..5"));
            let complaint = "write the lowest and the highest rating, as in 1..5";
            let scale = &mut wanted.options.scale;
            typed_value(ui, &mut self.scale, ("Scale of the ratings", "not used", complaint), scale);
        }
        ui.label(caption("Faces"));
        let shown = FACES.iter().find(|(faces, _)| *faces == wanted.options.faces).map_or("", |(_, words)| words);
        combo(ui, "Faces", shown, |ui| {
            for (faces, words) in FACES {
                ui.selectable_value(&mut wanted.options.faces, faces, words);
            }
        });
        if wanted.options.faces != FaceSource::Cropped {
            ui.label(caption("Whose face, of several"));
            let found = draft.found.as_ref().and_then(|found| found.manifest.as_ref().ok());
            let first = draft.found.as_ref().and_then(|found| found.facts.first_media);
            let example = found.zip(first).map(|(manifest, at)| manifest.clip_path(&manifest.clips[at]));
            if let Some(person) = choice_ui(ui, shell, wanted.options.person, example.as_deref()) {
                wanted.options.person = person;
            }
        }
        ui.label(caption("Fold that is scored"));
        let complaint = "write the number of a fold, as in 2";
        typed_value(ui, &mut self.fold, ("Fold that is scored", "the usual", complaint), &mut wanted.options.fold);
        ui.horizontal(|ui| {
            ui.label(caption("Seed of splits that are made here"));
            let mut seed = wanted.options.seed;
            let drag = ui.add(egui::DragValue::new(&mut seed).update_while_editing(false));
            let drag = drag.accessible_name("Seed of the splits");
            if drag.changed() && !drag.dragged() || drag.drag_stopped() {
                wanted.options.seed = seed;
            }
        });
    }

    /// Which class becomes which.
    fn labels_ui(&mut self, ui: &mut Ui, found: &Found, wanted: &mut Import) {
        if found.classes.is_empty() {
            return;
        }
        ui.add_space(theme::GAP);
        ui.label(theme::group_title("Classes"));
        ui.label(caption("Two classes of one name are merged."));
        let before = self.labels.set.clone();
        combo(ui, "Label set", before.as_deref().unwrap_or("As they are"), |ui| {
            ui.selectable_value(&mut self.labels.set, None, "As they are");
            for set in SETS {
                ui.selectable_value(&mut self.labels.set, Some(set.to_owned()), format!("The usual {set}"));
            }
        });
        let mut changed = before != self.labels.set;
        for (class, n_clips) in &found.classes {
            changed |= self.class_ui(ui, class, *n_clips);
        }
        if changed {
            let spec = self.labels.to_string();
            wanted.options.labels = (!spec.is_empty()).then_some(spec);
        }
    }

    /// A class with what becomes of it; whether that changed.
    fn class_ui(&mut self, ui: &mut Ui, class: &str, n_clips: usize) -> bool {
        let pairs = &mut self.labels.pairs;
        let at = pairs.iter().position(|(old, _)| old == class);
        let mut becomes = at.map_or_else(String::new, |at| pairs[at].1.clone());
        let mut is_used = becomes != "-";
        let mut changed = false;
        ui.horizontal(|ui| {
            let width = ui.available_width();
            ui.allocate_ui_with_layout(vec2(width * 0.36, 24.0), Layout::left_to_right(Align::Center), |ui| {
                ui.set_width(width * 0.36);
                ui.add(egui::Label::new(egui::RichText::new(class).size(13.0)).truncate())
                    .on_hover_text(format!("{class}: {}", count(n_clips, "clip")));
            });
            ui.add_enabled_ui(is_used, |ui| {
                let mut text = if is_used { becomes.clone() } else { String::new() };
                let field = TextEdit::singleline(&mut text).desired_width(width * 0.32).hint_text(class);
                let field = ui.add(field).accessible_name(format!("New name of {class}"));
                if field.changed() {
                    becomes.clone_from(&text);
                }
                changed |= field.lost_focus();
            });
            let color = palette(ui).accent;
            if switch(ui, &mut is_used, "", color).accessible_name(format!("Use {class}")).changed() {
                becomes = if is_used { String::new() } else { "-".into() };
                changed = true;
            }
        });
        match (at, becomes.trim().is_empty()) {
            (Some(at), true) => drop(pairs.remove(at)),
            (Some(at), false) => pairs[at].1 = becomes,
            (None, true) => {}
            (None, false) => pairs.push((class.to_owned(), becomes)),
        }
        changed
    }
}

/// The importer, and which of the annotations.
fn layout_ui(ui: &mut Ui, draft: &ImportDraft, wanted: &mut Import) {
    let recognized = draft.found.as_ref().and_then(|found| found.recognized);
    ui.label(caption("Layout"));
    let automatic = recognized.map_or_else(|| "Recognized by itself".to_owned(), |name| format!("Recognized: {name}"));
    let shown = wanted.options.importer.clone().unwrap_or_else(|| automatic.clone());
    let before = wanted.options.importer.clone();
    combo(ui, "Layout", &shown, |ui| {
        ui.selectable_value(&mut wanted.options.importer, None, automatic);
        for importer in datasets::IMPORTERS {
            let name = importer.name().to_owned();
            ui.selectable_value(&mut wanted.options.importer, Some(name), importer.name())
                .on_hover_text(importer.describe());
        }
    });
    if wanted.options.importer != before {
        (wanted.options.variant, wanted.options.fold) = (None, None);
    }
    let used = draft.found.as_ref().and_then(|found| found.manifest.as_ref().ok()).map(|manifest| &manifest.importer);
    let used = wanted.options.importer.as_ref().or(used);
    let Some(importer) = datasets::IMPORTERS.iter().find(|importer| Some(importer.name()) == used.map(String::as_str))
    else {
        return;
    };
    ui.add(egui::Label::new(caption(importer.describe())).wrap());
    if let Some(usual) = importer.variants().first() {
        ui.label(caption("Annotation or protocol"));
        let shown = wanted.options.variant.clone().unwrap_or_else(|| usual.name.to_owned());
        combo(ui, "Annotation or protocol", &shown, |ui| {
            for variant in importer.variants() {
                let value = (variant.name != usual.name).then(|| variant.name.to_owned());
                ui.selectable_value(
                    &mut wanted.options.variant,
                    value,
                    format!("{}: {}", variant.name, variant.describe),
                );
            }
        });
    }
}

/// Which column of a list means what.
fn columns_ui(ui: &mut Ui, header: &[String], wanted: &mut Import) {
    let columns = &mut wanted.options.columns;
    let [valence, arousal, dominance] = &mut columns.ratings;
    let [face, voice, text] = &mut columns.features;
    let roles = [
        ("file", &mut columns.path),
        ("label", &mut columns.label),
        ("split", &mut columns.split),
        ("speaker", &mut columns.speaker),
        ("text", &mut columns.text),
        (RATINGS[0], valence),
        (RATINGS[1], arousal),
        (RATINGS[2], dominance),
        ("face features", face),
        ("voice features", voice),
        ("text features", text),
        ("row of features", &mut columns.row),
    ];
    egui::CollapsingHeader::new(caption("Columns of the list")).show(ui, |ui| {
        for (role, column) in roles {
            ui.horizontal(|ui| {
                ui.allocate_ui_with_layout(vec2(ROLE, 24.0), Layout::left_to_right(Align::Center), |ui| {
                    ui.set_width(ROLE);
                    ui.label(caption(role));
                });
                let shown = column.clone().unwrap_or_else(|| "by its name".into());
                combo(ui, &format!("Column of the {role}"), &shown, |ui| {
                    ui.selectable_value(column, None, "by its name");
                    for name in header {
                        ui.selectable_value(column, Some(name.clone()), name);
                    }
                });
            });
        }
    });
}

/// What would be imported, in numbers.
fn found_ui(ui: &mut Ui, shell: &mut Shell<'_>, found: &Found) {
    let Ok(manifest) = &found.manifest else { return };
    ui.label(theme::group_title("What is there"));
    pair(ui, "Clips", &grouped(manifest.clips.len()));
    pair(ui, "Classes", &manifest.labels.len().to_string());
    for stream in &manifest.streams {
        pair(ui, &format!("Features: {}", stream.name), stream.modality.name());
    }
    ui.add(egui::Label::new(caption(format!("Splits: {}", manifest.protocol))).wrap());
    classes_ui(ui, manifest, &found.facts);
    speakers_ui(ui, &found.facts.speakers);
    problems_ui(ui, shell, &manifest.problems);
    ui.add(egui::Label::new(caption("Files are looked into when they are imported.")).wrap());
}

/// Some of the clips, or why there are none.
fn examples_ui(ui: &mut Ui, shell: &mut Shell<'_>, draft: &ImportDraft) {
    let manifest = draft.found.as_ref().and_then(|found| found.manifest.as_ref().ok());
    let title = if draft.import.replaces { "Read again" } else { "Import" };
    header(ui, &format!("{title} “{}”", draft.import.name), |ui| {
        let blocked = match manifest {
            _ if draft.is_underway() => Some("The folder is being looked at"),
            Some(manifest) if !manifest.clips.is_empty() => None,
            _ => Some("There is nothing to import"),
        };
        let verb = if draft.import.replaces { "Read again" } else { "Import" };
        if button_if(ui, Some(Icon::Import), verb, Weight::Primary, blocked).clicked() {
            shell.ask(Command::Import(draft.import.clone()));
        }
        if button(ui, None, "Cancel", Weight::Plain).clicked() {
            shell.ask(Command::DropImport);
        }
        if draft.can_undo() && icon_button(ui, Icon::Undo, "Undo the last decision").clicked() {
            shell.ask(Command::UndoImport);
        }
        if draft.is_underway() {
            ui.spinner();
        }
    });
    match &draft.found {
        None => drop(empty(ui, Icon::Search, "The folder is being looked at …", None)),
        Some(Found { manifest: Err(reason), .. }) => {
            remark(ui, Icon::Warning, palette(ui).danger, reason);
            ui.label(caption("Choose another layout or other columns at the left, or another folder."));
        }
        Some(Found { manifest: Ok(manifest), .. }) if manifest.clips.is_empty() => {
            remark(ui, Icon::Warning, palette(ui).danger, "None of the clips can be used.");
            problems_ui(ui, shell, &manifest.problems);
        }
        Some(Found { manifest: Ok(manifest), .. }) => grid_ui(ui, shell, manifest),
    }
}

fn grid_ui(ui: &mut Ui, shell: &mut Shell<'_>, manifest: &Manifest) {
    let n = manifest.clips.len();
    let n_shown = n.min(N_EXAMPLES);
    let words = if n_shown < n {
        format!("{n_shown} of {}, spread over the list. Files stay where they are.", count(n, "clip"))
    } else {
        format!("{}. Files stay where they are.", count(n, "clip"))
    };
    ui.label(caption(words));
    ui.add_space(theme::GAP_SMALL);
    let gap = 10.0;
    let (n_columns, tile) = tiles::grid(ui.available_width() - 10.0, gap);
    ui.spacing_mut().item_spacing = vec2(gap, gap);
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, tile.y, n_shown.div_ceil(n_columns), |ui, rows| {
        for row in rows {
            ui.horizontal(|ui| {
                for example in (row * n_columns..n_shown).take(n_columns) {
                    let clip = &manifest.clips[example * n / n_shown];
                    tiles::tile_ui(ui, shell, manifest, clip, tile, false);
                }
            });
        }
    });
}

/// A line that is typed; whether it counts now.
fn typed(ui: &mut Ui, text: &mut String, name: &str, hint: &str) -> bool {
    let field = TextEdit::singleline(text).desired_width(f32::INFINITY).hint_text(hint);
    ui.add(field).accessible_name(name).lost_focus()
}

/// A value that is typed, in a field with a name, a hint and a complaint: an empty field means none, and what cannot be
/// read is complained about and changes nothing.
fn typed_value<T: FromStr>(ui: &mut Ui, text: &mut String, words: (&str, &str, &str), value: &mut Option<T>) {
    let (name, hint, complaint) = words;
    let counts = typed(ui, text, name, hint);
    match (!text.trim().is_empty()).then(|| text.trim().parse().ok()) {
        Some(None) => remark(ui, Icon::Warning, palette(ui).warning, complaint),
        read if counts => *value = read.flatten(),
        _ => {}
    }
}

fn combo(ui: &mut Ui, name: &str, shown: &str, options: impl FnOnce(&mut Ui)) {
    let width = ui.available_width();
    crate::widgets::combo::combo(ui, name, shown, width, options);
}
