//! Live: a model at work on a camera and a microphone, or on a file.

use egui::{Align, Align2, Layout, Panel, Rect, ScrollArea, Sense, Ui, pos2, vec2};
use emotion::Modality;

use super::{Page, Shell};
use crate::command::{Command, LiveSource};
use crate::state::{self, DialogFor, LivePhase, PageName};
use crate::theme::{self, caption, label_colors, modality_color, palette};
use crate::widgets::bars::{emotions, meter};
use crate::widgets::button::{Weight, button, button_if, icon_button, painted_text, switch};
use crate::widgets::combo::combo;
use crate::widgets::icon::{Icon, centred};
use crate::widgets::plot::{Curve, timeline};
use crate::widgets::tile::{dot, empty, header, remark};
use crate::wording::capital;

/// Live.
#[derive(Default)]
pub struct Live {
    camera: Option<String>,
    microphone: Option<String>,
    /// Whether the camera and the microphone were set to the first ones found.
    chosen: bool,
    text: String,
}

impl Page for Live {
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let state = shell.state;
        let frame = theme::page(ui);
        let has_model = state.runs.iter().any(crate::run::Run::has_model);
        if !has_model && !state.live.is_open() {
            egui::CentralPanel::default().frame(frame).show(ui, |ui| {
                let sentence = "Here a trained model watches and listens, to you or to a clip. Train one first.";
                if empty(ui, Icon::Live, sentence, Some((Icon::Train, "Train a model"))) {
                    shell.ask(Command::GoTo(PageName::Train));
                }
            });
            return;
        }
        if state.live.presenting {
            egui::CentralPanel::default().frame(egui::Frame::new().fill(theme::PICTURE_GROUND)).show(ui, |ui| {
                let area = ui.max_rect();
                picture_ui(ui, shell, area);
                open_devices_ui(ui, &state.live, area);
            });
            return;
        }
        let side = theme::panel(ui);
        let width = if ui.available_width() > 1000.0 { 300.0 } else { 260.0 };
        Panel::right("live controls").frame(side).exact_size(width).resizable(false).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.controls_ui(ui, shell));
        });
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            header(ui, "Live", |ui| self.actions_ui(ui, shell));
            let time_height = 120.0;
            let height = (ui.available_height() - time_height - theme::GAP).max(160.0);
            let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
            picture_ui(ui, shell, area);
            timeline_ui(ui, &state.live, time_height - 8.0);
        });
    }
}

