//! CLIP's two towers (Radford et al. 2021), as OpenAI's checkpoints name and lay them out.
//!
//! Left out: the ResNet image towers.

mod entities;
mod mojibake;
mod names;
mod text_repair;
mod tokenizer;

use std::path::Path;

pub use names::{RENAMES, is_hugging_face, spelling};
pub use tokenizer::{Overlong, Tokenizer, end_of};

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::tensor::{Int, Tensor, TensorData, assert_shape};

use crate::layers::transformer::{Transformer, future_mask, unit_rows};
use crate::{Init, ModelError, PixelScale, import_spelled, read_checkpoint};

/// The statistics of CLIP's training images, by which all its towers want their input scaled.
pub const PIXELS: PixelScale = PixelScale::Channels {
    mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
    deviation: [0.268_629_54, 0.261_302_6, 0.275_777_1],
};
/// CLIP's heads are 64 wide at every size.
const HEAD_WIDTH: usize = 64;

/// Both towers, comparing images with texts.
#[derive(Module, Debug)]
pub struct Clip {
    /// Images to vectors.
    pub visual: ImageTower,
    /// Embeddings of tokens, `[vocabulary, width]`.
    pub token_embedding: Param<Tensor<2>>,
    /// Texts to vectors.
    pub text: TextTower,
    /// Logarithm of the factor between cosines and logits, `[1]`.
    pub logit_scale: Param<Tensor<1>>,
}

/// The text tower alone, with its tokens.
#[derive(Module, Debug)]
pub struct ClipText {
    /// Embeddings of tokens, `[vocabulary, width]`.
    pub token_embedding: Param<Tensor<2>>,
    /// Texts to vectors.
    pub text: TextTower,
}

impl ClipText {
    /// The text tower of a file with both.
    pub fn open(path: &Path, size: TextTowerSize, vocabulary: usize, init: &mut Init<'_>) -> Result<Self, ModelError> {
        let token_embedding = init.normal([vocabulary, size.width], 0.02);
        let mut text = Self { token_embedding, text: TextTower::new(size, init) };
        let tensors = read_checkpoint(path)?;
        let is_of_images = |parameter: &str| parameter.starts_with("visual.") || parameter == "logit_scale";
        let spelling = spelling(&tensors).without(is_of_images, "the image tower");
        import_spelled(&mut text, tensors, &spelling, path)?;
        Ok(text)
    }
}

/// Sizes of both towers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClipSize {
    /// Image tower.
    pub image: ImageTowerSize,
    /// Text tower.
    pub text: TextTowerSize,
    /// Number of tokens.
    pub vocabulary: usize,
}

/// Tokens of the published models.
const VOCABULARY: usize = 49_408;
/// Logits are at first cosines over 0.07.
const FIRST_TEMPERATURE: f64 = 0.07;

impl ClipSize {
    /// ViT-L/14 at 224 pixels: 427,616,513 parameters.
    pub const VIT_L_14: Self = Self::published(14, 1024, 24, 768);
    /// ViT-B/16 at 224 pixels.
    pub const VIT_B_16: Self = Self::published(16, 768, 12, 512);
    /// ViT-B/32 at 224 pixels: 151,277,313 parameters.
    pub const VIT_B_32: Self = Self::published(32, 768, 12, 512);

    const fn published(patch_px: usize, width: usize, n_layers: usize, out: usize) -> Self {
        Self {
            image: ImageTowerSize { side_px: 224, patch_px, width, n_layers, out },
            text: TextTowerSize { context: 77, width: out, n_layers: 12, head_width: HEAD_WIDTH, out },
            vocabulary: VOCABULARY,
        }
    }
}

impl Clip {
    /// Both towers with random values.
    pub fn new(size: ClipSize, init: &mut Init<'_>) -> Self {
        Self {
            visual: ImageTower::new(size.image, init),
            token_embedding: init.normal([size.vocabulary, size.text.width], 0.02),
            text: TextTower::new(size.text, init),
            logit_scale: init.constant([1], -FIRST_TEMPERATURE.ln() as f32),
        }
    }

    /// Fills both towers from a file with OpenAI's or Hugging Face's names.
    pub fn import(&mut self, path: &Path) -> Result<(), ModelError> {
        let tensors = read_checkpoint(path)?;
        let spelling = spelling(&tensors);
        import_spelled(self, tensors, &spelling, path)
    }

    /// Encodes token ids, `[batch, context]`, to `[batch, output width]`, not of unit length; `end` as in
    /// [`TextTower::forward`].
    pub fn encode_text(&self, tokens: Tensor<2, Int>, end: &[usize]) -> Tensor<2> {
        self.text.forward(embedded(&self.token_embedding, tokens), end)
    }

    /// How well each text fits each image, `[images, texts]`, from features of any length.
    pub fn logits_per_image(&self, images: Tensor<2>, texts: Tensor<2>) -> Tensor<2> {
        unit_rows(images).matmul(unit_rows(texts).transpose()) * self.logit_scale.val().exp().unsqueeze()
    }
}

/// Looks up token ids, `[batch, tokens]`, in a table `[vocabulary, width]`.
pub fn embedded(table: &Param<Tensor<2>>, tokens: Tensor<2, Int>) -> Tensor<3> {
    let [batch, n_tokens] = tokens.dims();
    let [_, width] = table.dims();
    table.val().select(0, tokens.flatten(0, 1)).reshape([batch, n_tokens, width])
}

