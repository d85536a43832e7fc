//! What surrounds every page: the bar at the top, the rail, the status bar, the hint while something is dragged in.

use egui::{Align, Align2, Layout, Panel, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::toasts::Toasts;
use crate::command::Command;
use crate::pages::{self, Shell};
use crate::state::{DialogFor, Job, PageName};
use crate::theme::{self, caption, palette};
use crate::widgets::bars::progress;
use crate::widgets::button::{Weight, button, chip, focus_ring, icon_button, painted_text};
use crate::widgets::icon::{Icon, centred};
use crate::wording::{capital, count, remaining};

/// How far a job is, from 0 to 1.
pub fn share(job: &Job) -> Option<f32> {
    job.progress.map(|(done, total)| done as f32 / total.max(1) as f32)
}

/// What a job is at, in words.
pub fn progress_words(job: &Job) -> String {
    if job.cancelled {
        return "Stopping…".into();
    }
    let mut words = capital(&job.note);
    if let Some((done, total)) = job.progress {
        words += &format!(" {done}/{total}");
    }
    if let Some(secs) = job.remaining_secs {
        words += &format!(" · {}", remaining(secs));
    }
    if words.is_empty() { "Starting…".into() } else { words }
}

fn bar(ui: &Ui, margin: i8) -> egui::Frame {
    egui::Frame::new().fill(palette(ui).panel).inner_margin(egui::Margin::symmetric(margin, 0))
}

/// The bar at the top; whether the palette was asked for.
pub fn top_ui(ui: &mut Ui, shell: &mut Shell<'_>) -> bool {
    let mut find = false;
    let frame = bar(ui, 14);
    Panel::top("top bar").frame(frame).exact_size(theme::TOP_BAR).resizable(false).show(ui, |ui| {
        let area = ui.max_rect();
        ui.horizontal_centered(|ui| {
            logo_ui(ui);
            ui.label(theme::semibold("Limbic").size(16.0));
            ui.add_space(theme::GAP);
            project_ui(ui, shell);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| chips_ui(ui, shell));
        });
        let width = (area.width() * 0.28).clamp(180.0, 360.0);
        let place = Rect::from_center_size(area.center(), vec2(width, 28.0));
        find = find_ui(ui, place);
    });
    find
}

fn logo_ui(ui: &mut Ui) {
    // The icon of the app: face, voice and text meet.
    let (rect, _) = ui.allocate_exact_size(vec2(26.0, 26.0), Sense::hover());
    let centre = rect.center() + vec2(0.0, 1.0);
    let offsets = [vec2(0.0, -4.6), vec2(-4.6, 3.4), vec2(4.6, 3.4)];
    for (modality, offset) in emotion::Modality::ALL.into_iter().zip(offsets) {
        ui.painter().circle_filled(centre + offset, 7.2, theme::modality_color(modality).gamma_multiply(0.86));
    }
    ui.painter().circle_filled(centre + vec2(0.0, 0.6), 2.2, theme::ON_PICTURE);
}

fn project_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let name = shell.state.project.as_ref().map_or("No project", |project| project.name.as_str());
    let title = (name, egui::RichText::new("▼").size(8.0));
    egui::containers::menu::MenuButton::from_button(egui::Button::new(title).frame_when_inactive(false)).ui(ui, |ui| {
        ui.set_min_width(220.0);
        let mut item = |ui: &mut Ui, name: &str, command: Command| {
            if ui.button(name).clicked() {
                shell.commands.push(command);
                ui.close();
            }
        };
        item(ui, "Create the sample project", Command::CreateSample);
        item(ui, "Open a project…", Command::Choose(DialogFor::ProjectFolder));
        item(ui, "Import clips…", Command::Choose(DialogFor::ImportFolder));
        if let Some(project) = &shell.state.project {
            item(ui, "Show in folder", Command::Reveal(project.dir.clone()));
        }
        let current = shell.state.project.as_ref().map(|project| &project.dir);
        let others: Vec<_> = shell.settings.recent.iter().filter(|dir| Some(*dir) != current).collect();
        if !others.is_empty() {
            ui.separator();
            ui.label(caption("Recent"));
            for dir in others {
                let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                item(ui, &name, Command::OpenProject(dir.clone()));
            }
        }
    });
}

