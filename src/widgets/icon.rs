//! The icons, drawn by us as strokes on a grid of 24 × 24.

use egui::epaint::PathShape;
use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Vec2, pos2, vec2};

/// A drawing that stands for a page, a thing or an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Home,
    Library,
    Train,
    Runs,
    Insight,
    Live,
    Models,
    Settings,
    Search,
    Folder,
    Play,
    Pause,
    Stop,
    Record,
    Close,
    Check,
    Warning,
    Info,
    Plus,
    Export,
    Import,
    Trash,
    Undo,
    Camera,
    Microphone,
    Face,
    Voice,
    Text,
    Device,
    Refresh,
    Bell,
    Copy,
    Expand,
}

enum Part {
    /// An open line.
    Line(&'static [(f32, f32)]),
    /// A closed line.
    Loop(&'static [(f32, f32)]),
    /// A filled convex shape.
    Fill(&'static [(f32, f32)]),
    /// Centre and radius.
    Circle(f32, f32, f32),
    /// Centre and radius, filled.
    Dot(f32, f32, f32),
    /// Corners and rounding.
    Box(f32, f32, f32, f32, f32),
    /// Centre, radius, first and last angle in degrees, clockwise from the right.
    Arc(f32, f32, f32, f32, f32),
}

impl Icon {
    /// Draws the icon in the middle of `rect`, as large as fits.
    pub fn paint(self, painter: &Painter, rect: Rect, color: Color32) {
        let side = rect.width().min(rect.height());
        let scale = side / 24.0;
        let origin = rect.center() - Vec2::splat(side / 2.0);
        let at = |x: f32, y: f32| -> Pos2 { origin + vec2(x, y) * scale };
        let stroke = Stroke::new((1.75 * scale).max(1.0), color);
        let points = |pairs: &[(f32, f32)]| pairs.iter().map(|&(x, y)| at(x, y)).collect::<Vec<_>>();
        for part in self.parts() {
            let shape = match *part {
                Part::Line(pairs) => Shape::line(points(pairs), stroke),
                Part::Loop(pairs) => Shape::closed_line(points(pairs), stroke),
                Part::Fill(pairs) => Shape::Path(PathShape::convex_polygon(points(pairs), color, Stroke::NONE)),
                Part::Circle(x, y, radius) => Shape::circle_stroke(at(x, y), radius * scale, stroke),
                Part::Dot(x, y, radius) => Shape::circle_filled(at(x, y), radius * scale, color),
                Part::Box(left, top, right, bottom, corner) => {
                    let area = Rect::from_min_max(at(left, top), at(right, bottom));
                    Shape::rect_stroke(area, corner * scale, stroke, egui::StrokeKind::Middle)
                }
                Part::Arc(x, y, radius, first, last) => {
                    let n_steps = 16;
                    let arc = (0..=n_steps).map(|step| {
                        let angle = (first + (last - first) * step as f32 / n_steps as f32).to_radians();
                        at(x + radius * angle.cos(), y + radius * angle.sin())
                    });
                    Shape::line(arc.collect(), stroke)
                }
            };
            painter.add(shape);
        }
    }

    /// Takes room of `side` points in `ui` and draws the icon there.
    pub fn show(self, ui: &mut egui::Ui, side: f32, color: Color32) {
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(side), egui::Sense::hover());
        self.paint(ui.painter(), rect, color);
    }

    fn parts(self) -> &'static [Part] {
        use Part::{Arc, Box, Circle, Dot, Fill, Line, Loop};
        match self {
            Self::Home => &[
                Line(&[(3.0, 11.5), (12.0, 4.0), (21.0, 11.5)]),
                Line(&[(5.5, 9.8), (5.5, 20.0), (18.5, 20.0), (18.5, 9.8)]),
                Line(&[(10.0, 20.0), (10.0, 14.0), (14.0, 14.0), (14.0, 20.0)]),
            ],
            Self::Models => &[
                Loop(&[(12.0, 3.0), (20.0, 7.5), (20.0, 16.5), (12.0, 21.0), (4.0, 16.5), (4.0, 7.5)]),
                Line(&[(4.0, 7.5), (12.0, 12.0), (20.0, 7.5)]),
                Line(&[(12.0, 12.0), (12.0, 21.0)]),
            ],
            Self::Library => &[
                Box(3.5, 4.0, 10.5, 11.0, 1.5),
                Box(13.5, 4.0, 20.5, 11.0, 1.5),
                Box(3.5, 14.0, 10.5, 21.0, 1.5),
                Box(13.5, 14.0, 20.5, 21.0, 1.5),
            ],
            Self::Train => &[
                Circle(5.0, 7.0, 2.2),
                Circle(5.0, 17.0, 2.2),
                Circle(19.0, 12.0, 2.2),
                Circle(12.0, 12.0, 2.2),
                Line(&[(6.8, 8.3), (10.2, 10.7)]),
                Line(&[(6.8, 15.7), (10.2, 13.3)]),
                Line(&[(14.2, 12.0), (16.8, 12.0)]),
            ],
            Self::Runs => &[
                Line(&[(8.5, 6.0), (20.5, 6.0)]),
                Line(&[(8.5, 12.0), (20.5, 12.0)]),
                Line(&[(8.5, 18.0), (20.5, 18.0)]),
                Dot(4.5, 6.0, 1.5),
                Dot(4.5, 12.0, 1.5),
                Dot(4.5, 18.0, 1.5),
            ],
            Self::Insight => &[
                Line(&[(3.5, 3.5), (3.5, 20.5), (20.5, 20.5)]),
                Dot(8.0, 15.5, 1.6),
                Dot(12.0, 9.0, 1.6),
                Dot(15.0, 14.0, 1.6),
                Dot(18.5, 6.5, 1.6),
            ],
            Self::Live => {
                &[Dot(12.0, 12.0, 3.2), Arc(12.0, 12.0, 8.5, -55.0, 55.0), Arc(12.0, 12.0, 8.5, 125.0, 235.0)]
            }
            Self::Settings => &[
                Line(&[(3.5, 7.0), (13.0, 7.0)]),
                Line(&[(18.0, 7.0), (20.5, 7.0)]),
                Circle(15.5, 7.0, 2.4),
                Line(&[(3.5, 17.0), (6.0, 17.0)]),
                Line(&[(11.0, 17.0), (20.5, 17.0)]),
                Circle(8.5, 17.0, 2.4),
            ],
            Self::Search => &[Circle(10.5, 10.5, 6.5), Line(&[(15.3, 15.3), (20.5, 20.5)])],
            Self::Folder => &[Loop(&[(3.0, 19.5), (3.0, 5.0), (9.5, 5.0), (11.5, 7.5), (21.0, 7.5), (21.0, 19.5)])],
            Self::Play => &[Fill(&[(7.0, 4.0), (20.0, 12.0), (7.0, 20.0)])],
            Self::Pause => &[
                Fill(&[(6.5, 5.0), (10.0, 5.0), (10.0, 19.0), (6.5, 19.0)]),
                Fill(&[(14.0, 5.0), (17.5, 5.0), (17.5, 19.0), (14.0, 19.0)]),
            ],
            Self::Stop => &[Fill(&[(6.0, 6.0), (18.0, 6.0), (18.0, 18.0), (6.0, 18.0)])],
            Self::Record => &[Dot(12.0, 12.0, 6.0)],
            Self::Close => &[Line(&[(6.0, 6.0), (18.0, 18.0)]), Line(&[(18.0, 6.0), (6.0, 18.0)])],
            Self::Check => &[Line(&[(4.5, 12.5), (10.0, 18.0), (20.0, 6.5)])],
            Self::Warning => &[
                Loop(&[(12.0, 3.5), (22.0, 20.5), (2.0, 20.5)]),
                Line(&[(12.0, 10.0), (12.0, 14.5)]),
                Dot(12.0, 17.4, 1.1),
            ],
            Self::Info => &[Circle(12.0, 12.0, 9.0), Line(&[(12.0, 11.0), (12.0, 16.5)]), Dot(12.0, 7.8, 1.2)],
            Self::Plus => &[Line(&[(12.0, 5.0), (12.0, 19.0)]), Line(&[(5.0, 12.0), (19.0, 12.0)])],
            Self::Export => &[
                Line(&[(4.0, 14.5), (4.0, 20.0), (20.0, 20.0), (20.0, 14.5)]),
                Line(&[(12.0, 15.5), (12.0, 4.0)]),
                Line(&[(7.5, 8.5), (12.0, 4.0), (16.5, 8.5)]),
            ],
            Self::Import => &[
                Line(&[(4.0, 14.5), (4.0, 20.0), (20.0, 20.0), (20.0, 14.5)]),
                Line(&[(12.0, 15.0), (12.0, 3.5)]),
                Line(&[(7.5, 10.5), (12.0, 15.0), (16.5, 10.5)]),
            ],
            Self::Trash => &[
                Line(&[(4.0, 6.5), (20.0, 6.5)]),
                Line(&[(9.0, 6.5), (9.0, 3.5), (15.0, 3.5), (15.0, 6.5)]),
                Line(&[(6.0, 6.5), (7.0, 20.5), (17.0, 20.5), (18.0, 6.5)]),
            ],
            Self::Undo => &[Arc(13.0, 14.0, 6.5, -150.0, 120.0), Line(&[(6.0, 4.5), (6.5, 11.0), (13.0, 10.5)])],
            Self::Camera => {
                &[Box(2.5, 6.5, 15.5, 17.5, 2.0), Loop(&[(15.5, 11.0), (21.5, 7.5), (21.5, 16.5), (15.5, 13.0)])]
            }
            Self::Microphone => &[
                Box(9.0, 2.5, 15.0, 14.0, 3.0),
                Arc(12.0, 11.0, 6.5, 0.0, 180.0),
                Line(&[(12.0, 17.5), (12.0, 21.5)]),
                Line(&[(8.5, 21.5), (15.5, 21.5)]),
            ],
            Self::Face => {
                &[Circle(12.0, 12.0, 9.0), Dot(9.0, 10.0, 1.3), Dot(15.0, 10.0, 1.3), Arc(12.0, 12.0, 4.6, 25.0, 155.0)]
            }
            Self::Voice => &[
                Line(&[(4.0, 10.0), (4.0, 14.0)]),
                Line(&[(8.0, 6.5), (8.0, 17.5)]),
                Line(&[(12.0, 3.5), (12.0, 20.5)]),
                Line(&[(16.0, 8.0), (16.0, 16.0)]),
                Line(&[(20.0, 10.5), (20.0, 13.5)]),
            ],
            Self::Text => &[
                Line(&[(4.5, 8.0), (4.5, 5.0), (19.5, 5.0), (19.5, 8.0)]),
                Line(&[(12.0, 5.0), (12.0, 19.5)]),
                Line(&[(9.0, 19.5), (15.0, 19.5)]),
            ],
            Self::Device => &[
                Box(6.0, 6.0, 18.0, 18.0, 1.5),
                Box(9.5, 9.5, 14.5, 14.5, 0.5),
                Line(&[(9.5, 2.5), (9.5, 6.0)]),
                Line(&[(14.5, 2.5), (14.5, 6.0)]),
                Line(&[(9.5, 18.0), (9.5, 21.5)]),
                Line(&[(14.5, 18.0), (14.5, 21.5)]),
                Line(&[(2.5, 9.5), (6.0, 9.5)]),
                Line(&[(2.5, 14.5), (6.0, 14.5)]),
                Line(&[(18.0, 9.5), (21.5, 9.5)]),
                Line(&[(18.0, 14.5), (21.5, 14.5)]),
            ],
            Self::Refresh => &[Arc(12.0, 12.0, 8.0, -60.0, 230.0), Line(&[(16.5, 1.5), (16.5, 5.5), (12.0, 6.5)])],
            Self::Bell => &[
                Line(&[(4.0, 17.0), (6.0, 14.5), (6.0, 10.0)]),
                Arc(12.0, 10.0, 6.0, 180.0, 360.0),
                Line(&[(18.0, 10.0), (18.0, 14.5), (20.0, 17.0), (4.0, 17.0)]),
                Arc(12.0, 18.5, 2.4, 20.0, 160.0),
            ],
            Self::Copy => &[
                Box(8.0, 8.0, 20.0, 20.5, 1.5),
                Line(&[(5.0, 16.0), (4.0, 16.0), (4.0, 3.5), (16.0, 3.5), (16.0, 5.0)]),
            ],
            Self::Expand => &[
                Line(&[(14.0, 4.0), (20.0, 4.0), (20.0, 10.0)]),
                Line(&[(10.0, 20.0), (4.0, 20.0), (4.0, 14.0)]),
                Line(&[(20.0, 4.0), (13.5, 10.5)]),
                Line(&[(4.0, 20.0), (10.5, 13.5)]),
            ],
        }
    }
}

/// The middle of `rect`, `side` points wide and high.
pub fn centred(rect: Rect, side: f32) -> Rect {
    Rect::from_center_size(pos2(rect.center().x, rect.center().y), Vec2::splat(side))
}
