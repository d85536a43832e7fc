//! Train: the plan, the running stage and its numbers.

use std::collections::BTreeMap;
use std::path::Path;

use egui::{Align, Align2, Layout, Panel, Rect, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};
use emotion::{Modalities, Modality};
use models::{ModelKind, Published, StageInput, StagePlan};
use training::StopReason;

use super::{Page, Shell};
use crate::command::{Command, Training};
use crate::project::folder_name;
use crate::run::{Record, Run, StageProgress, Status};
use crate::state::{Dataset, DialogFor, PageName, State};
use crate::theme::{self, caption, palette};
use crate::widgets::bars::progress;
use crate::widgets::button::{Weight, button, button_if, focus_ring, painted_text};
use crate::widgets::icon::Icon;
use crate::widgets::plot::{Axes, Curve, curves};
use crate::widgets::tile::{attributes, empty, header, legend, pair, remark, stat};
use crate::wording::{count, duration, grouped, percent, remaining};

/// Train.
#[derive(Default)]
pub struct Train {
    form: Form,
    /// The run whose curves are shown instead of the form.
    watched: Option<String>,
    /// The stage whose curves are shown, if it was chosen by hand.
    stage: Option<usize>,
}

struct Form {
    model: ModelKind,
    preset: String,
    /// Empty: made from the dataset and the model.
    name: String,
    seed: u64,
    changed: BTreeMap<String, String>,
    /// The settings of model and preset, read once.
    settings: Option<(ModelKind, String, Vec<training::JobSetting>)>,
    /// The plan that follows from all that, or what is wrong with it, made when something changes.
    plan: Option<(BTreeMap<String, String>, Plan)>,
}

type Plan = Result<Vec<StagePlan>, String>;

impl Default for Form {
    fn default() -> Self {
        let model = ModelKind::ALL[0];
        Self {
            model,
            preset: model.default_preset().to_owned(),
            name: String::new(),
            seed: 0,
            changed: BTreeMap::new(),
            settings: None,
            plan: None,
        }
    }
}

impl Page for Train {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let state = shell.state;
        if let Some((name, _)) = &state.training
            && self.watched.as_ref() != Some(name)
        {
            (self.watched, self.stage) = (Some(name.clone()), None);
        }
        let watched = self.watched.as_ref().and_then(|name| state.run_named(name));
        match watched {
            Some(run) => self.watch_ui(ui, shell, run),
            None => self.setup_ui(ui, shell),
        }
    }
}

impl Train {
    fn setup_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let Some(dataset) = shell.state.current_dataset() else {
            let frame = theme::page(ui);
            egui::CentralPanel::default().frame(frame).show(ui, |ui| {
                let sentence = "Training learns from the clips of a dataset, stage by stage. There are no clips yet.";
                if shell.state.project.is_some() {
                    if empty(ui, Icon::Train, sentence, Some((Icon::Import, "Import clips…"))) {
                        shell.ask(Command::Choose(DialogFor::ImportFolder));
                    }
                } else if empty(ui, Icon::Train, sentence, Some((Icon::Plus, "Create the sample project"))) {
                    shell.ask(Command::CreateSample);
                }
            });
            return;
        };
        let side = theme::panel(ui);
        let width = if ui.available_width() > 1000.0 { 320.0 } else { 288.0 };
        Panel::left("what to train").frame(side).exact_size(width).resizable(false).show(ui, |ui| {
            self.form.ui(ui, shell, dataset);
        });
        let frame = theme::page(ui);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            header(ui, "Training plan", |_| ());
            ui.label(caption(format!("{}: {}", self.form.model.title(), self.form.model.paper())));
            ui.add_space(theme::GAP);
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                if let Ok(plan) = self.form.plan() {
                    stages_ui(ui, &plan, &[], None, None);
                }
                ui.add_space(theme::GAP_LARGE);
                data_ui(ui, dataset);
            });
        });
    }

    fn watch_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, run: &Run) {
        let record = &run.record;
        let side = theme::panel(ui);
        let width = if ui.available_width() > 1000.0 { 280.0 } else { 240.0 };
        let stage = self.stage.or(record.stage).unwrap_or(0);
        Panel::right("numbers of the run").frame(side).exact_size(width).resizable(false).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| numbers_ui(ui, shell, run, stage));
        });
        let frame = theme::page(ui);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            let is_training = shell.state.is_training(&run.name);
            header(ui, &run.name, |ui| {
                if is_training {
                    controls_ui(ui, shell, record);
                } else {
                    if button(ui, Some(Icon::Plus), "New training", Weight::Primary).clicked() {
                        self.watched = None;
                    }
                    if run.has_model() && button(ui, Some(Icon::Insight), "Open insight", Weight::Plain).clicked() {
                        shell.ask(Command::SelectRun(run.name.clone()));
                        shell.ask(Command::GoTo(PageName::Insight));
                    }
                    if record.status() == Status::Interrupted
                        && button(ui, Some(Icon::Play), "Resume", Weight::Plain).clicked()
                    {
                        shell.ask(Command::ResumeRun(run.name.clone()));
                    }
                }
            });
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                if record.stages.is_empty() {
                    waiting_ui(ui, record);
                    return;
                }
                let running = is_training.then_some(record.stage).flatten();
                if let Some(clicked) = stages_ui(ui, &record.stages, &record.progress, running, Some(stage)) {
                    self.stage = (Some(clicked) != record.stage).then_some(clicked);
                }
                ui.add_space(theme::GAP);
                if let (Some(plan), Some(progress)) = (record.stages.get(stage), record.progress.get(stage)) {
                    stage_curves_ui(ui, plan, progress);
                }
            });
        });
    }
}

