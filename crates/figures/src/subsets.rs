//! Scores with only some modalities switched on: bars over a matrix of dots that says which.
//! The matrix is that of UpSet plots (Lex et al., 2014).

use std::collections::BTreeMap;

use emotion::{Modalities, Modality, Scores};

use crate::canvas::{Anchor, BODY_PX, Canvas, Key, MARGIN, Mark, SMALL_PX, Style};
use crate::ticks::Ticks;
use crate::typeface::{Weight, width};
use crate::{ACCENT, Figure, Palette, Table, modality_color};

const COLUMN: f64 = 84.0;
const BAR: f64 = 30.0;
const PLOT_HEIGHT: f64 = 220.0;
const ROW: f64 = 24.0;

/// Draws WAR and UAR of each subset, in the order of the papers' tables, and the line of guessing if it is known.
pub fn subsets(per_subset: &BTreeMap<Modalities, Scores>, chance: Option<f64>, palette: Palette) -> Figure {
    let title = "Scores by modalities";
    let present: Vec<(Modalities, Scores)> =
        Modalities::subsets().into_iter().filter_map(|set| Some((set, *per_subset.get(&set)?))).collect();
    let mut canvas = Canvas::new(palette);
    let mut top = canvas.heading(title, "");
    let (war, uar) = (ACCENT, palette.background().mix(ACCENT, 0.45));
    let mut keys =
        vec![Key { name: "WAR", color: war, mark: Mark::Box }, Key { name: "UAR", color: uar, mark: Mark::Box }];
    if chance.is_some() {
        keys.push(Key { name: "Guessing", color: palette.muted(), mark: Mark::Line { dashed: true } });
    }
    let y = Ticks::around(0.0, 100.0, 5);
    let names = Modality::ALL.map(|modality| ["Face", "Voice", "Text"][modality.index()]);
    let widest = names.iter().map(|name| width(name, BODY_PX, Weight::Regular)).fold(0.0, f64::max);
    let left = MARGIN + BODY_PX + 8.0 + widest + 10.0;
    let right = left + COLUMN * present.len().max(3) as f64;
    top += canvas.legend([MARGIN, top], right - MARGIN, &keys) + 16.0;
    let bottom = top + PLOT_HEIGHT;
    let height_of = |share: f64| y.share(share * 100.0).clamp(0.0, 1.0) * PLOT_HEIGHT;
    for (value, label) in &y.marks {
        let line = bottom - height_of(value / 100.0);
        canvas.line([left, line], [right, line], palette.grid(), 1.0, false);
        canvas.text([left - 8.0, line + 4.0], label, Style::small(palette.muted()).anchored(Anchor::End));
    }
    let style = Style::body(palette.text()).anchored(Anchor::Middle).turned(-90.0);
    canvas.text([MARGIN + BODY_PX - 2.0, (top + bottom) / 2.0], "Percent", style);

    let rows = bottom + 14.0;
    for (row, name) in names.iter().enumerate() {
        let at = rows + row as f64 * ROW;
        if row % 2 == 0 {
            canvas.rect([MARGIN, at], [right - MARGIN, ROW], palette.surface(), 3.0);
        }
        canvas.text([left - 10.0, at + ROW / 2.0 + 4.3], name, Style::body(palette.text()).anchored(Anchor::End));
    }
    let mut table = Table::with_header(&["modalities", "war", "uar", "macro_f1"]);
    for (idx, (set, scores)) in present.iter().enumerate() {
        let middle = left + (idx as f64 + 0.5) * COLUMN;
        for (side, share, color) in [(-1.0, scores.war, war), (1.0, scores.uar, uar)] {
            let height = height_of(share);
            let bar_left = middle + if side < 0.0 { -BAR - 1.0 } else { 1.0 };
            canvas.rect([bar_left, bottom - height], [BAR, height], color, 0.0);
            let style = Style::small(palette.text()).anchored(Anchor::Middle);
            canvas.text([bar_left + BAR / 2.0, bottom - height - 4.0], &format!("{:.1}", share * 100.0), style);
        }
        let dot = |modality: Modality| [middle, rows + (modality.index() as f64 + 0.5) * ROW];
        let on: Vec<Modality> = set.iter().collect();
        if let (Some(&first), Some(&last)) = (on.first(), on.last()) {
            canvas.line(dot(first), dot(last), palette.axis(), 2.0, false);
        }
        for modality in Modality::ALL {
            let color = if set.contains(modality) { modality_color(modality) } else { palette.grid() };
            canvas.circle(dot(modality), 6.0, color, None);
        }
        let numbers = [scores.war, scores.uar, scores.macro_f1].map(|share| share.to_string());
        table.rows.push([vec![set.to_string()], numbers.to_vec()].concat());
    }
    canvas.line([left, bottom], [right, bottom], palette.axis(), 1.0, false);
    if let Some(chance) = chance {
        let line = bottom - height_of(chance);
        canvas.line([left, line], [right, line], palette.muted(), 1.0, true);
    }
    if present.is_empty() {
        let style = Style::body(palette.muted()).anchored(Anchor::Middle);
        canvas.text([(left + right) / 2.0, (top + bottom) / 2.0 - SMALL_PX], "Nothing scored yet", style);
    }
    canvas.finish(title, [right + MARGIN, rows + 3.0 * ROW + MARGIN], table)
}
