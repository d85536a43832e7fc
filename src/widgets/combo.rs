//! A list to choose from that drops down.

use egui::{ComboBox, IdSalt, Key, Ui};

/// A list that shows what is chosen and drops down `options`, `width` points wide, for screen readers called `name`.
pub fn combo(ui: &mut Ui, name: &str, shown: impl Into<egui::WidgetText>, width: f32, options: impl FnOnce(&mut Ui)) {
    let was_open = ComboBox::is_open(ui.ctx(), ui.make_persistent_id(IdSalt::new(name)));
    let combo = ComboBox::from_id_salt(name).selected_text(shown).width(width).truncate().show_ui(ui, |ui| {
        options(ui);
        // A click of the pointer closes the list by itself, a choice by the keyboard does not.
        if was_open && ui.input(|input| input.key_pressed(Key::Enter) || input.key_pressed(Key::Space)) {
            ui.close();
        }
    });
    combo.response.accessible_name(name);
}
