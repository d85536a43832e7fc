//! Files of every kind, and files that nobody should open.

use std::path::PathBuf;

use super::*;

/// A file that `samples/make.py` makes.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/samples").join(name)
}

/// Name, shape and values of all tensors of a sample, in the order of the names.
fn tensors(name: &str) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let tensors = open(&sample(name)).unwrap().tensors;
    let values = |tensor: &Tensor| {
        let size = tensor.dtype.bitsize() / 8;
        tensor.read().unwrap().chunks_exact(size).map(|bytes| value(tensor.dtype, bytes)).collect()
    };
    tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone(), values(tensor))).collect()
}

fn value(dtype: Dtype, bytes: &[u8]) -> f32 {
    match (dtype, bytes) {
        (Dtype::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (Dtype::F64, bytes) => f64::from_le_bytes(bytes.try_into().unwrap()) as f32,
        (Dtype::I64, bytes) => i64::from_le_bytes(bytes.try_into().unwrap()) as f32,
        (Dtype::BF16, &[a, b]) => f32::from_le_bytes([0, 0, a, b]),
        // Powers of two and a half are all there is: sign, five bits of exponent, ten of fraction.
        (Dtype::F16, &[a, b]) => {
            let bits = u16::from_le_bytes([a, b]);
            let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
            sign * 2_f32.powi(i32::from(bits >> 10 & 31) - 15) * (1.0 + f32::from(bits & 1023) / 1024.0)
        }
        other => panic!("{other:?}"),
    }
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
        assert_eq!(open(&sample(name)).unwrap().container, container);
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
    let set_aside = open(&sample("lightning.ckpt")).unwrap().set_aside;
    assert_eq!(set_aside, ["best", "optimizer_states.0.state.0.exp_avg", "optimizer_states.0.state.0.exp_avg_sq"]);
}

#[test]
fn tensors_with_attributes_and_expanded_ones_are_read() {
    let expected = [row("attributes", &[2], &[4.0, 5.0]), row("expanded", &[2, 3], &[7.0, 7.0, 7.0, 8.0, 8.0, 8.0])];
    assert_eq!(tensors("beside.pt"), expected);
}

#[test]
fn what_is_not_read_is_passed_over_beside_the_weights_and_an_error_among_them() {
    assert_eq!(
        open(&sample("beside.pt")).unwrap().set_aside,
        [
            "more.complex (a tensor of complex numbers)",
            "more.float8 (a tensor of torch.float8_e4m3fn)",
            "more.last.0",
            "more.meta (a tensor without numbers)",
            "more.mode (made by nobodys_code.run)",
            "more.negative (a view with other signs)",
            "more.quantized (a quantized tensor)",
            "more.sparse (a sparse tensor)",
        ]
    );
    check_fails(&sample("sparse.pt"), "embedding.weight is a sparse tensor, which is not read");
}

#[test]
fn whole_modules_are_read_as_their_state_dictionaries() {
    for name in ["module.pt", "module_legacy.pt"] {
        assert_eq!(tensors(name), [row("fc.mean", &[1], &[4.0]), row("fc.weight", &[1], &[5.0])], "{name}");
    }
    assert_eq!(tensors("script.pt"), [row("logit_scale", &[], &[4.5]), row("visual.weight", &[2], &[1.0, 2.0])]);
    assert_eq!(open(&sample("script.pt")).unwrap().container, Container::TorchScript);
}

#[test]
fn only_what_is_read_must_not_be_compressed() {
    let mut script = File::open(sample("script.pt")).unwrap();
    let n_bytes = script.metadata().unwrap().len();
    let parts = archive::parts(&mut script, n_bytes).unwrap();
    assert!(parts["script/code/__torch__.py"].is_none() && parts["script/data.pkl"].is_some());
    assert_eq!(tensors("script.pt").len(), 2);
    check_fails(&sample("compressed.pt"), "compressed/data/0 in its archive is compressed");
}

#[track_caller]
fn check_fails(path: &Path, says: &str) {
    match open(path).unwrap_err() {
        Fault::Damaged(reason) | Fault::Refused(reason) if reason.contains(says) => {}
        other => panic!("{other:?} should contain {says:?}"),
    }
}

#[test]
fn plain_objects_of_known_modules_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    let head = &std::fs::read(sample("legacy.pt")).unwrap()[..21];
    // The system, {"args": Namespace(lr=1)} as Python writes it, no storages.
    let system = b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";
    let weights = b"\x80\x02}X\x04\x00\x00\x00argscargparse\nNamespace\n)\x81}X\x02\x00\x00\x00lrK\x01sbs.";
    std::fs::write(&path, [head, system, weights, b"\x80\x02]."].concat()).unwrap();
    assert!(open(&path).unwrap().tensors.is_empty());
}

