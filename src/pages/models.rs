//! Models: the published weights that presets start from, which of them are here, and whether they fit.

mod import;

use ::models::identify::Report;
use ::models::{ModelKind, PUBLISHED, Published};
use egui::{Align, Layout, Panel, ScrollArea, Ui, vec2};

use self::import::ImportForm;
use super::{Page, Shell};
use crate::command::Command;
use crate::state::{Checked, Computed, DialogFor, State, Weights};
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, button_if};
use crate::widgets::icon::Icon;
use crate::widgets::tile::{header, remark};
use crate::wording::{capital, count, grouped, problems};

/// Names of tensors that are listed before it says how many more there are.
const LISTED: usize = 6;

/// Height of a line of small text.
const LINE: f32 = 18.0;

/// Models.
#[derive(Default)]
pub struct Models {
    import: Option<ImportForm>,
}

impl Page for Models {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let side = theme::panel(ui);
        let width = if ui.available_width() > 1000.0 { 300.0 } else { 252.0 };
        Panel::right("what presets need").frame(side).exact_size(width).resizable(false).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| presets_ui(ui, shell.state));
        });
        let frame = theme::page(ui);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            header(ui, "Models", |ui| {
                if button(ui, Some(Icon::Refresh), "Look again", Weight::Plain).clicked() {
                    shell.ask(Command::FindWeights);
                }
                if button(ui, Some(Icon::Folder), "Show folder", Weight::Quiet)
                    .on_hover_text("Files in this folder are found without being chosen")
                    .clicked()
                {
                    shell.ask(Command::Reveal(shell.places.models.clone()));
                }
                if button(ui, Some(Icon::Import), "Import a trained model…", Weight::Quiet)
                    .on_hover_text("A checkpoint of the released code of UMBEnet, MMA-DFER or VAVL becomes a run")
                    .clicked()
                {
                    shell.ask(Command::Choose(DialogFor::TrainedModel));
                }
            });
            ui.add(
                egui::Label::new(caption(
                    "Presets named after papers start from published weights. Limbic fetches nothing: get a file where it is \
                     published, then choose it here. It stays where it is, and nothing in it is run.",
                ))
                .wrap(),
            );
            ui.add_space(theme::GAP);
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                for published in PUBLISHED {
                    card_ui(ui, shell, published);
                }
            });
        });
        self.import_ui(ui.ctx(), shell);
    }
}

impl Models {
    fn import_ui(&mut self, ctx: &egui::Context, shell: &mut Shell<'_>) {
        let Some((path, report)) = &shell.state.release else {
            self.import = None;
            return;
        };
        let form = match self.import.take() {
            Some(form) if form.path == *path => form,
            _ => ImportForm::new(path.clone()),
        };
        if self.import.insert(form).ui(ctx, shell, report) {
            shell.ask(Command::DropRelease);
        }
    }
}

/// Which files each preset needs, and which of them are here.
fn presets_ui(ui: &mut Ui, state: &State) {
    ui.label(theme::group_title("What presets start from"));
    for model in ModelKind::ALL {
        ui.add_space(theme::GAP);
        ui.label(theme::semibold(model.title()));
        for preset in model.presets() {
            let needs: Vec<(&Published, bool)> =
                Published::of_preset(model, preset).map(|(published, _)| (published, fits(state, published))).collect();
            let is_ready = needs.iter().all(|(_, here)| *here);
            line(ui, |ui| {
                ui.label(preset);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let colors = palette(ui);
                    let (words, color) = match needs.len() {
                        0 => ("needs no file", colors.weak),
                        _ if is_ready => ("ready", colors.good),
                        _ => ("incomplete", colors.warning),
                    };
                    ui.label(egui::RichText::new(words).size(theme::TEXT_SMALL).color(color));
                });
            });
            let mut said = Vec::new();
            for (published, here) in needs {
                if said.contains(&published.key) {
                    continue;
                }
                said.push(published.key);
                let (icon, color) =
                    if here { (Icon::Check, palette(ui).good) } else { (Icon::Close, palette(ui).weak) };
                line(ui, |ui| {
                    ui.add_space(theme::GAP);
                    icon.show(ui, 12.0, color);
                    ui.label(caption(published.title));
                });
            }
        }
    }
}

fn fits(state: &State, published: &Published) -> bool {
    state.weights.get(published.key).is_some_and(|weights| weights.fits(published.key))
}