impl Form {
    fn plan(&mut self) -> Plan {
        if let Some((changed, plan)) = &self.plan
            && *changed == self.changed
        {
            return plan.clone();
        }
        let changed: Vec<(String, String)> =
            self.changed.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let job = training::Job::new("", Path::new(""), self.model, &self.preset, &changed);
        let plan = job.map(|job| job.config.stages()).map_err(|error| error.to_string());
        self.plan = Some((self.changed.clone(), plan.clone()));
        plan
    }

    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset) {
        let state = shell.state;
        let plan = self.plan();
        let needed = self.needed(state);
        let blocked = if state.training.is_some() {
            Some("A model is being trained already".to_owned())
        } else if dataset.facts.n_clips()[0] == 0 {
            Some("The dataset has no training clips".to_owned())
        } else {
            plan.err()
                .or_else(|| needed.map(|title| format!("This preset starts from {title}: choose its file in Models")))
        };
        // The button stays in sight however long the form is.
        Panel::bottom("start")
            .frame(egui::Frame::new().inner_margin(egui::Margin { top: 8, ..Default::default() }))
            .show_separator_line(false)
            .show(ui, |ui| {
                if button_if(ui, Some(Icon::Play), "Start training", Weight::Primary, blocked.as_deref()).clicked() {
                    shell.ask(Command::Train(self.training(shell, dataset)));
                }
                if let Some(reason) = &blocked {
                    ui.add(egui::Label::new(caption(reason)).wrap());
                }
                if needed.is_some() && button(ui, Some(Icon::Models), "Open Models", Weight::Plain).clicked() {
                    shell.ask(Command::GoTo(PageName::Models));
                }
            });
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.label(theme::group_title("Data"));
            let combo = egui::ComboBox::from_id_salt("dataset")
                .selected_text(&dataset.name)
                .width(ui.available_width())
                .show_ui(ui, |ui| {
                    for other in &state.datasets {
                        if ui.selectable_label(other.name == dataset.name, &other.name).clicked() {
                            shell.ask(Command::SelectDataset(other.name.clone()));
                        }
                    }
                });
            combo.response.accessible_name("Dataset");
            let [train, val, test] = dataset.facts.n_clips();
            ui.label(caption(format!("{} to train on, {val} to validate, {test} to test", count(train, "clip"))));

            ui.add_space(theme::GAP);
            ui.label(theme::group_title("Model"));
            let combo = egui::ComboBox::from_id_salt("model")
                .selected_text(format!("{} · {}", self.model.title(), self.preset))
                .width(ui.available_width())
                .show_ui(ui, |ui| {
                    for model in ModelKind::ALL {
                        for preset in model.presets() {
                            let selected = model == self.model && preset == self.preset;
                            if ui.selectable_label(selected, format!("{} · {preset}", model.title())).clicked() {
                                (self.model, self.preset) = (model, preset.to_owned());
                                self.changed.clear();
                                self.plan = None;
                            }
                        }
                    }
                });
            combo.response.accessible_name("Model and preset");

            ui.add_space(theme::GAP);
            ui.label(theme::group_title("Device"));
            device_ui(ui, shell);

            ui.add_space(theme::GAP);
            ui.label(theme::group_title("Run"));
            let hint = shell.state.free_run_name(&dataset.name, self.model);
            ui.add(egui::TextEdit::singleline(&mut self.name).hint_text(hint).desired_width(f32::INFINITY))
                .accessible_name("Name of the run");
            ui.horizontal(|ui| {
                ui.label("Seed");
                ui.add(egui::DragValue::new(&mut self.seed)).accessible_name("Seed");
            })
            .response
            .on_hover_text("The same seed on the same device gives the same model");

            ui.add_space(theme::GAP);
            let n_changed = self.changed.len();
            let title = if n_changed == 0 { "Settings".to_owned() } else { format!("Settings ({n_changed} changed)") };
            let files = state.weights_of(self.model, &self.preset);
            egui::CollapsingHeader::new(title).id_salt("settings").show(ui, |ui| self.settings_ui(ui, &files));
        });
    }

    /// The first file that the preset starts from and that neither a setting nor Models names.
    fn needed(&self, state: &State) -> Option<&'static str> {
        let known = state.weights_of(self.model, &self.preset);
        let mut needs = Published::of_preset(self.model, &self.preset);
        let missing = needs.find(|(_, setting)| !known.contains_key(*setting) && !self.changed.contains_key(*setting));
        missing.map(|(published, _)| published.title)
    }

    /// `files` are those that Models knows, by the settings that name them.
    fn settings_ui(&mut self, ui: &mut Ui, files: &BTreeMap<String, String>) {
        let current =
            self.settings.as_ref().is_some_and(|(model, preset, _)| *model == self.model && *preset == self.preset);
        if !current {
            let settings = training::settings(self.model, &self.preset).unwrap_or_default();
            self.settings = Some((self.model, self.preset.clone(), settings));
        }
        let Some((_, _, settings)) = &self.settings else { return };
        for setting in settings {
            let default = files.get(&setting.key).unwrap_or(&setting.value);
            let mut value = self.changed.get(&setting.key).unwrap_or(default).clone();
            let tooltip = format!("{}\n\nDefault here: {default}", setting.help);
            ui.horizontal(|ui| {
                let is_changed = self.changed.contains_key(&setting.key);
                let name = egui::RichText::new(&setting.key).size(13.0);
                let name = if is_changed { name.color(palette(ui).accent) } else { name };
                let width = ui.available_width();
                ui.allocate_ui(vec2(width - 96.0, theme::CONTROL), |ui| {
                    ui.set_width(width - 96.0);
                    ui.add(egui::Label::new(name).truncate()).on_hover_text(&tooltip);
                });
                if default == "true" || default == "false" {
                    let mut on = value == "true";
                    if ui.checkbox(&mut on, "").on_hover_text(&tooltip).accessible_name(&setting.key).changed() {
                        value = on.to_string();
                    }
                } else {
                    ui.add(egui::TextEdit::singleline(&mut value).desired_width(72.0))
                        .on_hover_text(&tooltip)
                        .accessible_name(&setting.key);
                }
            });
            if value == *default {
                self.changed.remove(&setting.key);
            } else {
                self.changed.insert(setting.key.clone(), value);
            }
        }
        if !self.changed.is_empty() && button(ui, Some(Icon::Undo), "Use the defaults", Weight::Quiet).clicked() {
            self.changed.clear();
        }
    }

    fn training(&self, shell: &Shell<'_>, dataset: &Dataset) -> Training {
        let typed = self.name.trim();
        Training {
            name: if typed.is_empty() {
                shell.state.free_run_name(&dataset.name, self.model)
            } else {
                folder_name(typed)
            },
            dataset: dataset.name.clone(),
            model: self.model,
            preset: self.preset.clone(),
            seed: self.seed,
            device: shell.settings.device.parse().unwrap_or_default(),
            settings: {
                let mut settings = shell.state.weights_of(self.model, &self.preset);
                settings.extend(self.changed.clone());
                settings
            },
        }
    }
}

