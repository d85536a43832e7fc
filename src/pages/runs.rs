//! Runs: all of them in a table that sorts and compares.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use egui::{Align, Align2, Layout, Panel, Rect, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{Page, Shell};
use crate::command::Command;
use crate::run::{Run, Status};
use crate::state::PageName;
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, button_if, focus_ring, painted_text};
use crate::widgets::icon::Icon;
use crate::widgets::plot::{Axes, Curve, curves};
use crate::widgets::tile::{attributes, empty, header, legend, pair, remark};
use crate::wording::{ago, date, duration, percent};

/// Runs.
pub struct Runs {
    sort: Column,
    ascending: bool,
    search: String,
}

impl Default for Runs {
    fn default() -> Self {
        Self { sort: Column::Date, ascending: false, search: String::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Status,
    Model,
    Dataset,
    Seed,
    Val,
    War,
    Uar,
    Date,
}

/// Columns with their title, share of the width, and whether they hold numbers.
const COLUMNS: [(Column, &str, f32, bool); 9] = [
    (Column::Name, "Run", 0.19, false),
    (Column::Status, "Status", 0.12, false),
    (Column::Model, "Model", 0.13, false),
    (Column::Dataset, "Dataset", 0.12, false),
    (Column::Seed, "Seed", 0.06, true),
    (Column::Val, "Val WAR", 0.09, true),
    (Column::War, "Test WAR", 0.09, true),
    (Column::Uar, "Test UAR", 0.09, true),
    (Column::Date, "Date", 0.11, true),
];

const ROW: f32 = 34.0;

impl Page for Runs {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let state = shell.state;
        let frame = theme::page(ui);
        if state.runs.is_empty() {
            egui::CentralPanel::default().frame(frame).show(ui, |ui| {
                let sentence = "Every training is kept here as a run, with its settings, curves and scores.";
                if empty(ui, Icon::Runs, sentence, Some((Icon::Train, "Train a model"))) {
                    shell.ask(Command::GoTo(PageName::Train));
                }
            });
            return;
        }
        let selected: Vec<&Run> = state.selected_runs.iter().filter_map(|name| state.run_named(name)).collect();
        if !selected.is_empty() {
            let side = theme::panel(ui);
            let height = (ui.available_height() * 0.48).max(220.0);
            Panel::bottom("selected runs").frame(side).exact_size(height).resizable(false).show(ui, |ui| {
                if selected.len() == 1 {
                    one_ui(ui, shell, selected[0]);
                } else {
                    compare_ui(ui, &selected);
                }
            });
        }
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            header(ui, "Runs", |ui| {
                ui.add(egui::TextEdit::singleline(&mut self.search).hint_text("Search runs").desired_width(160.0))
                    .accessible_name("Search runs");
                actions_ui(ui, shell, &selected);
            });
            self.table_ui(ui, shell);
        });
    }
}

