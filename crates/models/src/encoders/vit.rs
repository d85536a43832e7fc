//! Vision transformers over patches (Dosovitskiy et al. 2021), named and laid out as timm's: MAE-Face (Ma et al. 2023)
//! sees faces, AudioMAE (Huang et al. 2022) sees spectrograms.
//!
//! Left out: the decoders that the masked autoencoders were trained with, and heads of other tasks.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::activation::gelu;
use burn::tensor::{Distribution, Tensor, TensorData, assert_shape};

use crate::encoders::tiny::{FaceNet, VoiceNet};
use crate::layers::transformer::attention;
use crate::weights::{Spelling, import_spelled, read_checkpoint};
use crate::{Init, ModelError};

/// Added to the variance in every norm, as in both encoders; PyTorch's default is ten times as much.
const NORM_EPSILON: f64 = 1e-6;

/// Beginnings of names that the encoders' files may hold besides the encoder.
const LEFTOVERS: [(&str, &str); 3] = [
    ("decoder_", "the decoder that it was pretrained with"),
    ("mask_token", "the decoder that it was pretrained with"),
    ("head.", "a head of another task"),
];

/// How a published encoder of these tensors spells the parameters of a [`Vit`]; some files hold all of it under the key
/// `model`.
pub fn spelling(tensors: &[PackTensor]) -> Spelling<'static> {
    let is_inside = tensors.iter().any(|tensor| tensor.name.starts_with(KEY));
    Spelling::renamed(&[], &LEFTOVERS).behind(if is_inside { KEY } else { "" })
}

/// What stands before the names of a model that is kept beside other things.
const KEY: &str = "model.";

/// Sizes of a transformer over patches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VitSize {
    /// Channels of the input.
    pub channels: usize,
    /// Side of a patch, in pixels or in frames and mel bins.
    pub patch: usize,
    /// Patches from top to bottom and from left to right; of a spectrogram, along time and frequency.
    pub grid: [usize; 2],
    /// Tokens after the patches that have a position too.
    pub n_prompts: usize,
    /// The blocks.
    pub blocks: BlockSize,
}

/// Sizes of a stack of blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockSize {
    /// Width of a token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Heads of the attention.
    pub heads: usize,
    /// Hidden width of the feed-forward half, in widths.
    pub mlp_ratio: usize,
    /// How likely the last block is left out for a sample in training, the others in proportion (stochastic depth).
    pub drop_path: f64,
}

impl BlockSize {
    /// ViT-Base.
    pub const BASE: Self = Self { width: 768, depth: 12, heads: 12, mlp_ratio: 4, drop_path: 0.0 };
}

impl VitSize {
    /// MAE-Face, `mae_face_pretrain_vit_base.pth`: frames of 224 × 224.
    pub const MAE_FACE: Self = Self { channels: 3, patch: 16, grid: [14, 14], n_prompts: 0, blocks: BlockSize::BASE };
    /// AudioMAE, `pretrained.pth`: 1024 frames of 128 mel bins.
    pub const AUDIO_MAE: Self = Self { channels: 1, patch: 16, grid: [64, 8], n_prompts: 0, blocks: BlockSize::BASE };
}

/// A transformer over the patches of an image or spectrogram.
#[derive(Module, Debug)]
pub struct Vit {
    /// The class token, `[1, 1, width]`.
    pub cls_token: Param<Tensor<3>>,
    /// Class token first, then patches row by row, then prompts: `[1, 1 + patches + prompts, width]`.
    pub pos_embed: Param<Tensor<3>>,
    /// Inputs to tokens.
    pub patch_embed: Stem,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// After the blocks.
    pub norm: LayerNorm,
    grid_rows: usize,
    grid_columns: usize,
}

/// What stands before the blocks.
#[derive(Module, Debug)]
pub enum Stem {
    /// A token for each patch.
    Patches(PatchEmbed),
    /// All of a frame goes into the class token.
    Face(FaceNet),
    /// All of a spectrogram goes into the class token.
    Voice(VoiceNet),
}

