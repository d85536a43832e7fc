//! Forms that ask for a path, beside the system's own dialog: not every system has one.

use std::path::{Path, PathBuf};

use egui::Ui;
use emotion::FaceSource;
use models::Published;

use crate::command::{Command, Import, LiveSource};
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
    name: String,
    faces: FaceSource,
    seed: u64,
    /// Whether the path was found, by the path that was looked for: the disk is not asked in every frame.
    found: (String, bool),
}

impl Form {
    /// An empty form.
    pub fn new(what: DialogFor) -> Self {
        let found = (String::new(), false);
        Self { what, path: String::new(), name: String::new(), faces: FaceSource::Auto, seed: 0, found }
    }

    /// The import form with its folder filled in.
    pub fn import(path: &Path) -> Self {
        Self { path: path.display().to_string(), ..Self::new(DialogFor::ImportFolder) }
    }

    /// Draws the form; whether it is done.
    pub fn ui(&mut self, ctx: &egui::Context, shell: &mut Shell<'_>) -> bool {
        let modal = theme::modal(ctx, "form").show(ctx, |ui| {
            ui.set_width(500.0);
            let (title, verb) = match self.what {
                DialogFor::ImportFolder => ("Import clips", "Import"),
                DialogFor::ProjectFolder => ("Open a project", "Open"),
                DialogFor::LiveClip => ("Play a clip", "Play"),
                DialogFor::Weights(key) => (Published::with_key(key).map_or(key, |published| published.title), "Use"),
            };
            ui.label(theme::title(title));
            ui.label(caption(match self.what {
                DialogFor::ImportFolder => "A folder with one subfolder per emotion, or a labels.csv with the columns path, label, split, speaker, text. Files stay where they are.",
                DialogFor::ProjectFolder => "A project folder, or an empty folder to make one in.",
                DialogFor::LiveClip => "Any video or sound that FFmpeg reads.",
                DialogFor::Weights(_) => "The file as it was published, or the same weights as .safetensors. It stays where it is; nothing in it is run.",
            }));
            ui.add_space(theme::GAP);
            self.path_ui(ui, shell);
            if self.what == DialogFor::ImportFolder {
                self.import_ui(ui, shell);
            }
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
                if button_if(ui, None, verb, Weight::Primary, blocked).clicked() {
                    shell.ask(match self.what {
                        DialogFor::ImportFolder => Command::Import(Import {
                            name: self.dataset_name(&path),
                            root: path,
                            faces: self.faces,
                            seed: self.seed,
                        }),
                        DialogFor::ProjectFolder => Command::OpenProject(path),
                        DialogFor::LiveClip => Command::StartLive(LiveSource::File { path, text: None }),
                        DialogFor::Weights(key) => Command::UseWeights { key, path },
                    });
                    return true;
                }
                button(ui, None, "Cancel", Weight::Plain).clicked()
            })
            .inner
        });
        modal.inner || modal.should_close()
    }

    fn path_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        ui.label(caption("Path"));
        ui.horizontal(|ui| {
            ui.add(
                egui::TextEdit::singleline(&mut self.path).desired_width(368.0).hint_text("Path of the folder or file"),
            )
            .accessible_name("Path");
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
    }

    fn import_ui(&mut self, ui: &mut Ui, shell: &Shell<'_>) {
        ui.label(caption("Name of the dataset"));
        let hint = self.dataset_name(Path::new(self.path.trim()));
        ui.add(egui::TextEdit::singleline(&mut self.name).desired_width(368.0).hint_text(hint))
            .accessible_name("Name of the dataset");
        ui.label(caption("Faces"));
        let options = [
            (FaceSource::Auto, "Automatic: square frames up to 256 px are faces already"),
            (FaceSource::Detect, "Find the face in each frame"),
            (FaceSource::Cropped, "The whole frame is the face"),
            (FaceSource::Boxes, "Boxes from the labels file"),
        ];
        let shown = options.iter().find(|(faces, _)| *faces == self.faces).map_or("", |(_, words)| words);
        let combo = egui::ComboBox::from_id_salt("faces").selected_text(shown).width(368.0).show_ui(ui, |ui| {
            for (faces, words) in options {
                ui.selectable_value(&mut self.faces, faces, words);
            }
        });
        combo.response.accessible_name("Faces");
        ui.horizontal(|ui| {
            ui.label(caption("Seed of the splits, where the folder brings none"));
            ui.add(egui::DragValue::new(&mut self.seed)).accessible_name("Seed of the splits");
        });
        if shell.state.project.is_none() {
            let dir = shell.places.projects.display();
            ui.label(caption(format!("A project of the same name is made in {dir}.")));
        }
    }

    fn dataset_name(&self, path: &Path) -> String {
        let typed = self.name.trim();
        if !typed.is_empty() {
            return typed.to_owned();
        }
        let folder = if path.extension().is_some() { path.parent().unwrap_or(path) } else { path };
        folder.file_name().map_or_else(|| "clips".into(), |name| name.to_string_lossy().into_owned())
    }

    fn is_there(&mut self) -> bool {
        let path = self.path.trim();
        if self.found.0 != path {
            self.found = (path.to_owned(), Path::new(path).exists());
        }
        self.found.1
    }
}
