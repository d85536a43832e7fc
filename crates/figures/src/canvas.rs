//! An SVG document in the making: shapes and text in pixels, written in the order in which they are drawn.

use std::fmt::Write as _;

use crate::typeface::{FAMILY, Weight, width};
use crate::{Color, Figure, Palette, Table};

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub size_px: f64,
    pub weight: Weight,
    pub color: Color,
    pub anchor: Anchor,
    /// Clockwise, around the point where the text is held.
    pub degrees: f64,
}

pub(crate) const TITLE_PX: f64 = 15.0;
pub(crate) const BODY_PX: f64 = 12.0;
pub(crate) const SMALL_PX: f64 = 11.0;
/// Space around a figure.
pub(crate) const MARGIN: f64 = 16.0;

impl Style {
    pub fn body(color: Color) -> Self {
        Self { size_px: BODY_PX, weight: Weight::Regular, color, anchor: Anchor::Start, degrees: 0.0 }
    }

    pub fn small(color: Color) -> Self {
        Self { size_px: SMALL_PX, ..Self::body(color) }
    }

    pub fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub fn turned(self, degrees: f64) -> Self {
        Self { degrees, ..self }
    }
}

/// Shapes of points, so that colour is never the only difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Cross,
}

impl Shape {
    pub fn of(group_idx: usize) -> Self {
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond, Self::Cross][group_idx % 5]
    }
}

/// An entry of a legend.
pub(crate) struct Key<'a> {
    pub name: &'a str,
    pub color: Color,
    pub mark: Mark,
}

/// What stands for an entry in a legend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    Line { dashed: bool },
    Point(Shape),
    Box,
}

pub(crate) struct Canvas {
    body: String,
    pub palette: Palette,
}

