//! A running session: threads that watch and listen, and one that predicts.
//!
//! Capturing threads put what they prepared into a shared rolling window; the predicting thread looks at it when the
//! next prediction is due. Nothing queues up, so a slow model predicts less often and never later. A file that is not
//! played by the clock waits at each due time until the prediction is made, so its predictions are always the same.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use emotion::{FaceBox, Inputs, Modalities, Modality, Sample};
use media::{Camera, Chunk, ClipInfo, Image, MediaError, Microphone, Player, SpeechListener};
use models::Predict;

use crate::eye::{Eye, Sight};
use crate::smooth::Smoother;
use crate::window::Window;
use crate::{Event, LiveError, Notice, Settings, Source};

/// Events that wait for whoever watches; beyond that, sound levels are dropped and predictions wait.
const N_EVENTS: usize = 256;
/// Rate at which a model hears that has nothing to say about it; only levels need it then.
const DEFAULT_RATE_HZ: u32 = 16_000;
/// Seconds of sound per level event.
const LEVEL_SECS: f64 = 0.1;
/// Files give sound in pieces of any length; a prediction is to hear all up to its time and nothing later.
const PIECE_SECS: f64 = 0.02;
/// How often a microphone is asked for what it has.
const LISTEN_EVERY: Duration = Duration::from_millis(30);
/// Pictures that are late by more than this are not worked on: the next one is more up to date.
const LATE_SECS: f64 = 0.3;

/// The newest picture and the face in it.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFrame {
    /// When it was taken, in seconds since the start of the session or within the file.
    pub at_secs: f64,
    /// The picture, upright.
    pub image: Image,
    /// Where the face is, in pixels of the picture; `None` if there is none or the picture is a crop of one.
    pub face: Option<FaceBox>,
}

/// A session. Dropping it closes the devices and waits for its threads.
pub struct Session {
    shared: Arc<Shared>,
    events: Receiver<Event>,
    threads: Vec<JoinHandle<()>>,
}

impl Session {
    /// Opens the source and begins. `wake` is called from the session's threads whenever there is something new.
    ///
    /// A file that cannot be played is an error; a device that cannot be opened is a notice, as one that goes away is.
    pub fn start(
        model: Box<dyn Predict>,
        settings: Settings,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, LiveError> {
        settings.check()?;
        let inputs = model.inputs().clone();
        let rate_hz = inputs.voice.map_or(DEFAULT_RATE_HZ, |input| input.rate_hz());
        let n_sources = match &settings.source {
            Source::File(_) => 1,
            Source::Devices { camera, microphone } => usize::from(camera.is_some()) + usize::from(microphone.is_some()),
        };
        let (sender, events) = bounded(N_EVENTS);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                window: Window::new(inputs.clone(), settings.window_secs, rate_hz),
                on: Modalities::ALL,
                text: settings.text.clone(),
                smoothing: settings.smoothing,
                next_secs: settings.interval_secs,
                n_sources,
                reasons: Vec::new(),
                stopping: false,
            }),
            changed: Condvar::new(),
            frame: Latest::default(),
            events: sender,
            wake: Box::new(wake),
            begin: Instant::now(),
            inputs,
            rate_hz,
            settings,
        });
        // From here on, whatever fails: dropping the session ends the threads that run already.
        let mut session = Self { shared, events, threads: Vec::new() };
        session.begin(model)?;
        Ok(session)
    }

    /// Switches modalities on and off, from the next prediction on.
    pub fn switch(&self, on: Modalities) {
        self.shared.lock().on = on;
    }

    /// Changes what is said, from the next prediction on.
    pub fn set_text(&self, text: &str) {
        self.shared.lock().text = text.to_owned();
    }

    /// Changes the smoothing, 0 (off) to 1, from the next prediction on.
    pub fn set_smoothing(&self, strength: f32) {
        self.shared.lock().smoothing = strength;
    }

    /// What happened, in order. The last one is [`Event::Ended`].
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// The newest picture, if there was one yet.
    pub fn frame(&self) -> Option<Arc<LiveFrame>> {
        self.shared.frame.get()
    }

    /// Closes the devices and waits until they are closed.
    pub fn stop(self) {
        drop(self);
    }

    fn begin(&mut self, model: Box<dyn Predict>) -> Result<(), LiveError> {
        let text = Modalities::only(Modality::Text);
        match self.shared.settings.source.clone() {
            Source::File(path) => {
                let (opened, is_open) = bounded(1);
                let (go, may_go) = bounded(1);
                self.spawn("live-file", move |shared| {
                    // What FFmpeg opens stays on the thread that opened it.
                    let player = match Player::open(&path, shared.rate_hz) {
                        Ok(player) => player,
                        // Nobody listens only if the session is being dropped.
                        Err(error) => return opened.send(Err(error)).unwrap_or_default(),
                    };
                    let is_wanted = opened.send(Ok(player.info().clone())).is_ok() && may_go.recv().is_ok();
                    if is_wanted {
                        play(shared, player);
                    }
                })?;
                let gone = || LiveError::Thread(std::io::Error::other("the thread that opens files ended"));
                let info: ClipInfo = is_open.recv().map_err(|_| gone())??;
                let can_give =
                    text.with(Modality::Face, info.video.is_some()).with(Modality::Voice, info.audio.is_some());
                self.tell_start(model.as_ref(), can_give, Some(info.duration_secs).filter(|secs| *secs > 0.0));
                go.send(()).map_err(|_| gone())?;
            }
            Source::Devices { camera, microphone } => {
                let can_give = text.with(Modality::Face, camera.is_some()).with(Modality::Voice, microphone.is_some());
                self.tell_start(model.as_ref(), can_give, None);
                if let Some(id) = camera {
                    self.spawn("live-camera", move |shared| watch(shared, &id))?;
                }
                if let Some(id) = microphone {
                    self.spawn("live-microphone", move |shared| listen(shared, &id))?;
                }
            }
        }
        self.spawn("live-predict", move |shared| predict(shared, model.as_ref()))
    }

    fn tell_start(&self, model: &dyn Predict, can_give: Modalities, duration_secs: Option<f64>) {
        self.shared.tell(Event::Started {
            labels: model.labels().clone(),
            modalities: can_give.intersection(model.inputs().modalities()),
            trained_on: model.trained_on(),
            window_secs: self.shared.settings.window_secs,
            duration_secs,
        });
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(&Shared) + Send + 'static) -> Result<(), LiveError> {
        let shared = Arc::clone(&self.shared);
        let run = move || {
            let _guard = PanicGuard(&shared);
            work(&shared);
        };
        self.threads.push(Builder::new().name(name.to_owned()).spawn(run).map_err(LiveError::Thread)?);
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            // A panic was told as an event when it happened.
            let _ = thread.join();
        }
    }
}