#[test]
fn what_would_run_something_is_refused_by_name() {
    check_fails(&sample("hostile.pt"), "posix.system at byte");
    check_fails(&sample("hostile_legacy.pt"), "__builtin__.eval at byte");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    let head = std::fs::read(sample("legacy.pt")).unwrap();
    // Magic number and protocol of a legacy file, then a program.
    let head = &head[..21];
    for (program, says) in [
        (&b"\x80\x04\x8c\x02os\x8c\x06system\x93)R."[..], "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"csubprocess\nPopen\n)\x81.", "subprocess.Popen"),
        // What reaches further through a harmless module, and what reads another pickle.
        (b"\x80\x04\x8c\x08datetime\x8c\x0fsys.modules.get\x93.", "datetime.sys.modules.get"),
        (b"\x80\x04\x8c\x11torch.jit._pickle\x8c\x09os.system\x93.", "torch.jit._pickle.os.system"),
        (b"\x80\x04\x8c\x07pathlib\x8c\x0fos.system.xPath\x93.", "pathlib.os.system.xPath"),
        (b"\x80\x04\x8c\x04mine\x8c\x0drun.__class__\x93.", "mine.run.__class__"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"ctorch.storage\n_load_from_bytes\n.", "torch.storage._load_from_bytes"),
        (b"c__builtin__\ngetattr\n.", "__builtin__.getattr"),
        (b"cmine\nf\n)R)R.", "a call of something that is no function"),
        (b"cimportlib.util\nfind_spec\n.", "importlib.util.find_spec"),
        (b"\x82\x01.", "EXT1 (0x82)"),
        (b"K\x01)R.", "a call of something that has no name"),
        (b"\xFE.", "unknown (0xfe)"),
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
        // A text of four gigabytes, an empty stack, a memory cell that nobody filled.
        &b"X\xFF\xFF\xFF\xFFab."[..],
        b".",
        b"h\x07.",
        // A reference to something else than a storage.
        b"(S'file'\nS'/etc/passwd'\ntQ.",
    ] {
        std::fs::write(&path, [&legacy[..21], program].concat()).unwrap();
        check_fails(&path, "its pickle has");
    }
    // A million copies of a list of a thousand.
    let list = [&b"ccollections\nOrderedDict\nq\x00(]("[..], &b"]".repeat(1000), b"etq\x01"].concat();
    std::fs::write(&path, [&legacy[..21], &list, &b"h\x00h\x01R0".repeat(1 << 16), b"."].concat()).unwrap();
    assert!(open(&path).is_err());
    // A hundred names, three deep, for the same tensor: a file of a few thousand bytes asks for a million places.
    let tensor = b"ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI1\ntQI0\n(I1\nt(I1\ntI00\nNtR";
    let level = |level: u8| {
        let names = (0..100).map(|name| format!("S'{name:03}'\ng{level}\n")).collect::<String>();
        [b"}(", names.as_bytes(), b"u", format!("p{}\n", level + 1).as_bytes()].concat()
    };
    let places = [&tensor[..], b"p0\n", &level(0), &level(1), &level(2), b"."].concat();
    let file = [&legacy[..21], b"}S'little_endian'\nI01\ns.", &places, b"(lS'0'\na.", &1_u64.to_le_bytes(), &[0; 4]];
    std::fs::write(&path, file.concat()).unwrap();
    check_fails(&path, "the same values again and again");
    std::fs::write(&path, b"\x10\0\0\0\0\0\0\xFF{\"a\":1}").unwrap();
    assert!(matches!(open(&path), Err(Fault::Damaged(_))));
    std::fs::write(&path, [&[b'a'; 257][..], b"ustar", &[0; 250]].concat()).unwrap();
    check_fails(&path, "before 0.1.10: open it with torch.load and write it again");
    std::fs::write(&path, b"hello").unwrap();
    check_fails(&path, "neither .safetensors nor what torch.save writes");
    std::fs::write(&path, b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n").unwrap();
    check_fails(&path, "git lfs pull");
    std::fs::write(&path, b"\n<!DOCTYPE html><title>Sign in</title>").unwrap();
    check_fails(&path, "it is a web page");
    check_fails(dir.path(), "it is no file");
}

/// Writes a `.safetensors` file with one tensor of a number, and `rest` after it.
fn write_one(path: &Path, name: &str, rest: &[u8]) {
    let header = serde_json::json!({ name: { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } }).to_string();
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&length, header.as_bytes(), &[0; 4], rest].concat()).unwrap();
}

