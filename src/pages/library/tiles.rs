//! Clips as tiles: a picture, a class, a sentence.

use std::path::Path;

use egui::{Align2, Rect, Sense, Ui, WidgetInfo, pos2, vec2};
use emotion::{Clip, Manifest, Modality};

use crate::pages::Shell;
use crate::textures::Look;
use crate::theme::{self, label_colors, palette};
use crate::widgets::button::{focus_ring, painted_text};
use crate::widgets::icon::{Icon, centred};
use crate::wording::clip_length;

/// Narrowest tile.
const TILE: f32 = 132.0;
/// Width of the length in the corner of a picture.
const BADGE: f32 = 42.0;
/// Height of the words below a picture.
const WORDS: f32 = 40.0;

/// How many tiles fit beside each other into `width`, and how large they are.
pub fn grid(width: f32, gap: f32) -> (usize, egui::Vec2) {
    let n_columns = ((width + gap) / (TILE + gap)).floor().max(1.0) as usize;
    let side = (width - gap * (n_columns - 1) as f32) / n_columns as f32;
    (n_columns, vec2(side, side + WORDS))
}

/// A clip that can be chosen.
pub fn tile_ui(
    ui: &mut Ui,
    shell: &mut Shell<'_>,
    manifest: &Manifest,
    clip: &Clip,
    size: egui::Vec2,
    selected: bool,
) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let label = manifest.labels.name(clip.label);
    response.widget_info(|| {
        WidgetInfo::selected(egui::accesskit::Role::Button, true, selected, format!("Clip {}, {label}", clip.id))
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let colors = palette(ui);
    let color = label_colors(&manifest.labels)[clip.label];
    let picture = Rect::from_min_size(rect.min, vec2(size.x, size.x));
    thumbnail_ui(ui, shell, &manifest.clip_path(clip), picture);
    if let Some(secs) = clip.duration_secs {
        let text = clip_length(secs);
        let badge = Rect::from_min_size(pos2(picture.right() - BADGE - 4.0, picture.top() + 4.0), vec2(BADGE, 18.0));
        ui.painter().rect_filled(badge, 4.0, theme::PICTURE_SHADE);
        painted_text(ui, badge, Align2::CENTER_CENTER, &text, theme::TEXT_TINY, theme::ON_PICTURE);
    }
    if selected || response.hovered() {
        let stroke = egui::Stroke::new(2.0, if selected { colors.accent } else { colors.control_line });
        ui.painter().rect_stroke(picture, theme::CORNER, stroke, egui::StrokeKind::Inside);
    }
    let strip = Rect::from_min_size(pos2(rect.left(), picture.bottom() + 4.0), vec2(4.0, 32.0));
    ui.painter().rect_filled(strip, 2.0, color);
    let first = Rect::from_min_size(pos2(rect.left() + 10.0, picture.bottom() + 3.0), vec2(size.x - 12.0, 17.0));
    painted_text(ui, first, Align2::LEFT_CENTER, label, 13.0, colors.text);
    let second = first.translate(vec2(0.0, 17.0));
    let words = clip.text.as_deref().unwrap_or(&clip.id);
    painted_text(ui, second, Align2::LEFT_CENTER, words, theme::TEXT_SMALL, colors.weak);
    focus_ring(ui, &response);
    response
}

/// Height of a waveform over a picture.
const WAVE: f32 = 22.0;

/// Draws the picture and the waveform of a clip into `area`, or what stands for them.
pub fn thumbnail_ui(ui: &Ui, shell: &mut Shell<'_>, path: &Path, area: Rect) {
    let colors = palette(ui);
    match shell.textures.thumbnail(path) {
        Look::Ready { picture: Some(texture), peaks } => {
            // The middle square of the picture.
            let size = texture.size_vec2();
            let cut = |own: f32, other: f32| ((own - other) / 2.0 / own).max(0.0);
            let (left, top) = (cut(size.x, size.y), cut(size.y, size.x));
            let uv = Rect::from_min_max(pos2(left, top), pos2(1.0 - left, 1.0 - top));
            egui::Image::new(texture).uv(uv).corner_radius(theme::CORNER).paint_at(ui, area);
            let strip = Rect::from_min_max(pos2(area.left(), area.bottom() - WAVE), area.max);
            if !peaks.is_empty() {
                let lower = egui::CornerRadius { sw: theme::CORNER, se: theme::CORNER, ..egui::CornerRadius::ZERO };
                ui.painter().rect_filled(strip, lower, theme::PICTURE_SHADE);
                wave(ui, strip.shrink2(vec2(6.0, 3.0)), peaks, theme::ON_PICTURE);
            }
        }
        Look::Ready { picture: None, peaks } => {
            ui.painter().rect_filled(area, theme::CORNER, colors.raised);
            if peaks.is_empty() {
                // What should have picture or sound is not just text.
                let icon = if path.extension().is_some() { Icon::Warning } else { Icon::Text };
                icon.paint(ui.painter(), centred(area, 28.0), colors.weak);
            } else {
                wave(ui, area.shrink2(vec2(10.0, area.height() * 0.28)), peaks, theme::modality_color(Modality::Voice));
            }
        }
        Look::Underway => {
            ui.painter().rect_filled(area, theme::CORNER, colors.raised);
        }
    }
}

/// Quieter sounds stay small, where others fill the height.
const QUIET: f32 = 0.02;

/// Draws the outline of a sound, one bar a peak, the loudest as high as there is room.
fn wave(ui: &Ui, area: Rect, peaks: &[f32], color: egui::Color32) {
    let step = area.width() / peaks.len() as f32;
    let loudest = peaks.iter().copied().fold(QUIET, f32::max);
    for (idx, peak) in peaks.iter().enumerate() {
        let half = (peak / loudest * area.height() / 2.0).max(0.5);
        let x = area.left() + idx as f32 * step;
        let bar = Rect::from_min_max(pos2(x, area.center().y - half), pos2(x + step * 0.7, area.center().y + half));
        ui.painter().rect_filled(bar, 0.5, color);
    }
}