/// What all threads of a session see.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    frame: Latest<LiveFrame>,
    events: Sender<Event>,
    wake: Box<dyn Fn() + Send + Sync>,
    begin: Instant,
    inputs: Inputs,
    rate_hz: u32,
    settings: Settings,
}

struct State {
    window: Window,
    on: Modalities,
    text: String,
    smoothing: f32,
    /// When the next prediction is due.
    next_secs: f64,
    /// Files and devices that still give something.
    n_sources: usize,
    /// Why those that do not have ended.
    reasons: Vec<String>,
    stopping: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked is told about; what it left behind is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    fn now_secs(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Tells an event, waiting while nobody takes any; a session that is being stopped has nothing more to say.
    fn tell(&self, mut event: Event) {
        loop {
            match self.events.send_timeout(event, Duration::from_millis(20)) {
                Ok(()) => break,
                Err(SendTimeoutError::Timeout(back)) if !self.lock().stopping => event = back,
                Err(_) => return,
            }
        }
        (self.wake)();
    }

    /// Changes the window at `at_secs` and tells what follows from it; `false` when the session is to end.
    fn put(&self, at_secs: f64, change: impl FnOnce(&mut Window) -> Option<Notice>) -> bool {
        let mut state = self.lock();
        let is_file = matches!(self.settings.source, Source::File(_));
        if is_file && !self.settings.real_time && at_secs >= state.next_secs {
            // What is due is predicted before anything later comes in.
            state.window.now_secs = state.window.now_secs.max(at_secs);
            self.changed.notify_all();
            let is_due = |state: &mut State| !state.stopping && at_secs >= state.next_secs;
            state = self.changed.wait_while(state, is_due).unwrap_or_else(PoisonError::into_inner);
        }
        let notice = change(&mut state.window);
        let goes_on = !state.stopping;
        drop(state);
        self.changed.notify_all();
        if let Some(what) = notice {
            self.tell(Event::Notice { at_secs, what });
        }
        goes_on
    }

    /// Waits until the clock says `secs`; `false` when the session is to end.
    fn wait_until(&self, secs: f64) -> bool {
        let mut state = self.lock();
        loop {
            let left_secs = secs - self.now_secs();
            if state.stopping || left_secs <= 0.0 {
                return !state.stopping;
            }
            let timeout = Duration::from_secs_f64(left_secs.min(1.0));
            state = self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A file or device gives nothing more.
    fn close(&self, reason: String, forget: impl FnOnce(&mut Window)) {
        let mut state = self.lock();
        forget(&mut state.window);
        state.n_sources = state.n_sources.saturating_sub(1);
        state.reasons.push(reason);
        drop(state);
        self.changed.notify_all();
    }
}

/// The newest value; whoever is slow sees fewer of them.
struct Latest<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Latest<T> {
    fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(value));
    }

    fn get(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Ends the session in words when a thread panics, instead of going quiet.
struct PanicGuard<'a>(&'a Shared);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("live").to_owned();
            self.0.tell(Event::Ended { reason: format!("an error in Limbic itself stopped the thread {name}") });
            self.0.stop();
        }
    }
}

