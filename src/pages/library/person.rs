//! Whose face, where a clip shows several people: of a dataset in a list, of a clip by a click on its picture.

use std::path::Path;

use egui::accesskit::Role;
use egui::{Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2};
use emotion::{Clip, FaceBox, FaceChoice, FaceSource, Modality};
use media::People;

use super::tiles::thumbnail_ui;
use crate::command::{Command, Whose};
use crate::pages::Shell;
use crate::state::{Computed, Dataset, PeopleOf};
use crate::textures::Look;
use crate::theme::{self, caption, palette};
use crate::widgets::button::{Weight, button_if, focus_ring};
use crate::widgets::combo::combo;
use crate::widgets::icon::Icon;
use crate::widgets::tile::remark;
use crate::wording::capital;

/// A picture of a clip is no higher than this.
const MAX_HEIGHT: f32 = 320.0;

/// What a choice is called in lists.
pub fn name_of(person: FaceChoice) -> &'static str {
    match person {
        FaceChoice::Size => "The largest face",
        FaceChoice::Centre => "Nearest the centre",
        FaceChoice::Point { .. } => "Nearest to where I click",
    }
}

/// The choice of a dataset, with a picture of the clip at `example` to click on; the new choice, once it is made.
pub fn choice_ui(ui: &mut Ui, shell: &mut Shell<'_>, person: FaceChoice, example: Option<&Path>) -> Option<FaceChoice> {
    let mut wanted = person;
    let width = ui.available_width();
    combo(ui, "Whose face", name_of(person), width, |ui| {
        let place = match person {
            FaceChoice::Point { .. } => person,
            _ => FaceChoice::Point { x: 0.5, y: 0.5 },
        };
        for option in [FaceChoice::Size, FaceChoice::Centre, place] {
            ui.selectable_value(&mut wanted, option, name_of(option));
        }
    });
    if let FaceChoice::Point { x, y } = person {
        let mut place = place_ui(ui, shell, (x, y), example).unwrap_or((x, y));
        ui.horizontal(|ui| {
            for (share, name) in [(&mut place.0, "from the left"), (&mut place.1, "from the top")] {
                let mut percent = (*share * 100.0).round();
                let drag =
                    egui::DragValue::new(&mut percent).range(0.0..=100.0).suffix(" %").update_while_editing(false);
                let drag = ui.add(drag).accessible_name(format!("Place {name}"));
                if drag.changed() && !drag.dragged() || drag.drag_stopped() {
                    *share = percent / 100.0;
                }
                ui.label(caption(name));
            }
        });
        if place != (x, y) {
            wanted = FaceChoice::Point { x: place.0, y: place.1 };
        }
    }
    (wanted != person).then_some(wanted)
}

