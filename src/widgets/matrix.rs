//! A confusion matrix with numbers in its cells, of which one can be chosen.

use egui::accesskit::Role;
use egui::{Align2, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};
use emotion::Confusion;

use super::button::painted_text;
use crate::theme::{self, matrix_color, palette};

/// What the colours and numbers of a matrix are shares of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shares {
    /// Of the clips of the true class: recalls on the diagonal.
    #[default]
    OfTruth,
    /// Of the clips predicted as the class: precisions on the diagonal.
    OfPrediction,
    /// None: the counts.
    Counts,
}

/// Draws the matrix into the room there is; the cell that was clicked, as (truth, predicted).
pub fn confusion(
    ui: &mut Ui,
    confusion: &Confusion,
    shares: Shares,
    selected: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let colors = palette(ui);
    let names = confusion.labels.names();
    let n = names.len();
    let (name_width, head) = (104.0, 40.0);
    let room = ui.available_size();
    let cell = ((room.x - name_width) / n as f32).min((room.y - head - 28.0) / n as f32).clamp(28.0, 92.0);
    let size = vec2(name_width + cell * n as f32, head + cell * n as f32 + 24.0);
    ui.add_space(((room.y - size.y) / 3.0).max(0.0));
    let (row, _) = ui.allocate_exact_size(vec2(size.x.max(room.x), size.y), Sense::hover());
    let area = Rect::from_center_size(row.center(), size);
    let origin = pos2(area.left() + name_width, area.top() + head);
    let column_sums: Vec<usize> = (0..n).map(|column| confusion.counts.iter().map(|row| row[column]).sum()).collect();
    let largest = confusion.counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    let size = if cell < 40.0 { 11.0 } else { 13.0 };
    let mut clicked = None;

    for (idx, name) in names.iter().enumerate() {
        let row = Rect::from_min_size(pos2(area.left(), origin.y + idx as f32 * cell), vec2(name_width - 10.0, cell));
        painted_text(ui, row, Align2::RIGHT_CENTER, name, 13.0, colors.text);
        let column =
            Rect::from_min_size(pos2(origin.x + idx as f32 * cell, area.top() + 16.0), vec2(cell - 2.0, head - 18.0));
        painted_text(ui, column, Align2::CENTER_CENTER, name, if cell < 60.0 { 11.0 } else { 13.0 }, colors.text);
    }
    let above = Rect::from_min_size(pos2(origin.x, area.top()), vec2(cell * n as f32, 16.0));
    painted_text(ui, above, Align2::CENTER_CENTER, "predicted", theme::TEXT_SMALL, colors.weak);
    let corner = Rect::from_min_size(pos2(area.left(), area.top() + 18.0), vec2(name_width - 10.0, 18.0));
    painted_text(ui, corner, Align2::RIGHT_CENTER, "true", theme::TEXT_SMALL, colors.weak);

    for truth in 0..n {
        let row_sum: usize = confusion.counts[truth].iter().sum();
        for predicted in 0..n {
            let count = confusion.counts[truth][predicted];
            let (whole, text) = match shares {
                Shares::OfTruth => (row_sum, None),
                Shares::OfPrediction => (column_sums[predicted], None),
                Shares::Counts => (largest, Some(count.to_string())),
            };
            let share = if whole == 0 { 0.0 } else { count as f64 / whole as f64 };
            let text = text.unwrap_or_else(|| if whole == 0 { "–".into() } else { format!("{:.0}", share * 100.0) });
            let at = pos2(origin.x + predicted as f32 * cell, origin.y + truth as f32 * cell);
            let rect = Rect::from_min_size(at, vec2(cell - 2.0, cell - 2.0));
            let id = ui.scope_id().with(("cell", truth, predicted));
            let response = ui.interact(rect, id, Sense::click());
            let label = format!(
                "true {}, predicted {}: {}",
                names[truth],
                names[predicted],
                crate::wording::count(count, "clip")
            );
            response
                .widget_info(|| WidgetInfo::selected(Role::Button, true, selected == Some((truth, predicted)), &label));
            let (fill, ink) = matrix_color(colors, share);
            ui.painter().rect_filled(rect, 3.0, fill);
            if truth == predicted {
                ui.painter().rect_stroke(rect, 3.0, Stroke::new(1.0, colors.control_line), StrokeKind::Inside);
            }
            if selected == Some((truth, predicted)) || response.hovered() || response.has_focus() {
                ui.painter().rect_stroke(rect, 3.0, Stroke::new(2.0, colors.accent), StrokeKind::Outside);
            }
            // Small enough shares are left out so that the shape of the errors is seen.
            if count > 0 || truth == predicted {
                painted_text(ui, rect, Align2::CENTER_CENTER, &text, size, ink);
            }
            if response.on_hover_text(label).clicked() {
                clicked = Some((truth, predicted));
            }
        }
    }
    let below = Rect::from_min_size(pos2(origin.x, origin.y + cell * n as f32 + 4.0), vec2(cell * n as f32, 18.0));
    let unit = match shares {
        Shares::OfTruth => "per cent of the clips of each true class",
        Shares::OfPrediction => "per cent of the clips predicted as each class",
        Shares::Counts => "clips",
    };
    painted_text(ui, below, Align2::CENTER_CENTER, unit, theme::TEXT_SMALL, colors.weak);
    clicked
}
