//! What a page asked for, done or given to a worker.

use std::path::PathBuf;
use std::sync::Arc;

use egui::ViewportCommand;
use training::Order;

use super::App;
use super::forms::Form;
use crate::command::{Command, Import, ImportModel, LiveSource, Training};
use crate::figure::Draft;
use crate::jobs::{self, Job, Message, Recording};
use crate::project::{self, Project, unused_name};
use crate::state::{Computed, Event, ImportDraft, Level, Notice, PageName, Weights};

impl App {
    /// Does what a page asked for.
    pub fn obey(&mut self, command: Command) {
        match command {
            Command::GoTo(page) => {
                self.state.page = page;
                if page == PageName::Settings && self.state.cache_bytes.is_none() {
                    self.obey(Command::MeasureCache);
                }
                if matches!(page, PageName::Library | PageName::Train) && !self.state.datasets.is_empty() {
                    let manifests = self.state.datasets.iter();
                    let manifests = manifests.map(|set| (set.name.clone(), Arc::clone(&set.manifest))).collect();
                    self.start(Job::FindAway(manifests));
                }
            }
            Command::CreateSample if self.state.training.is_some() => {
                self.state.notify(Notice::new(Level::Info, "Stop the training before you make another project"));
            }
            Command::CreateSample => {
                self.go_to_library = true;
                self.start(Job::CreateSample { dir: jobs::sample_dir(&self.places.projects) });
            }
            Command::OpenProject(dir) => {
                if self.state.training.is_some() {
                    self.state.notify(Notice::new(Level::Info, "Stop the training before you open another project"));
                } else {
                    self.close_live();
                    self.start(Job::OpenProject(dir));
                }
            }
            Command::Forget(dir) => {
                self.settings.recent.retain(|other| *other != dir);
                self.save_settings();
            }
            Command::Choose(what) => {
                self.form = Some(Form::new(what));
                self.start(Job::Choose(what));
            }
            Command::ShowImport(path) => {
                self.form = None;
                self.look_at(Import::of(path));
            }
            Command::ReadAgain(name) => {
                if let Some(dataset) = self.state.datasets.iter().find(|dataset| dataset.name == name) {
                    self.look_at(Import { replaces: true, ..dataset.import.clone() });
                }
            }
            Command::ChangeImport(import) => {
                self.next_look += 1;
                if let Some(draft) = &mut self.state.import {
                    draft.change(import.clone(), self.next_look);
                    self.start(Job::Look { look: self.next_look, import });
                }
            }
            Command::MoveImport(root) => {
                self.form = None;
                if let Some(draft) = &self.state.import {
                    let import = Import { root, ..draft.import.clone() };
                    self.obey(Command::ChangeImport(import));
                }
            }
            Command::UndoImport => {
                self.next_look += 1;
                let look = self.next_look;
                if let Some(draft) = self.state.import.as_mut().filter(|draft| draft.can_undo()) {
                    draft.undo(look);
                    let import = draft.import.clone();
                    self.start(Job::Look { look, import });
                }
            }
            Command::DropImport => self.state.import = None,
            Command::ShowRelease(path) => {
                self.form = None;
                self.state.page = PageName::Models;
                self.state.apply(Event::Release(path.clone(), Computed::Underway));
                self.start(Job::LookIntoRelease(path));
            }
            Command::DropRelease => self.state.release = None,
            Command::ImportModel(import) => self.import_model(import),
            Command::Import(import) => self.import(import),
            Command::Exchange { place, dir } => {
                self.start(Job::Exchange { place, dir });
            }
            Command::FindPeople { of, choice } => {
                self.state.apply(Event::People(of.clone(), Computed::Underway));
                let models = self.places.models.clone();
                self.start(Job::FindPeople { of, choice, models });
            }
            Command::ChoosePerson(whose) => {
                if let Some(dir) = self.dir_of(&whose.dataset) {
                    self.start(Job::ChoosePerson { dir, whose });
                }
            }
            Command::Extract(extract) => {
                if let Some(dir) = self.dir_of(&extract.dataset) {
                    let (device, cache) = (self.device(), self.cache());
                    self.start(Job::Extract { dir, extract, device, cache });
                }
            }
            Command::SelectDataset(name) => self.state.dataset = Some(name),
            Command::DeleteDataset(name) => {
                if let Some(project) = self.state.project.clone() {
                    let dirs = vec![project.dataset_dir(&name)];
                    self.start(Job::Discard { project, dirs });
                }
            }
            Command::CancelJob(id) => {
                if let Some(control) = self.controls.get(&id) {
                    jobs::cancel(control);
                    self.state.apply(Event::JobCancelled { id });
                }
            }
            Command::Train(training) => self.train(&training),
            Command::ResumeRun(name) => self.resume(&name),
            Command::Pause => self.order_training(Order::Pause),
            Command::Continue => self.order_training(Order::Run),
            Command::StopAndKeep => self.order_training(Order::StopAndKeep),
            Command::Abort => self.order_training(Order::Abort),
            Command::SelectRun(name) => self.state.run = Some(name),
            Command::SelectRuns(names) => {
                if let [name] = &names[..] {
                    self.state.run = Some(name.clone());
                }
                self.state.selected_runs = names;
            }
            Command::DeleteRuns(names) => {
                if let Some(project) = self.state.project.clone() {
                    let dirs = names.iter().map(|name| project.run_dir(name)).collect();
                    self.start(Job::Discard { project, dirs });
                }
            }
            Command::Restore { place, dir } => {
                self.start(Job::Restore { place, dir });
            }
            Command::Evaluate(name) => {
                if let Some(run) = self.state.run_named(&name).cloned() {
                    let (device, cache) = (self.device(), self.cache());
                    self.start(Job::Evaluate { run: Box::new(run), device, cache });
                }
            }
            Command::ExportModel(name) => {
                if let (Some(run), Some(project)) = (self.state.run_named(&name), &self.state.project) {
                    let to = project.exports().join(unused_name(&project.exports(), &format!("{name}-model")));
                    let dir = run.dir.clone();
                    self.start(Job::ExportModel { dir, to });
                }
            }
            Command::MapFeatures(name) => {
                if let Some(run) = self.state.run_named(&name).cloned() {
                    let (device, cache) = (self.device(), self.cache());
                    self.state.apply(Event::Features { run: name, maps: Computed::Underway });
                    self.start(Job::MapFeatures { run: Box::new(run), device, cache });
                }
            }
            Command::MapPrompts(name) => {
                if let Some(run) = self.state.run_named(&name).cloned() {
                    self.state.apply(Event::Prompts { run: name, maps: Computed::Underway });
                    self.start(Job::MapPrompts { run: Box::new(run) });
                }
            }
            Command::ExportFigure { figure, format } => {
                let draft = Draft::collect(&self.state, &figure);
                if let (Some(draft), Some(project)) = (draft, &self.state.project) {
                    let path = jobs::export_path(project, &figure.file_name(), format.extension());
                    self.start(Job::ExportFigure { draft, format, path });
                }
            }
            Command::ListCaptureDevices => {
                self.start(Job::ListCaptureDevices);
            }
            Command::StartLive(source) => self.start_live(source),
            Command::StopLive => self.close_live(),
            Command::SwitchLive(on) => {
                self.state.live.on = on;
                if let Some(session) = &self.session {
                    session.switch(on);
                }
            }
            Command::SetLiveText(text) => {
                if let Some(session) = &self.session {
                    session.set_text(&text);
                }
                self.state.live.text = text;
            }
            Command::SetSmoothing(strength) => {
                self.state.live.smoothing = strength;
                if let Some(session) = &self.session {
                    session.set_smoothing(strength);
                }
            }
            Command::Record(on) => self.record(on),
            Command::Present(on) => {
                self.state.live.presenting = on && self.state.live.is_open();
                self.ctx.send_viewport_cmd(ViewportCommand::Fullscreen(self.state.live.presenting));
            }
            Command::ProbeDevices => {
                self.state.listing_devices = true;
                self.start(Job::ProbeDevices);
            }
            Command::UseDevice(id) => {
                self.settings.device = id.to_string();
                self.save_settings();
            }
            Command::SetAppearance(appearance) => {
                self.settings.appearance = appearance;
                self.ctx.set_theme(appearance);
                self.save_settings();
            }
            Command::SetZoom(zoom) => self.ctx.set_zoom_factor(zoom),
            Command::LimitCache(gib) => {
                self.settings.cache_gib = gib;
                self.save_settings();
            }
            Command::FindWeights => {
                let (dir, chosen) = (self.places.models.clone(), self.settings.weights.clone());
                self.start(Job::FindWeights { dir, chosen });
            }
            Command::UseWeights { key, path } => {
                self.settings.weights.insert(key.to_owned(), path);
                self.save_settings();
                self.obey(Command::VerifyWeights(key));
            }
            Command::VerifyWeights(key) => {
                let chosen = self.settings.weights.get(key);
                let path = chosen.or_else(|| Some(&self.state.weights.get(key)?.path)).cloned();
                if let (Some(path), Some(published)) = (path, models::Published::with_key(key)) {
                    let weights = Weights { path: path.clone(), checked: Computed::Underway };
                    self.state.apply(Event::Weights { key: key.to_owned(), weights });
                    self.start(Job::VerifyWeights { published, path });
                }
            }
            Command::ForgetWeights(key) => {
                self.settings.weights.remove(key);
                self.save_settings();
                self.state.apply(Event::WeightsGone(key.to_owned()));
            }
            Command::MeasureCache => {
                self.start(Job::MeasureCache(self.places.sample_cache()));
            }
            Command::ClearCache => {
                self.start(Job::ClearCache(self.places.sample_cache()));
            }
            Command::Reveal(path) => {
                self.start(Job::Reveal(path));
            }
            Command::Copy(text) => {
                self.ctx.copy_text(text);
                self.state.notify(Notice::new(Level::Info, "Copied"));
            }
            Command::Dismiss(id) => {
                if let Some(notice) = self.state.notices.iter_mut().find(|notice| notice.id == id) {
                    notice.closed = true;
                }
            }
        }
    }

