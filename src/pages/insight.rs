//! Insight: what a model has learned, one large figure at a time.

use egui::{Align, Color32, Layout, Panel, ScrollArea, Ui, vec2};
use figures::Normalisation;

use super::{Page, Shell};
use crate::command::{Command, LiveSource};
use crate::figure::{EPOCHS, FigureKind, Format, NOT_ACTIVATED, chance, prompt_color};
use crate::run::Run;
use crate::state::{Computed, Map, PageName, State};
use crate::theme::{self, caption, color32, palette};
use crate::widgets::bars::share_row;
use crate::widgets::button::{Weight, button_if, choice, row, tabs};
use crate::widgets::combo::combo;
use crate::widgets::icon::Icon;
use crate::widgets::matrix;
use crate::widgets::plot::{Axes, Curve, curves, key, map};
use crate::widgets::tile::{attributes, dot, empty, legend, pair, remark, stat};
use crate::wording::{count, percent};

/// Insight.
#[derive(Default)]
pub struct Insight {
    tab: Tab,
    normalisation: Normalisation,
    cell: Option<(usize, usize)>,
    /// The run that `cell` is of.
    cell_run: String,
    recalls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tab {
    #[default]
    Curves,
    Confusion,
    Prompts,
    Features,
    Robustness,
}

impl Page for Insight {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let state = shell.state;
        let frame = theme::page(ui);
        let Some(run) = state.current_run() else {
            egui::CentralPanel::default().frame(frame).show(ui, |ui| {
                let sentence = "Here you see what a model has learned. Train one first.";
                if empty(ui, Icon::Insight, sentence, Some((Icon::Train, "Train a model"))) {
                    shell.ask(Command::GoTo(PageName::Train));
                }
            });
            return;
        };
        if self.cell_run != run.name {
            (self.cell, self.cell_run) = (None, run.name.clone());
        }
        let head = frame.inner_margin(egui::Margin { bottom: 0, ..frame.inner_margin });
        Panel::top("insight head").frame(head).show_separator_line(false).resizable(false).show(ui, |ui| {
            self.head_ui(ui, shell, run);
        });
        let side = theme::panel(ui);
        let width = if ui.available_width() > 1000.0 { 280.0 } else { 220.0 };
        Panel::right("figure controls").frame(side).exact_size(width).resizable(false).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.side_ui(ui, shell, run));
        });
        egui::CentralPanel::default().frame(frame).show(ui, |ui| self.figure_ui(ui, shell, run));
    }
}

