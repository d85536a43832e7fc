//! Counts and properties of the definition; its numbers are compared in `tests/parity`.

use burn::module::Module as _;
use burn::tensor::Device;

use super::*;

#[test]
fn the_number_of_parameters_follows_from_lengths_and_form() {
    let count = |size: &McrSize, [language, video, audio]: [usize; 3], [d_l, d_v, d_a]: [usize; 3], n_out: usize| {
        let length = ByStream { language, video, audio };
        let n_dims = ByStream { language: d_l, video: d_v, audio: d_a };
        Mcr::new(size, &length, &n_dims, n_out, &mut Init::new(0, &Device::flex())).num_params()
    };
    let (mosi, mosei) = ([300, 20, 5], [300, 35, 74]);
    let paper = McrSize::paper();
    let four_layers = McrSize { n_heads: 8, n_layers: 4, ..paper.clone() };
    let iemocap = McrSize { kernel: ByStream { language: 3, video: 3, audio: 5 }, ..paper.clone() };
    for (size, lengths, n_dims, n_out, collapsed, pooled) in [
        (&paper, [50, 500, 375], mosi, 1, 2_576_549, 2_089_131),
        (&paper, [50, 50, 50], mosi, 1, 795_399, 741_981),
        (&four_layers, [50, 500, 500], mosei, 1, 4_121_145, 3_322_041),
        (&four_layers, [50, 50, 50], mosei, 1, 1_053_945, 974_841),
        (&iemocap, [20, 20, 20], mosei, 8, 723_506, 720_488),
    ] {
        assert_eq!(count(size, lengths, n_dims, n_out), collapsed);
        let size = McrSize { beta: BetaForm::Pooled, ..size.clone() };
        assert_eq!(count(&size, lengths, n_dims, n_out), pooled);
    }
    let literal = McrSize { beta: BetaForm::Literal, ..iemocap };
    assert_eq!(count(&literal, [20, 20, 20], mosei, 8), 12_250_688);
}

#[test]
fn reliabilities_of_both_sources_sum_to_one() {
    let device = Device::flex();
    let size = McrSize { width: 8, n_heads: 2, ..McrSize::paper() };
    let length = ByStream { language: 3, video: 5, audio: 4 };
    let n_dims = ByStream { language: 6, video: 7, audio: 2 };
    let mut init = Init::new(1, &device);
    let model = Mcr::new(&size, &length, &n_dims, 1, &mut init);
    let inputs =
        Streams::of(Modalities::ALL, |stream| init.normal([2, length.get(stream), n_dims.get(stream)], 1.0).val());
    let mut sums = Vec::new();
    let mut see = |name: &str, tensor: Tensor<3>| {
        if name.contains(".alpha.") || name.contains("attention") {
            sums.extend(tensor.sum_dim(2).try_into_vec_as::<f32>().unwrap());
        }
    };
    model.watched(&size, &inputs, &mut Watch::new(&mut see));
    // For each layer and target: one α, two maps of the CMU and one of the SCU, of two samples.
    assert_eq!(sums.len(), 3 * 2 * [3, 5, 4].map(|steps| 1 + 3 * steps).iter().sum::<usize>());
    assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
}

#[test]
fn sources_are_the_others_in_their_order() {
    let of = |modalities: &str, target| {
        let size = McrSize { modalities: modalities.parse().unwrap(), ..McrSize::paper() };
        size.sources(target)
    };
    use Modality::{Face, Text, Voice};
    for (modalities, target, sources) in [
        ("vat", Text, [Face, Voice]),
        ("vat", Face, [Text, Voice]),
        ("vat", Voice, [Text, Face]),
        ("va", Face, [Voice, Voice]),
        ("v", Face, [Face, Face]),
    ] {
        assert_eq!(of(modalities, target), sources, "{modalities} to {target:?}");
    }
}