/// Lets the user choose a device among those that work.
pub(super) fn device_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let state = shell.state;
    let current = &shell.settings.device;
    let shown = state.device(current).map_or_else(
        || if current == "auto" { "Automatic".to_owned() } else { current.clone() },
        crate::state::Device::name,
    );
    let combo = egui::ComboBox::from_id_salt("device")
        .selected_text(shown)
        .truncate()
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            if ui
                .selectable_label(current == "auto", "Automatic")
                .on_hover_text("The fastest device that works")
                .clicked()
                && let Ok(id) = "auto".parse()
            {
                shell.ask(Command::UseDevice(id));
            }
            for device in &state.devices {
                let id = device.info.id.to_string();
                let works = !matches!(device.probe, Some(Err(_)));
                let label = format!("{} ({})", device.name(), device.info.backend);
                ui.add_enabled_ui(works, |ui| {
                    let response = ui.selectable_label(*current == id, label);
                    let response = match &device.probe {
                        Some(Err(reason)) => response.on_disabled_hover_text(reason),
                        _ => response,
                    };
                    if response.clicked() {
                        shell.ask(Command::UseDevice(device.info.id));
                    }
                });
            }
        });
    combo.response.accessible_name("Device");
    if let Some(device) = state.device(current) {
        match &device.probe {
            None => {
                ui.label(caption("Being tried…"));
            }
            Some(Ok(speed)) => {
                ui.label(caption(speed));
            }
            Some(Err(reason)) => remark(ui, Icon::Warning, palette(ui).warning, reason),
        }
    }
}

