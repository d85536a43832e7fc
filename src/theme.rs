//! How Limbic looks: the only place with literal colours, spacings and fonts.
//!
//! Two palettes share one set of roles; every text role keeps a contrast of 4.5:1 or better on every surface
//! (WCAG AA), which a test below checks.

use std::sync::Arc;

use egui::epaint::Shadow;
use egui::style::{HandleShape, Selection, WidgetVisuals};
use egui::{
    self, Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, RichText, Stroke, TextStyle,
    Theme, Ui, Vec2, vec2,
};
use emotion::{LabelSet, Modality};
use serde::{Deserialize, Serialize};

/// Height of the bar at the top of the window, in points as all lengths here.
pub const TOP_BAR: f32 = 44.0;
/// Height of the bar at the bottom of the window.
pub const STATUS_BAR: f32 = 30.0;
/// Width of the page rail.
pub const RAIL: f32 = 68.0;
/// Distance between the edge of a panel and its content.
pub const PANEL_PADDING: i8 = 16;
/// Height of buttons, fields and switches.
pub const CONTROL: f32 = 28.0;
/// Rounding of everything that is rounded.
pub const CORNER: u8 = 6;
/// Between things that belong together.
pub const GAP_SMALL: f32 = 4.0;
/// Between neighbours.
pub const GAP: f32 = 8.0;
/// Between groups.
pub const GAP_LARGE: f32 = 16.0;
/// Size of body text.
pub const TEXT: f32 = 14.0;
/// Size of captions.
pub const TEXT_SMALL: f32 = 12.0;
/// Size of the labels in the rail.
pub const TEXT_TINY: f32 = 11.0;
/// Size of page titles.
pub const TEXT_TITLE: f32 = 20.0;
/// Size of the numbers that a page is about.
pub const TEXT_NUMBER: f32 = 26.0;
/// Size of the emotion that the live page shows.
pub const TEXT_LIVE: f32 = 48.0;
/// Smallest size of the window.
pub const MIN_WINDOW: Vec2 = vec2(960.0, 600.0);
/// Size of the window when it is first opened.
pub const WINDOW: Vec2 = vec2(1280.0, 800.0);
/// Width of the side panels.
pub const SIDE_PANEL: f32 = 260.0;

/// What a colour is for; one value for a dark window, one for a light one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palette {
    /// Behind everything.
    pub page: Color32,
    /// Bars and side panels.
    pub panel: Color32,
    /// Cards, buttons and fields.
    pub raised: Color32,
    /// A raised thing under the pointer.
    pub hovered: Color32,
    /// Between panels and around cards.
    pub line: Color32,
    /// Around controls; 3:1 against every surface.
    pub control_line: Color32,
    /// Body text.
    pub text: Color32,
    /// Captions and everything secondary.
    pub weak: Color32,
    /// Links, selected things and the focus ring.
    pub accent: Color32,
    /// Filled buttons; white text stands on it.
    pub accent_fill: Color32,
    /// Behind selected rows.
    pub selected: Color32,
    /// Text and marks of errors.
    pub danger: Color32,
    /// Text and marks of success.
    pub good: Color32,
    /// Text and marks of warnings.
    pub warning: Color32,
}

/// The palette of a dark window.
pub const DARK: Palette = Palette {
    page: Color32::from_rgb(0x11, 0x14, 0x18),
    panel: Color32::from_rgb(0x18, 0x1C, 0x22),
    raised: Color32::from_rgb(0x20, 0x26, 0x2E),
    hovered: Color32::from_rgb(0x2A, 0x31, 0x3B),
    line: Color32::from_rgb(0x2B, 0x32, 0x3C),
    control_line: Color32::from_rgb(0x6F, 0x7B, 0x8B),
    text: Color32::from_rgb(0xE8, 0xEB, 0xEF),
    weak: Color32::from_rgb(0xA3, 0xAC, 0xB8),
    accent: Color32::from_rgb(0x6B, 0xA6, 0xFF),
    accent_fill: Color32::from_rgb(0x25, 0x63, 0xEB),
    selected: Color32::from_rgb(0x1D, 0x33, 0x57),
    danger: Color32::from_rgb(0xF8, 0x8A, 0x8A),
    good: Color32::from_rgb(0x4A, 0xD0, 0x7D),
    warning: Color32::from_rgb(0xF2, 0xA9, 0x3B),
};

/// The palette of a light window.
pub const LIGHT: Palette = Palette {
    page: Color32::from_rgb(0xFF, 0xFF, 0xFF),
    panel: Color32::from_rgb(0xF6, 0xF7, 0xF9),
    raised: Color32::from_rgb(0xE9, 0xEC, 0xF0),
    hovered: Color32::from_rgb(0xDE, 0xE3, 0xE9),
    line: Color32::from_rgb(0xDD, 0xE1, 0xE7),
    control_line: Color32::from_rgb(0x7C, 0x86, 0x93),
    text: Color32::from_rgb(0x17, 0x1B, 0x21),
    weak: Color32::from_rgb(0x52, 0x5C, 0x69),
    accent: Color32::from_rgb(0x1D, 0x4E, 0xD8),
    accent_fill: Color32::from_rgb(0x25, 0x63, 0xEB),
    selected: Color32::from_rgb(0xDB, 0xE8, 0xFE),
    danger: Color32::from_rgb(0xB3, 0x1B, 0x1B),
    good: Color32::from_rgb(0x10, 0x6B, 0x33),
    warning: Color32::from_rgb(0x90, 0x4B, 0x02),
};

