//! What workers and the live session tell, taken into the state.

use std::time::Instant;

use egui::ViewportCommand;

use super::App;
use crate::command::Command;
use crate::jobs::{Job, Message};
use crate::state::{Event, PageName};

impl App {
    pub(super) fn take(&mut self, message: Message) {
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
                    Event::Dataset(dataset) => self.textures.forget_under(&dataset.manifest.root),
                    Event::JobEnded { id } => {
                        self.controls.remove(id);
                    }
                    Event::Chosen { what, path } => {
                        self.form = None;
                        self.obey(Command::of_chosen(*what, path.clone()));
                    }
                    _ => {}
                }
                self.state.apply(event);
            }
        }
    }

    pub(super) fn take_live_events(&mut self, until: Instant) {
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
    pub(super) fn close_session(&mut self) {
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

    pub(super) fn close_live(&mut self) {
        self.close_session();
        self.frame = None;
        self.textures.live_ended();
        self.state.apply(Event::LiveClosed);
    }
}