fn data_ui(ui: &mut Ui, dataset: &Dataset) {
    let manifest = &dataset.manifest;
    ui.label(theme::group_title(format!("Data: {}", dataset.name)));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 40.0;
        for (n_clips, what) in dataset.facts.n_clips().into_iter().zip(["clips to train on", "to validate", "to test"])
        {
            stat(ui, &grouped(n_clips), what);
        }
        stat(ui, &manifest.labels.len().to_string(), "classes");
    });
}

fn waiting_ui(ui: &mut Ui, record: &Record) {
    ui.add_space(theme::GAP_LARGE);
    theme::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let (doing, share) = record.doing();
        ui.label(theme::group_title(match &record.preparing {
            Some(_) => "Preparing the clips",
            None => "Getting ready",
        }));
        let width = ui.available_width();
        progress(ui, share, width, "Preparation");
        let left = record.remaining_secs.map(|secs| format!(" · {}", remaining(secs))).unwrap_or_default();
        ui.label(caption(format!("{doing}{left}")));
        ui.label(caption("Faces are cropped and sound is analysed once; later runs find the result in the cache."));
    });
    if let Some(crate::run::End::Failed(message)) = &record.end {
        remark(ui, Icon::Warning, palette(ui).danger, message);
    }
}

fn controls_ui(ui: &mut Ui, shell: &mut Shell<'_>, record: &Record) {
    let stopping = shell
        .state
        .training
        .as_ref()
        .and_then(|(_, id)| shell.state.jobs.iter().find(|job| job.id == *id))
        .is_some_and(|job| job.cancelled)
        .then_some("It stops at its next step");
    if button_if(ui, Some(Icon::Close), "Abort", Weight::Danger, stopping)
        .on_hover_text("Stop now; what was saved stays and the run can be resumed")
        .clicked()
    {
        shell.ask(Command::Abort);
    }
    if button_if(ui, Some(Icon::Stop), "Stop and keep best", Weight::Plain, stopping)
        .on_hover_text("Stop now, keep the best epoch and evaluate it")
        .clicked()
    {
        shell.ask(Command::StopAndKeep);
    }
    if record.paused {
        if button_if(ui, Some(Icon::Play), "Continue", Weight::Plain, stopping).clicked() {
            shell.ask(Command::Continue);
        }
    } else if button_if(ui, Some(Icon::Pause), "Pause", Weight::Plain, stopping).clicked() {
        shell.ask(Command::Pause);
    }
}

