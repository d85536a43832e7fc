//! Prompt pool with keys, inherent prompts and sparse feature fusion (UMBEnet §3.3–3.4, eqs. 4 and 8–13).
//!
//! A sample activates the `top_k` prompts whose keys are most similar to its feature; their tokens are gated one by one
//! and summed. Concatenating them, as the paper may be read, cannot fit into a text tower's context.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Int, Tensor, TensorData, assert_shape};

use super::transformer::unit_rows;
use crate::{Init, ModelError, compute};

/// Standard deviation of fresh prompts, keys and inherent prompts, as in the released code.
const FRESH_DEVIATION: f64 = 0.02;
/// Class names without a vocabulary are random directions, longer than prompts so that classes differ from the start.
const SUFFIX_DEVIATION: f64 = 0.3;

/// The learned prompts of a model.
#[derive(Module, Debug)]
pub struct PromptPool {
    /// Prompt tokens, `[prompts, tokens, width]`.
    pub prompt_pool: Param<Tensor<3>>,
    /// Keys that samples are compared with, `[prompts, joint width]`.
    pub prompt_key: Param<Tensor<2>>,
    /// Inherent prompt, shared by all classes, `[tokens, width]`.
    pub ctx: Param<Tensor<2>>,
    /// Embedded start token of each class's prompt, `[classes, 1, width]`.
    pub token_prefix: Param<Tensor<3>>,
    /// Embedded name of each class, end token and padding, `[classes, tokens, width]`.
    pub token_suffix: Param<Tensor<3>>,
    /// The two layers of the gate: width → hidden → 1; none where `alpha` is the gate.
    pub sff: Vec<Linear>,
    /// The released code's gate of one layer, width → 1; none where `sff` is the gate.
    pub alpha: Vec<Linear>,
}

/// Sizes of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Prompts in the pool.
    pub n_prompts: usize,
    /// Tokens of a pool prompt.
    pub selected_tokens: usize,
    /// Tokens of the inherent prompt.
    pub inherent_tokens: usize,
    /// Width of a token.
    pub width: usize,
    /// Width of a key.
    pub key_width: usize,
    /// Hidden width of the gate; 0 for the released code's gate of one layer.
    pub gate_width: usize,
    /// Number of classes.
    pub n_classes: usize,
    /// Tokens of a class's name, end token and padding included.
    pub suffix_tokens: usize,
}

/// What is compared with the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// Each sample's own feature.
    Sample,
    /// The mean feature of the batch, so that all samples activate the same prompts (released code).
    BatchMean,
}

/// Which prompts the samples of a batch activate.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Cosine similarity of each sample's query to every key, `[batch, prompts]`.
    pub similarity: Tensor<2>,
    /// Chosen prompts of each sample, most similar first; ties go to the lower index.
    pub chosen: Vec<Vec<usize>>,
    /// Values of `similarity` at `chosen`.
    pub chosen_similarity: Vec<Vec<f32>>,
    /// Every different set of prompts in the batch, sorted.
    pub sets: Vec<Vec<usize>>,
    /// Set of each sample.
    pub set_of_sample: Vec<usize>,
}

impl Selection {
    /// Adds to `counts`, one for each prompt of the pool, how often each was chosen.
    pub fn count(&self, counts: &mut [usize]) {
        for &prompt_idx in self.chosen.iter().flatten() {
            counts[prompt_idx] += 1;
        }
    }
}

impl PromptPool {
    /// A fresh pool.
    pub fn new(size: PoolSize, init: &mut Init<'_>) -> Self {
        Self {
            prompt_pool: init.normal([size.n_prompts, size.selected_tokens, size.width], FRESH_DEVIATION),
            prompt_key: init.normal([size.n_prompts, size.key_width], FRESH_DEVIATION),
            ctx: init.normal([size.inherent_tokens, size.width], FRESH_DEVIATION),
            token_prefix: init.normal([size.n_classes, 1, size.width], FRESH_DEVIATION),
            token_suffix: init.normal([size.n_classes, size.suffix_tokens, size.width], SUFFIX_DEVIATION),
            sff: match size.gate_width {
                0 => Vec::new(),
                hidden => vec![init.linear(size.width, hidden), init.linear(hidden, 1)],
            },
            alpha: if size.gate_width == 0 { vec![init.linear(size.width, 1)] } else { Vec::new() },
        }
    }

    /// Number of prompts.
    pub fn n_prompts(&self) -> usize {
        self.prompt_key.dims()[0]
    }

