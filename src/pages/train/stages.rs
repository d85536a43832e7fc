//! The stages of a plan as cards that fill as they run.

use egui::{Align2, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};
use emotion::{Modalities, Modality};
use models::{StageInput, StagePlan};

use crate::run::StageProgress;
use crate::theme::{self, palette};
use crate::widgets::button::{focus_ring, painted_text};
use crate::widgets::icon::Icon;
use crate::wording::percent;

/// The stages as cards, those of one number in a column, with lines from column to column. The stage that was clicked.
pub fn stages_ui(
    ui: &mut Ui,
    stages: &[StagePlan],
    progress: &[StageProgress],
    running: Option<usize>,
    selected: Option<usize>,
) -> Option<usize> {
    let mut numbers: Vec<usize> = stages.iter().map(|stage| stage.number).collect();
    numbers.dedup();
    let columns: Vec<Vec<usize>> =
        numbers.iter().map(|&number| (0..stages.len()).filter(|&idx| stages[idx].number == number).collect()).collect();
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let (gap_x, gap_y, card_height) = (56.0, 10.0, 92.0);
    let height = rows as f32 * (card_height + gap_y) - gap_y + 24.0;
    let width = ui.available_width().min(860.0);
    let (area, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let n_columns = columns.len().max(1) as f32;
    let card_width = (width - gap_x * (n_columns - 1.0)) / n_columns;
    let colors = palette(ui);
    let place = |column: usize, row: usize| {
        let n_rows = columns[column].len() as f32;
        let room = height - 24.0;
        let top = area.top() + 24.0 + (room - n_rows * (card_height + gap_y) + gap_y) / 2.0;
        let left = area.left() + column as f32 * (card_width + gap_x);
        Rect::from_min_size(pos2(left, top + row as f32 * (card_height + gap_y)), vec2(card_width, card_height))
    };
    for (column, &number) in numbers.iter().enumerate() {
        let left = area.left() + column as f32 * (card_width + gap_x);
        let title = Rect::from_min_size(pos2(left, area.top()), vec2(card_width, 18.0));
        painted_text(ui, title, Align2::LEFT_CENTER, &format!("Stage {number}"), theme::TEXT_SMALL, colors.weak);
    }
    let mut clicked = None;
    for (column, members) in columns.iter().enumerate() {
        for (row, &idx) in members.iter().enumerate() {
            let rect = place(column, row);
            if column + 1 < columns.len() {
                for (next_row, _) in columns[column + 1].iter().enumerate() {
                    let (from, to) = (rect.right_center(), place(column + 1, next_row).left_center());
                    let bend = vec2(gap_x * 0.5, 0.0);
                    let curve = egui::epaint::CubicBezierShape::from_points_stroke(
                        [from, from + bend, to - bend, to],
                        false,
                        egui::Color32::TRANSPARENT,
                        Stroke::new(2.0, input_color(ui, stages[idx].input).gamma_multiply(0.7)),
                    );
                    ui.painter().add(curve);
                }
            }
            let response = ui.interact(
                rect,
                ui.scope_id().with(("stage", idx)),
                if selected.is_some() { Sense::click() } else { Sense::hover() },
            );
            stage_ui(
                ui,
                rect,
                &stages[idx],
                progress.get(idx),
                running == Some(idx),
                selected == Some(idx) || response.hovered() && selected.is_some(),
            );
            response.widget_info(|| {
                WidgetInfo::selected(
                    egui::accesskit::Role::Button,
                    true,
                    selected == Some(idx),
                    format!("Stage {}", stages[idx].name),
                )
            });
            focus_ring(ui, &response);
            if response.clicked() {
                clicked = Some(idx);
            }
        }
    }
    clicked
}

fn stage_ui(ui: &Ui, rect: Rect, plan: &StagePlan, progress: Option<&StageProgress>, running: bool, marked: bool) {
    let colors = palette(ui);
    let line = if running || marked { colors.accent } else { colors.line };
    ui.painter().rect(
        rect,
        theme::CORNER,
        colors.panel,
        Stroke::new(if running { 1.5 } else { 1.0 }, line),
        egui::StrokeKind::Inside,
    );
    let color = input_color(ui, plan.input);
    let strip = Rect::from_min_size(rect.min + vec2(1.0, 1.0), vec2(4.0, rect.height() - 2.0));
    ui.painter().rect_filled(strip, 2.0, color);
    let inner = rect.shrink2(vec2(16.0, 8.0));
    let text_line =
        |row: f32, height: f32| Rect::from_min_size(pos2(inner.left(), inner.top() + row), vec2(inner.width(), height));
    let mut title = text_line(0.0, 20.0);
    let epochs = match progress {
        Some(progress) if progress.finished.is_some() => format!("{} epochs", progress.epochs.len()),
        Some(progress) if !progress.epochs.is_empty() || running => {
            format!("{}/{}", progress.epochs.len(), plan.n_epochs)
        }
        _ => format!("≤ {} epochs", plan.n_epochs),
    };
    painted_text(ui, title, Align2::RIGHT_CENTER, &epochs, theme::TEXT_SMALL, colors.weak);
    title.set_right(title.right() - 76.0);
    let done = progress.is_some_and(|progress| progress.finished.is_some());
    if done {
        let mark = Rect::from_min_size(title.min + vec2(0.0, 2.0), vec2(16.0, 16.0));
        Icon::Check.paint(ui.painter(), mark, colors.good);
        title.set_left(title.left() + 22.0);
    }
    let name = crate::wording::capital(&plan.name);
    let galley = ui.painter().layout_no_wrap(name, theme::semibold_font(theme::TEXT), colors.text);
    ui.painter_at(title).galley(pos2(title.left(), title.center().y - galley.size().y / 2.0), galley, colors.text);
    let sees = match plan.input {
        StageInput::Only { modality } => format!("Sees {} only", modality.name()),
        StageInput::RandomDrop { keep } => format!("Each modality kept with probability {keep}"),
        StageInput::All => "Sees all that a clip has".into(),
        StageInput::InTurn { together: true } => "Sees the voice, the face, then both".into(),
        StageInput::InTurn { together: false } => "Sees the voice, then the face".into(),
    };
    painted_text(ui, text_line(20.0, 17.0), Align2::LEFT_CENTER, &sees, theme::TEXT_SMALL, colors.weak);
    painted_text(
        ui,
        text_line(37.0, 17.0),
        Align2::LEFT_CENTER,
        &format!("Trains {}", plan.trains),
        theme::TEXT_SMALL,
        colors.weak,
    );
    let bottom = format!("Starts from {}", plan.starts_from);
    match progress {
        Some(progress) if done || running || !progress.epochs.is_empty() => {
            let best = progress.epochs.iter().map(|epoch| epoch.val_war).fold(f64::NAN, f64::max);
            let words = if best.is_nan() { String::new() } else { format!("validation WAR {}", percent(best)) };
            painted_text(ui, text_line(54.0, 17.0), Align2::LEFT_CENTER, &words, theme::TEXT_SMALL, colors.text);
            let track = Rect::from_min_size(pos2(inner.left(), inner.bottom() - 3.0), vec2(inner.width(), 4.0));
            ui.painter().rect_filled(track, 2.0, colors.hovered);
            let share = progress.share(plan.n_epochs);
            let filled = Rect::from_min_size(track.min, vec2(track.width() * share, track.height()));
            ui.painter().rect_filled(filled, 2.0, color);
        }
        _ => painted_text(ui, text_line(54.0, 17.0), Align2::LEFT_CENTER, &bottom, theme::TEXT_SMALL, colors.weak),
    }
}

fn input_color(ui: &Ui, input: StageInput) -> egui::Color32 {
    let seen = input.eval_modalities();
    let single = Modality::ALL.into_iter().find(|&modality| seen == Modalities::only(modality));
    single.map_or(palette(ui).text, theme::modality_color)
}
