//! Library: datasets, their clips, and what was wrong with them.

use egui::{Align, Align2, Layout, Panel, Rect, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};
use emotion::{Clip, Manifest, Split};

use super::{Page, Shell};
use crate::command::{Command, LiveSource};
use crate::state::{Dataset, DialogFor, PageName};
use crate::textures::Look;
use crate::theme::{self, caption, label_colors, palette};
use crate::widgets::bars::stacked;
use crate::widgets::button::{Weight, button, button_if, choice, focus_ring, icon_button, painted_text, row};
use crate::widgets::icon::{Icon, centred};
use crate::widgets::tile::{dot, empty, header, pair, remark};
use crate::wording::{capital, clip_length, count};

/// Library.
#[derive(Default)]
pub struct Library {
    split: Option<Split>,
    label: Option<usize>,
    search: String,
    clip: Option<String>,
}

impl Page for Library {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let state = shell.state;
        let frame = theme::page(ui);
        if state.datasets.is_empty() {
            egui::CentralPanel::default().frame(frame).show(ui, |ui| {
                let sentence =
                    "A library holds clips with labels. Import a folder of clips, or drop one anywhere in this window.";
                if empty(ui, Icon::Library, sentence, Some((Icon::Import, "Import clips…"))) {
                    shell.ask(Command::Choose(DialogFor::ImportFolder));
                }
            });
            return;
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
                let clip = self.clip.as_ref().and_then(|id| dataset.manifest.clips.iter().find(|clip| clip.id == *id));
                ScrollArea::vertical().auto_shrink(false).show(ui, |ui| match clip {
                    Some(clip) => {
                        if clip_ui(ui, shell, &dataset.manifest, clip) {
                            self.clip = None;
                        }
                    }
                    None => about_ui(ui, shell, dataset),
                });
            });
        egui::CentralPanel::default().frame(frame).show(ui, |ui| self.clips_ui(ui, shell, dataset));
    }
}

impl Library {
    fn clips_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset) {
        let manifest = &dataset.manifest;
        header(ui, &dataset.name, |ui| {
            let blocked = shell.state.training.is_some().then_some("A model is being trained already");
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
            let combo = egui::ComboBox::from_id_salt("class").selected_text(chosen).show_ui(ui, |ui| {
                ui.selectable_value(&mut self.label, None, "All classes");
                for (label_idx, name) in manifest.labels.names().iter().enumerate() {
                    ui.selectable_value(&mut self.label, Some(label_idx), name);
                }
            });
            combo.response.accessible_name("Class shown");
            ui.add(egui::TextEdit::singleline(&mut self.search).hint_text("Search clips").desired_width(140.0))
                .accessible_name("Search clips");
        });
        ui.add_space(theme::GAP_SMALL);

        let needle = self.search.to_lowercase();
        let shown: Vec<&Clip> = manifest
            .clips
            .iter()
            .filter(|clip| self.split.is_none_or(|split| clip.split == split))
            .filter(|clip| self.label.is_none_or(|label| clip.label == label))
            .filter(|clip| {
                needle.is_empty()
                    || clip.id.to_lowercase().contains(&needle)
                    || clip.text.as_ref().is_some_and(|text| text.to_lowercase().contains(&needle))
                    || clip.speaker.as_ref().is_some_and(|speaker| speaker.to_lowercase().contains(&needle))
            })
            .collect();
        if shown.is_empty() {
            if empty(ui, Icon::Search, "No clip is like that.", Some((Icon::Close, "Show all clips"))) {
                (self.split, self.label) = (None, None);
                self.search.clear();
            }
            return;
        }
        let gap = 10.0;
        let width = ui.available_width() - 10.0;
        let n_columns = ((width + gap) / (132.0 + gap)).floor().max(1.0) as usize;
        let side = (width - gap * (n_columns - 1) as f32) / n_columns as f32;
        let tile = vec2(side, side + 40.0);
        ui.spacing_mut().item_spacing = vec2(gap, gap);
        ScrollArea::vertical().auto_shrink(false).show_rows(ui, tile.y, shown.len().div_ceil(n_columns), |ui, rows| {
            for row in rows {
                ui.horizontal(|ui| {
                    for clip in shown.iter().skip(row * n_columns).take(n_columns) {
                        let selected = self.clip.as_ref() == Some(&clip.id);
                        if tile_ui(ui, shell, manifest, clip, tile, selected).clicked() {
                            self.clip = (!selected).then(|| clip.id.clone());
                        }
                    }
                });
            }
        });
    }
}