impl Live {
    fn actions_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let live = &shell.state.live;
        if !live.is_open() {
            return;
        }
        if button(ui, Some(Icon::Stop), "Stop", Weight::Plain).clicked() {
            shell.ask(Command::StopLive);
        }
        if icon_button(ui, Icon::Expand, "Present (F)").clicked() {
            shell.ask(Command::Present(true));
        }
        let recording = live.recording.is_some();
        let verb = if recording { "Stop recording" } else { "Record CSV" };
        if button(ui, Some(if recording { Icon::Stop } else { Icon::Record }), verb, Weight::Plain).clicked() {
            shell.ask(Command::Record(!recording));
        }
        if recording {
            ui.label(egui::RichText::new("● REC").color(palette(ui).danger).size(theme::TEXT_SMALL));
        }
    }

    fn controls_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let state = shell.state;
        let live = &state.live;
        ui.label(theme::group_title("Model"));
        let current = state.live_run();
        let shown = if live.is_open() {
            live.run.clone()
        } else {
            current.map_or("Choose a run".into(), |run| run.name.clone())
        };
        ui.add_enabled_ui(!live.is_open(), |ui| {
            let width = ui.available_width();
            combo(ui, "Model of run", shown, width, |ui| {
                for run in state.runs.iter().filter(|run| run.has_model()) {
                    if ui.selectable_label(state.run.as_ref() == Some(&run.name), &run.name).clicked() {
                        shell.ask(Command::SelectRun(run.name.clone()));
                    }
                }
            });
        });
        ui.add_space(theme::GAP);
        if live.is_open() {
            self.running_ui(ui, shell);
        } else {
            self.source_ui(ui, shell, current.is_some());
        }
    }

    fn source_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>, has_model: bool) {
        let state = shell.state;
        let blocked = (!has_model).then_some("Choose a run with a trained model first");
        if let (LivePhase::Ended(_), Some(source)) = (&state.live.phase, &state.live.source) {
            if button_if(ui, Some(Icon::Refresh), "Play again", Weight::Primary, blocked).clicked() {
                shell.ask(Command::StartLive(source.clone()));
            }
            ui.add_space(theme::GAP);
        }
        ui.label(theme::group_title("A clip"));
        let weight = if matches!(state.live.phase, LivePhase::Ended(_)) { Weight::Plain } else { Weight::Primary };
        if button_if(ui, Some(Icon::Play), "Play a clip…", weight, blocked).clicked() {
            shell.ask(Command::Choose(DialogFor::LiveClip));
        }
        let own = state.live_run().and_then(|run| state.dataset_of(run));
        if let Some(dataset) = own.or(state.current_dataset()) {
            let manifest = &dataset.manifest;
            let tests: Vec<_> = manifest.split(emotion::Split::Test).take(6).collect();
            if !tests.is_empty() {
                ui.label(caption(match own {
                    Some(_) => format!("or one of “{}” that it was tested on", dataset.name),
                    None => format!("or a test clip of “{}”", dataset.name),
                }));
                let side = (ui.available_width() - 2.0 * 6.0) / 3.0;
                for three in tests.chunks(3) {
                    ui.horizontal(|ui| {
                        ui.spacing_mut().item_spacing.x = 6.0;
                        for clip in three {
                            let (area, response) = ui.allocate_exact_size(vec2(side, side), Sense::click());
                            let label = manifest.labels.name(clip.label);
                            response.widget_info(|| {
                                egui::WidgetInfo::labeled(
                                    egui::accesskit::Role::Button,
                                    true,
                                    format!("Play clip {}", clip.id),
                                )
                            });
                            super::library::thumbnail_ui(ui, shell, &manifest.clip_path(clip), area);
                            let color = label_colors(&manifest.labels)[clip.label];
                            ui.painter().circle_filled(area.min + vec2(10.0, 10.0), 5.0, color);
                            if response.hovered() || response.has_focus() {
                                ui.painter().rect_filled(area, theme::CORNER, theme::PICTURE_SHADE.gamma_multiply(0.7));
                                Icon::Play.paint(ui.painter(), centred(area, 24.0), theme::ON_PICTURE);
                            }
                            if response.on_hover_text(format!("{}: {label}", clip.id)).clicked() && has_model {
                                let path = manifest.clip_path(clip);
                                shell.ask(Command::StartLive(LiveSource::File { path, text: clip.text.clone() }));
                            }
                        }
                    });
                }
            }
        }
        ui.add_space(theme::GAP_LARGE);
        ui.label(theme::group_title("Camera and microphone"));
        let (Some(cameras), Some(microphones)) = (&state.cameras, &state.microphones) else {
            ui.add(
                egui::Label::new(caption(
                    "Limbic looks for them only when you ask; your system may want your permission.",
                ))
                .wrap(),
            );
            if button(ui, Some(Icon::Camera), "Find devices", Weight::Plain).clicked() {
                shell.ask(Command::ListCaptureDevices);
            }
            return;
        };
        if !self.chosen {
            self.camera = cameras.first().map(|device| device.id.clone());
            self.microphone = microphones.first().map(|device| device.id.clone());
            self.chosen = true;
        }
        for (what, devices, chosen) in
            [("Camera", cameras, &mut self.camera), ("Microphone", microphones, &mut self.microphone)]
        {
            let shown = chosen.as_ref().and_then(|id| devices.iter().find(|device| device.id == *id)).map_or_else(
                || if devices.is_empty() { "none found" } else { "off" }.to_owned(),
                |device| device.name.clone(),
            );
            ui.label(caption(what));
            let width = ui.available_width();
            combo(ui, what, shown, width, |ui| {
                ui.selectable_value(chosen, None, "off");
                for device in devices {
                    ui.selectable_value(chosen, Some(device.id.clone()), &device.name);
                }
            });
        }
        ui.horizontal_wrapped(|ui| {
            let nothing =
                (self.camera.is_none() && self.microphone.is_none()).then_some("Choose a camera or a microphone");
            if button_if(ui, Some(Icon::Camera), "Start", Weight::Plain, blocked.or(nothing)).clicked() {
                let (camera, microphone) = (self.camera.clone(), self.microphone.clone());
                shell.ask(Command::StartLive(LiveSource::Devices { camera, microphone }));
            }
            if button(ui, Some(Icon::Refresh), "Look again", Weight::Quiet).clicked() {
                self.chosen = false;
                shell.ask(Command::ListCaptureDevices);
            }
        });
        ui.add(egui::Label::new(caption(
            "Pictures and sound stay on this computer and are not kept. Reading emotions of people at work or school can be restricted by law: ask before you use it on others.",
        )).wrap());
    }

    fn running_ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>) {
        let live = &shell.state.live;
        ui.label(theme::group_title("What it may use"));
        let mut on = live.on;
        for (modality, icon) in
            [(Modality::Face, Icon::Face), (Modality::Voice, Icon::Voice), (Modality::Text, Icon::Text)]
        {
            let usable = live.usable.contains(modality);
            ui.horizontal(|ui| {
                icon.show(ui, 18.0, if on.contains(modality) { modality_color(modality) } else { palette(ui).weak });
                let mut is_on = on.contains(modality);
                let changed = ui
                    .add_enabled_ui(usable, |ui| {
                        switch(ui, &mut is_on, &capital(modality.name()), modality_color(modality))
                    })
                    .inner
                    .on_disabled_hover_text("What is played has none, or the model cannot use it")
                    .changed();
                if changed {
                    on = on.with(modality, is_on);
                }
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| match modality {
                    Modality::Voice => meter(ui, live.level, modality_color(modality), 96.0),
                    Modality::Face | Modality::Text => {
                        let (words, color) = if !on.contains(modality) {
                            ("off", palette(ui).weak)
                        } else if live.has(modality) {
                            ("in use", palette(ui).good)
                        } else {
                            ("not there", palette(ui).weak)
                        };
                        ui.label(egui::RichText::new(words).size(theme::TEXT_SMALL).color(color));
                    }
                });
            });
        }
        if on != live.on {
            shell.ask(Command::SwitchLive(on));
        }
        for modality in live.usable.iter().filter(|&modality| !live.trained_on.contains(modality)) {
            let words = format!("The model was not trained with {}", modality.name());
            remark(ui, Icon::Info, palette(ui).weak, &words);
        }
        ui.add_space(theme::GAP_SMALL);
        ui.label(caption("What is being said"));
        if self.text != live.text && !ui.memory(|memory| memory.has_focus(egui::Id::unique("live text"))) {
            self.text.clone_from(&live.text);
        }
        let field = egui::TextEdit::multiline(&mut self.text)
            .id(egui::Id::unique("live text"))
            .desired_rows(2)
            .desired_width(f32::INFINITY)
            .hint_text("Type the words, the model reads along");
        if ui.add(field).accessible_name("What is being said").changed() {
            shell.ask(Command::SetLiveText(self.text.clone()));
        }
        ui.add_space(theme::GAP_SMALL);
        ui.label(caption("Smoothing"));
        let mut smoothing = live.smoothing;
        ui.spacing_mut().slider_width = ui.available_width() - 72.0;
        let slider = egui::Slider::new(&mut smoothing, 0.0..=0.95).show_value(true).fixed_decimals(2);
        if ui.add(slider).accessible_name("Smoothing").changed() {
            shell.ask(Command::SetSmoothing(smoothing));
        }
        ui.add_space(theme::GAP_SMALL);
        if live.latency_ms > 0.0 {
            ui.label(caption(format!("{:.0} ms a prediction", live.latency_ms)));
        }
        for notice in &live.notices {
            remark(ui, Icon::Warning, palette(ui).warning, &notice.to_string());
        }
        if let Some(path) = &live.recording {
            ui.add(egui::Label::new(caption(format!("Writing {}", path.display()))).wrap());
        }
    }
}

