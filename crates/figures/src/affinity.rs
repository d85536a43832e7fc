//! How faithful a layout in two dimensions is to what it lays out.
//!
//! Everything is exact, over all pairs: for figures of some thousand points, not for millions.

use rayon::prelude::*;

/// Who neighbours whom among many-dimensional points, as t-SNE defines it (van der Maaten & Hinton 2008).
#[derive(Debug, Clone, PartialEq)]
pub struct Affinities {
    /// Of each point, the factor of squared distances at which its neighbours have the perplexity that was asked for.
    pub precisions: Vec<f64>,
    /// Probability of each pair, `[points, points]`, 1 in all.
    pub joint: Vec<Vec<f64>>,
}

/// Entropies are matched to this.
const TOLERANCE: f64 = 1e-12;
/// Halvings of the search at most.
const N_HALVINGS: usize = 200;

impl Affinities {
    /// Affinities of `vectors`, all of one length, more of them than `perplexity`.
    pub fn of(vectors: &[Vec<f32>], perplexity: f64) -> Self {
        let n = vectors.len();
        let (precisions, conditional): (Vec<f64>, Vec<Vec<f64>>) = (0..n)
            .into_par_iter()
            .map(|from| {
                let squared: Vec<f64> = vectors.iter().map(|to| squared_distance(&vectors[from], to)).collect();
                neighbours(from, &squared, perplexity.ln())
            })
            .unzip();
        let joint = |a: usize, b: usize| (conditional[a][b] + conditional[b][a]) / (2.0 * n as f64);
        Self { precisions, joint: (0..n).map(|a| (0..n).map(|b| joint(a, b)).collect()).collect() }
    }

    /// The divergence of Kullback and Leibler that t-SNE minimizes, in nats, of a layout of the same points.
    pub fn divergence(&self, layout: &[[f64; 2]]) -> f64 {
        let closeness = |a: usize, b: usize| 1.0 / (1.0 + squared_distance_2d(layout[a], layout[b]));
        let n = layout.len();
        let pairs = || (0..n).flat_map(|a| (0..n).filter(move |&b| b != a).map(move |b| (a, b)));
        let total: f64 = pairs().map(|(a, b)| closeness(a, b)).sum();
        pairs()
            .filter(|&(a, b)| self.joint[a][b] > 0.0)
            .map(|(a, b)| self.joint[a][b] * (self.joint[a][b] * total / closeness(a, b)).ln())
            .sum()
    }
}

/// The precision of a point and the probabilities of its neighbours, by bisection.
fn neighbours(from: usize, squared: &[f64], entropy: f64) -> (f64, Vec<f64>) {
    // The nearest counts as distance zero, so that no sum vanishes.
    let nearest = (0..squared.len()).filter(|&to| to != from).map(|to| squared[to]).fold(f64::INFINITY, f64::min);
    let (mut low, mut high, mut precision) = (0.0, f64::INFINITY, 1.0);
    let mut probabilities = vec![0.0; squared.len()];
    for _ in 0..N_HALVINGS {
        for (to, probability) in probabilities.iter_mut().enumerate() {
            *probability = if to == from { 0.0 } else { (-precision * (squared[to] - nearest)).exp() };
        }
        let total: f64 = probabilities.iter().sum();
        probabilities.iter_mut().for_each(|probability| *probability /= total);
        let own: f64 = probabilities.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
        if (own - entropy).abs() < TOLERANCE {
            break;
        }
        if own > entropy {
            low = precision;
            precision = if high.is_finite() { f64::midpoint(low, high) } else { precision * 2.0 };
        } else {
            high = precision;
            precision = f64::midpoint(low, high);
        }
    }
    (precision, probabilities)
}

/// How far the `k` neighbours of each point in a layout are neighbours in truth, 1 at best (Venna & Kaski 2001).
pub fn trustworthiness(vectors: &[Vec<f32>], layout: &[[f64; 2]], k: usize) -> f64 {
    let n = layout.len();
    let penalty: usize = (0..n)
        .map(|from| {
            let mut rank = vec![0; n];
            let in_truth = nearest_first(from, n, |to| squared_distance(&vectors[from], &vectors[to]));
            in_truth.into_iter().enumerate().for_each(|(place, to)| rank[to] = place + 1);
            let shown = nearest_first(from, n, |to| squared_distance_2d(layout[from], layout[to]));
            shown.into_iter().take(k).map(|to| rank[to].saturating_sub(k)).sum::<usize>()
        })
        .sum();
    let worst = (n * k) as f64 * (2.0 * n as f64 - 3.0 * k as f64 - 1.0) / 2.0;
    1.0 - penalty as f64 / worst
}

/// Mean share of the `k` nearest neighbours in a layout that are of the same group.
pub fn neighbour_purity(layout: &[[f64; 2]], groups: &[usize], k: usize) -> f64 {
    let n = layout.len();
    let same: usize = (0..n)
        .map(|from| {
            let shown = nearest_first(from, n, |to| squared_distance_2d(layout[from], layout[to]));
            shown.into_iter().take(k).filter(|&to| groups[to] == groups[from]).count()
        })
        .sum();
    same as f64 / (n * k) as f64
}

/// All other points by rising distance, equal ones in their order.
fn nearest_first(from: usize, n: usize, distance: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut others: Vec<(f64, usize)> = (0..n).filter(|&to| to != from).map(|to| (distance(to), to)).collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    others.into_iter().map(|(_, to)| to).collect()
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

fn squared_distance_2d(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_that_keeps_all_distances_is_trusted_and_a_shuffled_one_is_not() {
        let at: Vec<[f64; 2]> = (0..24).map(|i| [f64::from(i % 6), f64::from(i / 6) * 1.3]).collect();
        let vectors: Vec<Vec<f32>> = at.iter().map(|point| point.map(|v| v as f32).to_vec()).collect();
        let shuffled: Vec<[f64; 2]> = (0..24).map(|i| at[i * 7 % 24]).collect();
        assert_eq!(trustworthiness(&vectors, &at, 4), 1.0);
        assert!(trustworthiness(&vectors, &shuffled, 4) < 0.8);
        let affinities = Affinities::of(&vectors, 5.0);
        assert!(affinities.divergence(&at) < affinities.divergence(&shuffled));
        let total: f64 = affinities.joint.iter().flatten().sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
        let columns: Vec<usize> = (0..24).map(|i| i / 6).collect();
        assert!(neighbour_purity(&at, &columns, 2) > neighbour_purity(&shuffled, &columns, 2));
    }
}
