//! t-SNE's search for a layout, with the gradient of all pairs (van der Maaten & Hinton 2008).
//!
//! The settings are scikit-learn's: exaggeration as in van der Maaten (2014), learning rate as in Belkina et al.
//! (2019).
//! Left out: stopping before the last epoch.

use rayon::prelude::*;

use crate::affinity::Affinities;

/// Epochs in all.
pub(crate) const N_EPOCHS: usize = 1000;
/// Epochs with exaggerated attraction, in which the layout forms.
pub(crate) const N_EARLY: usize = 250;
/// How much attraction is exaggerated.
const EXAGGERATION: f64 = 12.0;
/// The learning rate is the number of points over exaggeration and this, and this at least.
const RATE_DIVISOR: f64 = 4.0;
const LEAST_RATE: f64 = 50.0;
/// What is kept of the last step, early and later.
const MOMENTUM: [f64; 2] = [0.5, 0.8];
/// Where a coordinate turns back its gain shrinks by a factor, else it grows by a summand (Jacobs 1988).
const GAIN_GROWTH: f64 = 0.2;
const GAIN_SHRINKAGE: f64 = 0.8;
const LEAST_GAIN: f64 = 0.01;
/// Neighbours summed side by side: what the processor does at once, and an order of summation that no thread changes.
const N_LANES: usize = 4;

/// A layout on its way down the divergence from `affinities`.
///
/// Coordinates are kept apart, x before y, since sums run over one of them for all points.
pub(crate) struct Descent<'a> {
    affinities: &'a Affinities,
    at: [Vec<f64>; 2],
    step: [Vec<f64>; 2],
    gains: [Vec<f64>; 2],
    n_epochs: usize,
}

/// What all other points do to one.
struct Pull {
    attraction: [f64; 2],
    repulsion: [f64; 2],
    /// Sum of the closeness to all others, which the repulsion is relative to.
    closeness: f64,
}

impl<'a> Descent<'a> {
    pub(crate) fn new(affinities: &'a Affinities, start: &[[f64; 2]]) -> Self {
        let n = start.len();
        let at = [0, 1].map(|axis| start.iter().map(|point| point[axis]).collect());
        let [step, gains] = [0.0, 1.0].map(|value| [vec![value; n], vec![value; n]]);
        Self { affinities, at, step, gains, n_epochs: 0 }
    }

    /// Steps made so far.
    pub(crate) fn n_epochs(&self) -> usize {
        self.n_epochs
    }

    pub(crate) fn layout(&self) -> Vec<[f64; 2]> {
        let [x, y] = &self.at;
        x.iter().zip(y).map(|(&x, &y)| [x, y]).collect()
    }

    /// Makes one step down.
    pub(crate) fn step(&mut self) {
        let Self { affinities, at, step, gains, n_epochs } = self;
        let n = at[0].len();
        let is_early = *n_epochs < N_EARLY;
        if *n_epochs == N_EARLY {
            // Steps and gains that suited the exaggerated attraction throw the points of a small layout about.
            step.iter_mut().for_each(|steps| steps.fill(0.0));
            gains.iter_mut().for_each(|gains| gains.fill(1.0));
        }
        let exaggeration = if is_early { EXAGGERATION } else { 1.0 };
        let momentum = MOMENTUM[usize::from(!is_early)];
        let rate = (n as f64 / EXAGGERATION / RATE_DIVISOR).max(LEAST_RATE);
        let pulls: Vec<Pull> = affinities.joint.par_iter().enumerate().map(|(idx, row)| pull(at, idx, row)).collect();
        // A point is not its own neighbour, though its closeness to itself, 1, is in the sum.
        let total: f64 = pulls.iter().map(|pull| pull.closeness - 1.0).sum();
        for axis in 0..2 {
            for (idx, pull) in pulls.iter().enumerate() {
                let gradient = 4.0 * (exaggeration * pull.attraction[axis] - pull.repulsion[axis] / total);
                let (step, gain) = (&mut step[axis][idx], &mut gains[axis][idx]);
                let goes_on = *step * gradient < 0.0;
                *gain = if goes_on { *gain + GAIN_GROWTH } else { (*gain * GAIN_SHRINKAGE).max(LEAST_GAIN) };
                *step = momentum * *step - rate * *gain * gradient;
                at[axis][idx] += *step;
            }
            let mean = at[axis].iter().sum::<f64>() / n as f64;
            at[axis].iter_mut().for_each(|v| *v -= mean);
        }
        *n_epochs += 1;
    }
}

/// The pull on point `idx`, whose probabilities of neighbourhood are `row`.
fn pull(at: &[Vec<f64>; 2], idx: usize, row: &[f64]) -> Pull {
    let own = [at[0][idx], at[1][idx]];
    let mut lanes = [[0.0; N_LANES]; 5];
    let (xs, x_rest) = at[0].as_chunks::<N_LANES>();
    let (ys, y_rest) = at[1].as_chunks::<N_LANES>();
    let (ps, p_rest) = row.as_chunks::<N_LANES>();
    for ((x, y), p) in xs.iter().zip(ys).zip(ps) {
        for lane in 0..N_LANES {
            let terms = terms(own, [x[lane], y[lane]], p[lane]);
            (0..terms.len()).for_each(|term| lanes[term][lane] += terms[term]);
        }
    }
    let mut sums = lanes.map(|lane| lane.iter().sum::<f64>());
    for ((&x, &y), &p) in x_rest.iter().zip(y_rest).zip(p_rest) {
        let terms = terms(own, [x, y], p);
        (0..terms.len()).for_each(|term| sums[term] += terms[term]);
    }
    let [ax, ay, rx, ry, closeness] = sums;
    Pull { attraction: [ax, ay], repulsion: [rx, ry], closeness }
}

/// Attraction, repulsion and closeness of a point to another at `other`, neighbours with probability `p`.
#[inline(always)]
fn terms(own: [f64; 2], other: [f64; 2], p: f64) -> [f64; 5] {
    let (dx, dy) = (own[0] - other[0], own[1] - other[1]);
    let closeness = 1.0 / (1.0 + dx * dx + dy * dy);
    let (attraction, repulsion) = (p * closeness, closeness * closeness);
    [attraction * dx, attraction * dy, repulsion * dx, repulsion * dy, closeness]
}
