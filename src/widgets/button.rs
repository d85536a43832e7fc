//! Buttons, switches and choices.

use egui::accesskit::Role;
use egui::{Align2, Color32, Rect, Response, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::icon::{Icon, centred};
use crate::theme::{self, palette};

/// How much a button asks to be pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The one next step of a page.
    Primary,
    /// An ordinary action.
    Plain,
    /// An action beside others, without a frame.
    Quiet,
    /// Takes something away.
    Danger,
}

/// A button with an optional icon before its verb.
pub fn button(ui: &mut Ui, icon: Option<Icon>, label: &str, weight: Weight) -> Response {
    let font = if weight == Weight::Primary { theme::semibold_font(theme::TEXT) } else { theme::font(theme::TEXT) };
    let galley = ui.painter().layout_no_wrap(label.to_owned(), font, Color32::PLACEHOLDER);
    let padding = if weight == Weight::Quiet { 8.0 } else { 12.0 };
    let icon_width = if icon.is_some() { 16.0 + 8.0 } else { 0.0 };
    let size = vec2(
        galley.size().x + icon_width + 2.0 * padding,
        theme::CONTROL + if weight == Weight::Primary { 4.0 } else { 0.0 },
    );
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    if ui.is_rect_visible(rect) {
        let colors = palette(ui);
        let active = response.hovered() || response.is_pointer_button_down_on();
        let (fill, line, text) = match weight {
            Weight::Primary => {
                let fill = if active { colors.accent_fill.gamma_multiply(0.88) } else { colors.accent_fill };
                (fill, Color32::TRANSPARENT, theme::ON_ACCENT)
            }
            Weight::Plain => (if active { colors.hovered } else { colors.raised }, colors.line, colors.text),
            Weight::Quiet => {
                (if active { colors.hovered } else { Color32::TRANSPARENT }, Color32::TRANSPARENT, colors.text)
            }
            Weight::Danger => (if active { colors.hovered } else { colors.raised }, colors.line, colors.danger),
        };
        let painter = ui.painter();
        painter.rect(rect, theme::CORNER, fill, Stroke::new(1.0, line), StrokeKind::Inside);
        focus_ring(ui, &response);
        if let Some(icon) = icon {
            let left = rect.left() + padding;
            let area = Rect::from_min_max(pos2(left, rect.top()), pos2(left + 16.0, rect.bottom()));
            icon.paint(painter, centred(area, 16.0), text);
        }
        let at = pos2(rect.left() + padding + icon_width, rect.center().y - galley.size().y / 2.0);
        painter.galley(at, galley, text);
    }
    response
}

/// A button that may be switched off; `why_not` is said when the pointer rests on it.
pub fn button_if(ui: &mut Ui, icon: Option<Icon>, label: &str, weight: Weight, why_not: Option<&str>) -> Response {
    let response = ui.add_enabled(why_not.is_none(), |ui: &mut Ui| button(ui, icon, label, weight));
    match why_not {
        Some(reason) => response.on_disabled_hover_text(reason),
        None => response,
    }
}

/// A square button with only an icon; `label` is its name and its tooltip.
pub fn icon_button(ui: &mut Ui, icon: Icon, label: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(theme::CONTROL, theme::CONTROL), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    if ui.is_rect_visible(rect) {
        let colors = palette(ui);
        if response.hovered() {
            ui.painter().rect_filled(rect, theme::CORNER, colors.hovered);
        }
        focus_ring(ui, &response);
        icon.paint(ui.painter(), centred(rect, 16.0), if response.hovered() { colors.text } else { colors.weak });
    }
    response.on_hover_text(label)
}

/// A sliding switch with its name.
pub fn switch(ui: &mut Ui, on: &mut bool, label: &str, color: Color32) -> Response {
    let galley = ui.painter().layout_no_wrap(label.to_owned(), theme::font(theme::TEXT), Color32::PLACEHOLDER);
    let track = vec2(32.0, 18.0);
    let size = vec2(track.x + 8.0 + galley.size().x, theme::CONTROL);
    let (rect, mut response) = ui.allocate_exact_size(size, Sense::click());
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    let (enabled, selected) = (ui.is_enabled(), *on);
    response.widget_info(|| WidgetInfo::selected(Role::Switch, enabled, selected, label));
    if ui.is_rect_visible(rect) {
        let colors = palette(ui);
        let place = ui.ctx().animate_bool_responsive(response.id, *on);
        let track = Rect::from_min_size(pos2(rect.left(), rect.center().y - track.y / 2.0), track);
        let fill = colors.raised.lerp_to_gamma(color, place);
        let line = if *on { color } else { colors.control_line };
        ui.painter().rect(track, track.height() / 2.0, fill, Stroke::new(1.0, line), StrokeKind::Inside);
        let knob = pos2(egui::lerp(track.left() + 9.0..=track.right() - 9.0, place), track.center().y);
        ui.painter().circle_filled(knob, 6.0, if *on { theme::ON_ACCENT } else { colors.control_line });
        let at = pos2(track.right() + 8.0, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(at, galley, if *on { colors.text } else { colors.weak });
        focus_ring(ui, &response);
    }
    response
}

/// A row of choices of which one is taken.
pub fn choice<T: PartialEq + Copy>(ui: &mut Ui, value: &mut T, options: &[(T, &str)]) -> bool {
    let mut changed = false;
    let colors = palette(ui);
    egui::Frame::new().fill(colors.raised).corner_radius(theme::CORNER).inner_margin(2.0).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            for &(option, label) in options {
                let selected = *value == option;
                let galley =
                    ui.painter().layout_no_wrap(label.to_owned(), theme::font(theme::TEXT), Color32::PLACEHOLDER);
                let (rect, response) =
                    ui.allocate_exact_size(vec2(galley.size().x + 20.0, theme::CONTROL - 4.0), Sense::click());
                let enabled = ui.is_enabled();
                response.widget_info(|| WidgetInfo::selected(Role::RadioButton, enabled, selected, label));
                if selected {
                    ui.painter().rect_filled(rect, theme::CORNER - 2, colors.page);
                }
                focus_ring(ui, &response);
                let text = if selected || response.hovered() { colors.text } else { colors.weak };
                ui.painter().galley(rect.center() - galley.size() / 2.0, galley, text);
                if response.clicked() && !selected {
                    *value = option;
                    changed = true;
                }
            }
        });
    });
    changed
}

