//! What a file of weights is, and what it takes to make a run of a trained model.

use std::path::PathBuf;

use ::models::identify::{Released, Report};
use ::models::{ModelKind, Published, RELEASED};
use egui::{ScrollArea, TextEdit, Ui};
use emotion::LabelSet;

use super::super::Shell;
use super::fit_ui;
use crate::command::{Command, ImportModel};
use crate::project::folder_name;
use crate::state::{Computed, State};
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, button_if};
use crate::widgets::combo::combo;
use crate::widgets::icon::Icon;
use crate::widgets::tile::remark;
use crate::wording::{capital, count};

const WIDTH: f32 = 560.0;
/// Height of everything but what is to be decided.
const BESIDES_DECISIONS: f32 = 230.0;

/// The form.
pub struct ImportForm {
    /// The file, or the folder of a set of files.
    pub path: PathBuf,
    /// What the user chose instead of what the file says.
    chosen: Option<(ModelKind, &'static str)>,
    /// The classes as they are typed.
    classes: String,
    dataset: Option<String>,
    /// Empty: made from the file's name.
    name: String,
}

impl ImportForm {
    /// A form about a file in which nothing is decided.
    pub fn new(path: PathBuf) -> Self {
        Self { path, chosen: None, classes: String::new(), dataset: None, name: String::new() }
    }

    /// Draws the form; whether it is done.
    pub fn ui(&mut self, ctx: &egui::Context, shell: &mut Shell<'_>, report: &Computed<Report>) -> bool {
        let modal = theme::modal(ctx, "import a model").show(ctx, |ui| {
            ui.set_width(WIDTH);
            ui.label(theme::title("Import a trained model"));
            ui.add(egui::Label::new(caption(self.path.display().to_string())).truncate());
            ui.add_space(theme::GAP);
            let weak = palette(ui).weak;
            match report {
                Computed::Underway => remark(ui, Icon::Info, weak, "It is being looked into…"),
                Computed::Failed(reason) => remark(ui, Icon::Warning, palette(ui).danger, &capital(reason)),
                Computed::Ready(report) => {
                    remark(ui, Icon::Info, weak, &capital(&report.title));
                    if let Some(released) = &report.released {
                        return self.released_ui(ui, shell, report, released);
                    }
                    fit_ui(ui, report);
                    if let Some(published) = report.published.and_then(Published::with_key) {
                        return self.published_ui(ui, shell, published);
                    }
                    let text = "Limbic imports what the released codes of UMBEnet, MMA-DFER and VAVL save.";
                    remark(ui, Icon::Info, weak, text);
                }
            }
            ui.add_space(theme::GAP_LARGE);
            button(ui, None, "Close", Weight::Plain).clicked()
        });
        modal.inner || modal.should_close()
    }

    /// Weights that a preset starts from, which are no trained model.
    fn published_ui(&self, ui: &mut Ui, shell: &mut Shell<'_>, published: &'static Published) -> bool {
        remark(ui, Icon::Info, palette(ui).weak, "No trained model, but weights that presets start from.");
        ui.add_space(theme::GAP_LARGE);
        ui.horizontal(|ui| {
            if button(ui, None, "Use it in presets", Weight::Primary).clicked() {
                shell.ask(Command::UseWeights { key: published.key, path: self.path.clone() });
                return true;
            }
            button(ui, None, "Cancel", Weight::Plain).clicked()
        })
        .inner
    }

    /// What is to be decided about a trained model.
    fn released_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, report: &Report, released: &Released) -> bool {
        // What is below stays in sight in the smallest window, however much does not fit.
        let most = ui.ctx().content_rect().height() - BESIDES_DECISIONS;
        let area = ScrollArea::vertical().max_height(most).min_scrolled_height(most);
        area.auto_shrink([false, true]).show(ui, |ui| {
            self.decisions_ui(ui, shell, report, released);
        });
        ui.add_space(theme::GAP);
        self.actions_ui(ui, shell, released)
    }

    fn decisions_ui(&mut self, ui: &mut Ui, shell: &Shell<'_>, report: &Report, released: &Released) {
        let (model, preset) = self.model(released);
        if self.is_as_told(released) {
            fit_ui(ui, report);
        } else {
            remark(
                ui,
                Icon::Info,
                palette(ui).weak,
                "Whether all of it maps on this preset is seen when it is imported.",
            );
        }
        ui.add_space(theme::GAP);
        ui.label(theme::group_title("Model"));
        combo(ui, "Model and preset", format!("{} · {preset}", model.title()), WIDTH, |ui| {
            for other in RELEASED {
                for name in other.presets() {
                    let text = format!("{} · {name}", other.title());
                    if ui.selectable_label((other, name) == (model, preset), text).clicked() {
                        self.chosen = Some((other, name));
                    }
                }
            }
        });
        if self.is_as_told(released) && !released.settings.is_empty() {
            let settings = released.settings.iter().map(|own| format!("{}={}", own.key, own.value));
            let text = format!("Its shapes say {}", settings.collect::<Vec<_>>().join(", "));
            ui.add(egui::Label::new(caption(text)).wrap());
        }

        ui.add_space(theme::GAP);
        ui.label(theme::group_title("Classes in the order of its outputs"));
        ui.label(caption("No checkpoint says it: choose whose order it is, or type the names."));
        self.orders_ui(ui, shell, released.n_outputs);
        let field = TextEdit::singleline(&mut self.classes).hint_text("anger, disgust, …").desired_width(WIDTH);
        ui.add(field).accessible_name("Classes");

        ui.add_space(theme::GAP);
        ui.label(theme::group_title("Scored on"));
        let shown = self.dataset.clone().unwrap_or_else(|| "No dataset: for Live alone".to_owned());
        combo(ui, "Dataset that it is scored on", shown, WIDTH, |ui| {
            ui.selectable_value(&mut self.dataset, None, "No dataset: for Live alone");
            for dataset in &shell.state.datasets {
                ui.selectable_value(&mut self.dataset, Some(dataset.name.clone()), &dataset.name);
            }
        });

        ui.add_space(theme::GAP);
        ui.label(theme::group_title("Run"));
        let usual = self.usual_name();
        ui.add(TextEdit::singleline(&mut self.name).hint_text(usual).desired_width(WIDTH))
            .accessible_name("Name of the run");
    }