    /// Chooses `top_k` prompts for each feature (eq. 8); no gradient passes through the choice.
    ///
    /// `features` `[batch, joint width]`, unit length.
    pub fn select(&self, features: &Tensor<2>, top_k: usize, query: Query) -> Result<Selection, ModelError> {
        let n_prompts = self.n_prompts();
        let query = match query {
            Query::Sample => features.clone(),
            Query::BatchMean => unit_rows(features.clone().mean_dim(0)).expand(features.dims()),
        };
        let similarity = query.matmul(unit_rows(self.prompt_key.val()).transpose());
        let values = compute::read(similarity.clone().detach())?;
        let chosen: Vec<Vec<usize>> = values.chunks(n_prompts).map(|row| top_indices(row, top_k)).collect();
        let chosen_similarity = chosen
            .iter()
            .zip(values.chunks(n_prompts))
            .map(|(indices, row)| indices.iter().map(|&prompt_idx| row[prompt_idx]).collect())
            .collect();
        let mut sets: Vec<Vec<usize>> = Vec::new();
        let set_of_sample = chosen
            .iter()
            .map(|indices| {
                let mut set = indices.clone();
                set.sort_unstable();
                sets.iter().position(|known| *known == set).unwrap_or_else(|| {
                    sets.push(set);
                    sets.len() - 1
                })
            })
            .collect();
        Ok(Selection { similarity, chosen, chosen_similarity, sets, set_of_sample })
    }

    /// The gate of every token of every prompt (eq. 11), `[prompts, tokens]` in 0..1.
    pub fn gates(&self) -> Tensor<2> {
        let [n_prompts, tokens, _] = self.prompt_pool.dims();
        let scores = match self.alpha.first() {
            Some(alpha) => alpha.forward(self.prompt_pool.val()),
            None => self.sff[1].forward(relu(self.sff[0].forward(self.prompt_pool.val()))),
        };
        sigmoid(scores).reshape([n_prompts, tokens])
    }

    /// The gated sum of each set of prompts (eqs. 10–12), `[sets, tokens, width]`.
    pub fn fuse(&self, sets: &[Vec<usize>]) -> Tensor<3> {
        let [n_prompts, tokens, width] = self.prompt_pool.dims();
        let gated = self.prompt_pool.val() * self.gates().reshape([n_prompts, tokens, 1]);
        let mut membership = vec![0.0_f32; sets.len() * n_prompts];
        for (set_idx, set) in sets.iter().enumerate() {
            for &prompt_idx in set {
                membership[set_idx * n_prompts + prompt_idx] = 1.0;
            }
        }
        let membership = Tensor::<2>::from_data(TensorData::new(membership, [sets.len(), n_prompts]), &gated.device());
        membership.matmul(gated.reshape([n_prompts, tokens * width])).reshape([sets.len(), tokens, width])
    }

    /// The whole prompt of every class for every set (§3.4: pool prompts, then the inherent prompt, then the name),
    /// `[sets, classes, context, width]`.
    pub fn class_prompts(&self, sets: &[Vec<usize>]) -> Tensor<4> {
        let [n_classes, _, width] = self.token_prefix.dims();
        let [_, suffix_tokens, _] = self.token_suffix.dims();
        let [inherent_tokens, _] = self.ctx.dims();
        let n_sets = sets.len();
        let selected = self.fuse(sets);
        let [_, selected_tokens, _] = selected.dims();
        let by_set = selected.unsqueeze_dim::<4>(1).expand([n_sets, n_classes, selected_tokens, width]);
        let shared = self.ctx.val().reshape([1, 1, inherent_tokens, width]);
        let shared = shared.expand([n_sets, n_classes, inherent_tokens, width]);
        let prefix = self.token_prefix.val().unsqueeze_dim::<4>(0).expand([n_sets, n_classes, 1, width]);
        let suffix = self.token_suffix.val().unsqueeze_dim::<4>(0).expand([n_sets, n_classes, suffix_tokens, width]);
        Tensor::cat(vec![prefix, by_set, shared, suffix], 2)
    }

    /// The L1 term of the gate's first layer, `Σ|W1|` (eq. 13), `[1]`.
    pub fn l1(&self) -> Tensor<1> {
        self.alpha.first().unwrap_or_else(|| &self.sff[0]).weight.val().abs().sum()
    }

    /// The pull term that trains the keys: mean over samples and chosen prompts of `1 - similarity`, `[1]`.
    pub fn pull(&self, selection: &Selection) -> Tensor<1> {
        let [batch, _] = selection.similarity.dims();
        let top_k = selection.chosen[0].len();
        let indices: Vec<i64> = selection.chosen.iter().flatten().map(|&prompt_idx| prompt_idx as i64).collect();
        let device = selection.similarity.device();
        let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [batch, top_k]), &device);
        let chosen = selection.similarity.clone().gather(1, indices);
        assert_shape!(chosen, [batch, top_k]);
        chosen.mean().neg().add_scalar(1.0)
    }
}

/// Indices of the `k` largest values, largest first, ties to the lower index; NaN is never chosen before a number.
fn top_indices(values: &[f32], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let key = |idx: usize| if values[idx].is_nan() { f32::NEG_INFINITY } else { values[idx] };
    order.sort_by(|&a, &b| key(b).total_cmp(&key(a)).then(a.cmp(&b)));
    order.truncate(k);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_index() {
        assert_eq!(top_indices(&[0.5, 0.9, 0.5, 0.9], 3), [1, 3, 0]);
        assert_eq!(top_indices(&[f32::NAN, -1.0], 1), [1]);
    }
}
