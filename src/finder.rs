//! The command palette: everything that can be done, found by typing a part of its name.

use egui::{Align2, Key, ScrollArea, Ui, vec2};

use models::{DeviceId, ModelKind};

use crate::command::{Command, Training};
use crate::state::{DialogFor, PageName, State};
use crate::theme::{self, Appearance, caption, palette};
use crate::widgets::button::{painted_text, row};
use crate::widgets::icon::Icon;

/// The command palette.
#[derive(Default)]
pub struct Finder {
    open: bool,
    typed: String,
    chosen: usize,
}

struct Entry {
    icon: Icon,
    name: String,
    keys: String,
    commands: Vec<Command>,
}

impl Finder {
    /// Opens it, empty.
    pub fn open(&mut self) {
        *self = Self { open: true, ..Self::default() };
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Draws it over everything else; what was chosen.
    pub fn ui(&mut self, ctx: &egui::Context, state: &State, device: DeviceId) -> Vec<Command> {
        if !self.open {
            return Vec::new();
        }
        let all = entries(state, device);
        let found: Vec<&Entry> = all.iter().filter(|entry| matches(&entry.name, &self.typed)).collect();
        let (up, down, enter) = ctx.input_mut(|input| {
            let mut pressed = |key| input.consume_key(egui::Modifiers::NONE, key);
            (pressed(Key::ArrowUp), pressed(Key::ArrowDown), pressed(Key::Enter))
        });
        if down {
            self.chosen += 1;
        }
        if up {
            self.chosen = self.chosen.saturating_sub(1);
        }
        self.chosen = self.chosen.min(found.len().saturating_sub(1));
        let mut commands = Vec::new();
        if enter && let Some(entry) = found.get(self.chosen) {
            commands.clone_from(&entry.commands);
        }
        let area = egui::Area::new(egui::Id::unique("finder area"))
            .kind(egui::UiKind::Modal)
            .sense(egui::Sense::hover())
            .anchor(Align2::CENTER_TOP, vec2(0.0, 72.0))
            .order(egui::Order::Foreground)
            .interactable(true);
        let modal = theme::modal(ctx, "finder").area(area).show(ctx, |ui| {
            ui.set_width(520.0);
            if let Some(clicked) = self.list_ui(ui, &found, up || down) {
                commands.clone_from(&found[clicked].commands);
            }
        });
        if modal.should_close() || !commands.is_empty() {
            self.open = false;
        }
        commands
    }

    fn list_ui(&mut self, ui: &mut Ui, found: &[&Entry], moved: bool) -> Option<usize> {
        let field = egui::TextEdit::singleline(&mut self.typed)
            .hint_text("Search or run…")
            .desired_width(f32::INFINITY)
            .font(egui::FontId::proportional(16.0));
        let response = ui.add(field).accessible_name("Search or run");
        if response.changed() {
            self.chosen = 0;
        }
        response.request_focus();
        ui.add_space(theme::GAP_SMALL);
        if found.is_empty() {
            ui.label(caption("Nothing is called like that."));
        }
        let mut clicked = None;
        ui.spacing_mut().item_spacing.y = 1.0;
        ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            for (idx, entry) in found.iter().enumerate() {
                let response = row(ui, idx == self.chosen, &entry.name, 34.0, |ui| {
                    entry.icon.show(ui, 16.0, palette(ui).weak);
                    let rect = ui.available_rect_before_wrap();
                    painted_text(ui, rect, Align2::LEFT_CENTER, &entry.name, theme::TEXT, palette(ui).text);
                    painted_text(ui, rect, Align2::RIGHT_CENTER, &entry.keys, theme::TEXT_SMALL, palette(ui).weak);
                });
                if moved && idx == self.chosen {
                    response.scroll_to_me(None);
                }
                if response.clicked() {
                    clicked = Some(idx);
                }
            }
        });
        clicked
    }
}

