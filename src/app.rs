//! The window: workers, state and pages put together.
//!
//! `logic` takes in what the workers tell, for a few milliseconds at most; `ui` draws the state and collects commands,
//! which are obeyed afterwards. Nothing here reads a file, decodes or computes: that is what `jobs` is for.

mod chrome;
mod forms;
mod toasts;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use crossbeam_channel::Receiver;
use egui::{Key, Modifiers, ViewportCommand};
use training::{Control, Order};

use crate::command::{Command, Import, LiveSource, Training};
use crate::figure::Draft;
use crate::finder::Finder;
use crate::jobs::{self, Desk, Errand, Job, Lane, Message, Recording};
use crate::pages::{self, Page, Shell};
use crate::project::{self, CacheRoom, Places, Project, Settings, unused_name};
use crate::state::{Computed, DialogFor, Event, ImportDraft, JobId, Level, Notice, PageName, State, Weights};
use crate::textures::Textures;
use crate::theme;
use crate::worker::{Outbox, Wake, Worker, outbox};

pub use chrome::{progress_words, share};
use forms::Form;
use toasts::Toasts;

/// Longest time in which messages of workers are taken in before the window is drawn again.
const DRAIN: Duration = Duration::from_millis(5);
/// Messages that may wait for the window.
const INBOX: usize = 256;
/// Errands that may wait for a worker.
const QUEUE: usize = 128;

/// All shortcuts: the keys and what they do.
pub const SHORTCUTS: &[(&str, &str)] = &[
    ("Ctrl K or ⌘ K", "Search or run anything"),
    ("1 to 8", "Go to a page"),
    ("Ctrl Z or ⌘ Z", "Take the last decision about an import back"),
    ("Tab, Shift Tab", "Next, previous control"),
    ("Space or Enter", "Press the control"),
    ("F", "Present the live view on the whole screen"),
    ("Esc", "Close what is open, leave the presentation"),
    ("Ctrl + and Ctrl −", "Everything larger, smaller"),
    ("F1", "This list"),
];

/// How the window is opened.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The project to open; the last one where there is none given.
    pub project: Option<PathBuf>,
}

/// Opens the window and returns when it is closed.
pub fn run(options: Options) -> anyhow::Result<()> {
    let places = Places::of_user()?;
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../assets/icon/limbic-256.png"))
        .context("the icon of the window is damaged")?;
    let viewport = egui::ViewportBuilder::default()
        .with_title("Limbic")
        .with_app_id("limbic")
        .with_icon(icon)
        .with_inner_size(theme::WINDOW)
        .with_min_inner_size(theme::MIN_WINDOW)
        .with_drag_and_drop(true);
    let native = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    let create = move |cc: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, Box<dyn std::error::Error + Send + Sync>> {
        let mut app = App::new(&cc.egui_ctx, places)?;
        app.begin(options);
        Ok(Box::new(app))
    };
    eframe::run_native("Limbic", native, Box::new(create))
        .map_err(|error| anyhow!("the window cannot be opened: {error}; is there a display, and a driver for it?"))
}

/// The window.
pub struct App {
    // First, so that a worker that is telling something does not wait for a window that is gone.
    inbox: Receiver<Message>,
    /// All that is shown.
    pub state: State,
    settings: Settings,
    places: Places,
    pages: [Box<dyn Page>; 8],
    textures: Textures,
    finder: Finder,
    form: Option<Form>,
    toasts: Toasts,
    shortcuts_open: bool,
    session: Option<Box<live::Session>>,
    /// The live session that is wanted; another one that arrives late is ended at once.
    live_id: JobId,
    recording: Option<Recording>,
    frame: Option<Arc<live::LiveFrame>>,
    controls: HashMap<JobId, Control>,
    next_job: JobId,
    /// Number of the newest look at an import.
    next_look: u64,
    go_to_library: bool,
    zoom: f32,
    workers: HashMap<Lane, Worker<Errand>>,
    closing: Arc<AtomicBool>,
    ctx: egui::Context,
}

