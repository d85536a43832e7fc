//! Round numbers along an axis.

/// Ticks of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticks {
    /// Ends of the axis; the outermost ticks.
    pub range: [f64; 2],
    /// Position and label of each.
    pub marks: Vec<(f64, String)>,
}

impl Ticks {
    /// About `n` steps of 1, 2 or 5 times a power of ten that cover `low..=high`.
    pub fn around(low: f64, high: f64, n: usize) -> Self {
        let (low, high) = widened(low, high);
        let step = step((high - low) / n.max(1) as f64, 0.0);
        Self::steps((low / step + 1e-9).floor(), (high / step - 1e-9).ceil(), step)
    }

    /// As [`Self::around`], for counts: no fractions, and the axis ends where the data ends.
    pub fn of_counts(low: f64, high: f64, n: usize) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 1.0, high + 1.0) };
        let step = step((high - low) / n.max(1) as f64, 1.0);
        let inside = Self::steps((low / step - 1e-9).ceil(), (high / step + 1e-9).floor(), step);
        Self { range: [low, high], ..inside }
    }

    /// Where `value` lies between the ends, 0..=1 inside.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.range[0]) / (self.range[1] - self.range[0])
    }

    fn steps(first: f64, last: f64, step: f64) -> Self {
        let n_decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize;
        let marks: Vec<(f64, String)> = (first as i64..=last as i64)
            .map(|tick_idx| {
                let at = tick_idx as f64 * step;
                let at = if tick_idx == 0 { 0.0 } else { at };
                (at, label(at, n_decimals))
            })
            .collect();
        Self { range: [first * step, last * step], marks }
    }
}

/// With a real minus sign, and powers of ten where digits would be endless.
fn label(value: f64, n_decimals: usize) -> String {
    let digits = if value != 0.0 && (value.abs() >= 1e6 || n_decimals > 5) {
        format!("{value:.1e}").replace(".0e", "e")
    } else {
        format!("{value:.n_decimals$}")
    };
    digits.replace('-', "−")
}

fn step(rough: f64, least: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough * (1.0 - 1e-9));
    step.unwrap_or(10.0 * power).max(least)
}

/// A range with some extent, whatever the data is.
fn widened(low: f64, high: f64) -> (f64, f64) {
    match (low.is_finite(), high.is_finite()) {
        (true, true) if high > low => (low, high),
        (true, true) => {
            let half = if low == 0.0 { 0.5 } else { low.abs() * 0.1 };
            (low - half, low + half)
        }
        _ => (0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ticks: &Ticks, expected: &[&str]) {
        let labels: Vec<&str> = ticks.marks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, expected);
    }

    #[test]
    fn ticks_are_round_and_cover_the_data() {
        check(&Ticks::around(0.0, 1.0, 5), &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(&Ticks::around(0.13, 1.94, 5), &["0.0", "0.5", "1.0", "1.5", "2.0"]);
        check(&Ticks::around(-3.0, 7.0, 4), &["−5", "0", "5", "10"]);
        check(&Ticks::around(0.00012, 0.00043, 4), &["0.0001", "0.0002", "0.0003", "0.0004", "0.0005"]);
        check(&Ticks::around(2.0, 2.0, 4), &["1.8", "1.9", "2.0", "2.1", "2.2"]);
        check(&Ticks::around(f64::NAN, 1.0, 2), &["0.0", "0.5", "1.0"]);
    }

    #[test]
    fn counts_have_no_fractions() {
        check(&Ticks::of_counts(1.0, 3.0, 8), &["1", "2", "3"]);
        check(&Ticks::of_counts(1.0, 30.0, 6), &["5", "10", "15", "20", "25", "30"]);
        check(&Ticks::of_counts(1.0, 1.0, 6), &["0", "1", "2"]);
    }
}
