//! Home: what can be done now.

use egui::{Align, Layout, ScrollArea, Ui, vec2};

use super::{Page, Shell};
use crate::command::Command;
use crate::state::{DialogFor, PageName};
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, button_if, icon_button, row};
use crate::widgets::icon::Icon;
use crate::widgets::tile::card;
use crate::wording::{ago, count, percent};

/// Home.
pub struct Home;

impl Page for Home {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let frame = theme::page(ui);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                let width = ui.available_width().min(1040.0);
                let margin = (ui.available_width() - width) / 2.0;
                ui.horizontal_top(|ui| {
                    ui.add_space(margin);
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        if shell.state.project.is_some() {
                            project_ui(ui, shell);
                        } else {
                            welcome_ui(ui, shell);
                        }
                        recent_ui(ui, shell);
                        ui.add_space(theme::GAP_LARGE);
                        ui.label(caption(
                            "Everything is processed on this computer. Camera and microphone stay closed until you open them.",
                        ));
                    });
                });
            });
        });
    }
}

fn welcome_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    ui.add_space(28.0);
    ui.label(theme::semibold("Welcome to Limbic").size(30.0));
    ui.label(
        egui::RichText::new(
            "Train models that read emotion from face, voice and words, see what they learned, and watch them live.",
        )
        .size(16.0)
        .color(palette(ui).weak),
    );
    ui.add_space(theme::GAP_LARGE);
    let busy = shell.state.jobs.iter().any(|job| !job.cancelled).then_some("Wait until the running job is done");
    let doors = [
        (
            Icon::Train,
            "Try it",
            "No data and no camera needed: Limbic draws 350 talking cartoon faces with seven emotions, ready to train on.",
            "Create the sample project",
            Weight::Primary,
            Command::CreateSample,
        ),
        (
            Icon::Import,
            "Use your clips",
            "A folder with one subfolder per emotion, or a labels.csv or labels.xlsx with paths and labels. You can also drop it anywhere here.",
            "Import clips…",
            Weight::Plain,
            Command::Choose(DialogFor::ImportFolder),
        ),
        (
            Icon::Folder,
            "Go on",
            "Open a project folder with its datasets and runs, or make a new one in an empty folder.",
            "Open a project…",
            Weight::Plain,
            Command::Choose(DialogFor::ProjectFolder),
        ),
    ];
    let card_width = (ui.available_width() - 2.0 * theme::GAP_LARGE) / 3.0;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP_LARGE;
        for (icon, title, sentence, verb, weight, command) in doors {
            let frame = theme::card(ui);
            let content = |ui: &mut Ui| {
                icon.show(ui, 28.0, palette(ui).accent);
                ui.add_space(theme::GAP_SMALL);
                ui.label(theme::semibold(title).size(16.0));
                ui.label(egui::RichText::new(sentence).size(13.0).color(palette(ui).weak));
            };
            card(ui, frame, vec2(card_width, 214.0), content, |ui| {
                if button_if(ui, None, verb, weight, busy).clicked() {
                    shell.ask(command);
                }
            });
        }
    });
    jobs_ui(ui, shell);
}

fn project_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let state = shell.state;
    let Some(project) = &state.project else { return };
    ui.add_space(theme::GAP);
    ui.label(theme::semibold(&project.name).size(26.0));
    ui.label(caption(project.dir.display().to_string()));
    ui.add_space(theme::GAP_LARGE);

    let n_clips: usize = state.datasets.iter().map(|dataset| dataset.manifest.clips.len()).sum();
    let away = state.datasets.iter().find(|dataset| dataset.is_away);
    let is_here = state.datasets.iter().any(|dataset| !dataset.is_away && !dataset.manifest.clips.is_empty());
    let trained: Vec<_> = state.runs.iter().filter(|run| run.has_model()).collect();
    let best = trained
        .iter()
        .filter_map(|run| run.record.report.as_ref().map(|report| (report.scores.war, &run.name)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let steps = [
        Step {
            icon: Icon::Library,
            title: "Clips",
            done: is_here,
            sentence: if let Some(dataset) = away {
                format!("The folder of “{}” is not there: say where it is in the library.", dataset.name)
            } else if n_clips > 0 {
                let n_train: usize = state.datasets.iter().map(|set| set.facts.n_clips()[0]).sum();
                format!(
                    "{} in {}, {n_train} to train on",
                    count(n_clips, "clip"),
                    count(state.datasets.len(), "dataset")
                )
            } else {
                "Bring in clips with labels.".into()
            },
            verb: if n_clips > 0 { "Open library" } else { "Import clips…" },
            command: if n_clips > 0 {
                Command::GoTo(PageName::Library)
            } else {
                Command::Choose(DialogFor::ImportFolder)
            },
            blocked: None,
        },
        Step {
            icon: Icon::Train,
            title: "Train",
            done: !trained.is_empty(),
            sentence: match (state.training_run(), &best) {
                (Some(run), _) => format!("Now: {}", run.record.doing().0),
                (None, Some((war, name))) => format!("Best so far: {} of test clips right (“{name}”)", percent(*war)),
                (None, None) => "Learn from the clips, in stages.".into(),
            },
            verb: if state.training.is_some() { "Watch training" } else { "Train a model" },
            command: Command::GoTo(PageName::Train),
            blocked: match (n_clips, state.training.is_some() || is_here) {
                (0, _) => Some("There are no clips to train on yet"),
                (_, false) => Some("The folder of the clips is not there"),
                _ => None,
            },
        },
        Step {
            icon: Icon::Insight,
            title: "Understand",
            done: false,
            sentence: "Curves, confusions, maps of prompts and features.".into(),
            verb: "Open insight",
            command: Command::GoTo(PageName::Insight),
            blocked: state.runs.is_empty().then_some("There is no run to look at yet"),
        },
        Step {
            icon: Icon::Live,
            title: "Live",
            done: false,
            sentence: "Camera and microphone, or a clip.".into(),
            verb: "Open live",
            command: Command::GoTo(PageName::Live),
            blocked: trained.is_empty().then_some("There is no trained model yet"),
        },
    ];
    let next = steps.iter().position(|step| !step.done).unwrap_or(2);
    let card_width = (ui.available_width() - 3.0 * theme::GAP) / 4.0;
    ui.horizontal_top(|ui| {
        for (idx, step) in steps.into_iter().enumerate() {
            step_ui(ui, shell, step, idx == next, card_width);
        }
    });
    jobs_ui(ui, shell);
    runs_ui(ui, shell);
}

struct Step {
    icon: Icon,
    title: &'static str,
    done: bool,
    sentence: String,
    verb: &'static str,
    command: Command,
    blocked: Option<&'static str>,
}

fn step_ui(ui: &mut Ui, shell: &mut Shell<'_>, step: Step, is_next: bool, width: f32) {
    let colors = palette(ui);
    let mut frame = theme::card(ui);
    if is_next {
        frame = frame.stroke(egui::Stroke::new(1.5, colors.accent));
    }
    let content = |ui: &mut Ui| {
        ui.horizontal(|ui| {
            step.icon.show(ui, 20.0, if is_next { colors.accent } else { colors.weak });
            ui.label(theme::semibold(step.title).size(16.0));
            if step.done {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| Icon::Check.show(ui, 18.0, colors.good));
            }
        });
        ui.label(egui::RichText::new(&step.sentence).size(13.0).color(colors.weak));
    };
    card(ui, frame, vec2(width, 158.0), content, |ui| {
        let weight = if is_next { Weight::Primary } else { Weight::Plain };
        if button_if(ui, None, step.verb, weight, step.blocked).clicked() {
            shell.ask(step.command);
        }
    });
}

