//! Figures from numbers: the same drawing on screen, in a paper and as a table.
//!
//! A figure is an SVG document written with exact typography, and the numbers it shows. Text is measured and rendered
//! with a typeface of our own, so that a figure looks the same on every machine, and the same numbers give the same
//! bytes.
//! Left out: axes with dates or logarithms, which no figure here needs.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod affinity;
mod canvas;
mod colors;
mod confusion;
mod curves;
mod descent;
mod embedding;
mod figure;
mod scatter;
mod subsets;
mod ticks;
mod typeface;

pub use affinity::{Affinities, neighbour_purity, trustworthiness};
pub use colors::{
    ACCENT, Color, DANGER, GOOD, Palette, WARNING, emotion_color, label_colors, modality_color, series_color,
};
pub use confusion::{Normalisation, confusion};
pub use curves::{Axes, Divider, Series, curves, pieces};
pub use embedding::{pca, tsne, usual_perplexity};
pub use figure::{Figure, FigureError, Table};
pub use scatter::{Group, Panel, Point, scatter};
pub use subsets::subsets;

#[cfg(test)]
mod tests;