impl App {
    /// Starts the workers; nothing is opened yet.
    pub fn new(ctx: &egui::Context, places: Places) -> anyhow::Result<Self> {
        theme::install(ctx);
        let wake: Wake = {
            let ctx = ctx.clone();
            Arc::new(move || ctx.request_repaint())
        };
        let (out, inbox) = outbox(INBOX, Arc::clone(&wake));
        let closing = Arc::new(AtomicBool::new(false));
        let mut workers = HashMap::new();
        for lane in Lane::ALL {
            workers.insert(lane, spawn(lane, &out, &wake, &closing).context("a thread cannot be started")?);
        }
        let mut state = State::default();
        let settings = Settings::load(&places).unwrap_or_else(|error| {
            state.notify(Notice::error("Settings", &error));
            Settings::default()
        });
        ctx.set_theme(settings.appearance);
        ctx.set_zoom_factor(settings.zoom);
        Ok(Self {
            inbox,
            state,
            zoom: settings.zoom,
            settings,
            places,
            pages: pages::pages(),
            textures: Textures::default(),
            finder: Finder::default(),
            form: None,
            toasts: Toasts::default(),
            shortcuts_open: false,
            session: None,
            live_id: 0,
            recording: None,
            frame: None,
            controls: HashMap::new(),
            next_job: 0,
            next_look: 0,
            go_to_library: false,
            workers,
            closing,
            ctx: ctx.clone(),
        })
    }

    /// Opens the project and looks for devices.
    pub fn begin(&mut self, options: Options) {
        let project = options
            .project
            .or_else(|| self.settings.recent.iter().find(|dir| dir.join("limbic.toml").exists()).cloned());
        if let Some(dir) = project {
            self.start(Job::OpenProject(dir));
        }
        self.obey(Command::ProbeDevices);
        self.obey(Command::FindWeights);
    }