/// Prepares pictures and sound as they come.
struct Senses<'a> {
    shared: &'a Shared,
    eye: Option<Eye>,
    level: Level,
    speech: Option<SpeechListener>,
}

impl<'a> Senses<'a> {
    fn new(shared: &'a Shared) -> Self {
        let eye = shared.inputs.face.map(|input| Eye::new(input, &shared.settings));
        let hears = shared.inputs.voice.is_some();
        let speech = shared.settings.detectors.speech.as_ref().filter(|_| hears);
        let speech = speech.map(|model| SpeechListener::new(Arc::clone(model), shared.rate_hz));
        Self { shared, eye, level: Level::default(), speech }
    }

    /// `false` when the session is to end.
    fn see(&mut self, at_secs: f64, image: Image) -> bool {
        let sight = self.eye.as_mut().map_or(Ok(Sight::Nothing), |eye| eye.look(&image, at_secs));
        let sight = sight.unwrap_or_else(|error| {
            // A detector that fails will fail on the next picture too.
            self.eye = None;
            self.shared.tell(Event::Notice { at_secs, what: Notice::CameraGone(error.to_string()) });
            Sight::NoFace
        });
        let face = if let Sight::Face { area, .. } = &sight { *area } else { None };
        let goes_on = self.shared.put(at_secs, |window| window.see(at_secs, sight));
        self.shared.frame.put(LiveFrame { at_secs, image, face });
        (self.shared.wake)();
        goes_on
    }

    /// `false` when the session is to end.
    fn hear(&mut self, end_secs: f64, samples: &[f32]) -> bool {
        let is_speech = self.speech.as_mut().map(|speech| speech.hear(samples)).transpose().unwrap_or_else(|error| {
            self.speech = None;
            self.shared.tell(Event::Notice { at_secs: end_secs, what: Notice::DetectorGone(error.to_string()) });
            None
        });
        let goes_on = self.shared.put(end_secs, |window| window.hear(end_secs, samples, is_speech));
        if let Some(rms) = self.level.add(samples, self.shared.rate_hz) {
            // A meter that is behind wants the next value, not this one.
            if self.shared.events.try_send(Event::Level { at_secs: end_secs, rms }).is_ok() {
                (self.shared.wake)();
            }
        }
        goes_on
    }
}

/// Loudness over short stretches.
#[derive(Default)]
struct Level {
    sum: f64,
    n_samples: usize,
}

impl Level {
    fn add(&mut self, samples: &[f32], rate_hz: u32) -> Option<f32> {
        self.sum += samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>();
        self.n_samples += samples.len();
        if (self.n_samples as f64) < LEVEL_SECS * f64::from(rate_hz) {
            return None;
        }
        let rms = (self.sum / self.n_samples as f64).sqrt() as f32;
        *self = Self::default();
        Some(rms)
    }
}

/// Plays a file into the window.
fn play(shared: &Shared, player: Player) {
    let mut senses = Senses::new(shared);
    let begin_secs = shared.now_secs();
    let wait = |secs: f64| !shared.settings.real_time || shared.wait_until(begin_secs + secs);
    let mut reason = "the clip is over".to_owned();
    for chunk in player {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                reason = error.to_string();
                break;
            }
        };
        let goes_on = match chunk {
            Chunk::Video { pts_secs, image } => {
                let late_secs = shared.now_secs() - begin_secs - pts_secs;
                let is_late = shared.settings.real_time && late_secs > LATE_SECS;
                wait(pts_secs) && (is_late || senses.see(pts_secs, image))
            }
            Chunk::Audio { pts_secs, samples } => {
                let rate_hz = f64::from(shared.rate_hz);
                let mut end_secs = pts_secs;
                samples.chunks((PIECE_SECS * rate_hz) as usize + 1).all(|piece| {
                    let goes_on = wait(end_secs);
                    end_secs += piece.len() as f64 / rate_hz;
                    goes_on && senses.hear(end_secs, piece)
                })
            }
        };
        if !goes_on {
            break;
        }
    }
    // What was seen and heard last is still to be predicted from.
    shared.close(reason, |_| {});
}

/// Watches a camera until it goes away or the session ends.
fn watch(shared: &Shared, id: &str) {
    let mut senses = Senses::new(shared);
    let mut run = || -> Result<(), MediaError> {
        let mut camera = Camera::open(id)?;
        loop {
            let image = camera.next_frame()?;
            if !senses.see(shared.now_secs(), image) {
                return Ok(());
            }
        }
    };
    if let Err(error) = run() {
        gone(shared, error, Notice::CameraGone, Window::close_eye);
    }
}