impl Runs {
    fn table_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let state = shell.state;
        let colors = palette(ui);
        let width = ui.available_width();
        let (head, _) = ui.allocate_exact_size(vec2(width, 28.0), Sense::hover());
        for (column, title, area, numeric) in cells(head) {
            let response = ui.interact(area, ui.scope_id().with(title), Sense::click());
            response
                .widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Button, true, format!("Sort by {title}")));
            let align = if numeric { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
            let arrow = match (self.sort == column, self.ascending) {
                (false, _) => "",
                (true, true) => " ↑",
                (true, false) => " ↓",
            };
            let color = if response.hovered() || self.sort == column { colors.text } else { colors.weak };
            painted_text(ui, area, align, &format!("{title}{arrow}"), theme::TEXT_SMALL, color);
            focus_ring(ui, &response);
            if response.clicked() {
                self.ascending = if self.sort == column { !self.ascending } else { !numeric };
                self.sort = column;
            }
        }
        ui.painter().hline(head.x_range(), head.bottom(), egui::Stroke::new(1.0, colors.line));

        let needle = self.search.to_lowercase();
        let mut runs: Vec<&Run> = state.runs.iter().filter(|run| run.name.to_lowercase().contains(&needle)).collect();
        runs.sort_by(|a, b| {
            let order = compare(a, b, self.sort);
            if self.ascending { order } else { order.reverse() }
        });
        ui.spacing_mut().item_spacing.y = 2.0;
        ScrollArea::vertical().auto_shrink(false).show_rows(ui, ROW, runs.len(), |ui, rows| {
            for run in &runs[rows] {
                let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
                let selected = state.selected_runs.contains(&run.name);
                response.widget_info(|| {
                    WidgetInfo::selected(egui::accesskit::Role::Button, true, selected, format!("Run {}", run.name))
                });
                if selected || response.hovered() {
                    ui.painter().rect_filled(
                        rect,
                        theme::CORNER,
                        if selected { colors.selected } else { colors.raised },
                    );
                }
                for (column, _, area, numeric) in cells(rect) {
                    let align = if numeric { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
                    let mut area = area;
                    if column == Column::Name {
                        let mark = Rect::from_center_size(pos2(area.left() + 8.0, area.center().y), vec2(16.0, 16.0));
                        check_ui(ui, mark, selected);
                        area.set_left(area.left() + 26.0);
                    }
                    let (text, color) = cell(shell, run, column, ui);
                    painted_text(ui, area, align, &text, 13.0, color);
                }
                focus_ring(ui, &response);
                let toggle = ui.input(|input| input.modifiers.command || input.modifiers.shift)
                    || response.interact_pointer_pos().is_some_and(|pointer| pointer.x < rect.left() + 34.0);
                if response.clicked() {
                    let mut names = state.selected_runs.clone();
                    if toggle && selected {
                        names.retain(|name| *name != run.name);
                    } else if toggle {
                        names.push(run.name.clone());
                    } else if selected && names.len() == 1 {
                        names.clear();
                    } else {
                        names = vec![run.name.clone()];
                    }
                    shell.ask(Command::SelectRuns(names));
                }
                if response.double_clicked() && run.has_model() {
                    shell.ask(Command::SelectRun(run.name.clone()));
                    shell.ask(Command::GoTo(PageName::Insight));
                }
            }
        });
    }
}

fn check_ui(ui: &Ui, rect: Rect, checked: bool) {
    let colors = palette(ui);
    if checked {
        ui.painter().rect_filled(rect, 3.0, colors.accent_fill);
        Icon::Check.paint(ui.painter(), rect.shrink(2.0), theme::ON_ACCENT);
    } else {
        let stroke = egui::Stroke::new(1.0, colors.control_line);
        ui.painter().rect_stroke(rect, 3.0, stroke, egui::StrokeKind::Inside);
    }
}

fn cells(row: Rect) -> impl Iterator<Item = (Column, &'static str, Rect, bool)> {
    let mut left = row.left() + 8.0;
    let width = row.width() - 16.0;
    COLUMNS.into_iter().map(move |(column, title, share, numeric)| {
        let area = Rect::from_min_max(pos2(left, row.top()), pos2(left + width * share - 8.0, row.bottom()));
        left += width * share;
        (column, title, area, numeric)
    })
}

fn cell(shell: &Shell<'_>, run: &Run, column: Column, ui: &Ui) -> (String, egui::Color32) {
    let colors = palette(ui);
    let record = &run.record;
    let score = |value: Option<f64>| value.map_or("–".to_owned(), percent);
    let text = match column {
        Column::Name => run.name.clone(),
        Column::Status => {
            let color = match record.status() {
                _ if shell.state.is_training(&run.name) => colors.accent,
                Status::Complete | Status::Kept => colors.good,
                Status::Interrupted => colors.warning,
                Status::Failed => colors.danger,
            };
            return (shell.state.status_of(run).to_owned(), color);
        }
        Column::Model => model_of(run),
        Column::Dataset => dataset_of(run),
        Column::Seed => record.job.as_ref().map_or_else(String::new, |job| job.seed.to_string()),
        Column::Val => score(record.validation().map(|(war, _)| war)),
        Column::War => score(record.report.as_ref().map(|report| report.scores.war)),
        Column::Uar => score(record.report.as_ref().map(|report| report.scores.uar)),
        Column::Date => ago(run.started_secs, shell.now_secs),
    };
    (text, colors.text)
}

