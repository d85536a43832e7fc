//! Keys that work everywhere, and what is dropped on the window.

use std::path::{Path, PathBuf};

use egui::{Key, Modifiers};

use super::App;
use crate::command::{Command, LiveSource};
use crate::jobs::WEIGHT_FILES;
use crate::state::{Level, Notice, PageName};

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

impl App {
    pub(super) fn keys(&mut self, ctx: &egui::Context) {
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

    pub(super) fn dropped(&mut self, ctx: &egui::Context) {
        let dropped: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        let Some(path) = dropped.into_iter().next() else { return };
        if path.is_dir() && path.join("limbic.toml").exists() {
            self.obey(Command::OpenProject(path));
        } else if path.is_dir() || datasets::is_list(&path) {
            self.obey(Command::ShowImport(path));
        } else if is_weights(&path) {
            self.obey(Command::ShowRelease(path));
        } else if self.state.runs.iter().any(crate::run::Run::has_model) {
            self.obey(Command::GoTo(PageName::Live));
            self.obey(Command::StartLive(LiveSource::File { path, text: None }));
        } else {
            self.state.notify(Notice::new(Level::Info, "Drop a folder of clips, or its labels.csv, to import them"));
        }
    }
}

fn is_weights(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    WEIGHT_FILES.iter().any(|own| own.eq_ignore_ascii_case(ending))
}