/// Vision transformer over non-overlapping patches.
#[derive(Module, Debug)]
pub struct ImageTower {
    /// The class token, `[width]`.
    pub class_embedding: Param<Tensor<1>>,
    /// Class token first, then patches row by row, `[1 + patches, width]`.
    pub positional_embedding: Param<Tensor<2>>,
    /// `[width, output width]`
    pub proj: Param<Tensor<2>>,
    /// Patch embedding without bias.
    pub conv1: PatchConv,
    /// Before the blocks.
    pub ln_pre: LayerNorm,
    /// The blocks.
    pub transformer: Transformer,
    /// On the class token, after the blocks.
    pub ln_post: LayerNorm,
}

/// A convolution whose kernel equals its stride, computed as one matrix product.
#[derive(Module, Debug)]
pub struct PatchConv {
    /// `[width, 3, patch, patch]`
    pub weight: Param<Tensor<4>>,
}

impl PatchConv {
    /// `images` `[batch, 3, side, side]` to `[batch, patches, width]`, row by row.
    fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let [batch, channels, side, _] = images.dims();
        let [width, _, patch, _] = self.weight.dims();
        let n = side / patch;
        let patches = images
            .reshape([batch, channels, n, patch, n, patch])
            .permute([0, 2, 4, 1, 3, 5]) // [batch, row, column, channels, patch, patch]
            .reshape([batch, n * n, channels * patch * patch]);
        let weight = self.weight.val().reshape([width, channels * patch * patch]).transpose();
        burn::tensor::module::linear(patches, weight, None)
    }
}

/// Sizes of an image tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImageTowerSize {
    /// Side of the input in pixels.
    pub side_px: usize,
    /// Side of a patch in pixels.
    pub patch_px: usize,
    /// Width of the blocks.
    pub width: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Output width.
    pub out: usize,
}

impl ImageTower {
    /// A tower with random values, to be filled from a checkpoint.
    pub fn new(size: ImageTowerSize, init: &mut Init<'_>) -> Self {
        let ImageTowerSize { side_px, patch_px, width, n_layers, out } = size;
        let n_patches = (side_px / patch_px).pow(2);
        let deviation = (width as f64).powf(-0.5);
        Self {
            class_embedding: init.normal([width], deviation),
            positional_embedding: init.normal([1 + n_patches, width], deviation),
            proj: init.normal([width, out], deviation),
            conv1: PatchConv { weight: init.normal([width, 3, patch_px, patch_px], 1.0 / (patch_px as f64 * 3.0)) },
            ln_pre: init.layer_norm(width),
            transformer: Transformer::new(width, n_layers, width / HEAD_WIDTH, init),
            ln_post: init.layer_norm(width),
        }
    }

    /// What the blocks work on: class token and patches of images, `[batch, 1 + patches, width]`.
    pub fn embed(&self, images: Tensor<4>) -> Tensor<3> {
        let [batch, _, _, _] = images.dims();
        let [width, _] = self.proj.dims();
        let class = self.class_embedding.val().reshape([1, 1, width]).expand([batch, 1, width]);
        let x = Tensor::cat(vec![class, self.conv1.forward(images)], 1) + self.positional_embedding.val().unsqueeze();
        self.ln_pre.forward(x)
    }

    /// Encodes images, `[batch, 3, side, side]`, normalized, to `[batch, output width]`, not of unit length.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, _, _, _] = images.dims();
        let [width, out] = self.proj.dims();
        let x = self.transformer.forward(self.embed(images), None);
        let class = self.ln_post.forward(x.narrow(1, 0, 1)).reshape([batch, width]);
        let features = class.matmul(self.proj.val());
        assert_shape!(features, [batch, out]);
        features
    }
}

/// Causal text transformer; it takes embedded tokens, so that learned prompts can stand among them.
#[derive(Module, Debug)]
pub struct TextTower {
    /// `[context, width]`
    pub positional_embedding: Param<Tensor<2>>,
    /// The blocks.
    pub transformer: Transformer,
    /// After the blocks.
    pub ln_final: LayerNorm,
    /// `[width, output width]`
    pub text_projection: Param<Tensor<2>>,
}

/// Sizes of a text tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TextTowerSize {
    /// Tokens at most.
    pub context: usize,
    /// Width of the blocks.
    pub width: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Width of a head; CLIP's is 64.
    pub head_width: usize,
    /// Output width.
    pub out: usize,
}

impl TextTower {
    /// A tower with random values.
    pub fn new(size: TextTowerSize, init: &mut Init<'_>) -> Self {
        let TextTowerSize { context, width, n_layers, head_width, out } = size;
        Self {
            positional_embedding: init.normal([context, width], 0.01),
            transformer: Transformer::new(width, n_layers, width / head_width, init),
            ln_final: init.layer_norm(width),
            text_projection: init.normal([width, out], (width as f64).powf(-0.5)),
        }
    }

    /// What the blocks make of embedded tokens, `[batch, tokens, width]`.
    pub fn blocks(&self, tokens: Tensor<3>) -> Tensor<3> {
        let [_, context, _] = tokens.dims();
        let device = tokens.device();
        let x = tokens + self.positional_embedding.val().narrow(0, 0, context).unsqueeze();
        self.transformer.forward(x, Some(&future_mask(context, context, &device)))
    }

    /// Encodes token sequences.
    ///
    /// - `tokens` `[batch, context, width]`, embedded
    /// - `end` position of the end token of each sequence, whose feature stands for the whole
    /// - output `[batch, output width]`, not of unit length
    pub fn forward(&self, tokens: Tensor<3>, end: &[usize]) -> Tensor<2> {
        let [batch, context, width] = tokens.dims();
        let device = tokens.device();
        let x = self.blocks(tokens);
        // Rows are picked before the norm, which works row by row.
        let rows: Vec<i64> = end.iter().enumerate().map(|(row, &position)| (row * context + position) as i64).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [batch]), &device);
        let ends = x.reshape([batch * context, width]).select(0, rows);
        self.ln_final.forward(ends).matmul(self.text_projection.val())
    }
}