fn model_of(run: &Run) -> String {
    run.record.job.as_ref().map_or_else(String::new, |job| format!("{} · {}", job.model().title(), job.preset))
}

/// The dataset's folder name, from the path of its manifest.
fn dataset_of(run: &Run) -> String {
    let dir = run.record.job.as_ref().and_then(|job| job.manifest.parent());
    dir.and_then(|dir| dir.file_name()).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn compare(a: &Run, b: &Run, column: Column) -> Ordering {
    let number = |a: Option<f64>, b: Option<f64>| a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0));
    match column {
        Column::Name => a.name.cmp(&b.name),
        Column::Status => a.record.status().cmp(&b.record.status()),
        Column::Model => model_of(a).cmp(&model_of(b)),
        Column::Dataset => dataset_of(a).cmp(&dataset_of(b)),
        Column::Seed => {
            let seed = |run: &Run| run.record.job.as_ref().map(|job| job.seed);
            seed(a).cmp(&seed(b))
        }
        Column::Val => {
            number(a.record.validation().map(|scores| scores.0), b.record.validation().map(|scores| scores.0))
        }
        Column::War => {
            let war = |run: &Run| run.record.report.as_ref().map(|report| report.scores.war);
            number(war(a), war(b))
        }
        Column::Uar => {
            let uar = |run: &Run| run.record.report.as_ref().map(|report| report.scores.uar);
            number(uar(a), uar(b))
        }
        Column::Date => a.started_secs.cmp(&b.started_secs),
    }
}

fn actions_ui(ui: &mut Ui, shell: &mut Shell<'_>, selected: &[&Run]) {
    let state = shell.state;
    if selected.is_empty() {
        return;
    }
    let in_use = selected.iter().any(|run| state.is_training(&run.name)).then_some("It is being trained");
    let verb = if let [run] = selected {
        format!("Delete “{}”", run.name)
    } else {
        format!("Delete {} runs", selected.len())
    };
    if button_if(ui, Some(Icon::Trash), &verb, Weight::Quiet, in_use).clicked() {
        shell.ask(Command::DeleteRuns(selected.iter().map(|run| run.name.clone()).collect()));
    }
    let [run] = selected else { return };
    if run.has_model() {
        if button(ui, Some(Icon::Export), "Export model…", Weight::Quiet).clicked() {
            shell.ask(Command::ExportModel(run.name.clone()));
        }
        let blocked = (!run.has_dataset()).then_some("It was imported without a dataset to be scored on");
        if button_if(ui, Some(Icon::Refresh), "Evaluate", Weight::Quiet, blocked).clicked() {
            shell.ask(Command::Evaluate(run.name.clone()));
        }
        if button(ui, Some(Icon::Insight), "Open insight", Weight::Plain).clicked() {
            shell.ask(Command::SelectRun(run.name.clone()));
            shell.ask(Command::GoTo(PageName::Insight));
        }
    }
    if matches!(run.record.status(), Status::Interrupted | Status::Failed) && !state.is_training(&run.name) {
        let busy = state.training.is_some().then_some("A model is being trained already");
        if button_if(ui, Some(Icon::Play), "Resume", Weight::Primary, busy).clicked() {
            shell.ask(Command::ResumeRun(run.name.clone()));
        }
    }
}

fn one_ui(ui: &mut Ui, shell: &mut Shell<'_>, run: &Run) {
    let record = &run.record;
    ui.horizontal_top(|ui| {
        let width = ui.available_width();
        ui.vertical(|ui| {
            ui.set_width(260.0);
            ScrollArea::vertical().id_salt("run facts").auto_shrink(false).show(ui, |ui| {
                ui.label(theme::group_title(&run.name));
                if let Some(crate::run::End::Failed(message)) = &record.end {
                    remark(ui, Icon::Warning, palette(ui).danger, message);
                }
                pair(ui, "Model", &model_of(run));
                pair(ui, "Dataset", &dataset_of(run));
                pair(ui, "Device", &record.device);
                pair(ui, "Started", &date(run.started_secs));
                let secs: f64 = record.progress.iter().flat_map(|stage| &stage.epochs).map(|epoch| epoch.secs).sum();
                pair(ui, "Time spent", &duration(secs));
                if let Some(report) = &record.report {
                    pair(ui, "Macro F1", &percent(report.scores.macro_f1));
                    attributes(ui, &report.attributes);
                }
                if button(ui, Some(Icon::Folder), "Show in folder", Weight::Quiet).clicked() {
                    shell.ask(Command::Reveal(run.dir.clone()));
                }
            });
        });
        ui.add_space(theme::GAP_LARGE);
        ui.vertical(|ui| {
            ui.set_width(width - 260.0 - 3.0 * theme::GAP_LARGE);
            let height = ui.available_height() - 28.0;
            curves_ui(ui, &[run], height);
        });
    });
}

