//! What a file of weights is, which of our models it serves, and what of it maps.
//!
//! Told by names and shapes alone: no number is read, so that gigabytes are checked in no time. What maps is decided by
//! [`fit()`], which every import goes through too.

mod bundles;
mod networks;
mod parts;

use std::path::{Path, PathBuf};

use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::DType;
use checkpoints::Container;
use serde::Serialize;

use crate::encoders::clip::{self, Clip, ClipSize};
use crate::encoders::efficientnet::{EfficientNet, EfficientNetSize};
use crate::encoders::vit::{self, Vit, VitSize};
use crate::encoders::wav2vec2::{Wav2vec2, Wav2vec2Size};
use crate::published::{Published, Use};
use crate::{
    Config, Contents, DeviceId, Fit, Init, ModelError, ModelKind, Setting, compute, fit, open_checkpoint, settings_of,
};

/// What a file of weights is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Both towers of CLIP.
    Clip,
    /// A masked autoencoder over faces.
    MaeFace,
    /// A masked autoencoder over spectrograms.
    AudioMae,
    /// wav2vec 2.0.
    Wav2vec2,
    /// timm's EfficientNet.
    EfficientNet,
    /// A trained UMBEnet of the released code.
    Umbenet,
    /// A trained MMA-DFER of the released code.
    MmaDfer,
    /// The files of a trained VAVL.
    Vavl,
    /// A trained MulT of the released code.
    Mult,
    /// A model of Limbic.
    Bundle,
    /// CLIP's vocabulary.
    Vocabulary,
    /// None of these.
    Unknown,
}

/// Which model of ours a trained one of a released code becomes, as far as names and shapes tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Released {
    /// The model.
    pub model: ModelKind,
    /// The preset that is like it.
    pub preset: &'static str,
    /// What is different from the preset, as settings.
    pub settings: Vec<Setting>,
    /// Outputs: classes, or ratings.
    pub n_outputs: usize,
    /// Settings that name files without which it is not made.
    pub needs: &'static [&'static str],
}

impl Released {
    /// A model of `config`, told by how it differs from `preset`.
    fn of(config: &Config, preset: &'static str, n_outputs: usize) -> Result<Self, ModelError> {
        let model = config.kind();
        let usual = settings_of(&model.preset(preset)?);
        let settings = settings_of(config).into_iter().filter(|setting| !usual.contains(setting)).collect();
        let needs: &[&str] = match model {
            ModelKind::Umbenet => &["vocabulary"],
            ModelKind::Vavl => &["efficientnet", "wav2vec2"],
            _ => &[],
        };
        Ok(Self { model, preset, settings, n_outputs, needs })
    }
}

/// What was found out about a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The file, or the folder of a set of files.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The same for people.
    pub title: String,
    /// What it is packed in and how precise its numbers are.
    pub packing: String,
    /// The entry of [`crate::PUBLISHED`] that it is, if it is one.
    pub published: Option<&'static str>,
    /// Which presets take it as which setting.
    pub uses: Vec<Use>,
    /// What it becomes when it is imported, for a trained model of a released code.
    pub released: Option<Released>,
    /// Names of the tensors beside the weights, an optimizer's say.
    pub set_aside: Vec<String>,
    /// What maps and what does not; nothing for a file that nothing is known of.
    pub fit: Option<Fit>,
    /// What else people should know.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether all of it is understood.
    pub fn is_whole(&self) -> bool {
        self.fit.as_ref().is_some_and(Fit::is_whole)
    }

    fn new(path: &Path, kind: Kind, title: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            title: title.into(),
            packing: String::new(),
            published: None,
            uses: Vec::new(),
            released: None,
            set_aside: Vec::new(),
            fit: None,
            notes: Vec::new(),
        }
    }

    /// With what a published file is for.
    fn of_published(mut self, key: &'static str) -> Self {
        if let Some(published) = Published::with_key(key) {
            self.published = Some(key);
            self.uses = published.uses.to_vec();
        }
        self
    }

    fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// Says what a file is. A folder is a model of Limbic or a set of files that belong together.
///
/// Errors when it cannot be read, or is refused; a file that is read but serves nothing is a report.
pub fn identify(path: &Path) -> Result<Report, ModelError> {
    if let Some(report) = bundles::identify(path)? {
        return Ok(report);
    }
    if let Some(report) = parts::identify(path) {
        return Ok(report);
    }
    if is_gzip(path)? {
        return gzip_report(path);
    }
    let contents = open_checkpoint(path)?;
    let Contents { container, tensors, set_aside } = contents;
    let packing = packing(&[container], &tensors);
    let report = told(path, tensors)?;
    Ok(without_uses_unless_whole(Report { packing, set_aside, ..report }))
}