/// A convolution whose kernel equals its stride, computed as one matrix product.
#[derive(Module, Debug)]
pub struct PatchEmbed {
    /// The convolution.
    pub proj: PatchConv,
}

/// Weights of a convolution over patches.
#[derive(Module, Debug)]
pub struct PatchConv {
    /// `[width, channels, patch, patch]`
    pub weight: Param<Tensor<4>>,
    /// `[width]`
    pub bias: Param<Tensor<1>>,
}

impl PatchConv {
    /// `x` `[batch, channels, height, width]` to `[batch, patches, token width]`, row by row.
    fn forward(&self, x: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = x.dims();
        let [out, _, patch, _] = self.weight.dims();
        let (rows, columns) = (height / patch, width / patch);
        let patches = x
            .reshape([batch, channels, rows, patch, columns, patch])
            .permute([0, 2, 4, 1, 3, 5]) // [batch, row, column, channels, patch, patch]
            .reshape([batch, rows * columns, channels * patch * patch]);
        let weight = self.weight.val().reshape([out, channels * patch * patch]).transpose();
        burn::tensor::module::linear(patches, weight, Some(self.bias.val()))
    }
}

impl Vit {
    /// An encoder over patches with random values.
    pub fn new(size: VitSize, init: &mut Init<'_>) -> Self {
        let VitSize { channels, patch, grid, n_prompts, blocks } = size;
        let n_values = channels * patch * patch;
        let bound = 1.0 / (n_values as f64).sqrt();
        let proj = PatchConv {
            weight: init.uniform([blocks.width, channels, patch, patch], bound),
            bias: init.uniform([blocks.width], bound),
        };
        Self::with_stem(Stem::Patches(PatchEmbed { proj }), grid, n_prompts, blocks, init)
    }