fn compare_ui(ui: &mut Ui, selected: &[&Run]) {
    let width = ui.available_width();
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_width(width * 0.55);
            let height = ui.available_height() - 28.0;
            curves_ui(ui, selected, height);
        });
        ui.add_space(theme::GAP_LARGE);
        ui.vertical(|ui| {
            ui.label(theme::group_title("What differs"));
            ScrollArea::both().id_salt("differences").auto_shrink(false).show(ui, |ui| {
                let rows = differences(selected);
                if rows.is_empty() {
                    ui.label(caption("Nothing: these runs have the same settings."));
                }
                egui::Grid::new("differing settings").num_columns(selected.len() + 1).spacing([20.0, 6.0]).show(
                    ui,
                    |ui| {
                        ui.label("");
                        for run in selected {
                            ui.label(theme::semibold(&run.name).size(13.0));
                        }
                        ui.end_row();
                        for (key, values) in rows {
                            ui.label(caption(key));
                            for value in values {
                                ui.label(egui::RichText::new(value).size(13.0));
                            }
                            ui.end_row();
                        }
                    },
                );
            });
        });
    });
}

fn curves_ui(ui: &mut Ui, runs: &[&Run], height: f32) {
    ui.horizontal(|ui| {
        ui.label(theme::group_title("Validation WAR over all epochs"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            for (idx, run) in runs.iter().enumerate().rev() {
                legend(ui, theme::series_color(idx), &run.name);
            }
        });
    });
    let series: Vec<Curve> = runs
        .iter()
        .enumerate()
        .map(|(idx, run)| Curve {
            name: run.name.clone(),
            color: theme::series_color(idx),
            dashed: idx >= 4,
            points: validation_curve(run),
        })
        .collect();
    let marks = if let [run] = runs { run.record.stage_ends() } else { Vec::new() };
    curves(ui, "validation", &series, &Axes { x: "Epoch", y: "Validation WAR", shares: true, marks: &marks }, height);
}

/// Validation recall over the epochs of all stages, one after the other.
fn validation_curve(run: &Run) -> Vec<[f64; 2]> {
    let epochs = run.record.progress.iter().flat_map(|stage| &stage.epochs);
    epochs.enumerate().map(|(epoch, record)| [(epoch + 1) as f64, record.val_war]).collect()
}

/// Settings that are not the same in all of `runs`, with the value of each.
fn differences(runs: &[&Run]) -> Vec<(String, Vec<String>)> {
    let settings: Vec<BTreeMap<String, String>> = runs.iter().map(|run| settings_of(run)).collect();
    let mut keys: Vec<&String> = settings.iter().flat_map(BTreeMap::keys).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter_map(|key| {
            let values: Vec<String> =
                settings.iter().map(|own| own.get(key).cloned().unwrap_or_else(|| "–".into())).collect();
            values.iter().any(|value| *value != values[0]).then(|| (key.clone(), values))
        })
        .collect()
}

fn settings_of(run: &Run) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let Some(job) = &run.record.job else { return settings };
    let all = models::settings_of(&job.recipe).into_iter().chain(models::settings_of(&job.config));
    settings.extend(all.map(|setting| (setting.key, setting.value)));
    settings.insert("Model".into(), model_of(run));
    settings.insert("Dataset".into(), dataset_of(run));
    settings.insert("Seed".into(), job.seed.to_string());
    settings.insert("Device".into(), run.record.device.clone());
    settings
}