#[test]
fn bytes_after_the_last_tensor_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    write_one(&path, "weight", &[]);
    assert_eq!(open(&path).unwrap().tensors.len(), 1);
    write_one(&path, "weight", &[0]);
    check_fails(&path, "bytes after its last tensor");
}

#[test]
fn names_say_nothing_to_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    for (name, shown) in [
        ("w\n  everything maps\u{1b}[2J", "w\\n  everything maps\\u{1b}[2J"),
        ("a\u{202e}b", "a\\u{202e}b"),
        ("blocks.0.'ä权'.weight", "blocks.0.'ä权'.weight"),
    ] {
        write_one(&path, name, &[]);
        assert_eq!(open(&path).unwrap().tensors[0].name, shown);
    }
    write_one(&path, &"a".repeat(600), &[]);
    assert_eq!(open(&path).unwrap().tensors[0].name, format!("{}…", "a".repeat(512)));
    let head = &std::fs::read(sample("legacy.pt")).unwrap()[..21];
    std::fs::write(&path, [head, b"cos\x1b[2J\nsystem\n."].concat()).unwrap();
    check_fails(&path, "os\\u{1b}[2J.system at byte");
}

#[test]
fn a_few_bytes_cannot_claim_to_be_many_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    let head = &std::fs::read(sample("legacy.pt")).unwrap()[..21];
    // The system, one tensor of one storage, the order of the storages, one number.
    let write = |n_elements: u64, shape: &str, stride: &str| {
        let weights = format!(
            "}}S'weight'\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\n\
             L{n_elements}L\ntQI0\n({shape}t({stride}tI00\nNtRs."
        );
        let numbers = [&1_u64.to_le_bytes()[..], &2.5_f32.to_le_bytes()].concat();
        let file = [head, b"}S'little_endian'\nI01\ns.", weights.as_bytes(), b"(lS'0'\na.", &numbers].concat();
        std::fs::write(&path, file).unwrap();
    };
    write(1, "I1\n", "I1\n");
    assert_eq!(open(&path).unwrap().tensors[0].read().unwrap(), 2.5_f32.to_le_bytes());
    // The same number 2⁶⁰ times; sides whose product, or steps whose sum, no number can hold.
    write(1 << 60, &format!("L{}L\n", 1_u64 << 60), "I0\n");
    check_fails(&path, "the numbers of weight end after their storage");
    let long = format!("L{}L\n", 1_u64 << 62);
    write(1 << 60, &format!("{long}{long}I0\n"), "I1\nI1\nI1\n");
    check_fails(&path, "is larger than its storage");
    write(1, &format!("I0\n{long}{long}"), &format!("I1\n{long}{long}"));
    let empty = &open(&path).unwrap().tensors[0];
    assert!(empty.n_bytes() == 0 && empty.read().unwrap().is_empty());
}

#[test]
fn a_file_that_ends_early_is_an_error_wherever_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    for name in ["plain.pt", "legacy.pt", "script.pt"] {
        let whole = std::fs::read(sample(name)).unwrap();
        for len in 0..whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            match open(&path) {
                Err(Fault::Damaged(_)) => {}
                other => panic!("{len} of {} bytes of {name}: {other:?}", whole.len()),
            }
        }
    }
}
