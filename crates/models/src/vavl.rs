//! VAVL (Goncalves, Leem, Lin, Sisman & Busso 2024, "Versatile audio-visual learning for emotion recognition").
//!
//! Voice and face have a conformer branch each and share further layers; either modality predicts alone, and a head for
//! both is trained while all else stands still, so that clips that lack one modality teach too.

pub mod checkpoint;
mod config;
mod features;
mod network;
mod sources;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use emotion::{Attribute, LabelSet, Manifest, Modality};

pub use crate::layers::normalization::{Moments, Scale, Statistics};
pub use crate::{Target, Task, ccc};
pub use config::VavlConfig;
pub use features::{FaceExtractor, FaceFeatures, Sequence, VoiceExtractor, VoiceFeatures};
pub use network::{Head, Layout, Network, NetworkConfig, Shared, Stream, Unimodal};
pub use sources::{FaceFeaturesConfig, VoiceFeaturesConfig};

use crate::layers::rows::{all, rows_for};
use crate::layers::transformer::unit_rows;
use crate::{
    About, AttributeLoss, Batch, Config, EmotionModel, FinishedStage, Init, Loss, ModelError, Outlook, Reader, Rename,
    StagePlan, TrainingBatches,
};

/// What is said of VAVL.
pub const ABOUT: About = About {
    name: "vavl",
    title: "VAVL",
    paper: "Goncalves et al., Versatile audio-visual learning for emotion recognition, 2024",
    presets: &[
        ("tiny", || Config::Vavl(VavlConfig::tiny())),
        ("paper", || Config::Vavl(VavlConfig::paper())),
        ("features", || Config::Vavl(VavlConfig::features())),
        ("utterances", || Config::Vavl(VavlConfig::utterances())),
        ("face-features", || Config::Vavl(VavlConfig::face_features())),
    ],
    help: config::help,
};

/// The model: clips to features, features to predictions.
#[derive(Module, Debug)]
pub struct Vavl {
    /// Of the face.
    pub face_features: FaceFeatures,
    /// Of the voice.
    pub voice_features: VoiceFeatures,
    /// All that the paper trains.
    pub network: Network,
}

impl Vavl {
    /// A model with random values.
    pub fn new(config: &VavlConfig, n_classes: usize, init: &mut Init<'_>) -> Self {
        let n_out = if config.attributes.is_empty() { n_classes } else { config.attributes.len() };
        Self {
            face_features: FaceFeatures::new(&config.face, init),
            voice_features: VoiceFeatures::new(&config.voice, init),
            network: Network::new(&config.network, config.voice.width(), config.face.width(), n_out, init),
        }
    }
}

/// One modality of those samples of a batch that have it.
struct Part {
    /// Samples in the batch.
    rows: Vec<usize>,
    sequence: Sequence,
}

impl Part {
    /// Those of `rows`, in this order.
    fn only(&self, rows: &[usize]) -> Sequence {
        Sequence {
            seen: rows_for(self.sequence.seen.clone(), &self.rows, rows),
            whole: rows_for(self.sequence.whole.clone(), &self.rows, rows),
        }
    }
}

/// Results for some samples of a batch.
struct Rows {
    rows: Vec<usize>,
    logits: Tensor<2>,
    /// Of the voice.
    acoustic: Option<Tensor<2>>,
    /// Of the face.
    visual: Option<Tensor<2>>,
}

impl EmotionModel for Vavl {
    type Config = VavlConfig;
    // The published set of files holds the network alone; `checkpoint::import` reads it.
    const RENAMES: &'static [Rename] = &[];

    fn check(config: &VavlConfig) -> Result<(), ModelError> {
        config.check()
    }

    fn build(config: &VavlConfig, n_classes: usize, init: &mut Init<'_>) -> Self {
        Self::new(config, n_classes, init)
    }

    fn reader(config: &VavlConfig) -> Reader {
        sources::reader(&config.face, &config.voice)
    }

    fn for_dataset(config: &VavlConfig, manifest: &Manifest) -> Result<VavlConfig, ModelError> {
        config.for_dataset(manifest)
    }

    fn attributes(config: &VavlConfig) -> &[Attribute] {
        &config.attributes
    }

    fn stages(config: &VavlConfig) -> Vec<StagePlan> {
        config.stages()
    }

    fn start_stage(
        config: &VavlConfig,
        labels: &LabelSet,
        _stage: usize,
        seed: u64,
        _finished: &[FinishedStage<Self>],
        device: &Device,
    ) -> Result<Self, ModelError> {
        let mut model = Self::new(config, labels.len(), &mut Init::new(seed, device));
        model.face_features.load(&config.efficientnet)?;
        model.voice_features.load(&config.wav2vec2)?;
        Ok(model)
    }

    fn calibrate<E: From<ModelError>>(&mut self, training: impl TrainingBatches<E>) -> Result<(), E> {
        // Batches come without gradients, and so must the extractors that measure them.
        let still = self.valid();
        let mut voices = self.voice_features.moments();
        training(Modality::Voice, &mut |batch| still.voice_features.measure(batch, &mut voices))?;
        self.voice_features.set_scale(&voices);
        let mut faces = self.face_features.moments();
        training(Modality::Face, &mut |batch| still.face_features.measure(batch, &mut faces))?;
        self.face_features.set_scale(&faces);
        Ok(())
    }