/// The palette of the theme that `ui` is drawn in.
pub fn palette(ui: &Ui) -> &'static Palette {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

/// The colour of prompts that no modality activates, in figures.
pub const NOT_ACTIVATED: figures::Color = figures::Color::hex(0x8A8F98);
/// What stands on a filled button.
pub const ON_ACCENT: Color32 = Color32::WHITE;
/// Text over a picture.
pub const ON_PICTURE: Color32 = Color32::WHITE;
/// Behind a picture.
pub const PICTURE_GROUND: Color32 = Color32::from_rgb(0x0B, 0x0D, 0x10);
/// Behind text over a picture.
pub const PICTURE_SHADE: Color32 = Color32::from_rgba_premultiplied(6, 8, 10, 190);

/// A colour of a figure, on screen.
pub fn color32(color: figures::Color) -> Color32 {
    Color32::from_rgb(color.r, color.g, color.b)
}

/// The colour of a modality, the same on screen and in figures.
pub fn modality_color(modality: Modality) -> Color32 {
    color32(figures::modality_color(modality))
}

/// The colour of each class, the same on screen and in figures.
pub fn label_colors(labels: &LabelSet) -> Vec<Color32> {
    figures::label_colors(labels).into_iter().map(color32).collect()
}

/// Colour `series_idx` of lines without a meaning of their own, the same on screen and in figures.
pub fn series_color(series_idx: usize) -> Color32 {
    color32(figures::series_color(series_idx))
}

/// A cell of a matrix: from the surface (`share` 0) to the accent (1), and the text colour that is readable on it.
pub fn matrix_color(palette: &Palette, share: f64) -> (Color32, Color32) {
    let full = Color32::from_rgb(0x1F, 0x58, 0xD6);
    let fill = palette.raised.lerp_to_gamma(full, share.clamp(0.0, 1.0) as f32);
    // Only pure black and white leave no fill between them on which neither is readable.
    let text =
        if contrast(fill, Color32::WHITE) >= contrast(fill, Color32::BLACK) { Color32::WHITE } else { Color32::BLACK };
    (fill, text)
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Appearance {
    /// As the system is set.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Appearance {
    /// All three, in the order shown.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word on the button.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

impl From<Appearance> for egui::ThemePreference {
    fn from(appearance: Appearance) -> Self {
        match appearance {
            Appearance::System => Self::System,
            Appearance::Light => Self::Light,
            Appearance::Dark => Self::Dark,
        }
    }
}

/// Sets fonts, measures and colours of both themes; once per window.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| set_style(style, if theme == Theme::Dark { &DARK } else { &LIGHT }));
    }
}

fn semibold_family() -> FontFamily {
    FontFamily::Name("semibold".into())
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let fallbacks = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    for (family, name, bytes) in [
        (FontFamily::Proportional, "Inter", &include_bytes!("../assets/fonts/Inter-Regular.ttf")[..]),
        (semibold_family(), "Inter SemiBold", &include_bytes!("../assets/fonts/Inter-SemiBold.ttf")[..]),
    ] {
        fonts.font_data.insert(name.into(), Arc::new(FontData::from_static(bytes)));
        let mut names = vec![name.to_owned()];
        names.extend(fallbacks.iter().cloned());
        fonts.families.insert(family, names);
    }
    fonts
}

