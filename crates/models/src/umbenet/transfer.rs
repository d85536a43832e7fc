//! The two stages: three unimodal runs, then the joint pool made of the prompts that they activated (paper §3.5, figure
//! 5).
//!
//! The paper says only that activated prompts move to a new pool. Decided here: a run's pool is a third of the joint
//! one; activated rows are taken by falling count, value and key together; what one modality alone trains comes from
//! its run, what all train is the mean of the three.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use emotion::{LabelSet, Modality};

use super::published::load_towers;
use super::{CaptionEncoder, Umbenet, UmbenetConfig, stage_modality};
use crate::layers::prompt_pool::PromptPool;
use crate::{FinishedStage, Init, ModelError};

/// Prompts of each stage-1 pool; the first runs have one more where three does not divide `pool_size`.
pub fn pool_rows(pool_size: usize) -> [usize; 3] {
    [0, 1, 2].map(|run| pool_size / 3 + usize::from(run < pool_size % 3))
}

/// The activated prompts of the three runs as (run, row): by falling count, ties in the order of runs and rows.
pub fn activated_rows(counts: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let mut rows: Vec<(usize, (usize, usize))> = counts
        .iter()
        .enumerate()
        .flat_map(|(run, counts)| counts.iter().enumerate().map(move |(row, &count)| (count, (run, row))))
        .filter(|&(count, _)| count > 0)
        .collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    rows.into_iter().map(|(_, row)| row).collect()
}

pub(super) fn start_stage(
    config: &UmbenetConfig,
    labels: &LabelSet,
    stage: usize,
    seed: u64,
    finished: &[FinishedStage<Umbenet>],
    device: &Device,
) -> Result<Umbenet, ModelError> {
    let n_classes = labels.len();
    // The same seed for every run: they start from the same values of everything but the pool.
    let fresh = |pool_size: usize| {
        let model = Umbenet::new(config, n_classes, pool_size, &mut Init::new(seed, device));
        load_towers(model, config, labels, device)
    };
    match stage_modality(stage).filter(|_| config.two_stage) {
        Some(modality) => {
            let pool_size = pool_rows(config.pool_size)[modality.index()];
            let mut model = fresh(pool_size)?;
            let mut init = Init::new(seed.wrapping_add(1 + stage as u64), device);
            let own = PromptPool::new(super::pool(config, n_classes, pool_size), &mut init);
            model.prompt_pool.prompt_pool = own.prompt_pool;
            model.prompt_pool.prompt_key = own.prompt_key;
            model.prompt_pool.ctx = own.ctx;
            Ok(model)
        }
        None if finished.is_empty() => fresh(config.pool_size),
        None => Ok(joint(fresh(config.pool_size)?, finished).freeze_pretrained(config)),
    }
}

