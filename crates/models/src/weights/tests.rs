//! Names, precisions, and files of every kind.

use std::path::PathBuf;

use super::*;

#[test]
fn a_star_in_a_rename_is_a_number() {
    let renames = [
        Rename { checkpoint: "net.*.up.*.", module: "layers.*.bends.*." },
        Rename { checkpoint: "net.", module: "rest." },
    ];
    for (checkpoint, module) in [
        ("net.3.up.12.weight", "layers.3.bends.12.weight"),
        ("net.3.down.weight", "rest.3.down.weight"),
        ("net.x.up.1.weight", "rest.x.up.1.weight"),
        ("head.weight", "head.weight"),
    ] {
        assert_eq!(Rename::to_module(&renames, checkpoint), module);
        assert_eq!(Rename::to_checkpoint(&renames, module), checkpoint);
    }
}

#[test]
fn a_rename_with_a_dot_first_is_of_any_part() {
    let renames = [
        Rename { checkpoint: "token_embedding.weight", module: "table" },
        Rename { checkpoint: ".self.", module: ".own." },
    ];
    for (checkpoint, module) in [
        ("token_embedding.weight", "table"),
        ("layers.0.self.weight", "layers.0.own.weight"),
        ("clip.token_embedding.weight", "clip.token_embedding.weight"),
        ("self.weight", "self.weight"),
    ] {
        assert_eq!(Rename::to_module(&renames, checkpoint), module);
        assert_eq!(Rename::to_checkpoint(&renames, module), checkpoint);
    }
}

#[test]
fn halves_become_single_precision() {
    let device = burn::tensor::Device::flex();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("half.safetensors");
    // 1.5 and -2 as 16-bit floats.
    let bytes: Vec<u8> = [0x3e00_u16, 0xc000].into_iter().flat_map(u16::to_le_bytes).collect();
    let view = safetensors::tensor::TensorView::new(Dtype::F16, vec![2], &bytes).unwrap();
    std::fs::write(&path, safetensors::serialize([("weight", view)], None).unwrap()).unwrap();
    let mut norm = burn::nn::LayerNormConfig::new(2).with_bias(false).init(&device);
    import(&mut norm, &path, &[]).unwrap();
    assert_eq!(norm.gamma.val().dtype(), DType::F32);
    assert_eq!(norm.gamma.val().try_into_vec_as::<f32>().unwrap(), [1.5, -2.0]);
}

#[test]
fn numbers_that_are_not_finite_are_an_error_that_names_the_tensor() {
    let device = burn::tensor::Device::flex();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights.safetensors");
    for bad in [f32::NAN, f32::INFINITY] {
        let bytes: Vec<u8> = [1.0, bad].into_iter().flat_map(f32::to_le_bytes).collect();
        let view = safetensors::tensor::TensorView::new(Dtype::F32, vec![2], &bytes).unwrap();
        std::fs::write(&path, safetensors::serialize([("weight", view)], None).unwrap()).unwrap();
        let mut norm = burn::nn::LayerNormConfig::new(2).with_bias(false).init(&device);
        let error = import(&mut norm, &path, &[]).unwrap_err().to_string();
        assert!(error.contains("1 unreadable: ") && error.contains("holds NaN or infinity"), "{error}");
    }
}

#[test]
fn an_export_is_what_the_reference_writes() {
    let device = burn::tensor::Device::flex();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights.safetensors");
    let linear = crate::Init::new(1, &device).linear(3, 2);
    let renames = [Rename { checkpoint: "a", module: "weight" }];
    export(&linear, &path, &renames).unwrap();
    let bytes = |tensor: burn::tensor::Tensor<2>| -> Vec<u8> {
        tensor.try_into_vec_as::<f32>().unwrap().into_iter().flat_map(f32::to_le_bytes).collect()
    };
    let weight = bytes(linear.weight.val().transpose());
    let bias = bytes(linear.bias.unwrap().val().unsqueeze());
    let view = |shape, bytes| safetensors::tensor::TensorView::new(Dtype::F32, shape, bytes).unwrap();
    let expected = safetensors::serialize([("bias", view(vec![2], &bias)), ("a", view(vec![2, 3], &weight))], None);
    assert!(std::fs::read(&path).unwrap() == expected.unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// A file of the tests of the reader.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../checkpoints/src/samples").join(name)
}

#[test]
fn a_hostile_file_is_an_error_that_names_what_it_asks_for_and_the_file() {
    let path = sample("hostile.pt");
    let text = open_checkpoint(&path).unwrap_err().to_string();
    assert!(text.starts_with("the file is refused: it asks for posix.system at byte"), "{text}");
    assert!(text.ends_with(&path.display().to_string()), "{text}");
}

#[test]
fn a_fit_lists_what_is_missing_unexpected_and_misshapen() {
    let device = burn::tensor::Device::flex();
    let linear = crate::Init::empty(&device).linear(3, 2);
    let file = open_checkpoint(&sample("plain.pt")).unwrap().tensors;
    let place = |name: &str| match name {
        "whole" | "turned" => Place::At("weight".to_owned()),
        "scalar" => Place::At("bias".to_owned()),
        "count" => Place::Leftover("counters"),
        name => Place::At(name.to_owned()),
    };
    let of_weight = |name: &str| if name == "count" { Place::At("bias".to_owned()) } else { place(name) };
    let integers = fit(&linear, file.clone(), &Spelling::new(of_weight, str::to_owned)).0;
    assert_eq!(integers.mistyped, ["count holds int64 numbers, not floats"]);
    assert!(integers.complaint().unwrap().ends_with("1 of another type: count holds int64 numbers, not floats"));
    let (fit, placed) = fit(&linear, file, &Spelling::new(place, str::to_owned));
    assert_eq!((fit.n_mapped, fit.n_values, placed.len()), (0, 0, 0));
    assert_eq!(fit.unexpected, ["end", "whole"]);
    let misshapen = |name: &str, expected: &[usize], found: &[usize]| Misshapen {
        name: name.to_owned(),
        expected: expected.to_vec(),
        found: found.to_vec(),
    };
    assert_eq!(fit.misshapen, [misshapen("scalar", &[2], &[]), misshapen("turned", &[2, 3], &[3, 2])]);
    assert_eq!(fit.leftovers, [Leftovers { what: "counters".to_owned(), names: vec!["count".to_owned()] }]);
    assert_eq!(
        fit.complaint().unwrap(),
        "2 unexpected: end, whole; 2 misshapen: scalar has the shape [] instead of [2], \
         turned has the shape [3, 2] instead of [2, 3]"
    );
}