impl Insight {
    fn head_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, run: &Run) {
        let state = shell.state;
        ui.horizontal(|ui| {
            ui.label(theme::title("Insight"));
            combo(ui, "Run", &run.name, 200.0, |ui| {
                for other in &state.runs {
                    if ui.selectable_label(other.name == run.name, &other.name).clicked() {
                        shell.ask(Command::SelectRun(other.name.clone()));
                    }
                }
            });
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let figure = self.figure(run);
                let blocked = self.missing(state, run).map(|_| "There is no figure yet");
                for format in Format::ALL.into_iter().rev() {
                    let verb = format!("Export {}…", format.name());
                    let icon = (format == Format::Svg).then_some(Icon::Export);
                    if button_if(ui, icon, &verb, Weight::Plain, blocked).clicked() {
                        shell.ask(Command::ExportFigure { figure: figure.clone(), format });
                    }
                }
            });
        });
        tabs(
            ui,
            &mut self.tab,
            &[
                (Tab::Curves, "Training curves"),
                (Tab::Confusion, "Confusion"),
                (Tab::Prompts, "Prompt pool"),
                (Tab::Features, "Features"),
                (Tab::Robustness, "Robustness"),
            ],
        );
    }

    fn figure(&self, run: &Run) -> FigureKind {
        let name = run.name.clone();
        match self.tab {
            Tab::Curves if self.recalls => FigureKind::Recalls(vec![name]),
            Tab::Curves => FigureKind::Losses(name),
            Tab::Confusion => FigureKind::Confusion { run: name, normalisation: self.normalisation },
            Tab::Prompts => FigureKind::Prompts(name),
            Tab::Features => FigureKind::Features(name),
            Tab::Robustness => FigureKind::Subsets(name),
        }
    }

    /// Why there is no figure.
    fn missing(&self, state: &State, run: &Run) -> Option<&'static str> {
        let analysis = state.analyses.get(&run.name);
        let is_ready = |maps: Option<&Computed<Vec<Map>>>| matches!(maps, Some(Computed::Ready(_)));
        let there = match self.tab {
            Tab::Curves => run.record.progress.iter().any(|stage| !stage.epochs.is_empty()),
            Tab::Confusion | Tab::Robustness => run.record.report.is_some(),
            Tab::Prompts => is_ready(analysis.and_then(|analysis| analysis.prompts.as_ref())),
            Tab::Features => is_ready(analysis.and_then(|analysis| analysis.features.as_ref())),
        };
        (!there).then_some(match self.tab {
            Tab::Curves if run.record.is_imported() => "This model was trained elsewhere, so there are no curves.",
            Tab::Confusion | Tab::Robustness if run.record.is_imported() && !run.has_dataset() => {
                "This model was imported without a dataset. Import it again with one to see its figures."
            }
            Tab::Curves => "No epoch of this run is finished yet.",
            _ => "This run has no finished model yet. Its figures appear when it is evaluated.",
        })
    }

    fn figure_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, run: &Run) {
        let state = shell.state;
        let sentence = self.missing(state, run);
        // Maps offer to be computed once there is a model.
        let is_computed = matches!(self.tab, Tab::Prompts | Tab::Features) && run.has_model();
        if let (Some(sentence), false) = (sentence, is_computed) {
            let can_resume = state.training.is_none() && !run.has_model();
            if empty(ui, Icon::Insight, sentence, can_resume.then_some((Icon::Play, "Resume training"))) {
                shell.ask(Command::ResumeRun(run.name.clone()));
            }
            return;
        }
        let analysis = state.analyses.get(&run.name);
        match self.tab {
            Tab::Curves => self.curves_ui(ui, run),
            Tab::Confusion => {
                let Some(report) = &run.record.report else { return };
                let shares = match self.normalisation {
                    Normalisation::Row => matrix::Shares::OfTruth,
                    Normalisation::Column => matrix::Shares::OfPrediction,
                    Normalisation::None => matrix::Shares::Counts,
                };
                ScrollArea::both().auto_shrink(false).show(ui, |ui| {
                    if let Some(cell) = matrix::confusion(ui, &report.confusion(), shares, self.cell) {
                        self.cell = (self.cell != Some(cell)).then_some(cell);
                    }
                });
            }
            Tab::Prompts => {
                let maps = analysis.and_then(|analysis| analysis.prompts.as_ref());
                let group_color = |group: &str| {
                    if group == NOT_ACTIVATED { palette(ui).weak } else { color32(prompt_color(group)) }
                };
                let colors: Vec<Color32> = match maps {
                    Some(Computed::Ready(maps)) => maps
                        .first()
                        .map(|map| map.groups.iter().map(|group| group_color(group)).collect())
                        .unwrap_or_default(),
                    _ => Vec::new(),
                };
                maps_ui(ui, shell, maps, &colors, &Command::MapPrompts(run.name.clone()));
            }
            Tab::Features => {
                let maps = analysis.and_then(|analysis| analysis.features.as_ref());
                let colors = run.record.labels.as_ref().map(theme::label_colors).unwrap_or_default();
                maps_ui(ui, shell, maps, &colors, &Command::MapFeatures(run.name.clone()));
            }
            Tab::Robustness => robustness_ui(ui, run),
        }
    }

    fn curves_ui(&mut self, ui: &mut Ui, run: &Run) {
        let mut series = Vec::new();
        let epochs: Vec<_> = run.record.progress.iter().flat_map(|stage| &stage.epochs).collect();
        let mut add = |name: &str, color: usize, read: &dyn Fn(&training::EpochRecord) -> f64| {
            let points = epochs.iter().enumerate().map(|(epoch, record)| [(epoch + 1) as f64, read(record)]).collect();
            series.push(Curve { name: name.into(), color: theme::series_color(color), dashed: false, points });
        };
        if self.recalls {
            add("training WAR", 0, &|record| record.train_war);
            add("validation WAR", 1, &|record| record.val_war);
            add("validation UAR", 2, &|record| record.val_uar);
        } else {
            add("training", 0, &|record| record.train_loss);
            add("validation", 1, &|record| record.val_loss);
        }
        let marks = run.record.stage_ends();
        ui.horizontal(|ui| {
            for curve in &series {
                legend(ui, curve.color, &curve.name);
            }
        });
        let y = if self.recalls { "Recall" } else { "Loss" };
        let height = (ui.available_height() - 8.0).max(160.0);
        curves(ui, y, &series, &Axes { x: EPOCHS, y, shares: self.recalls, marks: &marks }, height);
    }

    fn side_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, run: &Run) {
        if let Some(report) = &run.record.report {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 16.0;
                stat(ui, &percent(report.scores.war), "WAR");
                stat(ui, &percent(report.scores.uar), "UAR");
            });
            ui.label(caption(format!("{} of the {} split", count(report.n_clips, "clip"), report.split.name())));
            attributes(ui, &report.attributes);
            ui.add_space(theme::GAP);
        }
        match self.tab {
            Tab::Curves => {
                ui.label(theme::group_title("Show"));
                choice(ui, &mut self.recalls, &[(false, "Losses"), (true, "Recalls")]);
                ui.add_space(theme::GAP);
                ui.label(theme::group_title("Epochs of each stage"));
                for (plan, stage) in run.record.stages.iter().zip(&run.record.progress) {
                    let kept = stage.finished.map_or(String::new(), |(_, best)| format!(", kept {}", best + 1));
                    pair(ui, &plan.name, &format!("{}{kept}", stage.epochs.len()));
                }
            }
            Tab::Confusion => self.confusion_side_ui(ui, shell, run),
            Tab::Prompts => {
                explain(
                    ui,
                    "Each point is a prompt of the pool. Its colour says which modality activates it: in stage 1 each modality has a pool of its own, in stage 2 they share one. Laid out by t-SNE: what is near is alike, distances between groups say little.",
                );
            }
            Tab::Features => {
                explain(
                    ui,
                    "Each point is a test clip in the colour of its emotion: left the features that go into the model's fusion, right those that come out. Clips of one emotion should come together. Laid out by t-SNE: what is near is alike, distances between groups say little.",
                );
            }
            Tab::Robustness => {
                explain(
                    ui,
                    "The same model with only some modalities switched on: V is the face, A the voice, T the text. A model that was trained with missing modalities loses little.",
                );
            }
        }
    }

    fn confusion_side_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, run: &Run) {
        let Some(report) = &run.record.report else { return };
        ui.label(theme::group_title("Cells show"));
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for normalisation in Normalisation::ALL {
                ui.radio_value(&mut self.normalisation, normalisation, normalisation.title());
            }
        });
        ui.add_space(theme::GAP);
        let Some((truth, predicted)) = self.cell else {
            ui.add(egui::Label::new(caption("Click a cell to see its clips.")).wrap());
            ui.add_space(theme::GAP);
            ui.label(theme::group_title("Recall"));
            let colors = theme::label_colors(&report.labels);
            for (label_idx, recall) in report.confusion().recalls().into_iter().enumerate() {
                let width = ui.available_width();
                ui.allocate_ui_with_layout(vec2(width, 18.0), Layout::left_to_right(Align::Center), |ui| {
                    ui.set_width(width);
                    dot(ui, colors[label_idx]);
                    ui.label(egui::RichText::new(report.labels.name(label_idx)).size(13.0));
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        ui.label(egui::RichText::new(recall.map_or("–".into(), percent)).size(13.0));
                    });
                });
            }
            return;
        };
        let (true_name, predicted_name) = (report.labels.name(truth), report.labels.name(predicted));
        let title = if truth == predicted {
            format!("{true_name}, recognized")
        } else {
            format!("{true_name}, taken for {predicted_name}")
        };
        ui.add(egui::Label::new(theme::group_title(title)).wrap());
        let members: Vec<_> = run
            .predictions
            .iter()
            .filter(|result| result.split == report.split && result.truth == truth && result.predicted == predicted)
            .collect();
        ui.label(caption(count(members.len(), "clip")));
        let dataset = shell.state.dataset_of(run);
        for result in members.iter().take(60) {
            let clip = dataset.and_then(|set| set.manifest.clips.iter().find(|clip| clip.id == result.clip));
            let said = match result.probabilities.get(predicted) {
                Some(probability) => format!("{predicted_name} {:.0} %", probability * 100.0),
                None => predicted_name.to_owned(),
            };
            let clicked = row(ui, false, &format!("Play {}", result.clip), 52.0, |ui| {
                let (area, _) = ui.allocate_exact_size(vec2(44.0, 44.0), egui::Sense::hover());
                if let (Some(clip), Some(set)) = (clip, dataset) {
                    super::library::thumbnail_ui(ui, shell, &set.manifest.clip_path(clip), area);
                }
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    ui.add(egui::Label::new(egui::RichText::new(&result.clip).size(13.0)).truncate());
                    ui.label(caption(said));
                });
            })
            .clicked();
            if let (true, Some(clip), Some(set)) = (clicked, clip, dataset) {
                let path = set.manifest.clip_path(clip);
                shell.ask(Command::StartLive(LiveSource::File { path, text: clip.text.clone() }));
                shell.ask(Command::GoTo(PageName::Live));
            }
        }
    }
}

