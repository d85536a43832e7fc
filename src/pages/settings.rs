//! Settings: devices, appearance, folders, privacy, shortcuts.

use egui::{Align, Layout, ScrollArea, Ui};

use super::{Page, Shell};
use crate::app::SHORTCUTS;
use crate::command::Command;
use crate::theme::{self, Appearance, caption, palette};
use crate::widgets::button::{Weight, button, button_if, choice, row};
use crate::widgets::icon::Icon;
use crate::widgets::tile::{header, remark};
use crate::wording::bytes;

/// Settings.
pub struct Preferences;

impl Page for Preferences {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let frame = theme::page(ui);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                ui.set_max_width(760.0);
                header(ui, "Settings", |_| ());
                devices_ui(ui, shell);
                appearance_ui(ui, shell);
                folders_ui(ui, shell);
                privacy_ui(ui);
                shortcuts_ui(ui);
                ui.label(caption(concat!("Limbic ", env!("CARGO_PKG_VERSION"))));
            });
        });
    }
}

fn group(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui)) {
    ui.label(theme::group_title(title));
    theme::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        content(ui);
    });
    ui.add_space(theme::GAP_LARGE);
}

fn devices_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    let state = shell.state;
    group(ui, "Device", |ui| {
        let current = shell.settings.device.clone();
        let clicked = row(ui, current == "auto", "Automatic: the fastest device that works", 44.0, |ui| {
            Icon::Device.show(ui, 18.0, palette(ui).weak);
            ui.label("Automatic");
            ui.label(caption("the fastest device that works"));
            check_ui(ui, current == "auto");
        })
        .clicked();
        if clicked && let Ok(id) = "auto".parse() {
            shell.ask(Command::UseDevice(id));
        }
        for device in &state.devices {
            let id = device.info.id.to_string();
            let works = !matches!(device.probe, Some(Err(_)));
            let label = format!("{id}: {}", device.name());
            let clicked = ui
                .add_enabled_ui(works, |ui| {
                    row(ui, current == id, &label, 44.0, |ui| {
                        Icon::Device.show(ui, 18.0, palette(ui).weak);
                        ui.label(device.name());
                        ui.label(caption(format!("{id}, {} through {}", device.info.kind, device.info.backend)));
                        check_ui(ui, current == id);
                        ui.with_layout(Layout::right_to_left(Align::Center), |ui| match &device.probe {
                            None => {
                                ui.label(caption("being tried…"));
                            }
                            Some(Ok(speed)) => {
                                ui.label(egui::RichText::new(speed).size(13.0).color(palette(ui).good));
                            }
                            Some(Err(_)) => {
                                ui.label(egui::RichText::new("does not work").size(13.0).color(palette(ui).danger));
                            }
                        });
                    })
                })
                .inner
                .clicked();
            if clicked {
                shell.ask(Command::UseDevice(device.info.id));
            }
            if let Some(Err(reason)) = &device.probe {
                remark(ui, Icon::Warning, palette(ui).danger, reason);
            }
        }
        if state.listing_devices {
            ui.label(caption("Looking for devices…"));
        }
        let busy = state.listing_devices.then_some("It is looking already");
        if button_if(ui, Some(Icon::Refresh), "Look again", Weight::Plain, busy).clicked() {
            shell.ask(Command::ProbeDevices);
        }
    });
}

fn check_ui(ui: &mut Ui, chosen: bool) {
    if chosen {
        Icon::Check.show(ui, 16.0, palette(ui).accent);
    }
}

fn appearance_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    group(ui, "Appearance", |ui| {
        egui::Grid::new("appearance").num_columns(2).spacing([32.0, 8.0]).show(ui, |ui| {
            ui.label("Theme");
            let mut appearance = shell.settings.appearance;
            let options = Appearance::ALL.map(|appearance| (appearance, appearance.name()));
            if choice(ui, &mut appearance, &options) {
                shell.ask(Command::SetAppearance(appearance));
            }
            ui.end_row();
            ui.label("Size of everything");
            let mut zoom = shell.settings.zoom;
            let options =
                [(0.8, "80 %"), (0.9, "90 %"), (1.0, "100 %"), (1.15, "115 %"), (1.3, "130 %"), (1.5, "150 %")];
            if choice(ui, &mut zoom, &options) {
                shell.ask(Command::SetZoom(zoom));
            }
            ui.end_row();
        });
    });
}

fn folders_ui(ui: &mut Ui, shell: &mut Shell<'_>) {
    group(ui, "Folders", |ui| {
        let project = shell.state.project.as_ref().map(|project| ("Project", project.dir.clone()));
        let places = shell.places;
        let rows = project.into_iter().chain([
            ("New projects", places.projects.clone()),
            ("Settings", places.config.clone()),
            ("Cache", places.cache.clone()),
        ]);
        for (what, dir) in rows {
            ui.horizontal(|ui| {
                ui.set_min_height(theme::CONTROL);
                ui.label(what);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if button(ui, Some(Icon::Folder), "Show", Weight::Quiet)
                        .on_hover_text(format!("Show {what}"))
                        .clicked()
                    {
                        shell.ask(Command::Reveal(dir.clone()));
                    }
                    ui.add(egui::Label::new(caption(dir.display().to_string())).truncate());
                });
            });
        }
        ui.separator();
        ui.horizontal(|ui| {
            let size = shell.state.cache_bytes.map_or_else(|| "not counted yet".into(), bytes);
            ui.label(format!("Prepared clips in the cache: {size}"));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let busy = shell.state.training.is_some().then_some("A model is being trained from it");
                if button_if(ui, Some(Icon::Trash), "Clear cache", Weight::Danger, busy)
                    .on_hover_text("Clips are prepared again when they are needed; nothing else is lost")
                    .clicked()
                {
                    shell.ask(Command::ClearCache);
                }
                if button(ui, None, "Count", Weight::Quiet).clicked() {
                    shell.ask(Command::MeasureCache);
                }
            });
        });
        ui.horizontal(|ui| {
            ui.label("Keep it to");
            let mut gib = shell.settings.cache_gib;
            let mut options = vec![(5, "5 GB"), (20, "20 GB"), (50, "50 GB"), (100, "100 GB"), (0, "Any size")];
            let own = format!("{gib} GB");
            // The file of settings can hold any number.
            if options.iter().all(|(known, _)| *known != gib) {
                options.push((gib, &own));
            }
            if choice(ui, &mut gib, &options) {
                shell.ask(Command::LimitCache(gib));
            }
        });
        ui.label(caption(
            "Beyond that, clips that were not used for longest are removed. What a running job uses stays.",
        ));
    });
}

fn privacy_ui(ui: &mut Ui) {
    group(ui, "Privacy", |ui| {
        for line in [
            "Everything is processed on this computer. Limbic makes no connection to any other.",
            "Camera and microphone are looked for and opened only when you click, and closed when you stop; the marks at the top right say when they are open.",
            "Pictures and sound of the live view are never written to disk; only predictions are, when you record.",
        ] {
            remark(ui, Icon::Check, palette(ui).good, line);
        }
    });
}

fn shortcuts_ui(ui: &mut Ui) {
    group(ui, "Shortcuts", shortcut_list_ui);
}

/// The list of shortcuts.
pub fn shortcut_list_ui(ui: &mut Ui) {
    egui::Grid::new("shortcuts").num_columns(2).spacing([32.0, 6.0]).show(ui, |ui| {
        for (keys, what) in SHORTCUTS {
            ui.label(theme::semibold(*keys).size(13.0));
            ui.label(egui::RichText::new(*what).size(13.0));
            ui.end_row();
        }
    });
}