    /// Begins to decide about an import.
    fn look_at(&mut self, import: Import) {
        self.next_look += 1;
        self.state.import = Some(ImportDraft::new(import.clone(), self.next_look));
        self.state.page = PageName::Library;
        self.start(Job::Look { look: self.next_look, import });
    }

    fn import(&mut self, import: Import) {
        self.state.import = None;
        let project = match self.state.project.clone() {
            Some(project) => Ok(project),
            None => {
                // A first import without a project makes one of the same name.
                let name = unused_name(&self.places.projects, &project::folder_name(&import.name));
                Project::create(&self.places.projects.join(name))
            }
        };
        match project {
            Ok(project) => {
                if self.state.project.is_none() {
                    let (datasets, runs) = (Vec::new(), Vec::new());
                    self.take(Message::Event(Event::Opened { project: project.clone(), datasets, runs }));
                }
                let mut name = project::folder_name(&import.name);
                if !import.replaces {
                    name = unused_name(&project.dir.join("datasets"), &name);
                }
                self.start(Job::Import { project, import: Import { name, ..import } });
                self.state.page = PageName::Library;
            }
            Err(error) => self.state.notify(Notice::error("The project could not be made", &error)),
        }
    }

    fn train(&mut self, training: &Training) {
        let Some(project) = &self.state.project else { return };
        let Some(dataset) = self.state.datasets.iter().find(|dataset| dataset.name == training.dataset) else {
            return;
        };
        let settings: Vec<(String, String)> =
            training.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let manifest = dataset.dir.join("manifest.json");
        let name = unused_name(&project.dir.join("runs"), &training.name);
        let dir = project.run_dir(&name);
        match training::Job::new(&name, &manifest, training.model, &training.preset, &settings) {
            Ok(mut job) => {
                (job.seed, job.device) = (training.seed, training.device);
                let cache = self.cache();
                self.start(Job::Train { job: Box::new(job), dir, resume: false, cache });
            }
            Err(error) => {
                self.state.notify(Notice::error("The training cannot start", &error.into()));
            }
        }
    }