/// Whether a file begins as gzip's do. A pipe is not opened, which would wait for somebody.
fn is_gzip(path: &Path) -> Result<bool, ModelError> {
    let mut head = [0; 2];
    if path.is_file() {
        let begun = std::fs::File::open(path).and_then(|mut file| std::io::Read::read(&mut file, &mut head));
        begun.map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    }
    Ok(head == [0x1f, 0x8b])
}

/// Of what is packed with gzip, the vocabulary alone is read as it is.
fn gzip_report(path: &Path) -> Result<Report, ModelError> {
    let packing = "gzip".to_owned();
    match clip::Tokenizer::open(path) {
        Ok(tokenizer) => {
            let report = Report::new(path, Kind::Vocabulary, "CLIP's vocabulary").of_published("clip-vocabulary");
            let fit = Fit { n_mapped: 1, n_values: tokenizer.end() as usize + 1, ..Fit::default() };
            Ok(Report { packing, fit: Some(fit), ..report })
        }
        Err(ModelError::Weights { reason, .. }) => {
            let report = Report::new(path, Kind::Unknown, "a packed file that is not CLIP's vocabulary");
            let report = report.with_note("unpack it and check what is in it: weights are not read from gzip files");
            Ok(Report { packing, ..report.with_note(format!("as CLIP's vocabulary it is damaged: {reason}")) })
        }
        Err(error) => Err(error),
    }
}

/// What tensors of these names and shapes are.
fn told(path: &Path, tensors: Vec<PackTensor>) -> Result<Report, ModelError> {
    let names = Names(&tensors);
    Ok(if names.has("visual.conv1.weight") || names.any(clip::is_hugging_face) {
        clip_report(path, &tensors)?
    } else if names.begin("visual.layer1.") {
        Report::new(path, Kind::Clip, "CLIP with a ResNet as its image tower")
            .with_note("Limbic has CLIP's vision transformers only: use ViT-L-14.pt, ViT-B-16.pt or ViT-B-32.pt")
    } else if let Some(report) = networks::identify(path, &tensors)? {
        report
    } else if let Some(channels) = names.vit_channels() {
        vit_report(path, tensors, channels)?
    } else if names.contain("feature_extractor.conv_layers.") {
        let size = Wav2vec2Size::large_robust();
        let model = Wav2vec2::new(&size, &mut empty(&compute::open(&DeviceId::Cpu)?));
        let spelling = model.spelling(&tensors);
        let (fit, _) = fit(&model, tensors, &spelling);
        let report = Report::new(path, Kind::Wav2vec2, "wav2vec 2.0, large").of_published("wav2vec2-large-robust");
        Report { fit: Some(fit), ..report }
    } else if names.has("conv_stem.weight") {
        efficientnet_report(path, tensors)?
    } else {
        unknown(path, &tensors)
    })
}

/// A file that does not fit serves nothing, whatever it looks like.
fn without_uses_unless_whole(mut report: Report) -> Report {
    if !report.is_whole() {
        report.uses.clear();
        report.published = None;
    }
    report
}

/// Parameters without values or memory, for shapes alone.
fn empty(device: &burn::tensor::Device) -> Init<'_> {
    Init::empty(device)
}

/// In what files weights are, and how precise their numbers are.
fn packing(containers: &[Container], tensors: &[PackTensor]) -> String {
    let mut containers: Vec<&str> = containers.iter().map(|container| container.name()).collect();
    containers.sort_unstable();
    containers.dedup();
    let container = containers.join(" and ");
    let mut floats: Vec<DType> = tensors.iter().map(|tensor| tensor.dtype).filter(DType::is_float).collect();
    floats.sort_by_key(|dtype| format!("{dtype:?}"));
    floats.dedup();
    let precision = |dtype: &DType| match dtype {
        DType::F64 => "64-bit floats",
        DType::F16 => "16-bit floats",
        DType::BF16 => "bfloat16",
        _ => "32-bit floats",
    };
    let floats: Vec<&str> = floats.iter().map(precision).collect();
    match floats.is_empty() {
        true => container,
        false => format!("{container}, {}", floats.join(" and ")),
    }
}

/// CLIP of the published size that it fits best.
fn clip_report(path: &Path, tensors: &[PackTensor]) -> Result<Report, ModelError> {
    const SIZES: [(ClipSize, &str, &str); 3] = [
        (ClipSize::VIT_L_14, "ViT-L/14", "clip-vit-l-14"),
        (ClipSize::VIT_B_16, "ViT-B/16", "clip-vit-b-16"),
        (ClipSize::VIT_B_32, "ViT-B/32", "clip-vit-b-32"),
    ];
    let is_hugging_face = tensors.iter().any(|tensor| clip::is_hugging_face(&tensor.name));
    let spelling = clip::spelling(tensors);
    let device = compute::open(&DeviceId::Cpu)?;
    let fits = SIZES.map(|(size, name, key)| {
        let (fit, _) = fit(&Clip::new(size, &mut empty(&device)), tensors.to_vec(), &spelling);
        (fit, name, key)
    });
    let best = fits.into_iter().min_by_key(|(fit, ..)| fit.n_problems());
    let (fit, name, key) = best.expect("there are sizes");
    let naming = if is_hugging_face { "Hugging Face's" } else { "OpenAI's" };
    let report = Report::new(path, Kind::Clip, format!("CLIP {name}, both towers, under {naming} names"));
    let report = report.of_published(key).with_note(
        "CLIPs of the same shape with the exact GELU (LAION, DataComp) cannot be told apart by their weights and give wrong \
         features: use OpenAI's",
    );
    Ok(Report { fit: Some(fit), ..report })
}

