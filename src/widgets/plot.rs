//! Curves and maps of points.

use egui::{Color32, Rect, Sense, Ui, vec2};
use egui_plot::{GridMark, HoverPosition, Line, LineStyle, MarkerShape, Plot, PlotPoints, Points, VLine};

use crate::state::Map;
use crate::theme::{self, palette};

/// A line of a plot.
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub color: Color32,
    /// Whether it is dashed.
    pub dashed: bool,
    /// Its points.
    pub points: Vec<[f64; 2]>,
}

/// How a plot of curves is framed.
pub struct Axes<'a> {
    /// What lies along the horizontal axis.
    pub x: &'a str,
    /// What lies along the vertical axis.
    pub y: &'a str,
    /// Whether the vertical axis goes from 0 to 1 and is read in per cent.
    pub shares: bool,
    /// Positions that are marked with a vertical line.
    pub marks: &'a [f64],
}

/// Draws curves `height` points high in the width there is.
pub fn curves(ui: &mut Ui, id: &str, curves: &[Curve], axes: &Axes<'_>, height: f32) {
    ui.scope(|ui| {
        ui.style_mut().text_styles.insert(egui::TextStyle::Body, theme::font(theme::TEXT_SMALL));
        curves_in_small_type(ui, id, curves, axes, height);
    });
}

fn curves_in_small_type(ui: &mut Ui, id: &str, curves: &[Curve], axes: &Axes<'_>, height: f32) {
    let colors = palette(ui);
    let Axes { x, y, shares, marks } = *axes;
    let mut plot = base(ui, id)
        .height(height)
        .x_axis_label(x)
        .y_axis_label(y)
        .include_x(0.0)
        .include_x(1.0)
        .include_y(0.0)
        .x_grid_spacer(|input| whole_marks(input.bounds))
        .y_axis_min_width(40.0)
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                let value = if shares { format!("{:.1} %", position.y * 100.0) } else { format!("{:.4}", position.y) };
                Some(format!("{plot_name}\n{x} {:.1}: {value}", position.x))
            }
            HoverPosition::Elsewhere { .. } => None,
        });
    if shares {
        // Every mark counts the same, so that no number fades.
        let marks = |_| (0..=5).map(|step| GridMark { value: f64::from(step) / 5.0, step_size: 1.0 }).collect();
        plot =
            plot.include_y(1.0).y_grid_spacer(marks).y_axis_formatter(|mark, _| format!("{:.0} %", mark.value * 100.0));
    }
    if curves.iter().all(|curve| curve.points.is_empty()) {
        plot = plot.include_y(1.0);
    }
    ui.name_inputs(format!("Plot of {y}"), |ui| {
        plot.show(ui, |plot| {
            for &mark in marks {
                plot.vline(VLine::new("", mark).color(colors.control_line).width(1.0).allow_hover(false));
            }
            for curve in curves {
                let style = if curve.dashed { LineStyle::dashed_loose() } else { LineStyle::Solid };
                for piece in figures::pieces(&curve.points, marks) {
                    let (name, piece) = (curve.name.clone(), piece.to_vec());
                    match piece.len() {
                        // A line of one point cannot be seen.
                        1 => plot.points(Points::new(name, piece).color(curve.color).radius(3.0)),
                        _ => plot.line(Line::new(name, piece).color(curve.color).width(2.0).style(style)),
                    }
                }
            }
        });
    });
}

/// Marks at whole numbers, ten at most, which all count the same, so that no number fades.
fn whole_marks((low, high): (f64, f64)) -> Vec<GridMark> {
    let nice = (0..).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
    let step = nice.take(30).find(|step| (high - low) / step <= 10.0).unwrap_or(f64::INFINITY);
    let first = (low / step).ceil() as i64;
    let values = (first..first + 12).map(|n| n as f64 * step).take_while(|value| *value <= high);
    values.map(|value| GridMark { value, step_size: high - low }).collect()
}

/// The shape of the points of a group, as in exported figures.
fn shape_of(group: usize) -> MarkerShape {
    use MarkerShape::{Circle, Diamond, Plus, Square, Up};
    [Circle, Square, Up, Diamond, Plus][group % 5]
}