fn numbers_ui(ui: &mut Ui, shell: &mut Shell<'_>, run: &Run, stage: usize) {
    let record = &run.record;
    ui.spacing_mut().item_spacing.y = 6.0;
    let (doing, share) = record.doing();
    if shell.state.is_training(&run.name) {
        ui.label(theme::group_title(if record.paused { "Paused" } else { "Now" }));
        ui.add(egui::Label::new(crate::wording::capital(&doing)).wrap());
        let width = ui.available_width();
        progress(ui, share, width, "Stage");
        if let Some(secs) = record.remaining_secs {
            ui.label(caption(format!("At most {}", remaining(secs))));
        }
    } else {
        ui.label(theme::group_title(shell.state.status_of(run)));
    }
    if let Some(report) = &record.report {
        ui.add_space(theme::GAP);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 28.0;
            stat(ui, &percent(report.scores.war), "WAR, test");
            stat(ui, &percent(report.scores.uar), "UAR, test");
        });
        attributes(ui, &report.attributes);
    }
    if let (Some(plan), Some(progress)) = (record.stages.get(stage), record.progress.get(stage)) {
        ui.add_space(theme::GAP);
        ui.label(theme::group_title(crate::wording::capital(&plan.name)));
        if let Some(last) = progress.epochs.last() {
            pair(ui, "Epoch", &format!("{} of {}", progress.epochs.len(), plan.n_epochs));
            pair(ui, "Learning rate", &format!("{:.2e}", last.learning_rate));
            pair(ui, "Training loss", &format!("{:.4}", last.train_loss));
            pair(ui, "Validation loss", &format!("{:.4}", last.val_loss));
            pair(ui, "Training WAR", &percent(last.train_war));
            pair(ui, "Validation WAR", &percent(last.val_war));
            pair(ui, "Validation UAR", &percent(last.val_uar));
            if let Some(best) = progress.epochs.iter().rposition(|epoch| epoch.is_best) {
                pair(ui, "Best epoch", &(best + 1).to_string());
            }
            pair(ui, "Time per epoch", &format!("{:.1} s", last.secs));
        } else {
            ui.label(caption("No epoch is finished yet."));
        }
        if let Some((reason, best_epoch)) = progress.finished {
            let why = match reason {
                StopReason::Epochs => "all epochs are done",
                StopReason::LearningRate => "the learning rate became small",
                StopReason::TrainAccuracy => "the training clips are learned",
                StopReason::Asked => "you asked for it",
            };
            ui.add(egui::Label::new(caption(format!("Over because {why}; epoch {} was kept.", best_epoch + 1))).wrap());
        }
    }
    ui.add_space(theme::GAP);
    ui.label(theme::group_title("Run"));
    if let Some(job) = &record.job {
        pair(ui, "Model", &format!("{} · {}", job.model().title(), job.preset));
        pair(ui, "Seed", &job.seed.to_string());
    }
    pair(ui, "Parameters", &grouped(record.n_parameters));
    pair(ui, "Training clips", &grouped(record.n_train));
    pair(ui, "Validation clips", &grouped(record.n_val));
    pair(ui, "Device", &record.device);
    let secs: f64 = record.progress.iter().flat_map(|stage| &stage.epochs).map(|epoch| epoch.secs).sum();
    pair(ui, "Time spent", &duration(secs));
    if !record.warnings.is_empty() {
        egui::CollapsingHeader::new(count(record.warnings.len(), "remark")).show(ui, |ui| {
            for (path, reason) in record.warnings.iter().take(100) {
                remark(ui, Icon::Warning, palette(ui).warning, reason);
                ui.add(egui::Label::new(caption(path.display().to_string())).truncate());
            }
        });
    }
}

