//! From many dimensions to two: principal components, and t-SNE from there.
//!
//! t-SNE starts from the principal components (Kobak & Berens, 2019), so that the large-scale layout means something
//! and the same vectors and seed give the same picture. Up to some thousand points its gradient is exact
//! ([`crate::descent`]); beyond, it is the approximation of van der Maaten (2014).

use bhtsne::tSNE;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use crate::affinity::Affinities;
use crate::descent::{Descent, N_EARLY, N_EPOCHS};

/// Epochs between two looks at whether to go on.
const SEGMENT: usize = 25;
/// The usual number of neighbours that count.
const PERPLEXITY: f32 = 30.0;
/// Points up to which all pairs are looked at in every epoch: a matter of seconds, and the layout is the better one.
const MAX_EXACT: usize = 2000;
/// Accuracy of the Barnes-Hut approximation, the usual value.
const THETA: f32 = 0.5;
/// What the number of points is divided by for the learning rate of the approximation, and its least rate (Belkina et
/// al. 2019, times the factor 4 that its gradient lacks, and twice that for few points, because every look at whether
/// to go on costs the momentum).
const RATE_DIVISOR: f32 = 12.0;
const LEAST_RATE: f32 = 400.0;
/// Standard deviation of the start along the first component, as scikit-learn has it, and as the approximation needs
/// it.
const START_SCALE: f64 = 1e-4;
const ROUGH_START_SCALE: f64 = 1e-2;

/// The usual number of neighbours that count among `n_points`: with few points not so many that all are neighbours.
pub fn usual_perplexity(n_points: usize) -> f32 {
    (n_points.saturating_sub(1) as f32 / 3.0).clamp(2.0, PERPLEXITY)
}

/// Lays out `vectors`, all of one length, by t-SNE; `perplexity` is how many neighbours count, [`usual_perplexity`] as
/// a rule.
///
/// `on_epoch(done, total)` is called every few epochs; returning `false` ends the work, and the layout so far counts.
pub fn tsne(
    vectors: &[Vec<f32>],
    perplexity: f32,
    seed: u64,
    on_epoch: &mut dyn FnMut(usize, usize) -> bool,
) -> Vec<[f64; 2]> {
    let start = |scale: f64| started(pca(vectors), scale, seed);
    let perplexity = perplexity.min(vectors.len().saturating_sub(1) as f32);
    // Between three points there is no choice of neighbours, and one neighbour has no distribution.
    if vectors.len() <= 3 || perplexity <= 1.0 {
        on_epoch(N_EPOCHS, N_EPOCHS);
        return start(START_SCALE);
    }
    if vectors.len() > MAX_EXACT {
        return approximate(vectors, perplexity, start(ROUGH_START_SCALE), on_epoch);
    }
    let start = start(START_SCALE);
    if !on_epoch(0, N_EPOCHS) {
        return start;
    }
    let affinities = Affinities::of(&finite(vectors), f64::from(perplexity));
    let mut descent = Descent::new(&affinities, &start);
    while descent.n_epochs() < N_EPOCHS && (descent.n_epochs() == 0 || on_epoch(descent.n_epochs(), N_EPOCHS)) {
        (0..SEGMENT).for_each(|_| descent.step());
    }
    if descent.n_epochs() >= N_EPOCHS {
        on_epoch(N_EPOCHS, N_EPOCHS);
    }
    descent.layout()
}

/// t-SNE by the approximation of Barnes and Hut.
fn approximate(
    vectors: &[Vec<f32>],
    perplexity: f32,
    start: Vec<[f64; 2]>,
    on_epoch: &mut dyn FnMut(usize, usize) -> bool,
) -> Vec<[f64; 2]> {
    // The library looks for three neighbours per unit of perplexity.
    let perplexity = perplexity.min(((vectors.len() - 1) / 3) as f32);
    let samples = finite(vectors);
    // Sums in another order differ in the last bits, which t-SNE enlarges: one thread gives one order.
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else { return start };
    let mut at: Vec<f32> = start.iter().flatten().map(|&v| v as f32).collect();
    let mut affinities = None;
    let mut done = 0;
    while done < N_EPOCHS && on_epoch(done, N_EPOCHS) {
        let early = done < N_EARLY;
        let known = affinities.take();
        let from = std::mem::take(&mut at);
        (at, affinities) = pool.install(|| {
            let mut work: tSNE<'_, f32, Vec<f32>, 2> = tSNE::new(&samples);
            work.perplexity(perplexity)
                .epochs(SEGMENT)
                .learning_rate((vectors.len() as f32 / RATE_DIVISOR).max(LEAST_RATE))
                .momentum(if early { 0.5 } else { 0.8 })
                .momentum_switch_epoch(SEGMENT + 1)
                .stop_lying_epoch(if early { SEGMENT + 1 } else { 0 })
                .initial_embedding(from);
            if let Some(known) = known {
                work.with_affinities(known);
            }
            work.barnes_hut(THETA, |a, b| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt());
            (work.embedding(), work.affinities())
        });
        done += SEGMENT;
    }
    if done >= N_EPOCHS {
        on_epoch(N_EPOCHS, N_EPOCHS);
    }
    at.as_chunks::<2>().0.iter().map(|point| point.map(f64::from)).collect()
}