    /// An encoder behind any stem; `grid` is `[0, 0]` for one that makes no patches.
    pub fn with_stem(stem: Stem, grid: [usize; 2], n_prompts: usize, size: BlockSize, init: &mut Init<'_>) -> Self {
        let BlockSize { width, depth, .. } = size;
        let block = |idx: usize, init: &mut Init<'_>| {
            let drop_path = size.drop_path * idx as f64 / depth.saturating_sub(1).max(1) as f64;
            Block::new(size, drop_path, init)
        };
        Self {
            // Both encoders were trained from a deviation of 0.02.
            cls_token: init.normal([1, 1, width], 0.02),
            pos_embed: init.normal([1, 1 + grid[0] * grid[1] + n_prompts, width], 0.02),
            patch_embed: stem,
            blocks: (0..depth).map(|idx| block(idx, init)).collect(),
            norm: norm(width, init),
            grid_rows: grid[0],
            grid_columns: grid[1],
        }
    }

    /// An encoder from the file in which it was published: strict, but for the decoder that comes with it.
    pub fn from_file(size: VitSize, path: &Path, init: &mut Init<'_>) -> Result<Self, ModelError> {
        let mut vit = Self::new(size, init);
        let tensors = read_checkpoint(path)?;
        let spelling = spelling(&tensors);
        import_spelled(&mut vit, tensors, &spelling, path)?;
        Ok(vit)
    }

    /// Patches of `x`, `[batch, channels, height, width]`, along both sides; nothing of what a stem reads whole.
    fn grid_of(&self, x: &Tensor<4>) -> [usize; 2] {
        match &self.patch_embed {
            Stem::Patches(PatchEmbed { proj }) => {
                let ([_, _, height, width], [_, _, patch, _]) = (x.dims(), proj.weight.dims());
                [height / patch, width / patch]
            }
            Stem::Face(_) | Stem::Voice(_) => [0, 0],
        }
    }

    /// Positions of class token, patches and prompts for a grid of patches, resized where it is not the encoder's own.
    pub fn positions(&self, grid: [usize; 2]) -> Tensor<3> {
        resize_positions(self.pos_embed.val(), [self.grid_rows, self.grid_columns], grid)
    }

    /// Inputs to tokens with positions.
    ///
    /// - `x` `[batch, channels, height, width]`
    /// - `valid` `[batch, height]` of 0 and 1, for a stem that reads a spectrogram whole
    /// - `prompts` `[prompts, width]`, tokens after the patches
    /// - output `[batch, 1 + patches + prompts, width]`, the class token first
    pub fn embed(&self, x: Tensor<4>, valid: Option<&Tensor<2>>, prompts: Option<Tensor<2>>) -> Tensor<3> {
        let [batch, _, height, bins] = x.dims();
        let [_, _, width] = self.cls_token.dims();
        let positions = self.positions(self.grid_of(&x));
        let class = self.cls_token.val().expand([batch, 1, width]);
        let mut tokens = match &self.patch_embed {
            Stem::Patches(patches) => vec![class, patches.proj.forward(x)],
            Stem::Face(net) => vec![class + net.forward(x).unsqueeze_dim::<3>(1)],
            Stem::Voice(net) => {
                let everywhere = || Tensor::ones([batch, height], &class.device());
                let valid = valid.cloned().unwrap_or_else(everywhere);
                let summary = net.forward(x.reshape([batch, height, bins]), &valid);
                vec![class + summary.unsqueeze_dim::<3>(1)]
            }
        };
        if let Some(prompts) = prompts {
            let [n_prompts, _] = prompts.dims();
            tokens.push(prompts.unsqueeze::<3>().expand([batch, n_prompts, width]));
        }
        let tokens = Tensor::cat(tokens, 1);
        let [_, n_tokens, _] = tokens.dims();
        assert_shape!(positions, [1, n_tokens, width]);
        tokens + positions
    }

    /// All tokens after the final norm, `[batch, 1 + patches, width]`, of `x`, `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<3> {
        let tokens = self.embed(x, None, None);
        self.norm.forward(self.blocks.iter().fold(tokens, |tokens, block| block.forward(tokens)))
    }

    /// The class token after the final norm, `[batch, width]`, of all tokens before it.
    pub fn class_token(&self, tokens: Tensor<3>) -> Tensor<2> {
        let [batch, _, width] = tokens.dims();
        // The norm works row by row.
        self.norm.forward(tokens.narrow(1, 0, 1)).reshape([batch, width])
    }

    /// The same encoder for the grid and the prompts of `like`: positions are resized, those of prompts are fresh.
    #[must_use]
    pub fn adapted_to(mut self, like: &Self, init: &mut Init<'_>) -> Self {
        let [_, n_positions, width] = like.pos_embed.dims();
        let n_prompts = n_positions - 1 - like.grid_rows * like.grid_columns;
        let mut positions = vec![self.positions([like.grid_rows, like.grid_columns])];
        if n_prompts > 0 {
            // As wide as in MMA-DFER's released code.
            positions.push(init.normal([1, n_prompts, width], 1.0).val());
        }
        self.pos_embed =
            self.pos_embed.map(|own| Tensor::cat(positions, 1).detach().set_require_grad(own.is_require_grad()));
        (self.grid_rows, self.grid_columns) = (like.grid_rows, like.grid_columns);
        self
    }

    /// Turns gradients off for all but the positions, which MMA-DFER adapts to its resolution.
    #[must_use]
    pub fn freeze_pretrained(mut self) -> Self {
        self.cls_token = self.cls_token.no_grad();
        self.patch_embed = self.patch_embed.no_grad();
        self.blocks = self.blocks.no_grad();
        self.norm = self.norm.no_grad();
        self
    }
}

