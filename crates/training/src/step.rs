//! One step of training: forward, loss, gradients, Adam.

use burn::optim::GradientsParams;
use models::{Batch, EmotionModel, Loss, ModelError, Outlook, Target};

use crate::{Adam, Recipe};

/// Moves `model` along the gradient of its loss on a batch; what it returns is from before the move.
pub fn train_step<M: EmotionModel>(
    model: &mut M,
    config: &M::Config,
    batch: &Batch,
    target: impl Into<Target>,
    recipe: &Recipe,
    learning_rate: f64,
    adam: &mut Adam,
) -> Result<(Outlook, Loss), ModelError> {
    let outlook = model.forward(config, batch)?;
    let loss = model.loss(config, &outlook, target);
    let grads = GradientsParams::from_grads(loss.total.backward(), model);
    *model = adam.step(recipe, learning_rate, model.clone(), grads);
    Ok((outlook, loss))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use burn::module::Module as _;
    use burn::tensor::{Device, Int, Tensor};
    use emotion::{Frames, LabelSet, Manifest, Modalities, Sample, Voice};
    use models::encoders::audio_cnn::AudioCnnSize;
    use models::encoders::clip::{Clip, ClipSize, ImageTowerSize, RENAMES, TextTowerSize};
    use models::umbenet::{FaceEncoder, TextEncoderConfig, Umbenet, UmbenetConfig, VoiceEncoderConfig};
    use models::{FaceBatch, Init, export};

    use super::*;
    use crate::frozen::FeatureCache;

    /// Merges of a vocabulary as long as CLIP's: two letters, then three.
    fn write_vocabulary(path: &Path) {
        let letters = || '!'..='~';
        let twos = letters().flat_map(|a| letters().map(move |b| (a.to_string(), b)));
        let threes =
            letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| (format!("{a}{b}"), c))));
        let mut text = String::from("a vocabulary\n");
        for (a, b) in twos.chain(threes).take(48_894) {
            writeln!(text, "{a} {b}").unwrap();
        }
        std::fs::write(path, text).unwrap();
    }

    fn small_clip() -> ClipSize {
        ClipSize {
            image: ImageTowerSize { side_px: 32, patch_px: 16, width: 64, n_layers: 1, out: 64 },
            text: TextTowerSize { context: 24, width: 64, n_layers: 1, head_width: 64, out: 64 },
            vocabulary: 49_408,
        }
    }

    fn sample(seed: usize) -> Sample {
        let byte = |i: usize| ((i / 5 + 1) * (seed + 3) * 41 % 253) as u8;
        let wave = (0..47_000).map(|i| ((i * (seed + 1)) as f32 * 0.01).sin()).collect();
        Sample {
            face: Some(Frames { size_px: 32, rgb: (0..2 * 32 * 32 * 3).map(byte).collect(), valid: vec![true; 2] }),
            voice: Some(Voice::Waveform(wave)),
            text: Some(format!("face_number {seed}")),
            features: Vec::new(),
        }
    }

    #[test]
    fn umbenet_learns_behind_the_frozen_towers_of_a_file() {
        let device = Device::flex().autodiff();
        let dir = tempfile::tempdir().unwrap();
        let (clip_path, vocabulary) = (dir.path().join("clip.safetensors"), dir.path().join("vocabulary.txt"));
        write_vocabulary(&vocabulary);
        let clip = Clip::new(small_clip(), &mut Init::new(3, &device.clone().inner()));
        export(&clip, &clip_path, RENAMES).unwrap();
        let config = UmbenetConfig {
            n_frames: 2,
            fusion_layers: 1,
            pool_size: 6,
            top_k: 2,
            selected_tokens: 4,
            inherent_tokens: 4,
            two_stage: false,
            text: TextEncoderConfig::Shared { vocabulary: small_clip().vocabulary },
            voice: VoiceEncoderConfig::Cnn {
                rate_hz: 16_000,
                cnn: AudioCnnSize { n_samples: 47_000, channels: [2; 6], hidden: 16, out: 64 },
            },
            clip: clip_path,
            vocabulary,
            ..UmbenetConfig::paper(small_clip())
        };
        config.check().unwrap();
        let labels = LabelSet::basic(3);
        let manifest = Manifest::new("m", "csv", dir.path(), labels.clone());
        let config = Umbenet::for_dataset(&config, &manifest).unwrap();
        assert_eq!(config.class_ends.len(), labels.len(), "classes end where their names do");
        let mut model = Umbenet::start_stage(&config, &labels, 0, 1, &[], &device).unwrap();
        let samples: Vec<Sample> = (0..6).map(sample).collect();
        let samples: Vec<&Sample> = samples.iter().collect();
        let batch = Umbenet::reader(&config).batch(&samples, &[Modalities::ALL; 6], &device).unwrap();
        let (recipe, mut adam, mut losses) = (Recipe::default(), Adam::default(), Vec::new());
        for _ in 0..12 {
            let truths = Tensor::<1, Int>::from_ints([0, 1, 2, 0, 1, 2], &device);
            let (_, loss) = train_step(&mut model, &config, &batch, truths, &recipe, 0.002, &mut adam).unwrap();
            losses.push(loss.total.into_scalar::<f32>());
        }
        assert!(losses[11] < 0.8 * losses[0], "{losses:?}");

        // What the towers make of a clip is computed once: other pixels of the same clips are not looked at any more.
        let (cache, clips) = (FeatureCache::default(), [4, 9, 2, 7, 0, 5]);
        let logits = |batch: &Batch| {
            let logits = model.valid().forward(&config, batch).unwrap().logits;
            logits.inner().try_into_vec_as::<f32>().unwrap()
        };
        let plain = logits(&batch);
        let mut kept = batch.clone();
        cache.fill(&model, &config, &clips, &mut kept).unwrap();
        assert_eq!(logits(&kept), plain);
        let mut black = batch.clone();
        black.face = black.face.map(|face| FaceBatch { frames: face.frames.zeros_like(), ..face });
        assert_ne!(logits(&black), plain);
        cache.fill(&model, &config, &clips, &mut black).unwrap();
        assert_eq!(logits(&black), plain);
        let FaceEncoder::Clip(tower) = &model.valid().face_encoder else { panic!("faces go through CLIP's tower") };
        let values = |tensor: Tensor<2>| tensor.inner().try_into_vec_as::<f32>().unwrap();
        assert_eq!(values(tower.proj.val()), clip.visual.proj.val().try_into_vec_as::<f32>().unwrap());
    }

    #[test]
    fn a_preset_with_towers_says_which_file_it_lacks() {
        let manifest = Manifest::new("m", "csv", Path::new("/"), LabelSet::basic(3));
        let error = Umbenet::for_dataset(&UmbenetConfig::paper(small_clip()), &manifest).unwrap_err();
        assert!(error.to_string().starts_with("vocabulary names no file"), "{error}");
    }
}
