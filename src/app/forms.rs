//! Forms that ask for a path, beside the system's own dialog: not every system has one.

use std::path::{Path, PathBuf};

use egui::Ui;
use models::Published;

use crate::command::Command;
use crate::pages::Shell;
use crate::state::DialogFor;
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, button_if};
use crate::widgets::icon::Icon;
use crate::widgets::tile::remark;

/// A form about one path.
pub struct Form {
    what: DialogFor,
    path: String,
    /// Whether the path had the keyboard once.
    focused: bool,
    /// Whether the path was found, by the path that was looked for: the disk is not asked in every frame.
    found: (String, bool),
}

impl Form {
    /// An empty form.
    pub fn new(what: DialogFor) -> Self {
        let found = (String::new(), false);
        Self { what, path: String::new(), focused: false, found }
    }

    /// Draws the form; whether it is done.
    pub fn ui(&mut self, ctx: &egui::Context, shell: &mut Shell<'_>) -> bool {
        let modal = theme::modal(ctx, "form").show(ctx, |ui| {
            ui.set_width(500.0);
            let (title, verb) = match self.what {
                DialogFor::ImportFolder => ("Import clips", "Look at it"),
                DialogFor::MovedFolder => ("Where the clips are now", "Look at it"),
                DialogFor::ProjectFolder => ("Open a project", "Open"),
                DialogFor::LiveClip => ("Play a clip", "Play"),
                DialogFor::Weights(key) => (Published::with_key(key).map_or(key, |published| published.title), "Use"),
                DialogFor::TrainedModel => ("Import a trained model", "Look into it"),
            };
            ui.label(theme::title(title));
            ui.label(caption(match self.what {
                DialogFor::ImportFolder => "The folder of a corpus, a folder with one subfolder per emotion, or a list of clips with their labels. Files stay where they are.",
                DialogFor::MovedFolder => "The same folder or list at its new place. What is known about its clips stays.",
                DialogFor::ProjectFolder => "A project folder, or an empty folder to make one in.",
                DialogFor::LiveClip => "Any video or sound that FFmpeg reads.",
                DialogFor::Weights(_) => "The file as it was published, or the same weights as .safetensors. It stays where it is; nothing in it is run.",
                DialogFor::TrainedModel => "A checkpoint that the released code of UMBEnet or MMA-DFER saved, or the folder of the files of a VAVL. Nothing in it is run.",
            }));
            ui.add_space(theme::GAP);
            let entered = self.path_ui(ui, shell);
            ui.add_space(theme::GAP_LARGE);
            let path = PathBuf::from(self.path.trim());
            let blocked = if self.path.trim().is_empty() {
                Some("Choose a path first")
            } else if !self.is_there() && self.what != DialogFor::ProjectFolder {
                Some("There is nothing at this path")
            } else {
                None
            };
            ui.horizontal(|ui| {
                if button_if(ui, None, verb, Weight::Primary, blocked).clicked() || (entered && blocked.is_none()) {
                    shell.ask(Command::of_chosen(self.what, path));
                    return true;
                }
                button(ui, None, "Cancel", Weight::Plain).clicked()
            })
            .inner
        });
        modal.inner || modal.should_close()
    }

    /// The path; whether it was confirmed by Enter.
    fn path_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) -> bool {
        ui.label(caption("Path"));
        let mut entered = false;
        ui.horizontal(|ui| {
            let hint = "Path of the folder or file";
            let field = egui::TextEdit::singleline(&mut self.path).desired_width(368.0).hint_text(hint);
            let field = ui.add(field).accessible_name("Path");
            if !std::mem::replace(&mut self.focused, true) {
                field.request_focus();
            }
            entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if entered && !self.is_there() {
                // Enter leaves the field, but there is something to mend in it.
                field.request_focus();
            }
            if button(ui, Some(Icon::Folder), "Browse…", Weight::Plain).clicked() {
                shell.ask(Command::Choose(self.what));
            }
        });
        if !self.path.trim().is_empty() && !self.is_there() {
            remark(
                ui,
                Icon::Warning,
                palette(ui).warning,
                if self.what == DialogFor::ProjectFolder {
                    "This folder will be made."
                } else {
                    "There is nothing at this path."
                },
            );
        }
        entered
    }

    fn is_there(&mut self) -> bool {
        let path = self.path.trim();
        if self.found.0 != path {
            self.found = (path.to_owned(), Path::new(path).exists());
        }
        self.found.1
    }
}
