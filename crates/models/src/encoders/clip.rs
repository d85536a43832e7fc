//! CLIP's two towers (Radford et al. 2021), as OpenAI's checkpoints name and lay them out.
//!
//! Left out: the ResNet image towers.

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::tensor::{Int, Tensor, TensorData, assert_shape};

use crate::Init;
use crate::layers::transformer::{Transformer, causal_mask};

/// CLIP's heads are 64 wide at every size.
const HEAD_WIDTH: usize = 64;

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

    /// Encodes images, `[batch, 3, side, side]`, normalized, to `[batch, output width]`, not of unit length.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, _, _, _] = images.dims();
        let [width, out] = self.proj.dims();
        let class = self.class_embedding.val().reshape([1, 1, width]).expand([batch, 1, width]);
        let x = Tensor::cat(vec![class, self.conv1.forward(images)], 1) + self.positional_embedding.val().unsqueeze();
        let x = self.transformer.forward(self.ln_pre.forward(x), None);
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

    /// Encodes token sequences.
    ///
    /// - `tokens` `[batch, context, width]`, embedded
    /// - `end` position of the end token of each sequence, whose feature stands for the whole
    /// - output `[batch, output width]`, not of unit length
    pub fn forward(&self, tokens: Tensor<3>, end: &[usize]) -> Tensor<2> {
        let [batch, context, width] = tokens.dims();
        let device = tokens.device();
        let x = tokens + self.positional_embedding.val().narrow(0, 0, context).unsqueeze();
        let x = self.transformer.forward(x, Some(&causal_mask(context, &device)));
        // Rows are picked before the norm, which works row by row.
        let rows: Vec<i64> = end.iter().enumerate().map(|(row, &position)| (row * context + position) as i64).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [batch]), &device);
        let ends = x.reshape([batch * context, width]).select(0, rows);
        self.ln_final.forward(ends).matmul(self.text_projection.val())
    }
}