impl Canvas {
    pub fn new(palette: Palette) -> Self {
        Self { body: String::new(), palette }
    }

    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], color: Color, stroke_px: f64, dashed: bool) {
        let [x1, y1, x2, y2] = [from[0], from[1], to[0], to[1]].map(number);
        let dash = if dashed { r#" stroke-dasharray="4 3""# } else { "" };
        let stroke = number(stroke_px);
        self.put(format_args!(
            r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{color}" stroke-width="{stroke}"{dash}/>"#
        ));
    }

    pub fn polyline(&mut self, points: &[[f64; 2]], color: Color, stroke_px: f64, dashed: bool) {
        let points: Vec<String> = points.iter().map(|[x, y]| format!("{},{}", number(*x), number(*y))).collect();
        let dash = if dashed { r#" stroke-dasharray="5 4""# } else { "" };
        self.put(format_args!(
            r#"<polyline points="{}" fill="none" stroke="{color}" stroke-width="{}" stroke-linejoin="round" stroke-linecap="round"{dash}/>"#,
            points.join(" "),
            number(stroke_px),
        ));
    }

    /// A filled rectangle.
    pub fn rect(&mut self, at: [f64; 2], size: [f64; 2], fill: Color, radius_px: f64) {
        let [x, y, w, h, r] = [at[0], at[1], size[0], size[1], radius_px].map(number);
        let round = if radius_px > 0.0 { format!(r#" rx="{r}""#) } else { String::new() };
        self.put(format_args!(r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}"{round}/>"#));
    }

    /// The outline of a rectangle.
    pub fn frame(&mut self, at: [f64; 2], size: [f64; 2], color: Color, stroke_px: f64) {
        let [x, y, w, h, s] = [at[0], at[1], size[0], size[1], stroke_px].map(number);
        self.put(format_args!(
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="none" stroke="{color}" stroke-width="{s}"/>"#
        ));
    }

    pub fn circle(&mut self, at: [f64; 2], radius_px: f64, fill: Color, outline: Option<Color>) {
        let [x, y, r] = [at[0], at[1], radius_px].map(number);
        let outline = outline.map(|color| format!(r#" stroke="{color}" stroke-width="1.5""#)).unwrap_or_default();
        self.put(format_args!(r#"<circle cx="{x}" cy="{y}" r="{r}" fill="{fill}"{outline}/>"#));
    }

    /// A point of about the same weight in any shape.
    pub fn point(&mut self, at: [f64; 2], radius_px: f64, shape: Shape, fill: Color) {
        let [x, y] = at;
        let r = radius_px;
        let outline = self.palette.background();
        let corners: Vec<[f64; 2]> = match shape {
            Shape::Circle => {
                let [x, y, r] = [x, y, r].map(number);
                self.put(format_args!(
                    r#"<circle cx="{x}" cy="{y}" r="{r}" fill="{fill}" fill-opacity="0.85" stroke="{outline}" stroke-width="0.6"/>"#
                ));
                return;
            }
            Shape::Square => [[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]].into(),
            Shape::Triangle => [[0.0, -1.25], [1.12, 0.78], [-1.12, 0.78]].into(),
            Shape::Diamond => [[0.0, -1.3], [1.3, 0.0], [0.0, 1.3], [-1.3, 0.0]].into(),
            Shape::Cross => {
                let (a, b) = (0.38, 1.15);
                [
                    [-a, -b],
                    [a, -b],
                    [a, -a],
                    [b, -a],
                    [b, a],
                    [a, a],
                    [a, b],
                    [-a, b],
                    [-a, a],
                    [-b, a],
                    [-b, -a],
                    [-a, -a],
                ]
                .into()
            }
        };
        let corners: Vec<String> =
            corners.iter().map(|[dx, dy]| format!("{},{}", number(x + dx * r), number(y + dy * r))).collect();
        self.put(format_args!(
            r#"<polygon points="{}" fill="{fill}" fill-opacity="0.85" stroke="{outline}" stroke-width="0.6"/>"#,
            corners.join(" ")
        ));
    }

    /// A line of text whose baseline starts, has its middle or ends at `at`.
    pub fn text(&mut self, at: [f64; 2], text: &str, style: Style) {
        let Style { size_px, weight, color, anchor, degrees } = style;
        let [x, y] = at.map(number);
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let weight = if weight == Weight::SemiBold { r#" font-weight="600""# } else { "" };
        let turn =
            if degrees == 0.0 { String::new() } else { format!(r#" transform="rotate({} {x} {y})""#, number(degrees)) };
        self.put(format_args!(
            r#"<text x="{x}" y="{y}" font-size="{}" fill="{color}"{anchor}{weight}{turn}>{}</text>"#,
            number(size_px),
            escaped(text)
        ));
    }

    /// Title, then whatever the figure says in small letters below it; returns the y where the rest can start.
    pub fn heading(&mut self, title: &str, subtitle: &str) -> f64 {
        let mut y = MARGIN;
        if !title.is_empty() {
            let style = Style { size_px: TITLE_PX, weight: Weight::SemiBold, ..Style::body(self.palette.text()) };
            y += TITLE_PX;
            self.text([MARGIN, y - 2.0], title, style);
            y += 7.0;
        }
        if !subtitle.is_empty() {
            y += BODY_PX;
            self.text([MARGIN, y - 2.0], subtitle, Style::body(self.palette.muted()));
            y += 6.0;
        }
        y + 4.0
    }

    /// A legend from `at` to the right, in as many lines as it needs; returns its height.
    pub fn legend(&mut self, at: [f64; 2], max_width: f64, keys: &[Key<'_>]) -> f64 {
        const LINE_PX: f64 = 20.0;
        const MARK_PX: f64 = 22.0;
        const GAP_PX: f64 = 18.0;
        let [mut x, mut y] = at;
        for key in keys {
            let room = MARK_PX + width(key.name, BODY_PX, Weight::Regular);
            if x > at[0] && x + room > at[0] + max_width {
                x = at[0];
                y += LINE_PX;
            }
            let middle = y + LINE_PX / 2.0;
            match key.mark {
                Mark::Line { dashed } => self.line([x, middle], [x + 16.0, middle], key.color, 2.5, dashed),
                Mark::Point(shape) => self.point([x + 8.0, middle], 4.5, shape, key.color),
                Mark::Box => self.rect([x + 2.0, middle - 6.0], [12.0, 12.0], key.color, 2.0),
            }
            self.text([x + MARK_PX, middle + 4.2], key.name, Style::body(self.palette.text()));
            x += room + GAP_PX;
        }
        if keys.is_empty() { 0.0 } else { y + LINE_PX - at[1] }
    }

    /// The finished figure.
    pub fn finish(self, title: &str, size: [f64; 2], table: Table) -> Figure {
        let [width_px, height_px] = size.map(f64::ceil);
        let background = self.palette.background();
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width_px}\" height=\"{height_px}\" \
             viewBox=\"0 0 {width_px} {height_px}\" font-family=\"{FAMILY}, 'Helvetica Neue', Arial, sans-serif\">\n\
             <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"{background}\"/>\n{}</svg>\n",
            escaped(title),
            self.body
        );
        Figure { title: title.to_owned(), svg, table, width_px: width_px as u32, height_px: height_px as u32 }
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{element}").expect("a String takes any text");
    }
}

/// At most two decimals, as few as needed; never `-0` or `NaN`, which viewers refuse.
pub(crate) fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    if rounded == 0.0 || !rounded.is_finite() { "0".to_owned() } else { rounded.to_string() }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML knows no other control characters.
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