fn card_ui(ui: &mut Ui, shell: &mut Shell<'_>, published: &'static Published) {
    let Published { key, title, what, file, source, size, licence, sha256, .. } = *published;
    let weights = shell.state.weights.get(key);
    theme::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.label(theme::semibold(title).size(16.0));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| status_ui(ui, key, weights));
        });
        ui.label(caption(format!("{}, for {}", capital(what), presets(published))));
        ui.add_space(theme::GAP_SMALL);
        fact(ui, "File", &format!("{file}, {size}, licence {licence}"));
        fact(ui, "From", source);
        if let Some(sha256) = sha256 {
            fact(ui, "SHA-256", sha256);
        }
        if let Some(weights) = weights {
            fact(ui, "Here", &weights.path.display().to_string());
            findings_ui(ui, published, weights);
        }
        ui.add_space(theme::GAP_SMALL);
        ui.horizontal(|ui| {
            let choose = button(ui, Some(Icon::Folder), "Choose file…", Weight::Plain);
            if named(choose, "Choose file…", title).clicked() {
                shell.ask(Command::Choose(DialogFor::Weights(key)));
            }
            let busy = match weights {
                Some(Weights { checked: Computed::Underway, .. }) => Some("It is being verified"),
                Some(_) => None,
                None => Some("There is no file to verify yet"),
            };
            let verify = button_if(ui, Some(Icon::Check), "Verify", Weight::Plain, busy);
            if named(verify, "Verify", title).clicked() {
                shell.ask(Command::VerifyWeights(key));
            }
            if named(button(ui, Some(Icon::Copy), "Copy address", Weight::Quiet), "Copy address", title).clicked() {
                shell.ask(Command::Copy(source.to_owned()));
            }
            if shell.settings.weights.contains_key(key) {
                let forget = button(ui, Some(Icon::Close), "Forget", Weight::Quiet);
                if named(forget, "Forget", title).on_hover_text("The file stays where it is").clicked() {
                    shell.ask(Command::ForgetWeights(key));
                }
            }
        });
    });
    ui.add_space(theme::GAP);
}

/// The same button on every card says of what it is, to those who do not see the card.
fn named(response: egui::Response, verb: &str, title: &str) -> egui::Response {
    response.accessible_name(format!("{verb} {title}"))
}

/// `UMBEnet paper, official-compat`.
fn presets(published: &Published) -> String {
    let mut words: Vec<String> = Vec::new();
    for model in ModelKind::ALL {
        let uses = |preset: &&str| published.uses.iter().any(|own| own.model == model && own.preset == *preset);
        let own: Vec<&str> = model.presets().filter(uses).collect();
        if !own.is_empty() {
            words.push(format!("{} {}", model.title(), own.join(", ")));
        }
    }
    words.join("; ")
}

fn fact(ui: &mut Ui, what: &str, value: &str) {
    line(ui, |ui| {
        ui.allocate_ui(vec2(64.0, LINE), |ui| {
            ui.set_width(64.0);
            ui.label(caption(what));
        });
        // What is cut off shows when the pointer rests on it.
        ui.add(egui::Label::new(egui::RichText::new(value).size(13.0)).truncate());
    });
}

/// A line of small text, lower than one with controls.
fn line(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let size = vec2(ui.available_width(), LINE);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_width(size.x);
        content(ui);
    });
}

fn status_ui(ui: &mut Ui, key: &str, weights: Option<&Weights>) {
    let colors = palette(ui);
    let (icon, color, words) = match weights {
        None => (None, colors.weak, "not here"),
        Some(Weights { checked: Computed::Underway, .. }) => (None, colors.weak, "being verified…"),
        Some(weights) if weights.fits(key) => match &weights.checked {
            Computed::Ready(checked) if checked.checksum == Some(true) => {
                (Some(Icon::Check), colors.good, "fits, checksum as published")
            }
            _ => (Some(Icon::Check), colors.good, "fits"),
        },
        Some(_) => (Some(Icon::Warning), colors.danger, "cannot be used"),
    };
    ui.label(egui::RichText::new(words).size(13.0).color(color));
    if let Some(icon) = icon {
        icon.show(ui, 16.0, color);
    }
}

/// What was found in a file, in words.
fn findings_ui(ui: &mut Ui, published: &Published, weights: &Weights) {
    let colors = palette(ui);
    match &weights.checked {
        Computed::Underway => {}
        Computed::Failed(reason) => remark(ui, Icon::Warning, colors.danger, &capital(reason)),
        Computed::Ready(checked) => {
            let Checked { report, checksum } = &**checked;
            let packing = if report.packing.is_empty() { String::new() } else { format!(" ({})", report.packing) };
            if report.published != Some(published.key) {
                let text = format!("This is {}{packing}, not {} as it was published.", report.title, published.title);
                remark(ui, Icon::Warning, colors.danger, &text);
            }
            if *checksum == Some(false) {
                let text =
                    "Its checksum is not the published one: the file is incomplete or was changed. Get it again.";
                remark(ui, Icon::Warning, colors.danger, text);
            }
            fit_ui(ui, report);
        }
    }
}

/// How much of a file maps, and what does not.
fn fit_ui(ui: &mut Ui, report: &Report) {
    let colors = palette(ui);
    let Some(fit) = &report.fit else {
        report.notes.iter().for_each(|note| remark(ui, Icon::Info, colors.weak, &capital(note)));
        return;
    };
    let tensors = count(fit.n_mapped, "tensor");
    let leftovers: usize = fit.leftovers.iter().map(|leftovers| leftovers.names.len()).sum();
    let leftovers = leftovers + report.set_aside.len();
    let rest = if leftovers > 0 { format!("; {} not needed", count(leftovers, "other")) } else { String::new() };
    let packing = if report.packing.is_empty() { String::new() } else { format!(" ({})", report.packing) };
    let text = format!("{tensors} with {} values map{rest}{packing}", grouped(fit.n_values));
    remark(ui, Icon::Info, colors.weak, &text);
    for (what, names) in problems(fit, LISTED) {
        remark(ui, Icon::Warning, colors.danger, &format!("{what}: {names}"));
    }
}