fn entries(state: &State, device: DeviceId) -> Vec<Entry> {
    let entry = |icon, name: String, commands| Entry { icon, name, keys: String::new(), commands };
    let mut entries: Vec<Entry> = PageName::ALL
        .into_iter()
        .enumerate()
        .map(|(idx, page)| Entry {
            icon: crate::pages::icon(page),
            name: format!("Go to {}", page.name()),
            keys: (idx + 1).to_string(),
            commands: vec![Command::GoTo(page)],
        })
        .collect();
    entries.push(entry(Icon::Plus, "Create the sample project".into(), vec![Command::CreateSample]));
    entries.push(entry(Icon::Folder, "Open a project…".into(), vec![Command::Choose(DialogFor::ProjectFolder)]));
    entries.push(entry(Icon::Import, "Import clips…".into(), vec![Command::Choose(DialogFor::ImportFolder)]));
    entries.push(entry(Icon::Models, "Import a trained model…".into(), vec![Command::Choose(DialogFor::TrainedModel)]));
    if state.training.is_none() {
        for dataset in &state.datasets {
            for model in ModelKind::ALL {
                let name = format!("Train {} on {}", model.title(), dataset.name);
                let training = Training::of_preset(state, &dataset.name, model, device);
                entries.push(entry(Icon::Train, name, vec![Command::GoTo(PageName::Train), Command::Train(training)]));
            }
        }
    }
    if state.training.is_some() {
        let paused = state.training_run().is_some_and(|run| run.record.paused);
        let (verb, command) =
            if paused { ("Continue training", Command::Continue) } else { ("Pause training", Command::Pause) };
        entries.push(entry(Icon::Pause, verb.into(), vec![command]));
        entries.push(entry(Icon::Stop, "Stop training and keep best".into(), vec![Command::StopAndKeep]));
    }
    for dataset in &state.datasets {
        let commands = vec![Command::SelectDataset(dataset.name.clone()), Command::GoTo(PageName::Library)];
        entries.push(entry(Icon::Library, format!("Show dataset {}", dataset.name), commands));
    }
    for run in &state.runs {
        let commands = vec![Command::SelectRun(run.name.clone()), Command::GoTo(PageName::Insight)];
        entries.push(entry(Icon::Insight, format!("Show run {}", run.name), commands));
    }
    if state.live.is_open() {
        entries.push(entry(Icon::Stop, "Stop live".into(), vec![Command::StopLive]));
    } else if state.runs.iter().any(crate::run::Run::has_model) {
        let commands = vec![Command::GoTo(PageName::Live), Command::Choose(DialogFor::LiveClip)];
        entries.push(entry(Icon::Play, "Play a clip…".into(), commands));
    }
    if let Some(project) = &state.project {
        entries.push(entry(Icon::Folder, "Show exports in folder".into(), vec![Command::Reveal(project.exports())]));
        entries.push(entry(Icon::Folder, "Show project in folder".into(), vec![Command::Reveal(project.dir.clone())]));
    }
    for appearance in Appearance::ALL {
        let name = format!("Use the {} theme", appearance.name().to_lowercase());
        entries.push(entry(Icon::Settings, name, vec![Command::SetAppearance(appearance)]));
    }
    entries.push(entry(Icon::Device, "Probe devices again".into(), vec![Command::ProbeDevices]));
    entries
}

/// Whether the letters of `typed` occur in `name` in order, whatever their case.
fn matches(name: &str, typed: &str) -> bool {
    let mut letters = name.chars().flat_map(char::to_lowercase);
    typed.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).all(|wanted| letters.any(|c| c == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_name_find_it() {
        for (typed, found) in
            [("", true), ("gtl", true), ("go lib", true), ("LIBRARY", true), ("yl", false), ("x", false)]
        {
            assert_eq!(matches("Go to Library", typed), found, "{typed}");
        }
    }

    #[test]
    fn what_makes_no_sense_now_is_not_offered() {
        let names: Vec<String> =
            entries(&State::default(), DeviceId::Cpu).into_iter().map(|entry| entry.name).collect();
        assert!(names.contains(&"Create the sample project".to_owned()));
        assert!(!names.iter().any(|name| name.contains("training") || name.contains("Stop live")));
    }
}