/// The stages as cards, those of one number in a column, with lines from column to column. The stage that was clicked.
fn stages_ui(
    ui: &mut Ui,
    stages: &[StagePlan],
    progress: &[StageProgress],
    running: Option<usize>,
    selected: Option<usize>,
) -> Option<usize> {
    let mut numbers: Vec<usize> = stages.iter().map(|stage| stage.number).collect();
    numbers.dedup();
    let columns: Vec<Vec<usize>> =
        numbers.iter().map(|&number| (0..stages.len()).filter(|&idx| stages[idx].number == number).collect()).collect();
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let (gap_x, gap_y, card_height) = (56.0, 10.0, 92.0);
    let height = rows as f32 * (card_height + gap_y) - gap_y + 24.0;
    let width = ui.available_width().min(860.0);
    let (area, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let n_columns = columns.len().max(1) as f32;
    let card_width = (width - gap_x * (n_columns - 1.0)) / n_columns;
    let colors = palette(ui);
    let place = |column: usize, row: usize| {
        let n_rows = columns[column].len() as f32;
        let room = height - 24.0;
        let top = area.top() + 24.0 + (room - n_rows * (card_height + gap_y) + gap_y) / 2.0;
        let left = area.left() + column as f32 * (card_width + gap_x);
        Rect::from_min_size(pos2(left, top + row as f32 * (card_height + gap_y)), vec2(card_width, card_height))
    };
    for (column, &number) in numbers.iter().enumerate() {
        let left = area.left() + column as f32 * (card_width + gap_x);
        let title = Rect::from_min_size(pos2(left, area.top()), vec2(card_width, 18.0));
        painted_text(ui, title, Align2::LEFT_CENTER, &format!("Stage {number}"), theme::TEXT_SMALL, colors.weak);
    }
    let mut clicked = None;
    for (column, members) in columns.iter().enumerate() {
        for (row, &idx) in members.iter().enumerate() {
            let rect = place(column, row);
            if column + 1 < columns.len() {
                for (next_row, _) in columns[column + 1].iter().enumerate() {
                    let (from, to) = (rect.right_center(), place(column + 1, next_row).left_center());
                    let bend = vec2(gap_x * 0.5, 0.0);
                    let curve = egui::epaint::CubicBezierShape::from_points_stroke(
                        [from, from + bend, to - bend, to],
                        false,
                        egui::Color32::TRANSPARENT,
                        Stroke::new(2.0, input_color(ui, stages[idx].input).gamma_multiply(0.7)),
                    );
                    ui.painter().add(curve);
                }
            }
            let response = ui.interact(
                rect,
                ui.scope_id().with(("stage", idx)),
                if selected.is_some() { Sense::click() } else { Sense::hover() },
            );
            stage_ui(
                ui,
                rect,
                &stages[idx],
                progress.get(idx),
                running == Some(idx),
                selected == Some(idx) || response.hovered() && selected.is_some(),
            );
            response.widget_info(|| {
                WidgetInfo::selected(
                    egui::accesskit::Role::Button,
                    true,
                    selected == Some(idx),
                    format!("Stage {}", stages[idx].name),
                )
            });
            focus_ring(ui, &response);
            if response.clicked() {
                clicked = Some(idx);
            }
        }
    }
    clicked
}

fn stage_ui(ui: &Ui, rect: Rect, plan: &StagePlan, progress: Option<&StageProgress>, running: bool, marked: bool) {
    let colors = palette(ui);
    let line = if running || marked { colors.accent } else { colors.line };
    ui.painter().rect(
        rect,
        theme::CORNER,
        colors.panel,
        Stroke::new(if running { 1.5 } else { 1.0 }, line),
        egui::StrokeKind::Inside,
    );
    let color = input_color(ui, plan.input);
    let strip = Rect::from_min_size(rect.min + vec2(1.0, 1.0), vec2(4.0, rect.height() - 2.0));
    ui.painter().rect_filled(strip, 2.0, color);
    let inner = rect.shrink2(vec2(16.0, 8.0));
    let text_line =
        |row: f32, height: f32| Rect::from_min_size(pos2(inner.left(), inner.top() + row), vec2(inner.width(), height));
    let mut title = text_line(0.0, 20.0);
    let epochs = match progress {
        Some(progress) if progress.finished.is_some() => format!("{} epochs", progress.epochs.len()),
        Some(progress) if !progress.epochs.is_empty() || running => {
            format!("{}/{}", progress.epochs.len(), plan.n_epochs)
        }
        _ => format!("≤ {} epochs", plan.n_epochs),
    };
    painted_text(ui, title, Align2::RIGHT_CENTER, &epochs, theme::TEXT_SMALL, colors.weak);
    title.set_right(title.right() - 76.0);
    let done = progress.is_some_and(|progress| progress.finished.is_some());
    if done {
        let mark = Rect::from_min_size(title.min + vec2(0.0, 2.0), vec2(16.0, 16.0));
        Icon::Check.paint(ui.painter(), mark, colors.good);
        title.set_left(title.left() + 22.0);
    }
    let name = crate::wording::capital(&plan.name);
    let galley = ui.painter().layout_no_wrap(name, theme::semibold_font(theme::TEXT), colors.text);
    ui.painter_at(title).galley(pos2(title.left(), title.center().y - galley.size().y / 2.0), galley, colors.text);
    let sees = match plan.input {
        StageInput::Only { modality } => format!("Sees {} only", modality.name()),
        StageInput::RandomDrop { keep } => format!("Each modality kept with probability {keep}"),
        StageInput::All => "Sees all that a clip has".into(),
        StageInput::InTurn { together: true } => "Sees the voice, the face, then both".into(),
        StageInput::InTurn { together: false } => "Sees the voice, then the face".into(),
    };
    painted_text(ui, text_line(20.0, 17.0), Align2::LEFT_CENTER, &sees, theme::TEXT_SMALL, colors.weak);
    painted_text(
        ui,
        text_line(37.0, 17.0),
        Align2::LEFT_CENTER,
        &format!("Trains {}", plan.trains),
        theme::TEXT_SMALL,
        colors.weak,
    );
    let bottom = format!("Starts from {}", plan.starts_from);
    match progress {
        Some(progress) if done || running || !progress.epochs.is_empty() => {
            let best = progress.epochs.iter().map(|epoch| epoch.val_war).fold(f64::NAN, f64::max);
            let words = if best.is_nan() { String::new() } else { format!("validation WAR {}", percent(best)) };
            painted_text(ui, text_line(54.0, 17.0), Align2::LEFT_CENTER, &words, theme::TEXT_SMALL, colors.text);
            let track = Rect::from_min_size(pos2(inner.left(), inner.bottom() - 3.0), vec2(inner.width(), 4.0));
            ui.painter().rect_filled(track, 2.0, colors.hovered);
            let share = progress.share(plan.n_epochs);
            let filled = Rect::from_min_size(track.min, vec2(track.width() * share, track.height()));
            ui.painter().rect_filled(filled, 2.0, color);
        }
        _ => painted_text(ui, text_line(54.0, 17.0), Align2::LEFT_CENTER, &bottom, theme::TEXT_SMALL, colors.weak),
    }
}

fn input_color(ui: &Ui, input: StageInput) -> egui::Color32 {
    let seen = input.eval_modalities();
    let single = Modality::ALL.into_iter().find(|&modality| seen == Modalities::only(modality));
    single.map_or(palette(ui).text, theme::modality_color)
}

fn stage_curves_ui(ui: &mut Ui, plan: &StagePlan, progress: &StageProgress) {
    ui.horizontal(|ui| {
        ui.label(theme::group_title(crate::wording::capital(&plan.name)));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            legend(ui, theme::series_color(2), "validation UAR");
            legend(ui, theme::series_color(1), "validation");
            legend(ui, theme::series_color(0), "training");
        });
    });
    let (losses, shares) = curves_of(progress);
    let height = (ui.available_height() - 8.0).clamp(180.0, 420.0);
    let width = ui.available_width();
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP_LARGE;
        let half = (width - theme::GAP_LARGE) / 2.0;
        for (id, series, axes) in [
            ("losses", losses, Axes { x: "Epoch", y: "Loss", shares: false, marks: &[] }),
            ("recalls", shares, Axes { x: "Epoch", y: "Recall", shares: true, marks: &[] }),
        ] {
            ui.allocate_ui(vec2(half, height), |ui| {
                ui.set_width(half);
                curves(ui, id, &series, &axes, height);
            });
        }
    });
}

/// The curves of a stage: losses, and recalls in 0..=1.
fn curves_of(progress: &StageProgress) -> (Vec<Curve>, Vec<Curve>) {
    let by_epoch = |read: &dyn Fn(&training::EpochRecord) -> f64| -> Vec<[f64; 2]> {
        progress.epochs.iter().enumerate().map(|(epoch, record)| [(epoch + 1) as f64, read(record)]).collect()
    };
    let curve = |name: &str, color: usize, points| Curve {
        name: name.to_owned(),
        color: theme::series_color(color),
        dashed: false,
        points,
    };
    let steps = Curve {
        name: "steps".into(),
        color: theme::series_color(0).gamma_multiply(0.35),
        dashed: false,
        points: progress.losses.clone(),
    };
    let losses = vec![
        steps,
        curve("training", 0, by_epoch(&|record| record.train_loss)),
        curve("validation", 1, by_epoch(&|record| record.val_loss)),
    ];
    let shares = vec![
        curve("training WAR", 0, by_epoch(&|record| record.train_war)),
        curve("validation WAR", 1, by_epoch(&|record| record.val_war)),
        curve("validation UAR", 2, by_epoch(&|record| record.val_uar)),
    ];
    (losses, shares)
}
