//! Confusion matrices: true classes as rows, predicted ones as columns.

use emotion::Confusion;

use crate::canvas::{Anchor, BODY_PX, Canvas, MARGIN, SMALL_PX, Style};
use crate::typeface::{Weight, width};
use crate::{ACCENT, Figure, Palette, Table};

/// Column names are turned by this much where they are wider than their column.
const TURN_DEGREES: f64 = 40.0;

/// What the cells say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Normalisation {
    /// Percent of the true class: the diagonal is recall.
    #[default]
    Row,
    /// Percent of the predicted class: the diagonal is precision.
    Column,
    /// Clips.
    None,
}

impl Normalisation {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Row, Self::Column, Self::None];

    /// The words in a menu.
    pub fn title(self) -> &'static str {
        match self {
            Self::Row => "Percent of true class",
            Self::Column => "Percent of predicted class",
            Self::None => "Clips",
        }
    }
}

/// Draws `confusion` with numbers in the cells and the diagonal outlined.
pub fn confusion(confusion: &Confusion, normalisation: Normalisation, palette: Palette) -> Figure {
    let title = "Confusion matrix";
    let names = confusion.labels.names();
    let n = names.len();
    let scores = confusion.scores();
    let mut canvas = Canvas::new(palette);
    let subtitle = format!(
        "{}  ·  WAR {:.1} %  ·  UAR {:.1} %  ·  {} clips",
        normalisation.title(),
        scores.war * 100.0,
        scores.uar * 100.0,
        confusion.total()
    );
    let top = canvas.heading(title, &subtitle) + 6.0;
    let values = shares(&confusion.counts, normalisation);
    let largest = values.iter().flatten().flatten().fold(0.0_f64, |largest, &value| largest.max(value));
    // Percentages are read against the whole, counts against the largest.
    let full = if normalisation == Normalisation::None { largest.max(1.0) } else { 100.0 };

    let cell = (440.0 / n as f64).clamp(40.0, 64.0);
    let widest = names.iter().map(|name| width(name, BODY_PX, Weight::Regular)).fold(0.0, f64::max);
    let are_turned = widest > cell - 6.0;
    let (sin, cos) = TURN_DEGREES.to_radians().sin_cos();
    let names_height = if are_turned { widest * sin + BODY_PX * cos } else { BODY_PX } + 8.0;
    let left = MARGIN + BODY_PX + 10.0 + widest + 10.0;
    // The first turned name may reach further left than the row names do.
    let left = if are_turned {
        left.max(MARGIN + width(&names[0], BODY_PX, Weight::Regular) * cos - cell / 2.0)
    } else {
        left
    };
    let side = cell * n as f64;
    let (right, bottom) = (left + side, top + side);

    let ground = palette.surface();
    for (row, values) in values.iter().enumerate() {
        for (column, &value) in values.iter().enumerate() {
            let at = [left + column as f64 * cell, top + row as f64 * cell];
            let fill = value.map_or(palette.background(), |value| ground.mix(ACCENT, value / full));
            canvas.rect([at[0] + 0.5, at[1] + 0.5], [cell - 1.0, cell - 1.0], fill, 0.0);
            let text = match (value, normalisation) {
                (None, _) => "–".to_owned(),
                (Some(value), Normalisation::None) => format!("{value:.0}"),
                (Some(value), _) if value == 0.0 || value == 100.0 => format!("{value:.0}"),
                (Some(value), _) => format!("{value:.1}"),
            };
            let dark = Palette::Light.text();
            let light = Palette::Light.background();
            let mut color = if fill.contrast(dark) >= fill.contrast(light) { dark } else { light };
            if value.is_none_or(|value| value == 0.0) {
                color = palette.muted();
            }
            let style = Style::body(color).anchored(Anchor::Middle);
            let style = if row == column { Style { weight: Weight::SemiBold, ..style } } else { style };
            canvas.text([at[0] + cell / 2.0, at[1] + cell / 2.0 + 4.3], &text, style);
        }
    }
    for (class, name) in names.iter().enumerate() {
        let at = class as f64 * cell;
        canvas.frame([left + at + 1.0, top + at + 1.0], [cell - 2.0, cell - 2.0], palette.text(), 1.5);
        let middle = at + cell / 2.0;
        let text = Style::body(palette.text());
        canvas.text([left - 8.0, top + middle + 4.3], name, text.anchored(Anchor::End));
        if are_turned {
            let style = text.anchored(Anchor::End).turned(-TURN_DEGREES);
            canvas.text([left + middle + 5.0, bottom + 14.0], name, style);
        } else {
            canvas.text([left + middle, bottom + 17.0], name, text.anchored(Anchor::Middle));
        }
    }
    let axis = Style { weight: Weight::SemiBold, ..Style::body(palette.muted()) }.anchored(Anchor::Middle);
    canvas.text([MARGIN + BODY_PX - 2.0, top + side / 2.0], "True", axis.turned(-90.0));
    let height = bottom + names_height + 8.0 + BODY_PX + MARGIN;
    canvas.text([left + side / 2.0, height - MARGIN], "Predicted", axis);

    let scale = [right + 18.0, top];
    let n_steps = 64;
    let step = side / f64::from(n_steps);
    for idx in 0..n_steps {
        let share = 1.0 - (f64::from(idx) + 0.5) / f64::from(n_steps);
        // A little overlap, or hairlines show between the steps.
        canvas.rect([scale[0], top + f64::from(idx) * step], [10.0, step + 0.6], ground.mix(ACCENT, share), 0.0);
    }
    canvas.frame(scale, [10.0, side], palette.grid(), 1.0);
    let unit = if normalisation == Normalisation::None { "" } else { " %" };
    let mut widest_mark = 0.0_f64;
    let marks: &[f64] = if full >= 2.0 { &[0.0, 0.5, 1.0] } else { &[0.0, 1.0] };
    for &share in marks {
        let label = format!("{:.0}{unit}", (full * share).round());
        widest_mark = widest_mark.max(width(&label, SMALL_PX, Weight::Regular));
        canvas.text([scale[0] + 16.0, bottom - share * side + 4.0], &label, Style::small(palette.muted()));
    }

    let mut table = Table::with_header(&["true"]);
    table.header.extend(names.iter().cloned());
    for (name, (values, counts)) in names.iter().zip(values.iter().zip(&confusion.counts)) {
        let mut row = vec![name.clone()];
        row.extend(values.iter().zip(counts).map(|(value, count)| match (value, normalisation) {
            (_, Normalisation::None) => count.to_string(),
            (Some(value), _) => value.to_string(),
            (None, _) => String::new(),
        }));
        table.rows.push(row);
    }
    let subtitle_width = MARGIN + width(&subtitle, BODY_PX, Weight::Regular);
    let figure_width = (scale[0] + 16.0 + widest_mark).max(subtitle_width) + MARGIN;
    canvas.finish(title, [figure_width, height], table)
}

/// Percentages or counts; `None` where there is nothing to take a share of.
fn shares(counts: &[Vec<usize>], normalisation: Normalisation) -> Vec<Vec<Option<f64>>> {
    let percent = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64 * 100.0);
    counts
        .iter()
        .map(|row| {
            row.iter()
                .enumerate()
                .map(|(column, &count)| match normalisation {
                    Normalisation::Row => percent(count, row.iter().sum()),
                    Normalisation::Column => percent(count, counts.iter().map(|row| row[column]).sum()),
                    Normalisation::None => Some(count as f64),
                })
                .collect()
        })
        .collect()
}