/// Projects `vectors`, all of one length, onto their first two principal components.
pub fn pca(vectors: &[Vec<f32>]) -> Vec<[f64; 2]> {
    let n_dims = vectors.iter().map(Vec::len).max().unwrap_or(0);
    let n = vectors.len() as f64;
    let mut mean = vec![0.0; n_dims];
    let rows: Vec<Vec<f64>> = finite(vectors)
        .iter()
        .map(|vector| (0..n_dims).map(|dim| vector.get(dim).copied().map_or(0.0, f64::from)).collect())
        .collect();
    for row in &rows {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / n);
    }
    let rows: Vec<Vec<f64>> =
        rows.into_iter().map(|row| row.iter().zip(&mean).map(|(value, mean)| value - mean).collect()).collect();
    let mut components: Vec<Vec<f64>> = Vec::new();
    for _ in 0..2 {
        let component = component(&rows, n_dims, &components);
        components.push(component);
    }
    rows.iter().map(|row| [0, 1].map(|idx| dot(row, &components[idx]))).collect()
}

/// The direction of most variance orthogonal to those `found`, by power iteration; zero if there is none left.
fn component(rows: &[Vec<f64>], n_dims: usize, found: &[Vec<f64>]) -> Vec<f64> {
    let orthogonal = |mut v: Vec<f64>| -> Option<Vec<f64>> {
        for other in found {
            let along = dot(&v, other);
            v.iter_mut().zip(other).for_each(|(v, other)| *v -= along * other);
        }
        let norm = dot(&v, &v).sqrt();
        (norm > 1e-12).then(|| v.into_iter().map(|v| v / norm).collect())
    };
    let mut rng = Pcg64Mcg::seed_from_u64(found.len() as u64);
    let Some(mut direction) = orthogonal((0..n_dims).map(|_| rng.random::<f64>() - 0.5).collect()) else {
        return vec![0.0; n_dims];
    };
    for _ in 0..200 {
        let mut next = vec![0.0; n_dims];
        for row in rows {
            let along = dot(row, &direction);
            next.iter_mut().zip(row).for_each(|(next, value)| *next += along * value);
        }
        let Some(next) = orthogonal(next) else { return vec![0.0; n_dims] };
        let change = 1.0 - dot(&next, &direction).abs();
        direction = next;
        if change < 1e-10 {
            break;
        }
    }
    // A direction and its opposite are the same component: the largest part is made positive.
    let largest =
        direction.iter().copied().fold(0.0, |largest: f64, v| if v.abs() > largest.abs() { v } else { largest });
    if largest < 0.0 {
        direction.iter_mut().for_each(|v| *v = -*v);
    }
    direction
}

/// A small start for t-SNE: principal components in one scale, and a grain of chance so that twins can part.
fn started(mut at: Vec<[f64; 2]>, scale: f64, seed: u64) -> Vec<[f64; 2]> {
    let n = at.len().max(1) as f64;
    let deviation = (at.iter().map(|[x, _]| x * x).sum::<f64>() / n).sqrt();
    let factor = if deviation > 0.0 { scale / deviation } else { 1.0 };
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    for value in at.iter_mut().flatten() {
        *value = *value * factor + (rng.random::<f64>() - 0.5) * scale * 0.1;
    }
    at
}