/// A picture with a mark at `(x, y)`, in shares of its sides; where it was clicked.
fn place_ui(ui: &mut Ui, shell: &mut Shell<'_>, (x, y): (f32, f32), example: Option<&Path>) -> Option<(f32, f32)> {
    let width = ui.available_width();
    let texture = example.and_then(|path| match shell.textures.thumbnail(path) {
        Look::Ready { picture, .. } => picture.cloned(),
        Look::Underway => None,
    });
    let shape = texture.as_ref().map_or(9.0 / 16.0, |texture| texture.size_vec2().y / texture.size_vec2().x);
    let (area, response) = ui.allocate_exact_size(vec2(width, (width * shape).min(MAX_HEIGHT)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Where the face is"));
    ui.painter().rect_filled(area, theme::CORNER, theme::PICTURE_GROUND);
    let picture = fit(area, 1.0 / shape);
    if let Some(texture) = &texture {
        egui::Image::new(texture).corner_radius(theme::CORNER).paint_at(ui, picture);
    }
    let at = picture.lerp_inside(vec2(x, y));
    for (radius, stroke) in [(8.0, Stroke::new(4.0, theme::PICTURE_SHADE)), (8.0, Stroke::new(2.0, theme::ON_PICTURE))]
    {
        ui.painter().circle_stroke(at, radius, stroke);
    }
    ui.painter().circle_filled(at, 3.0, palette(ui).accent);
    focus_ring(ui, &response);
    let clicked = response.interact_pointer_pos().filter(|_| response.clicked())?;
    let share = (clicked - picture.min) / picture.size();
    Some((share.x.clamp(0.0, 1.0), share.y.clamp(0.0, 1.0)))
}

/// The largest area of `aspect` (width over height) in the middle of another.
fn fit(area: Rect, aspect: f32) -> Rect {
    let width = area.width().min(area.height() * aspect);
    Rect::from_center_size(area.center(), vec2(width, width / aspect))
}

/// The picture of a clip with its people, each of whom can be made the one it is about; `fixed` says why not.
pub fn clip_picture_ui(ui: &mut Ui, shell: &mut Shell<'_>, dataset: &Dataset, clip: &Clip, fixed: Option<&str>) {
    let manifest = &dataset.manifest;
    let (faces, face, choice) = manifest.face_of(clip);
    let of = PeopleOf { path: manifest.clip_path(clip), faces };
    let has_face = clip.present.is_none_or(|present| present.contains(Modality::Face));
    let is_searched = clip.has_media() && has_face && faces != FaceSource::Cropped;
    let state = shell.state;
    let found = state.people.as_ref().filter(|(own, _)| is_searched && *own == of).map(|(_, found)| found);
    if is_searched && found.is_none() {
        shell.ask(Command::FindPeople { of: of.clone(), choice });
    }
    let Some(people) =
        found.and_then(|found| if let Computed::Ready(found) = found { found.as_ref().as_ref() } else { None })
    else {
        let side = ui.available_width().min(256.0);
        let (area, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
        thumbnail_ui(ui, shell, &of.path, area);
        if let Some(Computed::Failed(reason)) = found {
            remark(ui, Icon::Warning, palette(ui).warning, &capital(reason));
        }
        return;
    };
    let marked = people.chosen(face, choice);
    let n = people.people.len();
    let whose = |person| Whose { dataset: dataset.name.clone(), clip: Some(clip.id.clone()), person };
    let clicked = people_ui(ui, shell, &of, people, marked, n > 1 && fixed.is_none());
    if let Some(at) = clicked.filter(|at| Some(*at) != marked) {
        shell.ask(Command::ChoosePerson(whose(Some(people.people[at].place))));
    }
    match (n, fixed) {
        (0, _) => remark(ui, Icon::Info, palette(ui).weak, "No face was found in this clip."),
        (1, _) => {}
        (n, Some(reason)) => drop(ui.label(caption(format!("{n} faces. {reason}.")))),
        (n, None) => drop(ui.label(caption(format!("{n} faces: click the one that the clip is about.")))),
    }
    if clip.person.is_some() && button_if(ui, Some(Icon::Undo), "As in the dataset", Weight::Quiet, fixed).clicked() {
        shell.ask(Command::ChoosePerson(whose(None)));
    }
}

/// Draws people into a picture; the one that was clicked, if that `can_choose`.
fn people_ui(
    ui: &mut Ui,
    shell: &mut Shell<'_>,
    of: &PeopleOf,
    people: &People,
    marked: Option<usize>,
    can_choose: bool,
) -> Option<usize> {
    let texture = shell.textures.people(ui.ctx(), of, &people.picture).clone();
    let size = texture.size_vec2();
    let width = ui.available_width();
    let (area, _) = ui.allocate_exact_size(vec2(width, (width * size.y / size.x).min(MAX_HEIGHT)), Sense::hover());
    ui.painter().rect_filled(area, theme::CORNER, theme::PICTURE_GROUND);
    let picture = fit(area, size.x / size.y);
    egui::Image::new(&texture).corner_radius(theme::CORNER).paint_at(ui, picture);
    let factor = picture.width() / size.x;
    let place = |area: &FaceBox| {
        let min = picture.min + vec2(area.x_px, area.y_px) * factor;
        Rect::from_min_size(min, vec2(area.width_px, area.height_px) * factor).intersect(picture)
    };
    let mut clicked = None;
    for (at, person) in people.people.iter().enumerate() {
        let rect = place(&person.area);
        let sense = if can_choose { Sense::click() } else { Sense::hover() };
        let response = ui.interact(rect, ui.scope_id().with(("face", at)), sense);
        let (is_marked, name) = (marked == Some(at), format!("Face {} of {}", at + 1, people.people.len()));
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, can_choose, is_marked, name.clone()));
        let (width, color) = match (is_marked, can_choose && response.hovered()) {
            (true, _) => (3.0, palette(ui).accent),
            (false, true) => (2.0, palette(ui).accent),
            (false, false) => (1.5, theme::ON_PICTURE),
        };
        // A line around keeps it visible on any picture.
        let around = Stroke::new(width + 2.0, if is_marked { theme::ON_PICTURE } else { theme::PICTURE_SHADE });
        for stroke in [around, Stroke::new(width, color)] {
            ui.painter().rect_stroke(rect, 4.0, stroke, StrokeKind::Middle);
        }
        focus_ring(ui, &response);
        if response.clicked() {
            clicked = Some(at);
        }
    }
    clicked
}