fn vit_report(path: &Path, tensors: Vec<PackTensor>, channels: usize) -> Result<Report, ModelError> {
    let (size, kind, title, key) = match channels {
        1 => (VitSize::AUDIO_MAE, Kind::AudioMae, "AudioMAE, ViT-Base over spectrograms", "audiomae"),
        _ => (VitSize::MAE_FACE, Kind::MaeFace, "MAE-Face, ViT-Base over pictures", "mae-face"),
    };
    let model = Vit::new(size, &mut empty(&compute::open(&DeviceId::Cpu)?));
    let spelling = vit::spelling(&tensors);
    let (fit, _) = fit(&model, tensors, &spelling);
    let mut report = Report::new(path, kind, title).of_published(key);
    if kind == Kind::MaeFace {
        report = report.with_note("masked autoencoders over other pictures than faces have the same shapes");
    }
    Ok(Report { fit: Some(fit), ..report })
}

fn efficientnet_report(path: &Path, tensors: Vec<PackTensor>) -> Result<Report, ModelError> {
    /// Classes of ImageNet, which every EfficientNet starts from.
    const IMAGENET: usize = 1000;
    let names = Names(&tensors);
    let n_classes = ["classifier.weight", "classifier.0.weight"].iter().find_map(|name| names.side(name, 0));
    let network = EfficientNet::new(EfficientNetSize::B2, &mut empty(&compute::open(&DeviceId::Cpu)?));
    let spelling = network.spelling(&tensors);
    let (fit, _) = fit(&network, tensors, &spelling);
    let mut report = Report::new(path, Kind::EfficientNet, "EfficientNet-B2 of timm").of_published("efficientnet-b2");
    report = report.with_note(
        "timm's efficientnet_b2 has the names and shapes of tf_efficientnet_b2, but pads otherwise and gives wrong \
         features; nothing in a file tells them apart: use enet_b2_8_best.pt as it is published",
    );
    if n_classes == Some(IMAGENET) {
        report = report.with_note("its classifier is of ImageNet's 1,000 classes: it was not trained on faces");
    }
    Ok(Report { fit: Some(fit), ..report })
}

fn unknown(path: &Path, tensors: &[PackTensor]) -> Report {
    const SHOWN: usize = 5;
    let shape = |tensor: &PackTensor| tensor.shape.iter().copied().collect::<Vec<usize>>();
    let first = tensors.iter().take(SHOWN).map(|tensor| format!("{} {:?}", tensor.name, shape(tensor)));
    let first: Vec<String> = first.collect();
    let note = match tensors.len() {
        0 => "there is no tensor in it".to_owned(),
        n => format!("{n} tensors, the first are {}", first.join(", ")),
    };
    Report::new(path, Kind::Unknown, "weights of a model that Limbic does not know").with_note(note)
}

/// Names of the tensors of a file.
struct Names<'a>(&'a [PackTensor]);

impl Names<'_> {
    fn any(&self, is_it: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|tensor| is_it(&tensor.name))
    }

    fn has(&self, name: &str) -> bool {
        self.any(|own| own == name)
    }

    fn begin(&self, beginning: &str) -> bool {
        self.any(|own| own.starts_with(beginning))
    }

    fn contain(&self, part: &str) -> bool {
        self.any(|own| own.contains(part))
    }

    /// Length of an axis of a tensor.
    fn side(&self, name: &str, axis: usize) -> Option<usize> {
        let tensor = self.0.iter().find(|tensor| tensor.name == name)?;
        tensor.shape.iter().copied().nth(axis)
    }

    /// Channels that a vision transformer's patches have.
    fn vit_channels(&self) -> Option<usize> {
        let names = ["patch_embed.proj.weight", "model.patch_embed.proj.weight"];
        names.iter().find_map(|name| self.side(name, 1))
    }

    /// One more than the largest number that follows `beginning` in a name.
    fn count(&self, beginning: &str) -> usize {
        let number =
            |tensor: &PackTensor| tensor.name.strip_prefix(beginning)?.split('.').next()?.parse::<usize>().ok();
        self.0.iter().filter_map(number).max().map_or(0, |last| last.saturating_add(1))
    }
}

#[cfg(test)]
mod tests;
