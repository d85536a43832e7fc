//! Notices: shown at the bottom right for a while, and in a list after that.

use std::collections::HashMap;
use std::time::Duration;

use egui::{Align, Align2, Layout, Popup, PopupCloseBehavior, Response, ScrollArea, Ui, vec2};

use crate::command::Command;
use crate::pages::Shell;
use crate::state::{Level, Notice};
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button, icon_button};
use crate::widgets::icon::Icon;

/// Notices shown at once.
const SHOWN: usize = 4;

/// Since when notices are shown, and whose details are open.
#[derive(Default)]
pub struct Toasts {
    since: HashMap<u64, f64>,
    details: Option<u64>,
}

impl Toasts {
    /// Draws the notices that are neither closed nor old.
    pub fn ui(&mut self, ctx: &egui::Context, shell: &mut Shell<'_>) {
        let state = shell.state;
        let now = ctx.input(|input| input.time);
        let open: Vec<&Notice> = state.notices.iter().filter(|notice| !notice.closed).collect();
        self.since.retain(|id, _| open.iter().any(|notice| notice.id == *id));
        let mut shown = Vec::new();
        for notice in open.into_iter().rev().take(SHOWN) {
            let age = now - *self.since.entry(notice.id).or_insert(now);
            let life = match notice.level {
                Level::Info | Level::Success => 8.0,
                Level::Warning => 16.0,
                // What went wrong stays until it is read.
                Level::Error => f64::INFINITY,
            };
            if age >= life {
                shell.ask(Command::Dismiss(notice.id));
            } else {
                if life.is_finite() {
                    ctx.request_repaint_after(Duration::from_secs_f64(life - age));
                }
                shown.push(notice);
            }
        }
        if !shown.is_empty() {
            egui::Area::new(egui::Id::unique("notices"))
                .anchor(Align2::RIGHT_BOTTOM, vec2(-16.0, -(theme::STATUS_BAR + 12.0)))
                .order(egui::Order::Middle)
                .show(ctx, |ui| {
                    for notice in shown.into_iter().rev() {
                        let frame = egui::Frame::popup(ui.style()).inner_margin(12.0);
                        frame.show(ui, |ui| self.notice_ui(ui, shell, notice, true));
                    }
                });
        }
        self.details_ui(ctx, shell);
    }

    /// The list of all notices, under the button that `response` is of.
    pub fn history_ui(&mut self, response: &Response, shell: &mut Shell<'_>) {
        Popup::menu(response).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            ui.set_width(380.0);
            ui.label(theme::group_title("Notices"));
            if shell.state.notices.is_empty() {
                ui.label(caption("Nothing has happened yet."));
            }
            let state = shell.state;
            ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
                for notice in state.notices.iter().rev().take(40) {
                    self.notice_ui(ui, shell, notice, false);
                    ui.separator();
                }
            });
        });
    }

    fn notice_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, notice: &Notice, closable: bool) {
        let colors = palette(ui);
        let (icon, color) = match notice.level {
            Level::Info => (Icon::Info, colors.accent),
            Level::Success => (Icon::Check, colors.good),
            Level::Warning => (Icon::Warning, colors.warning),
            Level::Error => (Icon::Warning, colors.danger),
        };
        ui.set_width(340.0);
        ui.horizontal_top(|ui| {
            icon.show(ui, 18.0, color);
            ui.vertical(|ui| {
                ui.set_width(340.0 - 18.0 - theme::CONTROL - 3.0 * theme::GAP);
                ui.add(egui::Label::new(&notice.text).wrap().selectable(true));
                ui.horizontal(|ui| {
                    if let Some((verb, command)) = &notice.action
                        && button(ui, None, verb, Weight::Plain).clicked()
                    {
                        shell.ask(command.clone());
                        shell.ask(Command::Dismiss(notice.id));
                    }
                    if notice.details.is_some() && button(ui, None, "Details", Weight::Quiet).clicked() {
                        self.details = Some(notice.id);
                    }
                });
            });
            if closable {
                ui.with_layout(Layout::right_to_left(Align::TOP), |ui| {
                    if icon_button(ui, Icon::Close, "Close the notice").clicked() {
                        shell.ask(Command::Dismiss(notice.id));
                    }
                });
            }
        });
    }

    fn details_ui(&mut self, ctx: &egui::Context, shell: &mut Shell<'_>) {
        let Some(notice) = self.details.and_then(|id| shell.state.notices.iter().find(|notice| notice.id == id)) else {
            return;
        };
        let all = format!("{}\n\n{}", notice.text, notice.details.clone().unwrap_or_default());
        let modal = theme::modal(ctx, "details").show(ctx, |ui| {
            ui.set_width(520.0);
            ui.label(theme::title("Details"));
            ui.add_space(theme::GAP);
            ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
                ui.add(egui::Label::new(egui::RichText::new(&all).monospace()).wrap().selectable(true));
            });
            ui.add_space(theme::GAP);
            ui.horizontal(|ui| {
                if button(ui, Some(Icon::Copy), "Copy", Weight::Primary).clicked() {
                    shell.ask(Command::Copy(all.clone()));
                }
                button(ui, None, "Close", Weight::Plain).clicked()
            })
            .inner
        });
        if modal.inner || modal.should_close() {
            self.details = None;
        }
    }
}