fn set_style(style: &mut egui::Style, palette: &Palette) {
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(TEXT_SMALL)),
        (TextStyle::Body, FontId::proportional(TEXT)),
        (TextStyle::Button, FontId::proportional(TEXT)),
        (TextStyle::Heading, FontId::new(TEXT_TITLE, semibold_family())),
        (TextStyle::Monospace, FontId::monospace(TEXT_SMALL)),
    ]
    .into();
    style.animation_time = 0.1;
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;

    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(GAP, GAP);
    spacing.button_padding = vec2(12.0, 5.0);
    spacing.interact_size = vec2(CONTROL, CONTROL);
    spacing.window_margin = Margin::same(PANEL_PADDING);
    spacing.menu_margin = Margin::same(6);
    spacing.icon_width = 16.0;
    spacing.icon_width_inner = 9.0;
    spacing.icon_spacing = 8.0;
    spacing.slider_width = 160.0;
    spacing.slider_rail_height = 4.0;
    spacing.combo_width = 120.0;
    spacing.combo_height = 320.0;
    spacing.tooltip_width = 340.0;
    spacing.text_edit_width = 240.0;
    spacing.scroll = egui::style::ScrollStyle {
        bar_width: 8.0,
        floating_allocated_width: 6.0,
        dormant_handle_opacity: 0.4,
        ..egui::style::ScrollStyle::floating()
    };

    let visuals = &mut style.visuals;
    let corner = CornerRadius::same(CORNER);
    let widget = |fill: Color32, line: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, line),
        corner_radius: corner,
        fg_stroke: Stroke::new(1.5, text),
        expansion: 0.0,
    };
    visuals.widgets.noninteractive = widget(palette.panel, palette.line, palette.text);
    visuals.widgets.inactive = widget(palette.raised, palette.line, palette.text);
    visuals.widgets.hovered = widget(palette.hovered, palette.control_line, palette.text);
    visuals.widgets.active = widget(palette.hovered, palette.accent, palette.text);
    visuals.widgets.open = widget(palette.hovered, palette.control_line, palette.text);
    visuals.weak_text_color = Some(palette.weak);
    visuals.selection = Selection { bg_fill: palette.selected, stroke: Stroke::new(1.5, palette.accent) };
    visuals.hyperlink_color = palette.accent;
    visuals.faint_bg_color = palette.panel;
    visuals.extreme_bg_color = palette.page;
    visuals.text_edit_bg_color = Some(palette.page);
    visuals.code_bg_color = palette.raised;
    visuals.warn_fg_color = palette.warning;
    visuals.error_fg_color = palette.danger;
    visuals.panel_fill = palette.page;
    visuals.window_fill = palette.panel;
    visuals.window_stroke = Stroke::new(1.0, palette.line);
    visuals.window_corner_radius = CornerRadius::same(CORNER + 2);
    visuals.menu_corner_radius = corner;
    let shadow = Shadow {
        offset: [0, 6],
        blur: 20,
        spread: 0,
        color: Color32::from_black_alpha(if visuals.dark_mode { 110 } else { 36 }),
    };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    visuals.handle_shape = HandleShape::Circle;
    visuals.slider_trailing_fill = true;
    visuals.indent_has_left_vline = false;
    visuals.interact_cursor = Some(egui::CursorIcon::PointingHand);
    visuals.text_cursor.stroke = Stroke::new(1.5, palette.accent);
}

/// Heavier text of the size around it.
pub fn semibold(text: impl Into<String>) -> RichText {
    RichText::new(text).family(semibold_family())
}

/// The title of a page.
pub fn title(text: impl Into<String>) -> RichText {
    semibold(text).size(TEXT_TITLE)
}

/// The title of a group on a page.
pub fn group_title(text: impl Into<String>) -> RichText {
    semibold(text).size(TEXT)
}

/// A caption.
pub fn caption(text: impl Into<String>) -> RichText {
    RichText::new(text).size(TEXT_SMALL).weak()
}

/// The number that a card is about.
pub fn number(text: impl Into<String>) -> RichText {
    semibold(text).size(TEXT_NUMBER)
}

/// The font of text that is drawn, not laid out.
pub fn font(size: f32) -> FontId {
    FontId::proportional(size)
}

/// The heavier font of text that is drawn, not laid out.
pub fn semibold_font(size: f32) -> FontId {
    FontId::new(size, semibold_family())
}

/// A card on the page.
pub fn card(ui: &Ui) -> egui::Frame {
    let palette = palette(ui);
    egui::Frame::new()
        .fill(palette.panel)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(CORNER)
        .inner_margin(Margin::same(PANEL_PADDING))
}

/// A window over everything else, which must be closed first.
pub fn modal(ctx: &egui::Context, id: &'static str) -> egui::Modal {
    let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(Margin::same(PANEL_PADDING + 4));
    egui::Modal::new(egui::Id::unique(id)).frame(frame)
}

/// The frame of a side panel.
pub fn panel(ui: &Ui) -> egui::Frame {
    egui::Frame::new().fill(palette(ui).panel).inner_margin(Margin::same(PANEL_PADDING))
}

/// The frame of the middle of a page.
pub fn page(ui: &Ui) -> egui::Frame {
    egui::Frame::new().fill(palette(ui).page).inner_margin(Margin::symmetric(PANEL_PADDING + 4, PANEL_PADDING))
}

/// Contrast of two opaque colours as WCAG 2 defines it, from 1 to 21.
fn contrast(a: Color32, b: Color32) -> f64 {
    let luminance = |color: Color32| {
        let linear = |byte: u8| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_readable_on_every_surface() {
        for palette in [DARK, LIGHT] {
            for surface in [palette.page, palette.panel, palette.raised, palette.hovered, palette.selected] {
                for text in [palette.text, palette.weak, palette.accent, palette.danger, palette.good, palette.warning]
                {
                    let ratio = contrast(text, surface);
                    assert!(ratio >= 4.5, "{text:?} on {surface:?} has {ratio:.2}");
                }
            }
            assert!(contrast(ON_ACCENT, palette.accent_fill) >= 4.5);
            assert!(contrast(palette.control_line, palette.panel) >= 3.0);
        }
    }

    #[test]
    fn numbers_in_a_matrix_are_readable_in_every_cell() {
        for palette in [DARK, LIGHT] {
            for step in 0..=20 {
                let (fill, text) = matrix_color(&palette, f64::from(step) / 20.0);
                assert!(contrast(fill, text) >= 4.5, "step {step}: {:.2}", contrast(fill, text));
            }
        }
    }
}