/// The picture with the face box, and over it what the model says.
fn picture_ui(ui: &mut Ui, shell: &mut Shell<'_>, area: Rect) {
    let live = &shell.state.live;
    let colors = palette(ui);
    let rounding = if live.presenting { 0 } else { theme::CORNER };
    ui.painter().rect_filled(area, rounding, theme::PICTURE_GROUND);
    match &live.phase {
        LivePhase::Off => {
            Icon::Live.paint(
                ui.painter(),
                Rect::from_center_size(area.center() - vec2(0.0, 20.0), vec2(40.0, 40.0)),
                theme::ON_PICTURE.gamma_multiply(0.5),
            );
            let words = Rect::from_center_size(area.center() + vec2(0.0, 24.0), vec2(area.width() - 32.0, 24.0));
            painted_text(
                ui,
                words,
                Align2::CENTER_CENTER,
                "Nothing is open. Play a clip or start the camera.",
                theme::TEXT,
                theme::ON_PICTURE.gamma_multiply(0.8),
            );
            return;
        }
        LivePhase::Failed(reason) => {
            let words = egui::RichText::new(reason).color(theme::ON_PICTURE);
            let room = Rect::from_center_size(area.center(), vec2((area.width() - 64.0).min(520.0), 120.0));
            Icon::Warning.paint(
                ui.painter(),
                Rect::from_center_size(room.center_top() - vec2(0.0, 28.0), vec2(36.0, 36.0)),
                theme::DARK.warning,
            );
            let layout = Layout::top_down(Align::Center);
            let mut child = ui.new_child(egui::UiBuilder::new().max_rect(room).layout(layout));
            child.add(egui::Label::new(words).wrap().selectable(true));
            return;
        }
        LivePhase::Starting => {
            painted_text(ui, area, Align2::CENTER_CENTER, "Starting…", 16.0, theme::ON_PICTURE);
            return;
        }
        LivePhase::Running | LivePhase::Ended(_) => {}
    }
    if let Some(frame) = shell.frame.clone() {
        let (width, height) = (frame.image.width_px as f32, frame.image.height_px as f32);
        let scale = (area.width() / width).min(area.height() / height);
        let picture = Rect::from_center_size(area.center(), vec2(width, height) * scale);
        let texture = shell.textures.live(ui.ctx(), frame.at_secs, &frame.image);
        egui::Image::new(texture).corner_radius(rounding).paint_at(ui, picture);
        if let Some(face) = &frame.face {
            let face = Rect::from_min_size(
                picture.min + vec2(face.x_px, face.y_px) * scale,
                vec2(face.width_px, face.height_px) * scale,
            );
            let used = live.on.contains(Modality::Face);
            let color = if used { modality_color(Modality::Face) } else { colors.control_line };
            ui.painter().rect_stroke(face, 8.0, egui::Stroke::new(2.0, color), egui::StrokeKind::Outside);
        }
    } else {
        Icon::Voice.paint(ui.painter(), centred(area, 48.0), theme::ON_PICTURE.gamma_multiply(0.5));
    }
    if let Some(labels) = &live.labels
        && live.smoothed.len() == labels.len()
    {
        let top = (0..labels.len()).max_by(|&a, &b| live.smoothed[a].total_cmp(&live.smoothed[b])).unwrap_or(0);
        let name = capital(labels.name(top));
        let size = if live.presenting { theme::TEXT_LIVE * 1.5 } else { theme::TEXT_LIVE.min(area.height() / 6.0) };
        let galley = ui.painter().layout_no_wrap(name, theme::semibold_font(size), theme::ON_PICTURE);
        let at = pos2(area.left() + 24.0, area.bottom() - 20.0 - galley.size().y);
        let behind = Rect::from_min_size(at, galley.size()).expand2(vec2(14.0, 6.0));
        ui.painter().rect_filled(behind, 10.0, theme::PICTURE_SHADE);
        let strip = Rect::from_min_size(behind.min, vec2(6.0, behind.height()));
        ui.painter().rect_filled(strip, 3.0, label_colors(labels)[top]);
        ui.painter().galley(at, galley, theme::ON_PICTURE);
        if live.presenting || area.width() > 480.0 && area.height() > 260.0 {
            let width = 260.0;
            let height = labels.len() as f32 * 26.0 + 20.0;
            let room = Rect::from_min_size(
                pos2(area.right() - width - 16.0, area.bottom() - height - 16.0),
                vec2(width, height),
            );
            ui.painter().rect_filled(room, 10.0, theme::PICTURE_SHADE);
            let mut child = ui.new_child(egui::UiBuilder::new().max_rect(room.shrink(10.0)));
            child.spacing_mut().item_spacing.y = 4.0;
            emotions(&mut child, labels, &live.smoothed, 22.0);
        }
    }
    if let Some(notice) = live.notices.first() {
        let galley = ui.painter().layout_no_wrap(notice.to_string(), theme::font(theme::TEXT), theme::ON_PICTURE);
        let at = pos2(area.left() + 46.0, area.top() + 20.0);
        let behind = Rect::from_min_size(at, galley.size()).expand2(vec2(12.0, 8.0)).with_min_x(area.left() + 12.0);
        ui.painter().rect_filled(behind, 8.0, theme::PICTURE_SHADE);
        let mark = Rect::from_center_size(pos2(area.left() + 28.0, behind.center().y), vec2(18.0, 18.0));
        Icon::Warning.paint(ui.painter(), mark, theme::DARK.warning);
        ui.painter().galley(at, galley, theme::ON_PICTURE);
    }
}

