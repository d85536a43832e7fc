//! Points in the plane, in one panel or several side by side: prompt pools, feature spaces.
//! Left out: axes, because the coordinates of an embedding mean nothing by themselves.

use crate::canvas::{Anchor, BODY_PX, Canvas, Key, MARGIN, Mark, Shape, Style};
use crate::typeface::{Weight, width};
use crate::{Color, Figure, Palette, Table};

const GAP: f64 = 20.0;

/// What points can belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Shown in the legend.
    pub name: String,
    /// Colour of its points.
    pub color: Color,
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Position.
    pub at: [f64; 2],
    /// Index into the groups.
    pub group: usize,
}

/// Points that share a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Shown above the frame.
    pub title: String,
    /// The points; those that are no numbers are not drawn.
    pub points: Vec<Point>,
}

/// Draws each panel in a square frame of its own, with one legend for all.
pub fn scatter(title: &str, panels: &[Panel], groups: &[Group], palette: Palette) -> Figure {
    let side: f64 = if panels.len() <= 1 { 460.0 } else { 340.0 };
    let n_panels = panels.len().max(1) as f64;
    let inner = n_panels * side + (n_panels - 1.0) * GAP;
    let mut canvas = Canvas::new(palette);
    let mut top = canvas.heading(title, "");
    let keys: Vec<Key<'_>> = groups
        .iter()
        .enumerate()
        .map(|(idx, group)| Key { name: &group.name, color: group.color, mark: Mark::Point(Shape::of(idx)) })
        .collect();
    top += canvas.legend([MARGIN, top], inner, &keys) + 8.0;
    if panels.iter().any(|panel| !panel.title.is_empty()) {
        top += BODY_PX + 8.0;
    }
    let mut table = Table::with_header(&["panel", "group", "x", "y"]);
    for (idx, panel) in panels.iter().enumerate() {
        let left = MARGIN + idx as f64 * (side + GAP);
        let name = Style { weight: Weight::SemiBold, ..Style::body(palette.text()) };
        canvas.text([left, top - 8.0], &panel.title, name);
        canvas.rect([left, top], [side, side], palette.surface(), 0.0);
        canvas.frame([left, top], [side, side], palette.grid(), 1.0);
        let drawn = || panel.points.iter().filter(|point| point.at.iter().all(|v| v.is_finite()));
        let (centre, half) = extent(drawn().map(|point| point.at));
        let radius = match drawn().count() {
            0..=150 => 4.5,
            151..=800 => 3.4,
            _ => 2.4,
        };
        for point in drawn() {
            let [dx, dy] = [0, 1].map(|axis| (point.at[axis] - centre[axis]) / half * (side / 2.0 - 14.0));
            let color = groups.get(point.group).map_or(palette.muted(), |group| group.color);
            let at = [left + side / 2.0 + dx, top + side / 2.0 - dy];
            canvas.point(at, radius, Shape::of(point.group), color);
        }
        if drawn().next().is_none() {
            let style = Style::body(palette.muted()).anchored(Anchor::Middle);
            canvas.text([left + side / 2.0, top + side / 2.0], "No points", style);
        }
        for point in &panel.points {
            let group = groups.get(point.group).map_or_else(String::new, |group| group.name.clone());
            table.rows.push(vec![panel.title.clone(), group, point.at[0].to_string(), point.at[1].to_string()]);
        }
    }
    let title_width = width(title, crate::canvas::TITLE_PX, Weight::SemiBold);
    canvas.finish(title, [inner.max(title_width) + 2.0 * MARGIN, top + side + MARGIN], table)
}

/// Centre and half side of the square around the points: both axes have one scale.
fn extent(points: impl Iterator<Item = [f64; 2]>) -> ([f64; 2], f64) {
    let mut low = [f64::INFINITY; 2];
    let mut high = [f64::NEG_INFINITY; 2];
    for point in points {
        for axis in 0..2 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    if !low[0].is_finite() {
        return ([0.0; 2], 1.0);
    }
    let centre = [0, 1].map(|axis| (low[axis] + high[axis]) / 2.0);
    let half = (0..2).map(|axis| (high[axis] - low[axis]) / 2.0).fold(0.0, f64::max);
    (centre, if half > 0.0 { half } else { 1.0 })
}
