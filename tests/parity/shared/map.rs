//! t-SNE: what it starts from exactly, what it ends at by how good it is.

use figures::{Affinities, neighbour_purity, trustworthiness, tsne};

use super::{Case, at_most};

pub fn layout(case: &mut Case) {
    case.expects("early_exaggeration", 12.0);
    let (n, n_dims, n_clusters) = (case.size("points"), case.size("dims"), case.size("clusters"));
    let (centres, noise) = (case.by_role("centres").floats(), case.by_role("noise").floats());
    let clusters: Vec<usize> = (0..n).map(|point| point % n_clusters).collect();
    let point = |(noise, &cluster): (&[f32], &usize)| -> Vec<f32> {
        noise.iter().zip(&centres[cluster * n_dims..]).map(|(noise, centre)| centre + noise).collect()
    };
    let vectors: Vec<Vec<f32>> = noise.chunks(n_dims).zip(&clusters).map(point).collect();
    case.compare("first_points", &vectors[..2].concat());

    let affinities = Affinities::of(&vectors, case.number("perplexity"));
    let joint = &affinities.joint;
    let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    case.compare("precision", &single(&affinities.precisions));
    let rows = [0, 1, n / 2, n - 1].map(|row| single(&joint[row]));
    case.compare("p_rows", &rows.concat());
    case.compare("p_row_sums", &single(&joint.iter().map(|row| row.iter().sum()).collect::<Vec<f64>>()));
    let all = || joint.iter().flatten();
    let (largest, length) = (all().copied().fold(0.0, f64::max), all().map(|p| p * p).sum::<f64>().sqrt());
    case.compare("p_stats", &single(&[largest, length]));

    let at = tsne(&vectors, case.number("perplexity") as f32, 0, &mut |_, _| true);
    let bounds = case.json()["bounds"].as_object().unwrap().clone();
    for (what, bound) in bounds {
        let bound = bound.as_f64().unwrap();
        // `trustworthiness5_min`: the number is of neighbours.
        let k: String = what.chars().filter(char::is_ascii_digit).collect();
        let k = || k.parse::<usize>().unwrap();
        if what == "kl_max" {
            at_most(case, &what, affinities.divergence(&at), bound);
        } else if what.starts_with("trustworthiness") {
            at_most(case, &what, -trustworthiness(&vectors, &at, k()), -bound);
        } else if what.starts_with("knn_purity") {
            at_most(case, &what, -neighbour_purity(&at, &clusters, k()), -bound);
        } else {
            panic!("the bound {what} is unknown");
        }
    }
}
