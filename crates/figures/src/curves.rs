//! Curves over a common axis: losses and scores over epochs, one run or several.

use crate::canvas::{Anchor, BODY_PX, Canvas, Key, MARGIN, Mark, SMALL_PX, Style};
use crate::ticks::Ticks;
use crate::typeface::{Weight, width};
use crate::{Color, Figure, Palette, Table};

const WIDTH: f64 = 720.0;
const PLOT_HEIGHT: f64 = 300.0;

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Shown in the legend.
    pub name: String,
    /// In order of x; a value that is no number leaves a gap.
    pub points: Vec<[f64; 2]>,
    /// Colour of the line.
    pub color: Color,
    /// Dashed, for what belongs to the curve of the same colour.
    pub dashed: bool,
    /// Index of a point to be ringed, such as the best epoch.
    pub ring: Option<usize>,
}

/// What the axes are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axes {
    /// Name of the horizontal axis.
    pub x: String,
    /// Name of the vertical axis, with its unit.
    pub y: String,
    /// Ends of the vertical axis; from the data if absent.
    pub y_range: Option<[f64; 2]>,
    /// Vertical lines, such as the start of a stage.
    pub dividers: Vec<Divider>,
}

/// A vertical line across the figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Divider {
    /// Where.
    pub x: f64,
    /// What begins there.
    pub name: String,
}

/// The parts of a curve that are drawn in one go: values that are no numbers leave gaps, and so does each of `cuts`, a
/// position on the horizontal axis where one training ends and another begins.
pub fn pieces<'a>(points: &'a [[f64; 2]], cuts: &[f64]) -> Vec<&'a [[f64; 2]]> {
    let is_cut = |from: f64, to: f64| cuts.iter().any(|cut| from < *cut && *cut <= to);
    let is_number = |point: &[f64; 2]| point.iter().all(|v| v.is_finite());
    (points.chunk_by(|from, to| is_number(from) && is_number(to) && !is_cut(from[0], to[0])))
        .filter(|piece| piece.iter().all(is_number))
        .collect()
}

/// Draws `series` over common axes.
pub fn curves(title: &str, series: &[Series], axes: &Axes, palette: Palette) -> Figure {
    let mut canvas = Canvas::new(palette);
    let mut top = canvas.heading(title, "");
    let keys: Vec<Key<'_>> = series
        .iter()
        .map(|series| Key { name: &series.name, color: series.color, mark: Mark::Line { dashed: series.dashed } })
        .collect();
    top += canvas.legend([MARGIN, top], WIDTH - 2.0 * MARGIN, &keys) + 10.0;
    if !axes.dividers.is_empty() {
        top += SMALL_PX + 4.0;
    }

    let finite = || series.iter().flat_map(|series| &series.points).filter(|point| point.iter().all(|v| v.is_finite()));
    let ends = |side: usize| {
        finite().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], point| {
            [low.min(point[side]), high.max(point[side])]
        })
    };
    let x = {
        let [low, high] = ends(0);
        match finite().next() {
            None => Ticks::around(0.0, 1.0, 5),
            Some(_) if finite().all(|point| point[0].fract() == 0.0) => Ticks::of_counts(low, high, 10),
            Some(_) => Ticks::around(low, high, 8),
        }
    };
    let y = match axes.y_range {
        Some([low, high]) => Ticks::around(low, high, 5),
        None => {
            let [low, high] = ends(1);
            // A curve that comes near zero is read against zero.
            let low = if low > 0.0 && low < high * 0.35 { 0.0 } else { low };
            Ticks::around(low, high, 5)
        }
    };
    let label_width = y.marks.iter().map(|(_, label)| width(label, SMALL_PX, Weight::Regular)).fold(0.0, f64::max);
    let left = MARGIN + if axes.y.is_empty() { 0.0 } else { BODY_PX + 10.0 } + label_width + 8.0;
    let right = WIDTH - MARGIN - 8.0;
    let bottom = top + PLOT_HEIGHT;
    let at = |point: [f64; 2]| [left + x.share(point[0]) * (right - left), bottom - y.share(point[1]) * PLOT_HEIGHT];

    for (value, label) in &y.marks {
        let line = at([x.range[0], *value])[1];
        canvas.line([left, line], [right, line], palette.grid(), 1.0, false);
        let style = Style::small(palette.muted()).anchored(Anchor::End);
        canvas.text([left - 8.0, line + 4.0], label, style);
    }
    for (value, label) in &x.marks {
        let tick = at([*value, y.range[0]])[0];
        canvas.line([tick, bottom], [tick, bottom + 4.0], palette.axis(), 1.0, false);
        canvas.text([tick, bottom + 17.0], label, Style::small(palette.muted()).anchored(Anchor::Middle));
    }
    let mut free_from = f64::NEG_INFINITY;
    for divider in &axes.dividers {
        let line = at([divider.x, y.range[0]])[0];
        if !(left - 0.5..=right + 0.5).contains(&line) {
            continue;
        }
        canvas.line([line, top], [line, bottom], palette.axis(), 1.0, true);
        let room = width(&divider.name, SMALL_PX, Weight::Regular);
        // Names stand above the plot; one that would run into the one before it or out of the figure is left out.
        if line - 1.0 >= free_from && line + room <= right + MARGIN {
            canvas.text([line - 1.0, top - 6.0], &divider.name, Style::small(palette.muted()));
            free_from = line + room + 8.0;
        }
    }
    canvas.line([left, bottom], [right, bottom], palette.axis(), 1.0, false);

    let cuts: Vec<f64> = axes.dividers.iter().map(|divider| divider.x).collect();
    for series in series {
        for piece in pieces(&series.points, &cuts) {
            let piece: Vec<[f64; 2]> = piece.iter().map(|&point| at(point)).collect();
            match piece.as_slice() {
                [] => {}
                [lone] => canvas.circle(*lone, 3.0, series.color, None),
                _ => canvas.polyline(&piece, series.color, 2.0, series.dashed),
            }
        }
    }
    for series in series {
        let ringed =
            series.ring.and_then(|idx| series.points.get(idx)).filter(|point| point.iter().all(|v| v.is_finite()));
        if let Some(&point) = ringed {
            canvas.circle(at(point), 4.0, palette.background(), Some(series.color));
        }
    }
    let mut height = bottom + 17.0 + 6.0;
    if !axes.x.is_empty() {
        height += BODY_PX + 5.0;
        let style = Style::body(palette.text()).anchored(Anchor::Middle);
        canvas.text([(left + right) / 2.0, height - 3.0], &axes.x, style);
    }
    if !axes.y.is_empty() {
        let style = Style::body(palette.text()).anchored(Anchor::Middle).turned(-90.0);
        canvas.text([MARGIN + BODY_PX - 2.0, (top + bottom) / 2.0], &axes.y, style);
    }

    let name = |name: &str, fallback: &str| if name.is_empty() { fallback.to_owned() } else { name.to_owned() };
    let mut table =
        Table { header: vec!["series".to_owned(), name(&axes.x, "x"), name(&axes.y, "y")], rows: Vec::new() };
    for series in series {
        for [x, y] in &series.points {
            table.rows.push(vec![series.name.clone(), x.to_string(), y.to_string()]);
        }
    }
    canvas.finish(title, [WIDTH, height + MARGIN - 4.0], table)
}