/// `x + attention(norm x)`, then `x + mlp(norm x)`.
#[derive(Module, Debug)]
pub struct Block {
    /// Before the attention.
    pub norm1: LayerNorm,
    /// Self-attention.
    pub attn: Attention,
    /// Before the feed-forward half.
    pub norm2: LayerNorm,
    /// Feed-forward.
    pub mlp: Mlp,
    drop_path: f64,
}

/// Multi-head self-attention; rows of `qkv` are queries, keys, values, each split in heads.
#[derive(Module, Debug)]
pub struct Attention {
    /// Width to three widths.
    pub qkv: Linear,
    /// After the heads.
    pub proj: Linear,
    n_heads: usize,
}

/// Width → hidden → exact GELU → width.
#[derive(Module, Debug)]
pub struct Mlp {
    /// Up.
    pub fc1: Linear,
    /// Down.
    pub fc2: Linear,
}

impl Block {
    fn new(size: BlockSize, drop_path: f64, init: &mut Init<'_>) -> Self {
        let BlockSize { width, heads, mlp_ratio, .. } = size;
        assert_eq!(width % heads, 0, "width {width} must be a multiple of {heads} heads");
        Self {
            norm1: norm(width, init),
            attn: Attention { qkv: init.linear(width, 3 * width), proj: init.linear(width, width), n_heads: heads },
            norm2: norm(width, init),
            mlp: Mlp { fc1: init.linear(width, mlp_ratio * width), fc2: init.linear(mlp_ratio * width, width) },
            drop_path,
        }
    }

    /// `x` `[batch, tokens, width]` to the same shape.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let attended = self.attn.forward(self.norm1.forward(x.clone()));
        let x = x + self.some_dropped(attended);
        let changed = self.mlp.fc2.forward(gelu(self.mlp.fc1.forward(self.norm2.forward(x.clone()))));
        x + self.some_dropped(changed)
    }

    /// In training, zero for some samples of the batch and more for the others.
    fn some_dropped(&self, change: Tensor<3>) -> Tensor<3> {
        let device = change.device();
        if self.drop_path == 0.0 || !device.is_autodiff() {
            return change;
        }
        let [batch, _, _] = change.dims();
        let keep = 1.0 - self.drop_path;
        change * Tensor::random([batch, 1, 1], Distribution::Bernoulli(keep), &device).div_scalar(keep)
    }
}

impl Attention {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, _, width] = x.dims();
        let qkv = self.qkv.forward(x);
        let part = |part: usize| qkv.clone().narrow(2, part * width, width);
        let (mixed, _) = attention([part(0), part(1), part(2)], self.n_heads, None, |weights| weights);
        self.proj.forward(mixed)
    }
}

fn norm(width: usize, init: &mut Init<'_>) -> LayerNorm {
    let mut norm = LayerNormConfig::new(width).with_epsilon(NORM_EPSILON).init(init.device());
    norm.gamma = init.constant([width], 1.0);
    norm.beta = Some(init.constant([width], 0.0));
    norm
}

/// Positions for another grid of patches: bicubic along both sides, not widened when the grid shrinks.
///
/// - `positions` `[1, 1 + rows · columns + prompts, width]`
/// - `from`, `to` rows and columns; the class token and the prompts stay as they are
pub fn resize_positions(positions: Tensor<3>, from: [usize; 2], to: [usize; 2]) -> Tensor<3> {
    if from == to {
        return positions;
    }
    let [_, n, width] = positions.dims();
    let n_patches = from[0] * from[1];
    let device = positions.device();
    let weights = |side: usize| Tensor::<2>::from_data(cubic_weights(from[side], to[side]), &device);
    let class = positions.clone().narrow(1, 0, 1);
    let grid = positions.clone().narrow(1, 1, n_patches);
    // Rows first: [to rows, from rows] · [from rows, from columns · width].
    let grid = weights(0).matmul(grid.reshape([from[0], from[1] * width]));
    let grid = grid.reshape([to[0], from[1], width]);
    let grid = weights(1).unsqueeze::<3>().expand([to[0], to[1], from[1]]).matmul(grid); // [to rows, to columns, width]
    let mut parts = vec![class, grid.reshape([1, to[0] * to[1], width])];
    if n > 1 + n_patches {
        parts.push(positions.narrow(1, 1 + n_patches, n - 1 - n_patches));
    }
    Tensor::cat(parts, 1)
}