/// The entry of a map's legend: what the points of a group look like, and its name.
pub fn key(ui: &mut Ui, group: usize, color: Color32, name: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(10.0, 18.0), Sense::hover());
    let (at, painter) = (rect.center(), ui.painter());
    let polygon = |corners: &[[f32; 2]]| {
        let corners = corners.iter().map(|&[x, y]| at + vec2(x, y)).collect();
        egui::Shape::convex_polygon(corners, color, egui::Stroke::NONE)
    };
    match shape_of(group) {
        MarkerShape::Square => painter.rect_filled(Rect::from_center_size(at, vec2(8.0, 8.0)), 0.0, color),
        MarkerShape::Up => painter.add(polygon(&[[0.0, -5.0], [4.5, 3.5], [-4.5, 3.5]])),
        MarkerShape::Diamond => painter.add(polygon(&[[0.0, -5.0], [5.0, 0.0], [0.0, 5.0], [-5.0, 0.0]])),
        MarkerShape::Plus => {
            let stroke = egui::Stroke::new(2.0, color);
            painter.line_segment([at - vec2(4.5, 0.0), at + vec2(4.5, 0.0)], stroke);
            painter.line_segment([at - vec2(0.0, 4.5), at + vec2(0.0, 4.5)], stroke)
        }
        _ => painter.circle_filled(at, 4.5, color),
    };
    ui.label(egui::RichText::new(name).size(13.0));
}

/// Draws a map of points in the colours of their groups, so that all of `reach` would fit.
pub fn map(
    ui: &mut Ui,
    id: &str,
    map: &Map,
    reach: &[[f64; 2]],
    group_color: impl Fn(usize) -> Color32,
    size: egui::Vec2,
) {
    let plot = base(ui, id)
        .width(size.x)
        .height(size.y)
        .data_aspect(1.0)
        .show_axes([false, false])
        .show_grid([false, false])
        .set_margin_fraction(vec2(0.06, 0.06))
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, index, .. } => {
                let group = map.groups.iter().position(|group| group == plot_name)?;
                let point_idx = (0..map.points.len()).filter(|&idx| map.group[idx] == group).nth(*index)?;
                Some(
                    map.names
                        .get(point_idx)
                        .map_or_else(|| (*plot_name).to_owned(), |name| format!("{name}\n{plot_name}")),
                )
            }
            HoverPosition::Elsewhere { .. } => None,
        });
    let plot = reach.iter().fold(plot, |plot, &[x, y]| plot.include_x(x).include_y(y));
    let frame = egui::Stroke::new(1.0, palette(ui).line);
    ui.name_inputs(map.title.clone(), |ui| {
        let shown = plot.show(ui, |plot| {
            for (group, name) in map.groups.iter().enumerate() {
                let points: PlotPoints<'_> =
                    (0..map.points.len()).filter(|&idx| map.group[idx] == group).map(|idx| map.points[idx]).collect();
                let points = Points::new(name.clone(), points).color(group_color(group)).radius(4.5);
                plot.points(points.shape(shape_of(group)));
            }
        });
        ui.painter().rect_stroke(shown.response.rect, theme::CORNER, frame, egui::StrokeKind::Inside);
    });
}

/// Draws the probabilities of the last seconds, one line per class.
pub fn timeline(ui: &mut Ui, id: &str, curves: &[Curve], until_secs: f64, height: f32) {
    let span_secs = 30.0;
    let plot = base(ui, id)
        .height(height)
        .show_axes([true, false])
        .show_grid([false, true])
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .include_y(0.0)
        .include_y(1.0)
        .include_x(until_secs - span_secs)
        .include_x(until_secs)
        .x_axis_formatter(|mark, _| format!("{:.0} s", mark.value))
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name} {:.0} % at {:.1} s", position.y * 100.0, position.x))
            }
            HoverPosition::Elsewhere { .. } => None,
        });
    ui.name_inputs("Timeline of probabilities", |ui| {
        plot.show(ui, |plot| {
            plot.set_plot_bounds_x(until_secs - span_secs..=until_secs);
            for curve in curves {
                plot.line(Line::new(curve.name.clone(), curve.points.clone()).color(curve.color).width(2.0));
            }
        });
    });
}

fn base<'a>(ui: &Ui, id: &str) -> Plot<'a> {
    Plot::new(id.to_owned())
        .grid_color(palette(ui).line)
        .cursor_color(palette(ui).control_line)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_background(false)
        .show_crosshair(false)
        .set_margin_fraction(vec2(0.02, 0.06))
}