    /// Begin or leave; whether the form is done.
    fn actions_ui(&self, ui: &mut Ui, shell: &mut Shell<'_>, released: &Released) -> bool {
        let labels = LabelSet::new(self.classes.split(',').map(str::trim).filter(|name| !name.is_empty()));
        let files = self.files(shell.state, released);
        let blocked = match &labels {
            _ if shell.state.project.is_none() => Some("Open a project, or make one, first".to_owned()),
            _ if files.is_err() => {
                files.as_ref().err().map(|title| format!("It needs {title}: choose its file on this page first"))
            }
            _ if self.classes.trim().is_empty() => Some("Say the order of the classes first".to_owned()),
            Err(error) => Some(capital(&error.to_string())),
            Ok(labels) if labels.len() != released.n_outputs => {
                Some(format!("It has {}, these are {}", count(released.n_outputs, "output"), labels.len()))
            }
            Ok(_) => None,
        };
        if let (Some(reason), false) = (&blocked, self.classes.trim().is_empty()) {
            remark(ui, Icon::Warning, palette(ui).warning, reason);
        }
        ui.horizontal(|ui| {
            if let (true, Ok(labels), Ok(files)) =
                (button_if(ui, None, "Import", Weight::Primary, blocked.as_deref()).clicked(), labels, files)
            {
                let (model, preset) = self.model(released);
                let told = released.settings.iter().filter(|_| self.is_as_told(released));
                let told = told.map(|own| (own.key.clone(), own.value.clone()));
                shell.ask(Command::ImportModel(ImportModel {
                    name: if self.name.trim().is_empty() { self.usual_name() } else { folder_name(self.name.trim()) },
                    path: self.path.clone(),
                    model,
                    preset: preset.to_owned(),
                    settings: told.chain(files).collect(),
                    labels,
                    dataset: self.dataset.clone(),
                }));
                return false;
            }
            button(ui, None, "Cancel", Weight::Plain).clicked()
        })
        .inner
    }

    /// Model and preset that it is imported as.
    fn model(&self, released: &Released) -> (ModelKind, &'static str) {
        self.chosen.unwrap_or((released.model, released.preset))
    }

    fn is_as_told(&self, released: &Released) -> bool {
        self.model(released) == (released.model, released.preset)
    }

    /// Published files that an import reads besides, as settings; or the title of one that is not here.
    fn files(&self, state: &State, released: &Released) -> Result<Vec<(String, String)>, &'static str> {
        let (model, preset) = self.model(released);
        let here = state.weights_of(model, preset);
        let needed = Published::of_preset(model, preset).filter(|(_, setting)| released.needs.contains(setting));
        needed
            .map(|(published, setting)| match here.get(setting) {
                Some(file) => Ok((setting.to_owned(), file.clone())),
                None => Err(published.title),
            })
            .collect()
    }

    /// The name of the run where none is typed.
    fn usual_name(&self) -> String {
        folder_name(&self.path.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy()))
    }

    /// Known orders with as many classes as there are outputs, and those of the datasets.
    fn orders_ui(&mut self, ui: &mut Ui, shell: &Shell<'_>, n_outputs: usize) {
        let known = datasets::LABEL_ORDERS.iter().filter_map(|(name, whose)| {
            Some(((*whose).to_owned(), datasets::label_order(name).filter(|order| order.len() == n_outputs)?))
        });
        let own = shell.state.datasets.iter().filter(|dataset| dataset.manifest.labels.len() == n_outputs);
        let own = own.map(|dataset| (format!("the dataset “{}”", dataset.name), dataset.manifest.labels.clone()));
        let orders: Vec<(String, String)> =
            known.chain(own).map(|(whose, order)| (whose, order.names().join(", "))).collect();
        let shown = orders.iter().find(|(_, names)| *names == self.classes);
        let shown = shown.map_or("Choose an order", |(whose, _)| whose.as_str());
        combo(ui, "Order of the classes", shown, WIDTH, |ui| {
            for (whose, names) in &orders {
                if ui.selectable_label(*names == self.classes, whose).on_hover_text(names).clicked() {
                    self.classes.clone_from(names);
                }
            }
            if orders.is_empty() {
                ui.label(caption(format!("No known order has {n_outputs} classes")));
            }
        });
    }
}
