//! Names, precisions, and files of every kind.

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
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F16, vec![2], &bytes).unwrap();
    std::fs::write(&path, safetensors::serialize([("weight", view)], None).unwrap()).unwrap();
    let mut norm = burn::nn::LayerNormConfig::new(2).with_bias(false).init(&device);
    import(&mut norm, &path, &[]).unwrap();
    assert_eq!(norm.gamma.val().dtype(), DType::F32);
    assert_eq!(norm.gamma.val().try_into_vec_as::<f32>().unwrap(), [1.5, -2.0]);
}

/// A file that `samples/make.py` makes.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/weights/samples").join(name)
}

/// Name, shape and values of all tensors of a sample, in the order of the names.
fn tensors(name: &str) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut tensors: Vec<_> = read_checkpoint(&sample(name))
        .unwrap()
        .into_iter()
        .map(|tensor| {
            let data = TensorData::from_bytes(tensor.to_bytes().unwrap(), tensor.shape.clone(), tensor.dtype);
            let shape = tensor.shape.iter().copied().collect();
            (tensor.name.clone(), shape, data.convert::<f32>().try_into_vec::<f32>().unwrap())
        })
        .collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}

fn row(name: &str, shape: &[usize], values: &[f32]) -> (String, Vec<usize>, Vec<f32>) {
    (name.to_owned(), shape.to_vec(), values.to_vec())
}

#[test]
fn both_formats_of_pytorch_have_the_same_tensors() {
    let expected = [
        row("count", &[2], &[41.0, 42.0]),
        row("end", &[2], &[4.0, 5.0]),
        row("scalar", &[], &[7.0]),
        row("turned", &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]),
        row("whole", &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
    ];
    for (name, container) in [("plain.pt", Container::Torch), ("legacy.pt", Container::TorchLegacy)] {
        assert_eq!(tensors(name), expected, "{name}");
        assert_eq!(open_checkpoint(&sample(name)).unwrap().container, container);
    }
}

#[test]
fn halves_and_doubles_are_read() {
    let values = [1.5, -2.0];
    assert_eq!(
        tensors("halves.pt"),
        [row("bfloat16", &[2], &values), row("double", &[2], &values), row("half", &[2], &values)]
    );
}

#[test]
fn weights_are_found_in_what_a_training_saved_beside_them() {
    assert_eq!(tensors("lightning.ckpt"), [row("bias", &[1], &[3.0]), row("weight", &[2], &[1.0, 2.0])]);
    let set_aside = open_checkpoint(&sample("lightning.ckpt")).unwrap().set_aside;
    assert_eq!(set_aside, ["best", "optimizer_states.0.state.0.exp_avg", "optimizer_states.0.state.0.exp_avg_sq"]);
}

#[test]
fn whole_modules_are_read_as_their_state_dictionaries() {
    for name in ["module.pt", "module_legacy.pt"] {
        assert_eq!(tensors(name), [row("fc.mean", &[1], &[4.0]), row("fc.weight", &[1], &[5.0])], "{name}");
    }
    assert_eq!(tensors("script.pt"), [row("logit_scale", &[], &[4.5]), row("visual.weight", &[2], &[1.0, 2.0])]);
    assert_eq!(open_checkpoint(&sample("script.pt")).unwrap().container, Container::TorchScript);
}

#[track_caller]
fn check_fails(path: &Path, says: &str) {
    let error = open_checkpoint(path).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(says), "{text:?} should contain {says:?}");
    assert!(text.ends_with(&path.display().to_string()), "{text}");
}

#[test]
fn what_would_run_something_is_refused_by_name() {
    check_fails(&sample("hostile.pt"), "refused: it asks for posix.system at byte");
    check_fails(&sample("hostile_legacy.pt"), "refused: it asks for __builtin__.eval at byte");
    check_fails(&sample("hostile_unknown.pt"), "refused: it asks for a call of nobodys_code.run at byte");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    let head = std::fs::read(sample("legacy.pt")).unwrap();
    // Magic number and protocol of a legacy file, then a program.
    let head = &head[..21];
    for (program, says) in [
        (&b"\x80\x04\x8c\x02os\x8c\x06system\x93)R."[..], "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"csubprocess\nPopen\n)\x81.", "subprocess.Popen"),
        (b"cmine\nEvil\n)R.", "a call of mine.Evil"),
        (b"cimportlib.util\nfind_spec\n.", "importlib.util.find_spec"),
        (b"\x82\x01.", "the opcode 0x82"),
        (b"K\x01)R.", "without a name"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)\x81.", "an object without a class"),
    ] {
        std::fs::write(&path, [head, program].concat()).unwrap();
        check_fails(&path, says);
    }
}

#[test]
fn sizes_that_a_file_does_not_have_are_damage_before_they_are_memory() {
    check_fails(&sample("lying_storage.pt"), "the numbers of weight end after their storage");
    check_fails(&sample("lying_shape.pt"), "is larger than its storage");
    check_fails(&sample("lying_legacy.pt"), "ends after the file");
    check_fails(&sample("big_endian.pt"), "big-endian");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    let legacy = std::fs::read(sample("legacy.pt")).unwrap();
    for program in [
        // A text of four gigabytes, an empty stack, a memory cell that nobody filled, an opcode that there is not.
        &b"X\xFF\xFF\xFF\xFFab."[..],
        b".",
        b"h\x07.",
        b"\xFE.",
        // A reference to something else than a storage.
        b"(S'file'\nS'/etc/passwd'\ntQ.",
    ] {
        std::fs::write(&path, [&legacy[..21], program].concat()).unwrap();
        check_fails(&path, "cannot be read as weights: its pickle has");
    }
    // A million copies of a list of a thousand.
    let list = [&b"ccollections\nOrderedDict\nq\x00(]("[..], &b"]".repeat(1000), b"etq\x01"].concat();
    std::fs::write(&path, [&legacy[..21], &list, &b"h\x00h\x01R0".repeat(1 << 16), b"."].concat()).unwrap();
    assert!(open_checkpoint(&path).is_err());
    std::fs::write(&path, b"\x10\0\0\0\0\0\0\xFF{\"a\":1}").unwrap();
    assert!(matches!(open_checkpoint(&path), Err(ModelError::Damaged { .. })));
    std::fs::write(&path, b"hello").unwrap();
    check_fails(&path, "neither .safetensors nor what torch.save writes");
}

#[test]
fn a_file_that_ends_early_is_an_error_wherever_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    for name in ["plain.pt", "legacy.pt", "script.pt"] {
        let whole = std::fs::read(sample(name)).unwrap();
        for len in 0..whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            match open_checkpoint(&path) {
                Err(ModelError::Damaged { .. }) => {}
                other => panic!("{len} of {} bytes of {name}: {other:?}", whole.len()),
            }
        }
    }
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
    let (fit, placed) = fit(&linear, file, place);
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