    fn import_model(&mut self, import: ImportModel) {
        let Some(project) = &self.state.project else { return };
        let ImportModel { name, path, model, preset, settings, labels, dataset } = import;
        let dataset = self.state.datasets.iter().find(|own| Some(&own.name) == dataset.as_ref());
        let manifest = dataset.map_or_else(PathBuf::new, |dataset| dataset.dir.join("manifest.json"));
        let name = unused_name(&project.dir.join("runs"), &name);
        let dir = project.run_dir(&name);
        match training::Job::new(&name, &manifest, model, &preset, &settings) {
            Ok(mut job) => {
                job.device = self.device();
                let cache = self.cache();
                self.start(Job::ImportModel { job: Box::new(job), labels, path, dir, cache });
                self.state.release = None;
            }
            Err(error) => self.state.notify(Notice::error("The model cannot be imported", &error.into())),
        }
    }

    fn resume(&mut self, name: &str) {
        if self.state.training.is_some() {
            self.state.notify(Notice::new(Level::Info, "A model is being trained already"));
            return;
        }
        let Some(run) = self.state.run_named(name) else { return };
        let Some(job) = run.record.job.clone() else {
            self.state.notify(Notice::new(Level::Error, format!("“{name}” has not begun to train, start it anew")));
            return;
        };
        let (dir, cache) = (run.dir.clone(), self.cache());
        self.start(Job::Train { job: Box::new(job), dir, resume: true, cache });
        self.state.page = PageName::Train;
    }

    fn order_training(&mut self, order: Order) {
        let Some((_, id)) = self.state.training else { return };
        if let Some(control) = self.controls.get(&id) {
            control.order(order);
        }
        if matches!(order, Order::StopAndKeep | Order::Abort) {
            self.state.apply(Event::JobCancelled { id });
        }
    }

    fn start_live(&mut self, source: LiveSource) {
        self.close_live();
        let Some(run) = self.state.live_run() else {
            self.state.notify(Notice::new(Level::Info, "Train a model first, then it can be used live"));
            return;
        };
        let (name, dir) = (run.name.clone(), run.dir.clone());
        self.state.apply(Event::LiveStarting { source: source.clone(), run: name });
        let source = match source {
            LiveSource::File { path, .. } => live::Source::File(path),
            LiveSource::Devices { camera, microphone } => live::Source::Devices { camera, microphone },
        };
        let (text, smoothing) = (self.state.live.text.clone(), self.state.live.smoothing);
        let device = self.device();
        let models = self.places.models.clone();
        self.live_id = self.start(Job::StartLive { dir, device, source, text, smoothing, models });
    }

    pub(super) fn record(&mut self, on: bool) {
        if on {
            let Some(project) = &self.state.project else { return };
            let path = jobs::export_path(project, &format!("{}-live", self.state.live.run), "csv");
            self.recording = Some(Recording::new(path.clone()));
            self.state.apply(Event::Recording(Some(path)));
        } else if let Some(recording) = self.recording.take() {
            self.state.apply(Event::Recording(None));
            self.start(Job::EndRecording(recording));
        }
    }
}