/// Tabs with a line under the open one.
pub fn tabs<T: PartialEq + Copy>(ui: &mut Ui, value: &mut T, options: &[(T, &str)]) {
    let colors = palette(ui);
    let row = ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 20.0;
        for &(option, label) in options {
            let selected = *value == option;
            let font = if selected { theme::semibold_font(theme::TEXT) } else { theme::font(theme::TEXT) };
            let galley = ui.painter().layout_no_wrap(label.to_owned(), font, Color32::PLACEHOLDER);
            let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x, 32.0), Sense::click());
            let enabled = ui.is_enabled();
            response.widget_info(|| WidgetInfo::selected(Role::Tab, enabled, selected, label));
            let text = if selected || response.hovered() { colors.text } else { colors.weak };
            ui.painter().galley(rect.center() - galley.size() / 2.0, galley, text);
            if selected {
                ui.painter().hline(rect.x_range(), rect.bottom() - 1.0, Stroke::new(2.0, colors.accent));
            }
            focus_ring(ui, &response);
            if response.clicked() {
                *value = option;
            }
        }
    });
    let line = row.response.rect;
    ui.painter().hline(line.left()..=ui.max_rect().right(), line.bottom(), Stroke::new(1.0, colors.line));
    ui.add_space(theme::GAP);
}

/// A row of a list that can be chosen; `content` is drawn over it.
pub fn row(ui: &mut Ui, selected: bool, label: &str, height: f32, content: impl FnOnce(&mut Ui)) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::Button, enabled, selected, label));
    if ui.is_rect_visible(rect) {
        let colors = palette(ui);
        if selected || response.hovered() {
            ui.painter().rect_filled(rect, theme::CORNER, if selected { colors.selected } else { colors.hovered });
        }
        focus_ring(ui, &response);
        let mut child = ui.new_child(
            egui::UiBuilder::new()
                .max_rect(rect.shrink2(vec2(10.0, 4.0)))
                .layout(egui::Layout::left_to_right(egui::Align::Center)),
        );
        content(&mut child);
    }
    response
}

/// Shows where the keyboard is.
pub fn focus_ring(ui: &Ui, response: &Response) {
    if response.has_focus() {
        let stroke = Stroke::new(2.0, palette(ui).accent);
        ui.painter().rect_stroke(response.rect.expand(1.0), theme::CORNER, stroke, StrokeKind::Outside);
    }
}

/// A small mark with an icon and a word, in the top bar.
pub fn chip(ui: &mut Ui, icon: Icon, text: &str, on: Option<Color32>, tooltip: &str) -> Response {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), theme::font(theme::TEXT_SMALL), Color32::PLACEHOLDER);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 14.0 + 22.0, 24.0), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, format!("{text}: {tooltip}")));
    let colors = palette(ui);
    let fill = if response.hovered() { colors.hovered } else { colors.raised };
    ui.painter().rect_filled(rect, rect.height() / 2.0, fill);
    focus_ring(ui, &response);
    let (mark, word) = match on {
        Some(color) => (color, colors.text),
        None => (colors.weak, colors.weak),
    };
    let at = Rect::from_center_size(pos2(rect.left() + 16.0, rect.center().y), vec2(14.0, 14.0));
    icon.paint(ui.painter(), at, mark);
    ui.painter().galley(pos2(rect.left() + 28.0, rect.center().y - galley.size().y / 2.0), galley, word);
    response.on_hover_text(tooltip)
}

/// Text in a row of fixed height, cut with an ellipsis where it does not fit.
pub fn painted_text(ui: &Ui, rect: Rect, align: Align2, text: &str, size: f32, color: Color32) {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), theme::font(size), color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width());
    let galley = ui.painter().layout_job(job);
    let at = align.align_size_within_rect(galley.size(), rect).min;
    ui.painter().galley(at, galley, color);
}