fn jobs_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    if shell.state.jobs.is_empty() {
        return;
    }
    ui.add_space(theme::GAP_LARGE);
    ui.label(theme::group_title("Running"));
    for job in &shell.state.jobs {
        theme::card(ui).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(ui.available_width() - 110.0);
                    ui.label(&job.title);
                    let width = ui.available_width();
                    crate::widgets::bars::progress(ui, crate::app::share(job), width, &job.title);
                    ui.label(caption(crate::app::progress_words(job)));
                });
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let blocked = job.cancelled.then_some("It stops at its next step");
                    if button_if(ui, Some(Icon::Close), "Cancel", Weight::Plain, blocked).clicked() {
                        shell.ask(Command::CancelJob(job.id));
                    }
                });
            });
        });
    }
}

fn runs_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let state = shell.state;
    if state.runs.is_empty() {
        return;
    }
    ui.add_space(theme::GAP_LARGE);
    ui.label(theme::group_title("Latest runs"));
    let mut runs: Vec<_> = state.runs.iter().collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_secs));
    for run in runs.into_iter().take(4) {
        let score = run.record.report.as_ref().map_or("–".to_owned(), |report| percent(report.scores.war));
        let status = state.status_of(run);
        let clicked = row(ui, false, &format!("Open run {}", run.name), 36.0, |ui| {
            ui.label(&run.name);
            ui.label(caption(status));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(caption(ago(run.started_secs, shell.now_secs)));
                ui.label(score);
            });
        })
        .clicked();
        if clicked {
            shell.ask(Command::SelectRun(run.name.clone()));
            shell.ask(Command::GoTo(if run.has_model() { PageName::Insight } else { PageName::Runs }));
        }
    }
}

fn recent_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let current = shell.state.project.as_ref().map(|project| project.dir.clone());
    let recent: Vec<_> = shell.settings.recent.iter().filter(|dir| Some(*dir) != current.as_ref()).cloned().collect();
    if current.is_some() || !recent.is_empty() {
        ui.add_space(theme::GAP_LARGE);
        ui.label(theme::group_title(if current.is_some() { "Other projects" } else { "Recent projects" }));
    }
    for dir in recent {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        ui.horizontal(|ui| {
            let width = ui.available_width() - theme::CONTROL - theme::GAP;
            ui.allocate_ui(vec2(width, 36.0), |ui| {
                let clicked = row(ui, false, &format!("Open project {name}"), 36.0, |ui| {
                    Icon::Folder.show(ui, 18.0, palette(ui).weak);
                    ui.label(&name);
                    ui.add(egui::Label::new(caption(dir.display().to_string())).truncate());
                })
                .clicked();
                if clicked {
                    shell.ask(Command::OpenProject(dir.clone()));
                }
            });
            if icon_button(ui, Icon::Close, &format!("Take {name} off this list")).clicked() {
                shell.ask(Command::Forget(dir.clone()));
            }
        });
    }
    if current.is_some() {
        ui.horizontal(|ui| {
            if button(ui, Some(Icon::Folder), "Open a project…", Weight::Quiet).clicked() {
                shell.ask(Command::Choose(DialogFor::ProjectFolder));
            }
            if button(ui, Some(Icon::Plus), "Create another sample project", Weight::Quiet).clicked() {
                shell.ask(Command::CreateSample);
            }
        });
    }
}