    fn import_released(&mut self, config: &VavlConfig, files: &[PathBuf]) -> Result<(), ModelError> {
        self.face_features.load(&config.efficientnet)?;
        self.voice_features.load(&config.wav2vec2)?;
        let (weights, checkpoint::Measured { voice, face }) = checkpoint::parts_of(files)?;
        self.voice_features.set_statistics("voice", &voice[0], &voice[1])?;
        self.face_features.set_statistics("face", &face[0], &face[1])?;
        checkpoint::import(&mut self.network, &weights)
    }

    fn config_at(config: &VavlConfig, _stage: usize) -> Config {
        Config::Vavl(config.clone())
    }

    /// A sample with one modality goes through that modality's head, one with both through the head for both; only the
    /// former teaches what comes before the heads, unless the configuration says that both do.
    fn forward(&self, config: &VavlConfig, batch: &Batch) -> Result<Outlook, ModelError> {
        let face = self.face_features.forward(batch).map(|(rows, sequence)| Part { rows, sequence });
        let voice = self.voice_features.forward(batch)?.map(|(rows, sequence)| Part { rows, sequence });
        let has = |part: &Option<Part>, row: usize| part.as_ref().is_some_and(|part| part.rows.contains(&row));
        let rows_where = |has_face: bool, has_voice: bool| -> Vec<usize> {
            let [n, _] = batch.present.dims();
            (0..n).filter(|&row| has(&face, row) == has_face && has(&voice, row) == has_voice).collect()
        };

        let mut results = Vec::new();
        let mut auxiliary = Vec::new();
        let alone = [
            (Modality::Voice, "voice reconstruction", &voice, rows_where(false, true)),
            (Modality::Face, "face reconstruction", &face, rows_where(true, false)),
        ];
        for (modality, term, part, rows) in alone {
            let Some(part) = part.as_ref().filter(|_| !rows.is_empty()) else { continue };
            let sequence = part.only(&rows);
            let alone = self.network.unimodal(&config.network, modality, sequence.seen);
            let reconstruction = alone.reconstruction_loss(sequence.whole);
            auxiliary.extend(reconstruction.map(|loss| (term, loss.mul_scalar(config.network.alpha))));
            let (acoustic, visual) = match modality {
                Modality::Voice => (Some(alone.embedding), None),
                _ => (None, Some(alone.embedding)),
            };
            results.push(Rows { rows, logits: alone.prediction, acoustic, visual });
        }
        let rows = rows_where(true, true);
        if let (Some(face), Some(voice), false) = (&face, &voice, rows.is_empty()) {
            let (network, voice, face) = (&config.network, voice.only(&rows), face.only(&rows));
            let (acoustic, visual) = if network.end_to_end {
                (
                    self.network.unimodal(network, Modality::Voice, voice.seen),
                    self.network.unimodal(network, Modality::Face, face.seen),
                )
            } else {
                // What the head for both sees is as in evaluation, nothing dropped.
                (
                    self.network.frozen(network, Modality::Voice, voice.whole),
                    self.network.frozen(network, Modality::Face, face.whole),
                )
            };
            let logits = self.network.audio_visual(&config.network, &acoustic, &visual);
            results.push(Rows { rows, logits, acoustic: Some(acoustic.embedding), visual: Some(visual.embedding) });
        }
        Ok(outlook(&results, auxiliary, config.network.conformer.width))
    }

    fn loss(&self, config: &VavlConfig, outlook: &Outlook, target: impl Into<Target>) -> Loss {
        let (target, smoothing) = (target.into(), config.label_smoothing);
        let task = target.smoothed_loss(outlook.logits.clone(), AttributeLoss::Concordance, smoothing);
        let mut terms = vec![(target.name(), task)];
        terms.extend(outlook.auxiliary.iter().cloned());
        Loss::sum(terms)
    }
}

/// Brings results into the order of the batch.
fn outlook(results: &[Rows], auxiliary: Vec<(&'static str, Tensor<1>)>, width: usize) -> Outlook {
    let device = results[0].logits.device();
    let order: Vec<usize> = results.iter().flat_map(|result| result.rows.iter().copied()).collect();
    let clips = all(order.len());
    let in_order = |of: &dyn Fn(&Rows) -> Tensor<2>| -> Tensor<2> {
        rows_for(Tensor::cat(results.iter().map(of).collect(), 0), &order, &clips)
    };
    let absent = |rows: &Rows| Tensor::zeros([rows.rows.len(), width], &device);
    let visual = in_order(&|rows| rows.visual.clone().unwrap_or_else(|| absent(rows)));
    let acoustic = in_order(&|rows| rows.acoustic.clone().unwrap_or_else(|| absent(rows)));
    let text = visual.zeros_like();
    Outlook {
        logits: in_order(&|rows| rows.logits.clone()),
        fused: unit_rows(Tensor::cat(vec![acoustic.clone(), visual.clone()], 1)),
        tokens: Tensor::stack(vec![visual, acoustic, text], 1),
        selection: None,
        auxiliary,
    }
}
