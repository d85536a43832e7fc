//! A reinforcement layer (paper, §3.2): targets from sources, then sources from targets.

use burn::module::Module;
use burn::tensor::Tensor;
use emotion::{Modalities, Modality};

use super::config::{McrSize, SourceUpdate, Structure};
use super::units::{Cmu, CmuOutput, Gate, Scu, ScuOutput, SourceUpdateUnit};
use crate::Init;
use crate::layers::streams::{ByStream, Streams, Watch};

/// A reinforcement layer. Units that a configuration leaves out are absent.
#[derive(Module, Debug)]
pub struct ReinforcementLayer {
    /// Cross-mutual attention unit of each target.
    pub cmu: Streams<Cmu>,
    /// Self-cross attention unit of each target.
    pub scu: Streams<Scu>,
    /// Update of each source; absent in the last layer, which nobody reads a source after.
    pub sum: Streams<SourceUpdateUnit>,
    /// Filter of each target's sources.
    pub gate: Streams<Gate>,
}

/// The streams between two layers, `[batch, steps, width]` each.
#[derive(Debug, Clone)]
pub struct State {
    /// What is reinforced.
    pub targets: Streams<Tensor<3>>,
    /// What it is reinforced from.
    pub sources: Streams<Tensor<3>>,
    /// The two sources of each target, one after the other in time.
    pub mixed: Streams<Tensor<3>>,
}

impl State {
    /// Before the first layer all streams are what they are.
    pub(crate) fn first(size: &McrSize, streams: &Streams<Tensor<3>>) -> Self {
        Self {
            targets: Streams::of(size.targets, |target| streams[target].clone()),
            sources: streams.clone(),
            mixed: Streams::of(size.targets, |target| mixed(size, target, streams)),
        }
    }
}

/// The two sources of `target`, one after the other in time.
fn mixed(size: &McrSize, target: Modality, sources: &Streams<Tensor<3>>) -> Tensor<3> {
    Tensor::cat(size.sources(target).map(|source| sources[source].clone()).to_vec(), 1)
}

impl ReinforcementLayer {
    /// A layer with random values for streams of `length`; the last one updates no sources.
    pub fn new(size: &McrSize, length: &ByStream, is_last: bool, init: &mut Init<'_>) -> Self {
        let lengths = |target: Modality| size.sources(target).map(|source| length.get(source));
        let none_if = |left_out: bool, streams: Modalities| if left_out { Modalities::NONE } else { streams };
        Self {
            cmu: Streams::of(none_if(!size.cmu, size.targets), |target| Cmu::new(size, lengths(target), init)),
            scu: Streams::of(none_if(!size.scu, size.targets), |target| Scu::new(size, length.get(target), init)),
            sum: Streams::of(none_if(is_last, size.updated_sources()), |source| {
                SourceUpdateUnit::new(size, length.get(source), size.targets.contains(source), init)
            }),
            gate: Streams::of(none_if(is_last, size.gated_targets()), |target| {
                Gate::new(size, lengths(target).iter().sum(), init)
            }),
        }
    }

    /// The reinforced targets.
    pub fn reinforce(&self, size: &McrSize, state: &State, watch: &mut Watch<'_>) -> Streams<Tensor<3>> {
        Streams::of(size.targets, |target| {
            let z = state.targets[target].clone();
            let from_cmu = self.cmu.get(target).map(|unit| {
                let sources = size.sources(target).map(|source| state.sources[source].clone());
                let CmuOutput { alpha, attention: [on_1, on_2], out } = unit.forward(z.clone(), sources);
                if let Some(alpha) = alpha {
                    watch.show("alpha", target, || alpha.unsqueeze_dim(1));
                }
                watch.show("cmu_attention1", target, || on_1);
                watch.show("cmu_attention2", target, || on_2);
                watch.show("cmu", target, || out.clone());
                out
            });
            let serial = size.structure == Structure::Serial;
            let from_scu = self.scu.get(target).map(|unit| {
                let z = from_cmu.clone().filter(|_| serial).unwrap_or(z);
                let ScuOutput { attention, beta, gamma, out } = unit.forward(z, state.mixed[target].clone());
                watch.show("scu_attention", target, || attention.mean_dim(1).squeeze_dim(1));
                if let (Some(beta), Some(gamma)) = (beta, gamma) {
                    watch.show("beta", target, || beta.unsqueeze_dim(1));
                    watch.show("gamma", target, || gamma.unsqueeze_dim(1));
                }
                watch.show("scu", target, || out.clone());
                out
            });
            let reinforced = match (from_cmu, from_scu) {
                (Some(first), Some(second)) if !serial => first + second,
                (from_cmu, from_scu) => from_scu.or(from_cmu).expect("a checked size has one of the units"),
            };
            watch.show("target", target, || reinforced.clone());
            reinforced
        })
    }

    /// What the next layer starts from.
    pub fn update(
        &self,
        size: &McrSize,
        targets: Streams<Tensor<3>>,
        sources: &Streams<Tensor<3>>,
        watch: &mut Watch<'_>,
    ) -> State {
        let sources = Streams::from_fn(|stream| {
            let source = sources.get(stream)?.clone();
            let Some(unit) = self.sum.get(stream) else { return Some(source) };
            let heard = targets.get(stream).filter(|_| size.source_update != SourceUpdate::FeedForward).cloned();
            let (source, kept) = unit.forward(source, heard);
            if let Some(kept) = kept {
                watch.show("mu", stream, || kept);
            }
            watch.show("source", stream, || source.clone());
            Some(source)
        });
        let mixed = Streams::of(size.targets, |target| {
            let mixed = mixed(size, target, &sources);
            let mixed = self.gate.get(target).map_or_else(|| mixed.clone(), |gate| gate.forward(mixed.clone()));
            watch.show("ds", target, || mixed.clone());
            mixed
        });
        State { targets, sources, mixed }
    }
}