fn explain(ui: &mut Ui, text: &str) {
    ui.label(theme::group_title("How to read it"));
    ui.add(egui::Label::new(egui::RichText::new(text).size(13.0).color(palette(ui).weak)).wrap());
}

/// Maps side by side, or what is missing for them; asks for them once.
fn maps_ui(ui: &mut Ui, shell: &mut Shell<'_>, maps: Option<&Computed<Vec<Map>>>, colors: &[Color32], ask: &Command) {
    match maps {
        None => shell.ask(ask.clone()),
        Some(Computed::Underway) => {
            ui.vertical_centered(|ui| {
                ui.add_space(ui.available_height() * 0.35);
                ui.label(caption("Being computed; see the bar below for how far it is."));
            });
        }
        Some(Computed::Failed(reason)) => {
            remark(ui, Icon::Warning, palette(ui).danger, reason);
            if button_if(ui, Some(Icon::Refresh), "Try again", Weight::Plain, None).clicked() {
                shell.ask(ask.clone());
            }
        }
        Some(Computed::Ready(maps)) => {
            if let Some(first) = maps.first() {
                ui.horizontal_wrapped(|ui| {
                    for (group, name) in first.groups.iter().enumerate() {
                        let color = colors.get(group).copied().unwrap_or(color32(theme::NOT_ACTIVATED));
                        key(ui, group, color, name);
                    }
                });
            }
            // The pools of both stages have one layout, so both maps show the same part of the plane.
            let reach: Vec<[f64; 2]> = if matches!(ask, Command::MapPrompts(_)) {
                maps.iter().flat_map(|map| map.points.iter().copied()).collect()
            } else {
                Vec::new()
            };
            let n_maps = maps.len().max(1) as f32;
            let room = ui.available_size();
            let width = (room.x - (n_maps - 1.0) * theme::GAP_LARGE) / n_maps;
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = theme::GAP_LARGE;
                for (idx, one) in maps.iter().enumerate() {
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        ui.label(theme::group_title(&one.title));
                        let size = vec2(width, (room.y - 40.0).max(160.0));
                        let id = format!("map {idx}");
                        map(
                            ui,
                            &id,
                            one,
                            &reach,
                            |group| colors.get(group).copied().unwrap_or(color32(theme::NOT_ACTIVATED)),
                            size,
                        );
                    });
                }
            });
        }
    }
}