    fn start(&mut self, job: Job) -> JobId {
        self.next_job += 1;
        let id = self.next_job;
        let (lane, title, failure) = (job.lane(), job.title(), job.failure());
        let control = Control::default();
        if let Some(title) = title {
            self.controls.insert(id, control.clone());
            self.state.apply(Event::JobStarted { id, title });
        }
        let refused = self.workers.get(&lane).is_none_or(|worker| worker.send(Errand { id, job, control }).is_err());
        if refused {
            self.state.apply(Event::JobEnded { id });
            self.state
                .notify(Notice::new(Level::Error, format!("{failure}: too much is waiting already, try again later")));
        }
        id
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Thumbnail(path, preview) => self.textures.thumbnail_arrived(&self.ctx, path, preview),
            Message::Session(id, session) => {
                if id == self.live_id {
                    session.switch(self.state.live.on);
                    session.set_text(&self.state.live.text);
                    session.set_smoothing(self.state.live.smoothing);
                    self.session = Some(session);
                } else {
                    self.start(Job::EndLive(session));
                }
            }
            Message::Event(event) => {
                match &event {
                    Event::Opened { project, .. } => {
                        self.settings.remember(&project.dir);
                        self.save_settings();
                        self.ctx.send_viewport_cmd(ViewportCommand::Title(format!("{} – Limbic", project.name)));
                        if std::mem::take(&mut self.go_to_library) && self.state.page == PageName::Home {
                            self.state.page = PageName::Library;
                        }
                    }
                    Event::JobEnded { id } => {
                        self.controls.remove(id);
                    }
                    Event::Chosen { what, path } => self.chosen(*what, path.clone()),
                    _ => {}
                }
                self.state.apply(event);
            }
        }
    }

    /// Goes on after a path was chosen in a dialog.
    fn chosen(&mut self, what: DialogFor, path: PathBuf) {
        match what {
            DialogFor::ImportFolder => self.obey(Command::ShowImport(path)),
            DialogFor::ProjectFolder => {
                self.form = None;
                self.obey(Command::OpenProject(path));
            }
            DialogFor::LiveClip => {
                self.form = None;
                self.obey(Command::StartLive(LiveSource::File { path, text: None }));
            }
            DialogFor::Weights(key) => {
                self.form = None;
                self.obey(Command::UseWeights { key, path });
            }
        }
    }

    fn take_live_events(&mut self, until: Instant) {
        let Some(session) = &self.session else { return };
        let mut events = Vec::new();
        while Instant::now() < until {
            let Ok(event) = session.events().try_recv() else { break };
            events.push(event);
        }
        for event in events {
            if let (live::Event::Prediction { .. }, Some(recording)) = (&event, &self.recording) {
                let (recording, event) = (recording.clone(), event.clone());
                self.start(Job::Record { recording, event });
            }
            match event {
                live::Event::Started { labels, modalities, trained_on, .. } => {
                    self.state.apply(Event::LiveStarted { labels, usable: modalities, trained_on });
                }
                live::Event::Prediction { at_secs, prediction, smoothed, latency_ms } => {
                    self.state.apply(Event::LivePrediction { at_secs, prediction, smoothed, latency_ms });
                }
                live::Event::Level { rms, .. } => self.state.apply(Event::LiveLevel(rms)),
                live::Event::Notice { what, .. } => self.state.apply(Event::LiveNotice(what)),
                live::Event::Ended { reason } => {
                    self.close_session();
                    self.state.apply(Event::LiveEnded(reason));
                }
            }
        }
    }

    /// Closes file and devices; what was seen last stays.
    fn close_session(&mut self) {
        self.live_id = 0;
        if self.recording.is_some() {
            self.record(false);
        }
        if self.state.live.presenting {
            self.obey(Command::Present(false));
        }
        if let Some(session) = self.session.take() {
            self.frame = session.frame().or(self.frame.take());
            self.start(Job::EndLive(session));
        }
    }

    fn close_live(&mut self) {
        self.close_session();
        self.frame = None;
        self.textures.live_ended();
        self.state.apply(Event::LiveClosed);
    }

    fn save_settings(&mut self) {
        let (settings, places) = (self.settings.clone(), self.places.clone());
        self.start(Job::SaveSettings { settings, places });
    }

    fn cache(&self) -> CacheRoom {
        CacheRoom {
            dir: self.places.sample_cache(),
            limit_bytes: self.settings.cache_limit_bytes(),
            models: self.places.models.clone(),
        }
    }

    fn device(&self) -> models::DeviceId {
        self.settings.device.parse().unwrap_or_default()
    }

    /// Does what a page asked for.
    pub fn obey(&mut self, command: Command) {
        match command {
            Command::GoTo(page) => {
                self.state.page = page;
                if page == PageName::Settings && self.state.cache_bytes.is_none() {
                    self.obey(Command::MeasureCache);
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
            Command::Import(import) => self.import(import),
            Command::Exchange { place, dir } => {
                self.start(Job::Exchange { place, dir });
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
        let Some(dataset) = self.state.datasets.iter().find(|dataset| dataset.name == training.dataset) else { return };
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

    fn record(&mut self, on: bool) {
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

    fn keys(&mut self, ctx: &egui::Context) {
        let typing = ctx.text_edit_focused();
        let mut commands = Vec::new();
        ctx.input_mut(|input| {
            if input.consume_key(Modifiers::COMMAND, Key::K) {
                self.finder.open();
            }
            if input.consume_key(Modifiers::NONE, Key::F1) {
                self.shortcuts_open = !self.shortcuts_open;
            }
            if self.state.live.presenting && input.consume_key(Modifiers::NONE, Key::Escape) {
                commands.push(Command::Present(false));
            }
            if typing || self.finder.is_open() || self.form.is_some() {
                return;
            }
            let numbers = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8];
            for (key, page) in numbers.into_iter().zip(PageName::ALL) {
                if input.consume_key(Modifiers::NONE, key) {
                    commands.push(Command::GoTo(page));
                }
            }
            if self.state.page == PageName::Library
                && self.state.import.is_some()
                && input.consume_key(Modifiers::COMMAND, Key::Z)
            {
                commands.push(Command::UndoImport);
            }
            if self.state.page == PageName::Live && input.consume_key(Modifiers::NONE, Key::F) {
                commands.push(Command::Present(!self.state.live.presenting));
            }
        });
        for command in commands {
            self.obey(command);
        }
    }

    fn dropped(&mut self, ctx: &egui::Context) {
        let dropped: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        let Some(path) = dropped.into_iter().next() else { return };
        if path.is_dir() && path.join("limbic.toml").exists() {
            self.obey(Command::OpenProject(path));
        } else if path.is_dir() || datasets::is_list(&path) {
            self.obey(Command::ShowImport(path));
        } else if self.state.runs.iter().any(crate::run::Run::has_model) {
            self.obey(Command::GoTo(PageName::Live));
            self.obey(Command::StartLive(LiveSource::File { path, text: None }));
        } else {
            self.state.notify(Notice::new(Level::Info, "Drop a folder of clips, or its labels.csv, to import them"));
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        let until = Instant::now() + DRAIN;
        while let Ok(message) = self.inbox.try_recv() {
            self.take(message);
            if Instant::now() > until {
                ctx.request_repaint();
                break;
            }
        }
        self.take_live_events(until);
        if ctx.zoom_factor() != self.zoom {
            self.zoom = ctx.zoom_factor();
            self.settings.zoom = self.zoom;
            self.save_settings();
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        self.keys(&ctx);
        self.dropped(&ctx);
        let mut shell = Shell {
            state: &self.state,
            settings: &self.settings,
            places: &self.places,
            textures: &mut self.textures,
            frame: self.session.as_ref().map_or_else(|| self.frame.clone(), |session| session.frame()),
            now_secs: project::now_secs(),
            commands: Vec::new(),
        };
        let page = PageName::ALL.iter().position(|page| *page == shell.state.page).unwrap_or(0);
        if !shell.state.live.presenting || shell.state.page != PageName::Live {
            if chrome::top_ui(ui, &mut shell) {
                self.finder.open();
            }
            chrome::status_ui(ui, &mut shell, &mut self.toasts);
            chrome::rail_ui(ui, &mut shell);
        }
        self.pages[page].ui(ui, &mut shell);
        self.toasts.ui(&ctx, &mut shell);
        chrome::drop_hint_ui(&ctx);
        if self.shortcuts_open {
            self.shortcuts_open = chrome::shortcuts_ui(&ctx);
        }
        if let Some(form) = &mut self.form
            && form.ui(&ctx, &mut shell)
        {
            self.form = None;
        }
        let device = shell.settings.device.parse().unwrap_or_default();
        let found = self.finder.ui(&ctx, shell.state, device);
        let mut commands = shell.commands;
        commands.extend(found);
        if !commands.is_empty() {
            // What they changed is not drawn yet.
            ctx.request_repaint();
        }
        for command in commands {
            self.obey(command);
        }
        let (workers, next_job) = (&self.workers, &mut self.next_job);
        self.textures.ask_for_wanted(|path| {
            *next_job += 1;
            let errand = Errand { id: *next_job, job: Job::Thumbnail(path), control: Control::default() };
            workers.get(&Lane::Thumbnails).is_some_and(|worker| worker.send(errand).is_ok())
        });
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        for control in self.controls.values() {
            jobs::cancel(control);
        }
        if let Some(dialogs) = self.workers.remove(&Lane::Dialogs) {
            dialogs.leave();
        }
    }
}

fn spawn(lane: Lane, out: &Outbox<Message>, wake: &Wake, closing: &Arc<AtomicBool>) -> std::io::Result<Worker<Errand>> {
    let underway: Arc<Mutex<(JobId, String)>> = Arc::default();
    let (doing, out_of_work, out_of_panic) = (Arc::clone(&underway), out.clone(), out.clone());
    let (wake, closing) = (Arc::clone(wake), Arc::clone(closing));
    let work = move |errand: Errand| {
        // What still waits when the window closes is dropped, except for what was to be saved.
        if closing.load(Ordering::Relaxed) && lane != Lane::Files {
            return;
        }
        let desk = Desk::new(&errand, &out_of_work, &wake);
        let (id, failure) = (errand.id, errand.job.failure());
        *doing.lock().unwrap_or_else(PoisonError::into_inner) = (id, failure.clone());
        if let Err(error) = errand.job.perform(&desk) {
            out_of_work.send(Message::Event(Event::Notice(Notice::error(&failure, &error))));
        }
        if lane != Lane::Thumbnails {
            out_of_work.send(Message::Event(Event::JobEnded { id }));
        }
    };
    let panicked = move |message: String| {
        let (id, failure) = underway.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let notice = Notice {
            details: Some(message),
            ..Notice::new(Level::Error, format!("{failure}, because of a mistake in Limbic"))
        };
        out_of_panic.send(Message::Event(Event::Notice(notice)));
        out_of_panic.send(Message::Event(Event::JobEnded { id }));
    };
    Worker::spawn(lane.name(), QUEUE, work, panicked)
}