/// Listens to a microphone until it goes away or the session ends.
fn listen(shared: &Shared, id: &str) {
    let mut senses = Senses::new(shared);
    let mut run = || -> Result<(), MediaError> {
        let mut microphone = Microphone::open(Some(id).filter(|id| !id.is_empty()), shared.rate_hz)?;
        loop {
            if !shared.wait_until(shared.now_secs() + LISTEN_EVERY.as_secs_f64()) {
                return Ok(());
            }
            let samples = microphone.read()?;
            let now_secs = shared.now_secs();
            let goes_on = if samples.is_empty() {
                shared.put(now_secs, |window| window.hear_nothing(now_secs))
            } else {
                senses.hear(now_secs, &samples)
            };
            if !goes_on {
                return Ok(());
            }
        }
    };
    if let Err(error) = run() {
        gone(shared, error, Notice::MicrophoneGone, Window::close_ear);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the error ends here")]
fn gone(shared: &Shared, error: MediaError, notice: fn(String) -> Notice, forget: fn(&mut Window)) {
    let reason = error.to_string();
    shared.tell(Event::Notice { at_secs: shared.now_secs(), what: notice(reason.clone()) });
    shared.close(reason, forget);
}

/// What is to be predicted from.
struct Due {
    at_secs: f64,
    sample: Sample,
    on: Modalities,
    smoothing: f32,
}

/// Predicts whenever it is due, until the sources or the session end.
fn predict(shared: &Shared, model: &dyn Predict) {
    let mut smoother = Smoother::default();
    let mut last_secs = None;
    let mut was_left = true;
    let reason = loop {
        let (due, is_last) = match next_due(shared, last_secs) {
            Next::Due(due) => (due, false),
            Next::Last(due) => (due, true),
            Next::Ended(reason) => break reason,
            Next::Stopped => return,
        };
        let Due { at_secs, sample, on, smoothing } = due;
        let begin = Instant::now();
        if sample.present().intersection(on).is_empty() {
            if was_left {
                shared.tell(Event::Notice { at_secs, what: Notice::NothingLeft });
            }
            was_left = false;
        } else {
            was_left = true;
            let predicted = model.predict(&[&sample], on).map(|mut predictions| predictions.pop());
            let prediction = match predicted {
                Ok(Some(prediction)) => prediction,
                Ok(None) => break "the model said nothing".to_owned(),
                Err(error) => break error.to_string(),
            };
            let smoothed = smoother.add(&prediction.probabilities, smoothing);
            let latency_ms = begin.elapsed().as_secs_f64() * 1000.0;
            shared.tell(Event::Prediction { at_secs, prediction, smoothed, latency_ms });
        }
        last_secs = Some(at_secs);
        let mut state = shared.lock();
        let interval_secs = shared.settings.interval_secs;
        state.next_secs = ((at_secs / interval_secs + 1e-9).floor() + 1.0) * interval_secs;
        drop(state);
        shared.changed.notify_all();
        if is_last {
            let reasons = shared.lock().reasons.join("; ");
            break reasons;
        }
    };
    shared.tell(Event::Ended { reason });
    shared.stop();
}

enum Next {
    Due(Due),
    /// The sources have ended, and this is what is left.
    Last(Due),
    Ended(String),
    Stopped,
}

/// Waits for what comes next.
fn next_due(shared: &Shared, last_secs: Option<f64>) -> Next {
    let state = shared.lock();
    let nothing_yet =
        |state: &mut State| !state.stopping && state.n_sources > 0 && state.window.now_secs < state.next_secs;
    let state = shared.changed.wait_while(state, nothing_yet).unwrap_or_else(PoisonError::into_inner);
    let now_secs = state.window.now_secs;
    let due_at = |at_secs: f64| Due {
        at_secs,
        sample: state.window.sample(&state.text),
        on: state.on.intersection(shared.inputs.modalities()),
        smoothing: state.smoothing,
    };
    if state.stopping {
        return Next::Stopped;
    }
    if state.n_sources == 0 {
        // The window holds all that is left of a file; what was predicted from already is not predicted from again.
        let is_file = matches!(shared.settings.source, Source::File(_));
        let is_new = last_secs.is_none_or(|last_secs| now_secs > last_secs + 1e-6);
        let due = due_at(now_secs);
        let has_any = !due.sample.present().is_empty();
        return if is_file && is_new && has_any { Next::Last(due) } else { Next::Ended(state.reasons.join("; ")) };
    }
    // The latest due time: those that were missed while the model was busy are over.
    let interval_secs = shared.settings.interval_secs;
    Next::Due(due_at((now_secs / interval_secs + 1e-9).floor() * interval_secs))
}
