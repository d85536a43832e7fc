//! What an MCR is built from: sizes, forms, and the switches of the paper's ablations (table 5).

use emotion::{Modalities, Modality};
use serde::{Deserialize, Serialize};

use super::attention::BetaForm;
use crate::ModelError;
use crate::layers::crossmodal::{DropRates, Drops, EncoderSize};
use crate::layers::streams::{ByStream, STREAMS};

/// Everything that the shape of an MCR depends on, apart from its inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McrSize {
    /// Width d of every step (table 1: 40).
    pub width: usize,
    /// Heads of the SCUs and of the encoder (table 1: 8 or 10).
    pub n_heads: usize,
    /// Reinforcement layers I (table 1: 3 or 4).
    pub n_layers: usize,
    /// Layers of the encoder after them (choice: 3, as in MulT).
    pub encoder_layers: usize,
    /// Hidden width of feed-forward layers, in widths (choice: 4, as in MulT).
    pub ffn_mult: usize,
    /// Steps that the convolutions before the first layer see; odd (table 1: 3 or 5).
    pub kernel: ByStream,
    /// Streams that there are: `t` language, `v` video, `a` audio. With one, it is its own source.
    pub modalities: Modalities,
    /// Streams that are reinforced and read out in the end.
    pub targets: Modalities,
    /// How sources follow from layer to layer.
    pub source_update: SourceUpdate,
    /// Whether there are cross-mutual attention units.
    pub cmu: bool,
    /// Whether their attentions on the two sources hear of each other.
    pub mutual: bool,
    /// Whether there are self-cross attention units.
    pub scu: bool,
    /// Whether these weigh their branches; without it, branches are added.
    pub attention_layer: bool,
    /// How an attention layer scores its branches.
    pub beta: BetaForm,
    /// How the two units of a layer go together.
    pub structure: Structure,
    /// Dropout in training.
    pub dropout: DropRates,
}

/// How sources follow from layer to layer (table 5, "effectiveness of source modality reinforcement").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceUpdate {
    /// The source update module with its selective memory.
    Sum,
    /// Never: every layer sees the low-level features.
    LowLevel,
    /// Feed-forward layers alone.
    FeedForward,
    /// The module with a plain sum in place of the selective memory.
    NoSmm,
}

/// How the units of a layer go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// Side by side, their outputs added.
    Parallel,
    /// The SCU after the CMU.
    Serial,
}

impl McrSize {
    /// The paper's model with its hyper-parameters for MOSI (table 1); dropout as MulT's on the same data.
    pub fn paper() -> Self {
        Self {
            width: 40,
            n_heads: 10,
            n_layers: 3,
            encoder_layers: 3,
            ffn_mult: 4,
            kernel: ByStream { language: 3, video: 3, audio: 3 },
            modalities: Modalities::ALL,
            targets: Modalities::ALL,
            source_update: SourceUpdate::Sum,
            cmu: true,
            mutual: true,
            scu: true,
            attention_layer: true,
            beta: BetaForm::Collapsed,
            structure: Structure::Parallel,
            dropout: DropRates { embedding: 0.2, attention: 0.2, hidden: 0.1, residual: 0.1, output: 0.1 },
        }
    }

    /// The sources of a target: the two other streams in their order, the only other one twice, or itself.
    pub fn sources(&self, target: Modality) -> [Modality; 2] {
        let mut others = STREAMS.into_iter().filter(|&stream| stream != target && self.modalities.contains(stream));
        let first = others.next().unwrap_or(target);
        [first, others.next().unwrap_or(first)]
    }

    /// The streams that are a source of some target.
    pub fn all_sources(&self) -> Modalities {
        self.targets.iter().flat_map(|target| self.sources(target)).collect()
    }

    /// The sources that layers update.
    pub(crate) fn updated_sources(&self) -> Modalities {
        if self.source_update == SourceUpdate::LowLevel { Modalities::NONE } else { self.all_sources() }
    }

    /// The targets whose sources are filtered.
    pub(crate) fn gated_targets(&self) -> Modalities {
        let gated = matches!(self.source_update, SourceUpdate::Sum | SourceUpdate::NoSmm) && self.scu;
        if gated { self.targets } else { Modalities::NONE }
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), ModelError> {
        let complain = |text: String| Err(ModelError::Config(text));
        if self.n_heads == 0 || !self.width.is_multiple_of(self.n_heads) {
            return complain(format!("width {} is not a multiple of n_heads {}", self.width, self.n_heads));
        }
        if self.width < 4 {
            return complain(format!("width is {}: positions need at least 4", self.width));
        }
        if self.n_layers == 0 || self.ffn_mult == 0 {
            return complain("n_layers and ffn_mult must be at least 1".into());
        }
        if let Some(stream) = STREAMS.into_iter().find(|&stream| self.kernel.get(stream).is_multiple_of(2)) {
            let kernel = self.kernel.get(stream);
            return complain(format!("the kernel of {} is {kernel}: it must be odd", stream.name()));
        }
        if self.targets.is_empty() || self.targets.intersection(self.modalities) != self.targets {
            return complain(format!(
                "targets are {}: they must be some of the modalities, {}",
                self.targets, self.modalities
            ));
        }
        if !self.cmu && !self.scu {
            return complain("without cmu and without scu nothing is reinforced".into());
        }
        if self.structure == Structure::Serial && !(self.cmu && self.scu) {
            return complain("a serial structure needs both cmu and scu".into());
        }
        self.dropout.check()
    }

    pub(crate) fn drops(&self) -> Drops {
        Drops::new(self.dropout.attention, &self.dropout)
    }

    pub(crate) fn encoder(&self) -> EncoderSize {
        EncoderSize { width: self.width, n_heads: self.n_heads, n_layers: self.encoder_layers, ffn_mult: self.ffn_mult }
    }
}