/// Fills the joint model, which holds fresh values, from the three runs in the order V, A, T.
pub fn joint(mut model: Umbenet, finished: &[FinishedStage<Umbenet>]) -> Umbenet {
    assert_eq!(finished.len(), Modality::ALL.len(), "stage 2 follows the three runs of stage 1");
    let runs: Vec<&Umbenet> = finished.iter().map(|stage| &stage.model).collect();
    let [face, voice, text] = [runs[0], runs[1], runs[2]];

    model.face_encoder = fill(model.face_encoder, &[&face.face_encoder]);
    model.frame_positions = fill(model.frame_positions, &[&face.frame_positions]);
    model.temporal = fill(model.temporal, &[&face.temporal]);
    model.lstm = fill(model.lstm, &[&face.lstm]);
    model.voice_encoder = fill(model.voice_encoder, &[&voice.voice_encoder]);
    model.caption_encoder = match (model.caption_encoder, &text.caption_encoder) {
        (CaptionEncoder::Clip(mut caption), CaptionEncoder::Clip(from)) => {
            caption.projection = fill(caption.projection, &[&from.projection]);
            CaptionEncoder::Clip(caption)
        }
        (CaptionEncoder::Shared(mut caption), CaptionEncoder::Shared(from)) => {
            caption.projection = fill(caption.projection, &[&from.projection]);
            CaptionEncoder::Shared(caption)
        }
        (own, from) => fill(own, &[from]),
    };
    let shared = |part: fn(&Umbenet) -> &Param<Tensor<2>>| -> Vec<&Param<Tensor<2>>> {
        runs.iter().map(|run| part(run)).collect()
    };
    model.modality_positions = fill(model.modality_positions, &shared(|run| &run.modality_positions));
    model.prompt_pool.ctx = fill(model.prompt_pool.ctx, &shared(|run| &run.prompt_pool.ctx));
    model.fusion = fill(model.fusion, &runs.iter().map(|run| &run.fusion).collect::<Vec<_>>());
    model.prompt_pool.sff =
        fill(model.prompt_pool.sff, &runs.iter().map(|run| &run.prompt_pool.sff).collect::<Vec<_>>());
    model.prompt_pool.alpha =
        fill(model.prompt_pool.alpha, &runs.iter().map(|run| &run.prompt_pool.alpha).collect::<Vec<_>>());
    // Trained along only where nothing is pretrained; where they are frozen, the mean of three equals is the same
    // value.
    model.text_encoder = fill(model.text_encoder, &runs.iter().map(|run| &run.text_encoder).collect::<Vec<_>>());
    let suffixes: Vec<_> = runs.iter().map(|run| &run.prompt_pool.token_suffix).collect();
    model.prompt_pool.token_suffix = fill(model.prompt_pool.token_suffix, &suffixes);
    let prefixes: Vec<_> = runs.iter().map(|run| &run.prompt_pool.token_prefix).collect();
    model.prompt_pool.token_prefix = fill(model.prompt_pool.token_prefix, &prefixes);

    let counts: Vec<Vec<usize>> = finished.iter().map(|stage| stage.prompt_counts.clone()).collect();
    let mut moved = activated_rows(&counts);
    moved.truncate(model.prompt_pool.n_prompts());
    let prompts = |run: usize| runs[run].prompt_pool.prompt_pool.val().inner();
    let keys = |run: usize| runs[run].prompt_pool.prompt_key.val().inner();
    model.prompt_pool.prompt_pool = replace_rows(model.prompt_pool.prompt_pool, &moved, prompts);
    model.prompt_pool.prompt_key = replace_rows(model.prompt_pool.prompt_key, &moved, keys);
    model
}

/// Row `i` of `param` becomes the run's row that `moved[i]` names; rows beyond stay.
fn replace_rows<const D: usize>(
    param: Param<Tensor<D>>,
    moved: &[(usize, usize)],
    of_run: impl Fn(usize) -> Tensor<D>,
) -> Param<Tensor<D>> {
    param.map(|own| {
        let n_rows = own.dims()[0];
        let mut rows: Vec<Tensor<D>> = moved.iter().map(|&(run, row)| of_run(run).narrow(0, row, 1)).collect();
        if moved.len() < n_rows {
            rows.push(own.inner().narrow(0, moved.len(), n_rows - moved.len()));
        }
        Tensor::from_inner(Tensor::cat(rows, 0)).require_grad()
    })
}

/// Gives `module` the mean of the parameters of `sources`, which have its shape; identifiers stay its own.
fn fill<M: Module>(module: M, sources: &[&M]) -> M {
    let mut values = Collector::default();
    for source in sources {
        source.visit(&mut values);
    }
    let per_source = values.0.len() / sources.len();
    let means = (0..per_source)
        .map(|i| {
            let first = values.0[i].clone();
            let sum = (1..sources.len()).fold(first, |sum, run| sum + values.0[run * per_source + i].clone());
            // Dividing the mean of one by one would be exact too, but costs a kernel for each parameter.
            if sources.len() == 1 { sum } else { sum.div_scalar(sources.len() as f32) }
        })
        .collect::<Vec<_>>();
    module.map(&mut Filler(means.into_iter()))
}

/// Parameters as vectors, in visiting order.
#[derive(Default)]
struct Collector(Vec<Tensor<1>>);

impl burn::module::ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val().inner();
        let n = value.shape().num_elements();
        self.0.push(value.reshape([n]));
    }
}

struct Filler(std::vec::IntoIter<Tensor<1>>);

impl ModuleMapper for Filler {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = self.0.next().expect("both modules were built from one configuration");
        param.map(|own| Tensor::from_inner(value.reshape(own.dims())).set_require_grad(own.is_require_grad()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirds_add_up() {
        assert_eq!(pool_rows(32), [11, 11, 10]);
        assert_eq!(pool_rows(9), [3, 3, 3]);
    }

    #[test]
    fn prompts_move_by_falling_count_then_in_order() {
        let counts = [vec![0, 5, 2], vec![5, 0, 9], vec![0, 0, 0]];
        assert_eq!(activated_rows(&counts), [(1, 2), (0, 1), (1, 0), (0, 2)]);
    }
}
