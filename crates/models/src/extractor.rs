//! Published networks as extractors: what they make of faces and voices, for other models to read.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use emotion::Frames;

use crate::batch::PixelScale;
use crate::encoders::clip::{self, Clip, ClipSize};
use crate::encoders::efficientnet::{EfficientNet, EfficientNetSize};
use crate::encoders::vit::{Vit, VitSize};
use crate::encoders::wav2vec2::{Wav2vec2, Wav2vec2Size};
use crate::{Init, ModelError, compute};

/// Side of the crops that all networks for faces here were trained on, in pixels.
pub const FACE_SIDE_PX: usize = 224;
/// Sampling rate that the networks for voices were trained at, in hertz.
pub const VOICE_RATE_HZ: u32 = 16_000;

/// A network for faces or for voices, with its published weights.
pub struct Extractor {
    network: Network,
    device: Device,
}

enum Network {
    Clip(Box<Clip>, usize),
    MaeFace(Box<Vit>),
    EfficientNet(Box<EfficientNet>, usize),
    Wav2vec2(Box<Wav2vec2>, usize),
}

impl Extractor {
    /// Networks by the keys of their published weights (see [`Published`](crate::Published)): those for faces, then
    /// those for voices.
    pub const KEYS: [&str; 6] =
        ["clip-vit-l-14", "clip-vit-b-16", "clip-vit-b-32", "mae-face", "efficientnet-b2", "wav2vec2-large-robust"];

    /// The network called `key`, one of [`Self::KEYS`], with the weights at `path`, on `device`. The import is strict.
    pub fn open(key: &str, path: &Path, device: &Device) -> Result<Self, ModelError> {
        let mut init = Init::empty(device);
        let clip = |size: ClipSize, init: &mut Init<'_>| {
            let mut network = Clip::new(size, init);
            network.import(path)?;
            Ok::<_, ModelError>(Network::Clip(Box::new(network), size.image.out))
        };
        let network = match key {
            "clip-vit-l-14" => clip(ClipSize::VIT_L_14, &mut init)?,
            "clip-vit-b-16" => clip(ClipSize::VIT_B_16, &mut init)?,
            "clip-vit-b-32" => clip(ClipSize::VIT_B_32, &mut init)?,
            "mae-face" => Network::MaeFace(Box::new(Vit::from_file(VitSize::MAE_FACE, path, &mut init)?)),
            "efficientnet-b2" => {
                let mut network = EfficientNet::new(EfficientNetSize::B2, &mut init);
                network.import(path)?;
                Network::EfficientNet(Box::new(network), EfficientNetSize::B2.width())
            }
            "wav2vec2-large-robust" => {
                let size = Wav2vec2Size::large_robust();
                let mut network = Wav2vec2::new(&size, &mut init);
                network.import(path)?;
                Network::Wav2vec2(Box::new(network), size.width)
            }
            _ => {
                let known = Self::KEYS.join(", ");
                return Err(ModelError::Config(format!("there is no extractor {key:?}; there are {known}")));
            }
        };
        Ok(Self { network, device: device.clone() })
    }

    /// Whether it looks at faces; others listen to voices.
    pub fn sees(&self) -> bool {
        !matches!(self.network, Network::Wav2vec2(..))
    }

    /// Whether the network called `key` listens to voices, known without its weights.
    pub fn hears(key: &str) -> bool {
        key == "wav2vec2-large-robust"
    }

    /// Values of a step.
    pub fn n_dims(&self) -> usize {
        match self.network {
            Network::Clip(_, width) | Network::EfficientNet(_, width) | Network::Wav2vec2(_, width) => width,
            Network::MaeFace(_) => VitSize::MAE_FACE.blocks.width,
        }
    }

    /// A vector for each valid frame, `[frames, n_dims]`; crops are of [`FACE_SIDE_PX`].
    ///
    /// CLIP: the image embedding, not of unit length; MAE-Face: the class token after the last norm; EfficientNet: the
    /// pooled feature before the classifier.
    pub fn faces(&self, frames: &Frames) -> Result<Vec<f32>, ModelError> {
        let pixels = match self.network {
            Network::Clip(..) => clip::PIXELS,
            Network::MaeFace(_) => PixelScale::PLAIN,
            Network::EfficientNet(..) | Network::Wav2vec2(..) => PixelScale::IMAGENET,
        };
        let side = frames.size_px;
        let mut values = Vec::new();
        // One by one: a clip's frames together would need gigabytes in the largest network.
        for frame_idx in (0..frames.n_frames()).filter(|&frame_idx| frames.valid[frame_idx]) {
            let mut scaled = vec![0.0; 3 * side * side];
            pixels.scale(frames.frame(frame_idx), &mut scaled);
            let image = Tensor::<4>::from_data(TensorData::new(scaled, [1, 3, side, side]), &self.device);
            let feature = match &self.network {
                Network::Clip(network, _) => network.visual.forward(image),
                Network::MaeFace(network) => network.forward(image).narrow(1, 0, 1).squeeze_dim(1),
                Network::EfficientNet(network, _) => network.forward(image),
                Network::Wav2vec2(..) => return Err(ModelError::Config("wav2vec 2.0 looks at no faces".into())),
            };
            values.extend(read(feature)?);
        }
        Ok(values)
    }

    /// A vector every 20 ms, `[steps, n_dims]`, of mono samples at [`VOICE_RATE_HZ`], which are brought to mean 0 and
    /// deviation 1 first, as the published model wants them; empty for fewer than 25 ms.
    pub fn voice(&self, samples: &[f32]) -> Result<Vec<f32>, ModelError> {
        let Network::Wav2vec2(network, _) = &self.network else {
            return Err(ModelError::Config("a network for faces hears no voices".into()));
        };
        let n = samples.len();
        if Wav2vec2Size::large_robust().n_frames(n) == 0 {
            return Ok(Vec::new());
        }
        let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let power = samples.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n as f64;
        let scale = 1.0 / (power + 1e-7).sqrt();
        let scaled: Vec<f32> = samples.iter().map(|&x| ((f64::from(x) - mean) * scale) as f32).collect();
        let waves = Tensor::<2>::from_data(TensorData::new(scaled, [1, n]), &self.device);
        let features: Tensor<3> = network.forward(waves, &[n]);
        let [_, steps, width] = features.dims();
        read(features.reshape([steps, width]))
    }
}

fn read(features: Tensor<2>) -> Result<Vec<f32>, ModelError> {
    compute::read(features)
}
