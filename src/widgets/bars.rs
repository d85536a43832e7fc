//! Progress, level meters, probabilities and stacked counts.

use egui::accesskit::Role;
use egui::{Align2, Color32, Rect, Response, Sense, Ui, WidgetInfo, pos2, vec2};
use emotion::LabelSet;

use super::button::painted_text;
use crate::theme::{self, palette};
use crate::wording::percent;

/// A thin line of progress; without a share, an empty one.
pub fn progress(ui: &mut Ui, share: Option<f32>, width: f32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(width, 6.0), Sense::hover());
    let colors = palette(ui);
    ui.painter().rect_filled(rect, 3.0, colors.hovered);
    if let Some(share) = share {
        let width = rect.width() * share.clamp(0.0, 1.0);
        if width > 0.0 {
            let done = Rect::from_min_size(rect.min, vec2(width.max(6.0), rect.height()));
            ui.painter().rect_filled(done, 3.0, colors.accent);
        }
    }
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, name);
        info.value = share.map(f64::from);
        info
    });
    response
}

/// Loudness as a row of segments, on a logarithmic scale from −60 dB to 0 dB.
pub fn meter(ui: &mut Ui, rms: f32, color: Color32, width: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(width, 8.0), Sense::hover());
    let level = if rms > 0.0 { (1.0 + rms.log10() / 3.0).clamp(0.0, 1.0) } else { 0.0 };
    let n_segments = 16;
    let step = rect.width() / n_segments as f32;
    for segment in 0..n_segments {
        let left = rect.left() + segment as f32 * step;
        let area = Rect::from_min_max(pos2(left, rect.top()), pos2(left + step - 2.0, rect.bottom()));
        let lit = (segment as f32 + 0.5) / (n_segments as f32) < level;
        ui.painter().rect_filled(area, 1.5, if lit { color } else { palette(ui).hovered });
    }
}

/// One bar per class with its name and probability, over a picture.
///
/// `probabilities` has one value per label; the greatest is set off.
pub fn emotions(ui: &mut Ui, labels: &LabelSet, probabilities: &[f32], row_height: f32) {
    let text = theme::ON_PICTURE;
    let (weak, track) = (text.gamma_multiply(0.75), text.gamma_multiply(0.16));
    let top = probabilities.iter().copied().fold(f32::MIN, f32::max);
    let label_colors = theme::label_colors(labels);
    for (label_idx, name) in labels.names().iter().enumerate() {
        let probability = probabilities.get(label_idx).copied().unwrap_or_default();
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), row_height), Sense::hover());
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Meter, true, name);
            info.value = Some(f64::from(probability));
            info
        });
        let color = if probability == top && top > 0.0 { text } else { weak };
        let word = Rect::from_min_max(rect.min, pos2(rect.left() + 92.0, rect.bottom()));
        painted_text(ui, word, Align2::LEFT_CENTER, name, 13.0, color);
        let share = Rect::from_min_max(pos2(rect.right() - 44.0, rect.top()), rect.max);
        painted_text(ui, share, Align2::RIGHT_CENTER, &format!("{:.0} %", probability * 100.0), 13.0, color);
        let bar = Rect::from_min_max(
            pos2(word.right() + 4.0, rect.center().y - 4.0),
            pos2(share.left() - 4.0, rect.center().y + 4.0),
        );
        ui.painter().rect_filled(bar, 4.0, track);
        let width = bar.width() * probability.clamp(0.0, 1.0);
        if width > 1.0 {
            let filled = Rect::from_min_size(bar.min, vec2(width, bar.height()));
            ui.painter().rect_filled(filled, 4.0, label_colors[label_idx]);
        }
    }
}

/// Counts side by side in one bar, such as the splits of a class. `largest` fills the width.
pub fn stacked(ui: &mut Ui, parts: &[(usize, Color32)], largest: usize, width: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(width, 8.0), Sense::hover());
    ui.painter().rect_filled(rect, 4.0, palette(ui).hovered);
    let mut left = rect.left();
    for &(count, color) in parts {
        let width = rect.width() * count as f32 / largest.max(1) as f32;
        let area = Rect::from_min_size(pos2(left, rect.top()), vec2(width, rect.height()));
        ui.painter().rect_filled(area, 2.0, color);
        left += width;
    }
}

/// A row with a name, a bar of `share` and its number.
pub fn share_row(ui: &mut Ui, name: &str, share: f64, color: Color32, name_width: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Meter, true, name);
        info.value = Some(share);
        info
    });
    let colors = palette(ui);
    let word = Rect::from_min_max(rect.min, pos2(rect.left() + name_width, rect.bottom()));
    painted_text(ui, word, Align2::LEFT_CENTER, name, theme::TEXT, colors.text);
    let number = Rect::from_min_max(pos2(rect.right() - 56.0, rect.top()), rect.max);
    painted_text(ui, number, Align2::RIGHT_CENTER, &percent(share), theme::TEXT, colors.text);
    let bar = Rect::from_min_max(
        pos2(word.right() + 8.0, rect.center().y - 5.0),
        pos2(number.left() - 8.0, rect.center().y + 5.0),
    );
    ui.painter().rect_filled(bar, 3.0, colors.hovered);
    let filled = Rect::from_min_size(bar.min, vec2(bar.width() * share.clamp(0.0, 1.0) as f32, bar.height()));
    ui.painter().rect_filled(filled, 3.0, color);
}
