//! The window: workers, state and pages put together.
//!
//! `logic` takes in what the workers tell, for a few milliseconds at most; `ui` draws the state and collects commands,
//! which are obeyed afterwards. Nothing here reads a file, decodes or computes: that is what `jobs` is for.

mod chrome;
mod forms;
mod hands;
mod obey;
mod toasts;
mod told;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use crossbeam_channel::Receiver;
use training::Control;

use crate::command::Command;
use crate::finder::Finder;
use crate::jobs::{self, Desk, Errand, Job, Lane, Message, Recording};
use crate::pages::{self, Page, Shell};
use crate::project::{self, CacheRoom, Places, Settings};
use crate::state::{Event, JobId, Level, Notice, PageName, State};
use crate::textures::Textures;
use crate::theme;
use crate::worker::{Outbox, Wake, Worker, outbox};

pub use chrome::{progress_words, share};
use forms::Form;
pub use hands::SHORTCUTS;
use toasts::Toasts;

/// Longest time in which messages of workers are taken in before the window is drawn again.
const DRAIN: Duration = Duration::from_millis(5);
/// Messages that may wait for the window.
const INBOX: usize = 256;
/// Errands that may wait for a worker.
const QUEUE: usize = 128;

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

    /// The folder of a dataset.
    fn dir_of(&self, dataset: &str) -> Option<PathBuf> {
        self.state.datasets.iter().find(|own| own.name == dataset).map(|own| own.dir.clone())
    }

    fn device(&self) -> models::DeviceId {
        self.settings.device.parse().unwrap_or_default()
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