fn find_ui(ui: &mut Ui, place: Rect) -> bool {
    let response = ui.interact(place, ui.scope_id().with("find"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Button, true, "Search or run…"));
    let colors = palette(ui);
    let line = if response.hovered() { colors.control_line } else { colors.line };
    ui.painter().rect(place, theme::CORNER, colors.page, Stroke::new(1.0, line), egui::StrokeKind::Inside);
    focus_ring(ui, &response);
    let mark = Rect::from_center_size(pos2(place.left() + 16.0, place.center().y), vec2(14.0, 14.0));
    Icon::Search.paint(ui.painter(), mark, colors.weak);
    let words = place.with_min_x(place.left() + 30.0).with_max_x(place.right() - 10.0);
    painted_text(ui, words, Align2::LEFT_CENTER, "Search or run…", 13.0, colors.weak);
    let keys = if cfg!(target_os = "macos") { "⌘ K" } else { "Ctrl K" };
    painted_text(ui, words, Align2::RIGHT_CENTER, keys, theme::TEXT_SMALL, colors.weak);
    response.clicked()
}

fn chips_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let state = shell.state;
    let colors = palette(ui);
    for (icon, word, open, what) in [
        (Icon::Microphone, "MIC", state.live.uses_microphone(), "microphone"),
        (Icon::Camera, "CAM", state.live.uses_camera(), "camera"),
    ] {
        let says = format!("The {what} is {}", if open { "open, click to stop" } else { "closed" });
        if chip(ui, icon, word, open.then_some(colors.danger), &says).clicked() {
            shell.ask(if open { Command::StopLive } else { Command::GoTo(PageName::Live) });
        }
    }
    let id = &shell.settings.device;
    let (word, says, color) = match state.device(id) {
        Some(device) => match &device.probe {
            Some(Ok(speed)) => (id.to_uppercase(), format!("{}: {speed}", device.name()), colors.good),
            Some(Err(reason)) => (id.to_uppercase(), reason.clone(), colors.danger),
            None => (id.to_uppercase(), format!("{} is being tried", device.name()), colors.warning),
        },
        None if id == "auto" => {
            ("AUTO".to_owned(), "Computes on the fastest device that works".to_owned(), colors.good)
        }
        None => (id.to_uppercase(), "This device is not there".to_owned(), colors.warning),
    };
    if chip(ui, Icon::Device, &word, Some(color), &says).clicked() {
        shell.ask(Command::GoTo(PageName::Settings));
    }
}

/// The pages at the left.
pub fn rail_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let frame = bar(ui, 6);
    Panel::left("pages").frame(frame).exact_size(theme::RAIL).resizable(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.add_space(8.0);
        let (last, pages) = (PageName::Settings, PageName::ALL);
        for (idx, page) in pages.into_iter().enumerate().filter(|(_, page)| *page != last) {
            rail_item_ui(ui, shell, page, idx + 1);
        }
        ui.with_layout(Layout::bottom_up(Align::Center), |ui| {
            ui.add_space(8.0);
            rail_item_ui(ui, shell, last, pages.len());
        });
    });
}

fn rail_item_ui(ui: &mut Ui, shell: &mut Shell<'_>, page: PageName, number: usize) {
    let selected = shell.state.page == page;
    let (rect, response) = ui.allocate_exact_size(vec2(theme::RAIL - 12.0, 52.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(egui::accesskit::Role::Tab, true, selected, page.name()));
    let colors = palette(ui);
    if selected || response.hovered() {
        ui.painter().rect_filled(rect, theme::CORNER, if selected { colors.selected } else { colors.hovered });
    }
    let color = if selected {
        colors.accent
    } else if response.hovered() {
        colors.text
    } else {
        colors.weak
    };
    let mark = Rect::from_center_size(pos2(rect.center().x, rect.top() + 19.0), vec2(22.0, 22.0));
    pages::icon(page).paint(ui.painter(), mark, color);
    let words = Rect::from_min_max(pos2(rect.left(), rect.bottom() - 19.0), pos2(rect.right(), rect.bottom() - 3.0));
    let ink = if selected { colors.text } else { color };
    painted_text(ui, words, Align2::CENTER_CENTER, page.name(), theme::TEXT_TINY, ink);
    let busy = match page {
        PageName::Train => shell.state.training.is_some(),
        PageName::Live => shell.state.live.is_open(),
        _ => false,
    };
    if busy {
        ui.painter().circle_filled(mark.right_top() + vec2(2.0, 1.0), 4.0, colors.good);
    }
    focus_ring(ui, &response);
    if response.on_hover_text(format!("{} ({number})", page.name())).clicked() {
        shell.ask(Command::GoTo(page));
    }
}

/// Every job, wherever one is, and the notices.
pub fn status_ui(ui: &mut Ui, shell: &mut Shell<'_>, toasts: &mut Toasts) {
    let frame = bar(ui, 14);
    Panel::bottom("status bar").frame(frame).exact_size(theme::STATUS_BAR).resizable(false).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 24.0;
        ui.horizontal_centered(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let n_notices = shell.state.notices.len();
                let words = if n_notices == 0 { "No notices".to_owned() } else { count(n_notices, "notice") };
                let response = button(ui, Some(Icon::Bell), &words, Weight::Quiet);
                toasts.history_ui(&response, shell);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| jobs_ui(ui, shell));
            });
        });
    });
}

