//! Train: the plan, the running stage and its numbers.

mod form;
mod progress;
mod stages;

use egui::{Panel, ScrollArea, Ui};

use super::{Page, Shell};
use crate::command::Command;
use crate::run::{Run, Status};
use crate::state::{Dataset, DialogFor, PageName};
use crate::theme::{self, caption};
use crate::widgets::button::{Weight, button};
use crate::widgets::icon::Icon;
use crate::widgets::tile::{empty, header, stat};
use crate::wording::grouped;
use form::Form;
use progress::{controls_ui, numbers_ui, stage_curves_ui, waiting_ui};
use stages::stages_ui;

/// Train.
#[derive(Default)]
pub struct Train {
    form: Form,
    /// The run whose curves are shown instead of the form.
    watched: Option<String>,
    /// The stage whose curves are shown, if it was chosen by hand.
    stage: Option<usize>,
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