fn robustness_ui(ui: &mut Ui, run: &Run) {
    let Some(report) = &run.record.report else { return };
    let subsets = run.record.subsets();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.set_max_width(ui.available_width().min(760.0));
        ui.label(theme::group_title("Share of clips that are right (WAR)"));
        for &(subset, war, _) in &subsets {
            let color = match subset.iter().collect::<Vec<_>>()[..] {
                [modality] => theme::modality_color(modality),
                _ => palette(ui).accent,
            };
            let names: Vec<&str> = subset.iter().map(emotion::Modality::name).collect();
            share_row(ui, &format!("{subset}   {}", names.join(" + ")), war, color, 210.0);
        }
        ui.label(caption(format!("Guessing would get {} right.", percent(chance(&report.labels)))));
        ui.add_space(theme::GAP_LARGE);
        ui.label(theme::group_title("All scores"));
        egui::Grid::new("scores of subsets").num_columns(4).spacing([40.0, 8.0]).striped(false).show(ui, |ui| {
            for title in ["Modalities", "WAR", "UAR", "Macro F1"] {
                ui.label(caption(title));
            }
            ui.end_row();
            for &(subset, war, uar) in &subsets {
                ui.label(theme::semibold(subset.to_string()));
                ui.label(percent(war));
                ui.label(percent(uar));
                let macro_f1 = report.per_subset.get(&subset).map_or(0.0, |scores| scores.macro_f1);
                ui.label(percent(macro_f1));
                ui.end_row();
            }
        });
    });
}