fn jobs_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let state = shell.state;
    if state.jobs.is_empty() {
        let words = match &state.project {
            Some(_) => format!("{} · {}", count(state.datasets.len(), "dataset"), count(state.runs.len(), "run")),
            None => "Ready".to_owned(),
        };
        ui.label(caption(words));
        return;
    }
    for job in state.jobs.iter().take(2) {
        let training =
            state.training.as_ref().filter(|(_, id)| *id == job.id).and_then(|(name, _)| state.run_named(name));
        let (words, done) = match training {
            Some(run) if !job.cancelled => {
                let (doing, done) = run.record.doing();
                let left =
                    run.record.remaining_secs.map(|secs| format!(" · at most {}", remaining(secs))).unwrap_or_default();
                let doing = if run.record.paused { format!("paused, {doing}") } else { doing };
                (format!("{doing}{left}"), done)
            }
            _ => (progress_words(job), share(job)),
        };
        ui.label(egui::RichText::new(&job.title).size(13.0));
        ui.add(egui::Label::new(caption(words)).truncate());
        progress(ui, done, 110.0, &job.title);
        if let Some(run) = training {
            let (icon, verb, command) = if run.record.paused {
                (Icon::Play, "Continue training", Command::Continue)
            } else {
                (Icon::Pause, "Pause training", Command::Pause)
            };
            if icon_button(ui, icon, verb).clicked() {
                shell.ask(command);
            }
            if icon_button(ui, Icon::Stop, "Stop and keep best").clicked() {
                shell.ask(Command::StopAndKeep);
            }
        } else if !job.cancelled && icon_button(ui, Icon::Close, &format!("Cancel: {}", job.title)).clicked() {
            shell.ask(Command::CancelJob(job.id));
        }
        ui.add_space(theme::GAP);
    }
    if state.jobs.len() > 2 {
        ui.label(caption(format!("and {} more", state.jobs.len() - 2)));
    }
}

/// Says what happens with files that are dragged over the window.
pub fn drop_hint_ui(ctx: &egui::Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let area = ctx.content_rect();
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint"));
    let painter = ctx.layer_painter(layer);
    let colors = if ctx.global_style().visuals.dark_mode { &theme::DARK } else { &theme::LIGHT };
    painter.rect_filled(area, 0, colors.page.gamma_multiply(0.85));
    painter.rect_stroke(area.shrink(16.0), 12, Stroke::new(2.0, colors.accent), egui::StrokeKind::Inside);
    Icon::Import.paint(&painter, centred(area.translate(vec2(0.0, -30.0)), 48.0), colors.accent);
    painter.text(
        area.center() + vec2(0.0, 24.0),
        Align2::CENTER_CENTER,
        "Drop a folder of clips to import it, a project to open it, or a clip to play it",
        theme::font(16.0),
        colors.text,
    );
}

/// The list of shortcuts; whether it stays open.
pub fn shortcuts_ui(ctx: &egui::Context) -> bool {
    let modal = theme::modal(ctx, "shortcuts").show(ctx, |ui| {
        ui.set_width(420.0);
        ui.label(theme::title("Shortcuts"));
        ui.add_space(theme::GAP);
        pages::shortcut_list_ui(ui);
        ui.add_space(theme::GAP);
        button(ui, None, "Close", Weight::Plain).clicked()
    });
    !modal.inner && !modal.should_close()
}
