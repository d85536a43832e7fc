//! From many dimensions to two: principal components, and t-SNE from there.
//!
//! t-SNE as van der Maaten (2014) computes it, started from the principal components (Kobak & Berens, 2019), so that
//! the large-scale layout means something and the same vectors and seed give the same picture.

use bhtsne::tSNE;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// Epochs of t-SNE in all.
const N_EPOCHS: usize = 1000;
/// Epochs with exaggerated attraction, in which the layout forms.
const N_EARLY: usize = 250;
/// Epochs between two looks at whether to go on.
const SEGMENT: usize = 25;
/// The usual number of neighbours that count.
pub const PERPLEXITY: f32 = 30.0;
/// Accuracy of the Barnes-Hut approximation, the usual value.
const THETA: f32 = 0.5;
/// What the number of points is divided by for the learning rate, and the least rate (Belkina et al. 2019, times the factor 4 that the
/// gradient lacks here, and twice that for few points, because every look at whether to go on costs the momentum).
const RATE_DIVISOR: f32 = 12.0;
const LEAST_RATE: f32 = 400.0;
/// Standard deviation of the start along the first component.
const START_SCALE: f64 = 1e-2;

/// Lays out `vectors`, all of one length, by t-SNE; `perplexity` is how many neighbours count, [`PERPLEXITY`] as a rule.
///
/// `on_epoch(done, total)` is called every few epochs; returning `false` ends the work, and the layout so far counts.
pub fn tsne(
    vectors: &[Vec<f32>],
    perplexity: f32,
    seed: u64,
    on_epoch: &mut dyn FnMut(usize, usize) -> bool,
) -> Vec<[f64; 2]> {
    let start = started(pca(vectors), seed);
    // Three neighbours per unit of perplexity must exist, and so must more than one.
    let perplexity = perplexity.min((vectors.len().saturating_sub(1) / 3) as f32);
    if perplexity < 2.0 {
        on_epoch(N_EPOCHS, N_EPOCHS);
        return start;
    }
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
fn started(mut at: Vec<[f64; 2]>, seed: u64) -> Vec<[f64; 2]> {
    let n = at.len().max(1) as f64;
    let deviation = (at.iter().map(|[x, _]| x * x).sum::<f64>() / n).sqrt();
    let scale = if deviation > 0.0 { START_SCALE / deviation } else { 1.0 };
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    for value in at.iter_mut().flatten() {
        *value = *value * scale + (rng.random::<f64>() - 0.5) * START_SCALE * 0.1;
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
        check_clusters(&tsne(&vectors, PERPLEXITY, 0, &mut |_, _| true));
    }

    #[test]
    fn the_same_seed_gives_the_same_bits() {
        let vectors = clusters(15);
        let run = |seed| tsne(&vectors, PERPLEXITY, seed, &mut |_, _| true);
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn it_stops_when_told() {
        let mut calls = Vec::new();
        let at = tsne(&clusters(10), PERPLEXITY, 0, &mut |done, total| {
            calls.push(done);
            assert_eq!(total, N_EPOCHS);
            done < 50
        });
        assert_eq!(calls, [0, 25, 50]);
        assert_eq!(at.len(), 30);
    }

    #[test]
    fn few_equal_and_broken_vectors_are_laid_out() {
        for vectors in
            [vec![], vec![vec![1.0]], vec![vec![1.0, 2.0]; 40], vec![vec![f32::NAN, 1.0]; 9], vec![vec![]; 9]]
        {
            for at in [pca(&vectors), tsne(&vectors, PERPLEXITY, 0, &mut |_, _| true)] {
                assert_eq!(at.len(), vectors.len());
                assert!(at.iter().flatten().all(|v| v.is_finite()));
            }
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
