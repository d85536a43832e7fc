//! What is to be trained: data, model, settings, device.

use std::collections::BTreeMap;
use std::path::Path;

use egui::{Panel, ScrollArea, Ui, vec2};
use models::{ModelKind, Published, StagePlan};

use crate::command::{Command, Training};
use crate::pages::Shell;
use crate::project::folder_name;
use crate::state::{Dataset, PageName, State};
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, button_if};
use crate::widgets::combo::combo;
use crate::widgets::icon::Icon;
use crate::widgets::tile::remark;
use crate::wording::count;

type Plan = Result<Vec<StagePlan>, String>;

/// What was chosen so far.
pub struct Form {
    pub model: ModelKind,
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

impl Form {
    pub fn plan(&mut self) -> Plan {
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

    pub fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset) {
        let state = shell.state;
        let plan = self.plan();
        let needed = self.needed(state);
        let blocked = if state.training.is_some() {
            Some("A model is being trained already".to_owned())
        } else if dataset.is_away {
            Some("The dataset's folder is not there: see Library".to_owned())
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
            let width = ui.available_width();
            combo(ui, "Dataset", &dataset.name, width, |ui| {
                for other in &state.datasets {
                    if ui.selectable_label(other.name == dataset.name, &other.name).clicked() {
                        shell.ask(Command::SelectDataset(other.name.clone()));
                    }
                }
            });
            let [train, val, test] = dataset.facts.n_clips();
            ui.label(caption(format!("{} to train on, {val} to validate, {test} to test", count(train, "clip"))));

            ui.add_space(theme::GAP);
            ui.label(theme::group_title("Model"));
            combo(ui, "Model and preset", format!("{} · {}", self.model.title(), self.preset), width, |ui| {
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
fn device_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let state = shell.state;
    let current = &shell.settings.device;
    let shown = state.device(current).map_or_else(
        || {
            if current == "auto" { "Automatic".to_owned() } else { current.clone() }
        },
        crate::state::Device::name,
    );
    let width = ui.available_width();
    combo(ui, "Device", shown, width, |ui| {
        let automatic = ui.selectable_label(current == "auto", "Automatic");
        if automatic.on_hover_text("The fastest device that works").clicked()
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