/// The kernel's parameter in PyTorch's `interpolate(mode="bicubic")`.
const CUBIC: f64 = -0.75;

/// What each of `from` points gives to each of `to` points, `[to, from]`: centres of cells are mapped, edges repeated.
fn cubic_weights(from: usize, to: usize) -> TensorData {
    let mut weights = vec![0.0_f64; to * from];
    for target in 0..to {
        let source = (target as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let before = source.floor();
        for tap in -1..=2 {
            let place = before + f64::from(tap);
            let nearest = place.clamp(0.0, from as f64 - 1.0) as usize;
            weights[target * from + nearest] += cubic(source - place);
        }
    }
    TensorData::new(weights.into_iter().map(|weight| weight as f32).collect::<Vec<_>>(), [to, from])
}

/// Cubic convolution (Keys 1981).
fn cubic(distance: f64) -> f64 {
    let d = distance.abs();
    if d <= 1.0 {
        ((CUBIC + 2.0) * d - (CUBIC + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((CUBIC * d - 5.0 * CUBIC) * d + 8.0 * CUBIC) * d - 4.0 * CUBIC
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn resizing_keeps_what_is_even_and_what_is_no_patch() {
        let device = Device::flex();
        // Class token 9, patches 5, prompt 7.
        let values = [vec![9.0_f32], vec![5.0; 6], vec![7.0]].concat();
        let positions = Tensor::<3>::from_data(TensorData::new(values, [1, 8, 1]), &device);
        let resized: Vec<f32> = resize_positions(positions, [3, 2], [2, 4]).try_into_vec_as().unwrap();
        let want = [vec![9.0_f32], vec![5.0; 8], vec![7.0]].concat();
        assert!(resized.iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-5), "{resized:?}");
        assert_eq!(resized.len(), want.len());
    }

    #[test]
    fn a_file_may_hold_a_decoder_but_must_hold_the_encoder() {
        let device = Device::flex();
        let blocks = BlockSize { width: 8, depth: 2, heads: 2, mlp_ratio: 2, drop_path: 0.0 };
        let size = VitSize { channels: 1, patch: 4, grid: [2, 2], n_prompts: 0, blocks };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mae.safetensors");
        #[derive(Module, Debug)]
        struct File<D: Module> {
            decoder_embed: D,
            model: Vit,
        }
        let vit = Vit::new(size, &mut Init::new(1, &device));
        let file = File { decoder_embed: Init::new(2, &device).linear(2, 3), model: vit.clone() };
        crate::export(&file, &path, &[]).unwrap();
        let read = Vit::from_file(size, &path, &mut Init::new(3, &device)).unwrap();
        let x = Tensor::<4>::ones([1, 1, 8, 8], &device);
        let tokens = |vit: &Vit| vit.forward(x.clone()).try_into_vec_as::<f32>().unwrap();
        assert_eq!(tokens(&read), tokens(&vit));

        let deeper = VitSize { blocks: BlockSize { depth: 3, ..blocks }, ..size };
        let error = Vit::from_file(deeper, &path, &mut Init::new(3, &device)).unwrap_err().to_string();
        assert!(error.contains("missing") && error.contains("blocks.2"), "{error}");
        let shallower = VitSize { blocks: BlockSize { depth: 1, ..blocks }, ..size };
        let error = Vit::from_file(shallower, &path, &mut Init::new(3, &device)).unwrap_err().to_string();
        assert!(error.contains("unexpected") && error.contains("blocks.1"), "{error}");
    }
}