fn tile_ui(
    ui: &mut Ui,
    shell: &mut Shell<'_>,
    manifest: &Manifest,
    clip: &Clip,
    size: egui::Vec2,
    selected: bool,
) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let label = manifest.labels.name(clip.label);
    response.widget_info(|| {
        WidgetInfo::selected(egui::accesskit::Role::Button, true, selected, format!("Clip {}, {label}", clip.id))
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let colors = palette(ui);
    let color = label_colors(&manifest.labels)[clip.label];
    let picture = Rect::from_min_size(rect.min, vec2(size.x, size.x));
    thumbnail_ui(ui, shell, &manifest.clip_path(clip), picture);
    if let Some(secs) = clip.duration_secs {
        let text = clip_length(secs);
        let badge = Rect::from_min_size(pos2(picture.right() - 46.0, picture.bottom() - 22.0), vec2(42.0, 18.0));
        ui.painter().rect_filled(badge, 4.0, theme::PICTURE_SHADE);
        painted_text(ui, badge, Align2::CENTER_CENTER, &text, theme::TEXT_TINY, theme::ON_PICTURE);
    }
    if selected || response.hovered() {
        let stroke = egui::Stroke::new(2.0, if selected { colors.accent } else { colors.control_line });
        ui.painter().rect_stroke(picture, theme::CORNER, stroke, egui::StrokeKind::Inside);
    }
    let strip = Rect::from_min_size(pos2(rect.left(), picture.bottom() + 4.0), vec2(4.0, 32.0));
    ui.painter().rect_filled(strip, 2.0, color);
    let first = Rect::from_min_size(pos2(rect.left() + 10.0, picture.bottom() + 3.0), vec2(size.x - 12.0, 17.0));
    painted_text(ui, first, Align2::LEFT_CENTER, label, 13.0, colors.text);
    let second = first.translate(vec2(0.0, 17.0));
    let words = clip.text.as_deref().unwrap_or(&clip.id);
    painted_text(ui, second, Align2::LEFT_CENTER, words, theme::TEXT_SMALL, colors.weak);
    focus_ring(ui, &response);
    response
}

/// Draws the thumbnail of a clip into `area`, or what stands for it.
pub(super) fn thumbnail_ui(ui: &Ui, shell: &mut Shell<'_>, path: &std::path::Path, area: Rect) {
    let colors = palette(ui);
    match shell.textures.thumbnail(path) {
        Look::Ready(texture) => {
            // The middle square of the picture.
            let size = texture.size_vec2();
            let cut = |own: f32, other: f32| ((own - other) / 2.0 / own).max(0.0);
            let (left, top) = (cut(size.x, size.y), cut(size.y, size.x));
            let uv = Rect::from_min_max(pos2(left, top), pos2(1.0 - left, 1.0 - top));
            egui::Image::new(texture).uv(uv).corner_radius(theme::CORNER).paint_at(ui, area);
        }
        Look::Underway => {
            ui.painter().rect_filled(area, theme::CORNER, colors.raised);
        }
        Look::Missing => {
            ui.painter().rect_filled(area, theme::CORNER, colors.raised);
            Icon::Voice.paint(ui.painter(), centred(area, 28.0), colors.weak);
        }
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

fn about_ui(ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset) {
    let manifest = &dataset.manifest;
    ui.spacing_mut().item_spacing.y = 6.0;
    ui.label(theme::group_title("About this dataset"));
    let split_colors = [theme::series_color(0), theme::series_color(1), theme::series_color(2)];
    let speakers: std::collections::BTreeSet<&String> =
        manifest.clips.iter().filter_map(|clip| clip.speaker.as_ref()).collect();
    let total_secs: f32 = manifest.clips.iter().filter_map(|clip| clip.duration_secs).sum();
    pair(ui, "Clips", &crate::wording::grouped(manifest.clips.len()));
    pair(ui, "Length", &crate::wording::duration(f64::from(total_secs)));
    if !speakers.is_empty() {
        pair(ui, "Speakers", &speakers.len().to_string());
    }
    pair(ui, "Read as", &manifest.importer);
    pair(ui, "Folder", &manifest.root.display().to_string());
    if !manifest.protocol.is_empty() {
        ui.add(egui::Label::new(caption(format!("Splits: {}", manifest.protocol))).wrap());
    }

    ui.add_space(theme::GAP);
    ui.label(theme::group_title("Classes"));
    ui.horizontal(|ui| {
        for (split, color) in Split::ALL.into_iter().zip(split_colors) {
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
        let parts: Vec<_> = counts.iter().zip(split_colors).map(|(count, color)| (count[label_idx], color)).collect();
        let width = ui.available_width();
        stacked(ui, &parts, largest, width);
    }

    ui.add_space(theme::GAP);
    if manifest.problems.is_empty() {
        remark(ui, Icon::Check, palette(ui).good, "All files could be read");
    } else {
        let title = format!("{} skipped or doubtful", count(manifest.problems.len(), "file"));
        egui::CollapsingHeader::new(title).default_open(manifest.problems.len() < 5).show(ui, |ui| {
            for problem in manifest.problems.iter().take(200) {
                remark(ui, Icon::Warning, palette(ui).warning, &problem.reason);
                ui.add(egui::Label::new(caption(problem.path.display().to_string())).truncate())
                    .on_hover_text(problem.path.display().to_string());
            }
            if button(ui, Some(Icon::Copy), "Copy the list", Weight::Quiet).clicked() {
                let lines =
                    manifest.problems.iter().map(|problem| format!("{}: {}", problem.path.display(), problem.reason));
                shell.ask(Command::Copy(lines.collect::<Vec<_>>().join("\n")));
            }
        });
    }
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
        if button_if(ui, Some(Icon::Trash), "Delete dataset", Weight::Quiet, in_use).clicked() {
            shell.ask(Command::DeleteDataset(dataset.name.clone()));
        }
    });
}

/// What is known about a clip; whether it should be closed.
fn clip_ui(ui: &mut Ui, shell: &mut Shell<'_>, manifest: &Manifest, clip: &Clip) -> bool {
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