/// Values that are no numbers count as zero, rather than make numbers of nothing else.
fn finite(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let clean = |vector: &Vec<f32>| vector.iter().map(|&v| if v.is_finite() { v } else { 0.0 }).collect();
    vectors.iter().map(clean).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` vectors around each of three corners.
    fn clusters(n: usize) -> Vec<Vec<f32>> {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut vectors = Vec::new();
        for idx in 0..3 * n {
            let mut vector: Vec<f32> = (0..8).map(|_| rng.random::<f32>() * 0.5).collect();
            vector[idx % 3] += 5.0;
            vectors.push(vector);
        }
        vectors
    }

    /// Whether each point's nearest neighbour is of its cluster.
    #[track_caller]
    fn check_clusters(at: &[[f64; 2]]) {
        let distance = |a: usize, b: usize| (at[a][0] - at[b][0]).hypot(at[a][1] - at[b][1]);
        for idx in 0..at.len() {
            let nearest = (0..at.len())
                .filter(|&other| other != idx)
                .min_by(|&a, &b| distance(idx, a).total_cmp(&distance(idx, b)))
                .unwrap();
            assert_eq!(nearest % 3, idx % 3);
        }
    }

    #[test]
    fn neighbours_stay_neighbours() {
        let vectors = clusters(20);
        check_clusters(&pca(&vectors));
        check_clusters(&tsne(&vectors, usual_perplexity(vectors.len()), 0, &mut |_, _| true));
    }

    #[test]
    fn the_same_seed_gives_the_same_bits() {
        let vectors = clusters(15);
        let run = |seed| tsne(&vectors, 14.0, seed, &mut |_, _| true);
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn it_stops_when_told() {
        let mut calls = Vec::new();
        let at = tsne(&clusters(10), 9.0, 0, &mut |done, total| {
            calls.push(done);
            assert_eq!(total, N_EPOCHS);
            done < 50
        });
        assert_eq!(calls, [0, 25, 50]);
        assert_eq!(at.len(), 30);
    }

    #[test]
    fn few_equal_and_broken_vectors_are_laid_out() {
        let far = |idx: usize| vec![if idx == 0 { f32::MAX } else { 0.0 }, idx as f32];
        for vectors in [
            vec![],
            vec![vec![1.0]],
            vec![vec![1.0], vec![2.0]],
            vec![vec![1.0], vec![2.0], vec![4.0]],
            vec![vec![1.0], vec![2.0], vec![4.0], vec![4.0]],
            vec![vec![1.0, 2.0]; 40],
            vec![vec![f32::NAN, 1.0]; 9],
            vec![vec![]; 9],
            (0..12).map(far).collect(),
        ] {
            let usual = tsne(&vectors, usual_perplexity(vectors.len()), 0, &mut |_, _| true);
            for at in [pca(&vectors), usual, tsne(&vectors, PERPLEXITY, 0, &mut |_, _| true)] {
                assert_eq!(at.len(), vectors.len());
                assert!(at.iter().flatten().all(|v| v.is_finite()), "{} points", vectors.len());
            }
        }
    }

    /// The worst divergence that scikit-learn 1.9 reaches with the exact method from several starts, and a tenth more.
    #[test]
    fn layouts_are_as_good_as_the_reference() {
        for (n, n_dims, n_corners, perplexity, worst) in
            [(50, 16, 5, 10.0, 0.0637), (60, 80, 3, 5.5, 0.468), (300, 32, 6, 5.0, 0.7464)]
        {
            let mut state = 1_u32;
            let mut random = || {
                // Numerical Recipes' generator: the same few bits in any language.
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / 8_388_608.0 - 1.0
            };
            let corners: Vec<f32> = (0..n_corners * n_dims).map(|_| 1.6 * random()).collect();
            let vectors: Vec<Vec<f32>> = (0..n)
                .map(|idx| (0..n_dims).map(|dim| corners[idx % n_corners * n_dims + dim] + random()).collect())
                .collect();
            let at = tsne(&vectors, perplexity, 0, &mut |_, _| true);
            let divergence = Affinities::of(&vectors, f64::from(perplexity)).divergence(&at);
            assert!(divergence < 1.1 * worst, "{n} points: {divergence}");
        }
    }

    #[test]
    fn the_first_component_has_most_variance() {
        let at = pca(&[vec![0.0, 0.0, 0.0], vec![0.0, 4.0, 1.0], vec![0.0, 8.0, 0.0], vec![0.0, 12.0, 1.0]]);
        let spread = |axis: usize| at.iter().map(|point| point[axis].powi(2)).sum::<f64>();
        assert!(spread(0) > 50.0 * spread(1) && spread(1) > 0.5);
        assert!(at[0][0] < at[3][0], "the larger coordinate is on the right");
    }
}
