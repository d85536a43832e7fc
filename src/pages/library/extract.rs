//! Which features to make of a dataset's clips, what they need, and where they go.

use std::path::PathBuf;

use egui::{Align, Layout, ScrollArea, Ui, vec2};
use emotion::Modality;
use training::{Extraction, FeatureKind, Speed};

use crate::command::{Command, Extract};
use crate::pages::Shell;
use crate::state::{Dataset, PageName};
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, button_if};
use crate::wording::grouped;

const WIDTH: f32 = 600.0;
/// Width of the names of kinds.
const NAMES: f32 = 190.0;
/// Height of everything but the kinds.
const BESIDES_KINDS: f32 = 390.0;
/// Frames of a clip, as on the command line.
const N_FRAMES: usize = 16;

/// The form.
pub struct ExtractForm {
    /// Name of the dataset.
    pub dataset: String,
    chosen: Vec<FeatureKind>,
    n_frames: usize,
    /// Whether copies of voices at other speeds are made as well.
    copies: bool,
    to: String,
}

impl ExtractForm {
    /// A form for `dataset` in which nothing is chosen; features go into its folder.
    pub fn new(dataset: &Dataset) -> Self {
        Self {
            dataset: dataset.name.clone(),
            chosen: Vec::new(),
            n_frames: N_FRAMES,
            copies: false,
            to: dataset.dir.join("features").display().to_string(),
        }
    }

    /// Draws the form; whether it is done.
    pub fn ui(&mut self, ctx: &egui::Context, shell: &mut Shell<'_>, dataset: &Dataset) -> bool {
        let modal = theme::modal(ctx, "extract features").show(ctx, |ui| {
            ui.set_width(WIDTH);
            ui.label(theme::title(format!("Extract features of “{}”", dataset.name)));
            let text =
                "One .npy file a clip, which models here and other tools read. What is made already is not made again.";
            ui.add(egui::Label::new(caption(text)).wrap());
            ui.add_space(theme::GAP);
            let mut opens_models = false;
            // What is below the kinds stays in sight in the smallest window.
            let kinds = ScrollArea::vertical().max_height(ctx.content_rect().height() - BESIDES_KINDS);
            kinds.auto_shrink([false, true]).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                for kind in FeatureKind::all() {
                    opens_models |= self.kind_ui(ui, shell, dataset, &kind);
                }
            });
            ui.add_space(theme::GAP);
            self.settings_ui(ui);
            ui.add_space(theme::GAP_LARGE);
            opens_models || self.actions_ui(ui, shell)
        });
        modal.inner || modal.should_close()
    }

    /// A kind with what it needs; whether the way to its weights was taken.
    fn kind_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset, kind: &FeatureKind) -> bool {
        let mut opens_models = false;
        let is_ready = !kind.needs_weights() || weights_of(shell, kind).is_some();
        let name = kind.to_string();
        ui.allocate_ui_with_layout(vec2(WIDTH, theme::CONTROL), Layout::left_to_right(Align::Center), |ui| {
            ui.set_width(WIDTH);
            ui.allocate_ui_with_layout(vec2(NAMES, theme::CONTROL), Layout::left_to_right(Align::Center), |ui| {
                ui.set_width(NAMES);
                let mut is_chosen = self.chosen.contains(kind);
                if ui.add_enabled(is_ready, egui::Checkbox::new(&mut is_chosen, &name)).changed() {
                    self.chosen.retain(|own| own != kind);
                    self.chosen.extend(is_chosen.then(|| kind.clone()));
                }
            });
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let colors = palette(ui);
                let made = dataset.facts.n_with_features(&dataset.manifest, &name);
                if !is_ready {
                    let open =
                        button(ui, None, "Weights…", Weight::Quiet).on_hover_text("Its weights are not here yet");
                    opens_models = open.accessible_name(format!("Choose the weights of {name}")).clicked();
                } else if made > 0 {
                    let text = format!("{} of {}", grouped(made), grouped(dataset.manifest.clips.len()));
                    ui.label(egui::RichText::new(text).size(theme::TEXT_SMALL).color(colors.good));
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let text = format!("{}: {}", needed(kind.modality()), kind.describe());
                    ui.add(egui::Label::new(caption(text)).truncate());
                });
            });
        });
        if opens_models {
            shell.ask(Command::GoTo(PageName::Models));
        }
        opens_models
    }

    fn settings_ui(&mut self, ui: &mut Ui) {
        ui.label(caption("Folder for the files"));
        let field = egui::TextEdit::singleline(&mut self.to).desired_width(f32::INFINITY);
        ui.add(field).accessible_name("Folder for the files");
        // What concerns nothing that is chosen stays where it is, so that nothing moves under the pointer.
        let chosen = |modality| self.chosen.iter().any(|kind| kind.modality() == modality);
        let (faces, voices) = (chosen(Modality::Face), chosen(Modality::Voice));
        ui.add_enabled_ui(faces, |ui| {
            ui.horizontal(|ui| {
                ui.label(caption("Frames of a clip, of faces"));
                ui.add(egui::DragValue::new(&mut self.n_frames).range(1..=256)).accessible_name("Frames of a clip");
            });
        });
        let speeds = Speed::OF_COPIES.map(|speed| speed.to_string()).join(", ");
        let copies = egui::Checkbox::new(&mut self.copies, format!("Voices at other speeds as well: {speeds}"));
        ui.add_enabled(voices, copies)
            .on_hover_text(
                "Copies for training, which reads them in place of the voice as it is as often as its setting “copies” says",
            )
            .on_disabled_hover_text("Choose features of voices first");
    }

    /// Begin or leave; whether the form is done.
    fn actions_ui(&self, ui: &mut Ui, shell: &mut Shell<'_>) -> bool {
        let blocked = if self.chosen.is_empty() {
            Some("Choose which features first")
        } else {
            self.to.trim().is_empty().then_some("Name a folder first")
        };
        ui.horizontal(|ui| {
            if button_if(ui, None, "Extract", Weight::Primary, blocked).clicked() {
                for kind in &self.chosen {
                    let with_copies = self.copies && kind.modality() == Modality::Voice;
                    let speeds = if with_copies { Speed::OF_COPIES.to_vec() } else { Vec::new() };
                    let (kind, weights) = (kind.clone(), weights_of(shell, kind));
                    shell.ask(Command::Extract(Extract {
                        dataset: self.dataset.clone(),
                        extraction: Extraction { kind, weights, n_frames: self.n_frames, speed: None },
                        speeds,
                        to: PathBuf::from(self.to.trim()),
                    }));
                }
                return true;
            }
            button(ui, None, "Cancel", Weight::Plain).clicked()
        })
        .inner
    }
}

/// What of a clip is needed, at the beginning of a line.
fn needed(modality: Modality) -> String {
    crate::wording::capital(modality.name())
}

/// The file of a kind's weights, where it is here and fits.
fn weights_of(shell: &Shell<'_>, kind: &FeatureKind) -> Option<PathBuf> {
    let FeatureKind::Network(key) = kind else { return None };
    shell.state.weights.get(key).filter(|weights| weights.fits(key)).map(|weights| weights.path.clone())
}
