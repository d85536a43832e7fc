//! How events change the state.

use live::Notice as Heard;

use super::{
    Computed, Device, Event, Job, LIVE_HISTORY, Level, Live, LivePhase, LivePoint, NOTICE_HISTORY, Notice, PageName,
    State,
};
use crate::command::{Command, LiveSource};
use crate::run::{Run, Status};

impl State {
    /// Takes in one event.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Opened { project, datasets, runs } => {
                self.dataset = datasets.first().map(|dataset| dataset.name.clone());
                self.run = newest(&runs);
                self.project = Some(project);
                self.datasets = datasets;
                self.runs = runs;
                self.selected_runs.clear();
                self.analyses.clear();
            }
            Event::JobStarted { id, title } => {
                let note = String::new();
                self.jobs.push(Job { id, title, note, progress: None, remaining_secs: None, cancelled: false });
            }
            Event::JobProgress { id, note, progress, remaining_secs } => {
                if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
                    (job.note, job.progress, job.remaining_secs) = (note, progress, remaining_secs);
                }
            }
            Event::JobEnded { id } => {
                self.jobs.retain(|job| job.id != id);
                if self.training.as_ref().is_some_and(|(_, training)| *training == id) {
                    self.training = None;
                }
            }
            Event::JobCancelled { id } => {
                if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
                    (job.cancelled, job.remaining_secs) = (true, None);
                }
            }
            Event::Dataset(dataset) => {
                self.dataset = Some(dataset.name.clone());
                put(&mut self.datasets, dataset, |dataset| &dataset.name);
            }
            Event::Away { dataset, is_away } => {
                if let Some(own) = self.datasets.iter_mut().find(|own| own.name == dataset) {
                    own.is_away = is_away;
                }
            }
            Event::People(of, found) => {
                // What is found of a clip that was closed again is not shown.
                if matches!(found, Computed::Underway) || self.people.as_ref().is_some_and(|(own, _)| *own == of) {
                    self.people = Some((of, found));
                }
            }
            Event::Looked { look, found } => {
                if let Some(draft) = &mut self.import {
                    draft.looked(look, *found);
                }
            }
            Event::DatasetGone(name) => {
                self.datasets.retain(|dataset| dataset.name != name);
                if self.dataset.as_deref() == Some(&name) {
                    self.dataset = self.datasets.first().map(|dataset| dataset.name.clone());
                }
            }
            Event::TrainingStarted { run, id } => {
                self.training = Some((run.name.clone(), id));
                self.run = Some(run.name.clone());
                self.analyses.remove(&run.name);
                put(&mut self.runs, run, |run| &run.name);
            }
            Event::Training { run, event } => {
                if let Some(run) = self.runs.iter_mut().find(|own| own.name == run) {
                    run.record.apply(event);
                }
            }
            Event::TrainingEnded { run } => {
                self.training = None;
                self.notices.push(self.training_notice(&run));
                self.number_notices();
                // Another project may have been opened meanwhile.
                if self.project.as_ref().is_none_or(|project| run.dir.starts_with(&project.dir)) {
                    put(&mut self.runs, run, |run| &run.name);
                }
            }
            Event::Run(run) => {
                self.analyses.remove(&run.name);
                // One that was not there before is what the user waits for.
                if self.run.is_none() || self.run_named(&run.name).is_none() {
                    self.run = Some(run.name.clone());
                }
                put(&mut self.runs, run, |run| &run.name);
            }
            Event::RunGone(name) => {
                self.runs.retain(|run| run.name != name);
                self.selected_runs.retain(|run| *run != name);
                self.analyses.remove(&name);
                if self.run.as_deref() == Some(&name) {
                    self.run = newest(&self.runs);
                }
            }
            Event::Devices(devices) => {
                self.listing_devices = false;
                self.devices = devices.into_iter().map(|info| Device { info, probe: None }).collect();
            }
            Event::Probed { device_idx, outcome } => {
                if let Some(device) = self.devices.get_mut(device_idx) {
                    device.probe = Some(outcome);
                }
            }
            Event::CaptureDevices { cameras, microphones } => {
                (self.cameras, self.microphones) = (Some(cameras), Some(microphones));
            }
            Event::Weights { key, weights } => drop(self.weights.insert(key, weights)),
            Event::WeightsGone(key) => drop(self.weights.remove(&key)),
            Event::Release(path, report) => {
                // What is found in a file that was closed again is not shown.
                let is_wanted = self.release.as_ref().is_some_and(|(own, _)| *own == path);
                if is_wanted || matches!(report, Computed::Underway) {
                    self.release = Some((path, report));
                }
            }
            Event::Features { run, maps } => self.analyses.entry(run).or_default().features = Some(maps),
            Event::Prompts { run, maps } => self.analyses.entry(run).or_default().prompts = Some(maps),
            Event::LiveStarting { source, run } => {
                let text = match &source {
                    LiveSource::File { text: Some(text), .. } => text.clone(),
                    LiveSource::File { text: None, .. } | LiveSource::Devices { .. } => String::new(),
                };
                let Live { on, smoothing, presenting, .. } = self.live;
                self.live = Live {
                    phase: LivePhase::Starting,
                    source: Some(source),
                    run,
                    text,
                    on,
                    smoothing,
                    presenting,
                    ..Live::default()
                };
            }
            Event::LiveStarted { labels, usable, trained_on } => {
                self.live.phase = LivePhase::Running;
                (self.live.labels, self.live.usable, self.live.trained_on) = (Some(labels), usable, trained_on);
            }
            Event::LivePrediction { at_secs, prediction, smoothed, latency_ms } => {
                let live = &mut self.live;
                if live.history.len() == LIVE_HISTORY {
                    live.history.pop_front();
                }
                live.history.push_back(LivePoint { at_secs, probabilities: smoothed.clone() });
                live.notices.retain(|notice| *notice != Heard::NothingLeft);
                (live.last, live.smoothed, live.latency_ms) = (Some(prediction), smoothed, latency_ms);
            }
            Event::LiveLevel(level) => self.live.level = level,
            Event::LiveNotice(notice) => {
                let notices = &mut self.live.notices;
                match notice {
                    Heard::FaceBack => notices.retain(|own| *own != Heard::NoFace),
                    Heard::SoundBack | Heard::SpeechBack => notices.retain(|own| !is_hush(own)),
                    hush if is_hush(&hush) => {
                        notices.retain(|own| !is_hush(own));
                        notices.push(hush);
                    }
                    problem if !notices.contains(&problem) => notices.push(problem),
                    _ => {}
                }
            }
            Event::LiveFailed(reason) => {
                self.live.phase = LivePhase::Failed(reason);
                self.live.presenting = false;
            }
            Event::LiveEnded(reason) => {
                self.live.phase = LivePhase::Ended(reason);
                (self.live.level, self.live.presenting) = (0.0, false);
            }
            Event::LiveClosed => {
                let Live { on, smoothing, .. } = self.live;
                self.live = Live { on, smoothing, ..Live::default() };
            }
            Event::Recording(path) => self.live.recording = path,
            Event::CacheSize(bytes) => self.cache_bytes = Some(bytes),
            // What follows from a choice is a command; the window gives it.
            Event::Chosen { .. } => {}
            Event::Notice(notice) => self.notify(notice),
        }
    }

    /// Shows a notice.
    pub fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
        self.number_notices();
    }

    fn training_notice(&self, run: &Run) -> Notice {
        let record = &run.record;
        match record.status() {
            status @ (Status::Complete | Status::Kept) => {
                let score = record.report.as_ref().map_or_else(String::new, |report| {
                    format!(
                        ", {} of the {} clips right",
                        crate::wording::percent(report.scores.war),
                        report.split.name()
                    )
                });
                let stage = record.stage.and_then(|stage| record.stages.get(stage));
                let notice = match stage.filter(|_| status == Status::Kept) {
                    Some(plan) => {
                        let text = format!("“{}” was stopped in stage {}, {}", run.name, plan.number, plan.name);
                        Notice::new(Level::Info, format!("{text}; its best epoch is kept{score}"))
                    }
                    None => Notice::new(Level::Success, format!("“{}” is trained{score}", run.name)),
                };
                notice.with_action("Show", Command::GoTo(PageName::Insight))
            }
            Status::Interrupted => Notice::new(Level::Info, format!("“{}” was stopped and can be resumed", run.name))
                .with_action("Show", Command::GoTo(PageName::Runs)),
            Status::Failed => {
                let message = match &record.end {
                    Some(crate::run::End::Failed(message)) => message.clone(),
                    _ => String::new(),
                };
                Notice {
                    details: Some(message.clone()),
                    ..Notice::new(Level::Error, format!("“{}” could not be trained: {message}", run.name))
                }
            }
        }
    }

    fn number_notices(&mut self) {
        if let Some(last) = self.notices.last_mut() {
            self.next_notice += 1;
            last.id = self.next_notice;
        }
        if self.notices.len() > NOTICE_HISTORY {
            self.notices.remove(0);
        }
    }
}

/// Replaces the member of the same name, or inserts where the order by names wants it.
fn put<T>(members: &mut Vec<T>, member: T, name: impl Fn(&T) -> &String) {
    match members.binary_search_by(|own| name(own).cmp(name(&member))) {
        Ok(idx) => members[idx] = member,
        Err(idx) => members.insert(idx, member),
    }
}

/// Whether a notice says that there is no voice.
fn is_hush(notice: &Heard) -> bool {
    matches!(notice, Heard::Silence | Heard::NobodySpeaks)
}

/// The run to show first: the newest that has a model, else the newest.
fn newest(runs: &[Run]) -> Option<String> {
    runs.iter().max_by_key(|run| (run.has_model(), run.started_secs)).map(|run| run.name.clone())
}