/// Says in a corner what is open while the bar at the top is hidden, and how to leave.
fn open_devices_ui(ui: &Ui, live: &state::Live, area: Rect) {
    let open = [(live.uses_camera(), "CAM"), (live.uses_microphone(), "MIC"), (live.recording.is_some(), "REC")];
    let mut words: Vec<String> = open.iter().filter(|(open, _)| *open).map(|(_, word)| format!("● {word}")).collect();
    words.push("Esc leaves".into());
    let corner = Rect::from_min_size(pos2(area.right() - 320.0, area.top() + 12.0), vec2(304.0, 20.0));
    painted_text(ui, corner, Align2::RIGHT_CENTER, &words.join("   "), theme::TEXT_SMALL, theme::ON_PICTURE);
}

fn timeline_ui(ui: &mut Ui, live: &state::Live, height: f32) {
    let Some(labels) = &live.labels else {
        ui.label(caption("The timeline of probabilities appears here."));
        return;
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().interact_size.y = 18.0;
        for (name, color) in labels.names().iter().zip(label_colors(labels)) {
            dot(ui, color);
            ui.label(caption(name));
            ui.add_space(6.0);
        }
    });
    let colors = label_colors(labels);
    let series: Vec<Curve> = labels
        .names()
        .iter()
        .enumerate()
        .map(|(label_idx, name)| Curve {
            name: name.clone(),
            color: colors[label_idx],
            dashed: false,
            points: live
                .history
                .iter()
                .filter_map(|point| Some([point.at_secs, f64::from(*point.probabilities.get(label_idx)?)]))
                .collect(),
        })
        .collect();
    let until = live.history.back().map_or(0.0, |point| point.at_secs).max(30.0);
    timeline(ui, "live timeline", &series, until, height - 26.0);
}
