//! Cards, empty states and small groups of words.

use egui::{Align, Color32, Layout, Sense, Ui, UiBuilder, Vec2, vec2};

use super::button::{Weight, button};
use super::icon::Icon;
use crate::theme::{self, caption, palette};

/// A page or panel that has nothing yet: an icon, one sentence, one button.
pub fn empty(ui: &mut Ui, icon: Icon, sentence: &str, verb: Option<(Icon, &str)>) -> bool {
    let mut clicked = false;
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.32 - 40.0).max(16.0));
        icon.show(ui, 40.0, palette(ui).weak);
        ui.add_space(theme::GAP);
        ui.scope(|ui| {
            ui.set_max_width(420.0);
            ui.label(egui::RichText::new(sentence).color(palette(ui).weak));
        });
        if let Some((icon, verb)) = verb {
            ui.add_space(theme::GAP);
            clicked = button(ui, Some(icon), verb, Weight::Primary).clicked();
        }
    });
    clicked
}

/// A card of a fixed size with `content` at its top and `action` at its bottom.
pub fn card(ui: &mut Ui, frame: egui::Frame, size: Vec2, content: impl FnOnce(&mut Ui), action: impl FnOnce(&mut Ui)) {
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let inner = rect.shrink(f32::from(theme::PANEL_PADDING) + 1.0);
    ui.painter().add(frame.paint(inner));
    let child = |layout| UiBuilder::new().max_rect(inner).layout(layout);
    content(&mut ui.new_child(child(Layout::top_down(Align::LEFT))));
    action(&mut ui.new_child(child(Layout::bottom_up(Align::LEFT))));
}

/// A number with what it counts.
pub fn stat(ui: &mut Ui, value: &str, what: &str) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.add(egui::Label::new(theme::number(value)).extend());
        ui.label(caption(what));
    });
}

/// A pair of a caption at the left and a value at the right.
pub fn pair(ui: &mut Ui, what: &str, value: &str) {
    let width = ui.available_width();
    ui.allocate_ui_with_layout(vec2(width, 18.0), Layout::left_to_right(Align::Center), |ui| {
        ui.set_width(width);
        ui.label(caption(what));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add(egui::Label::new(egui::RichText::new(value).size(13.0)).truncate()).on_hover_text(value);
        });
    });
}

/// How well each attribute is predicted; nothing for a model of classes.
pub fn attributes(ui: &mut Ui, scores: &[training::AttributeScores]) {
    for scores in scores {
        let name = crate::wording::capital(scores.attribute.name());
        pair(ui, &name, &crate::wording::agreement(&scores.agreement));
    }
}

/// A dot of a colour, before the name of what it stands for.
pub fn dot(ui: &mut Ui, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(10.0, 18.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.5, color);
}

/// A dot and a name.
pub fn legend(ui: &mut Ui, color: Color32, name: &str) {
    let width = ui.painter().layout_no_wrap(name.to_owned(), theme::font(13.0), color).size().x;
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(vec2(width + 16.0, 18.0), layout, |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        dot(ui, color);
        ui.label(egui::RichText::new(name).size(13.0));
    });
}

/// The title of a page and, at its right, what can be done there.
pub fn header(ui: &mut Ui, title: &str, actions: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.set_min_height(36.0);
        ui.label(theme::title(title));
        ui.with_layout(Layout::right_to_left(Align::Center), actions);
    });
    ui.add_space(theme::GAP_SMALL);
}

/// A sentence with a mark before it: what is wrong, or good to know.
pub fn remark(ui: &mut Ui, icon: Icon, color: Color32, text: &str) {
    ui.horizontal_top(|ui| {
        icon.show(ui, 16.0, color);
        ui.add(egui::Label::new(egui::RichText::new(text).size(13.0)).wrap());
    });
}
