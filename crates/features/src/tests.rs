//! Files of every format, written here byte by byte, and what is read of them.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use emotion::{FeatureRef, Modality, Stream};

use super::*;

fn npy(descr: &str, fortran: bool, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}

fn floats(n: u8) -> Vec<u8> {
    (0..n).flat_map(|value| f32::from(value).to_le_bytes()).collect()
}

fn zip(compression: ::zip::CompressionMethod, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default().compression_method(compression);
    for (name, bytes) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn safetensors(header: &str, bytes: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), bytes].concat()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn open(&self, name: &str, bytes: &[u8]) -> Result<Store, FeatureError> {
        Store::open(&self.file(name, bytes))
    }
}

#[track_caller]
fn check(store: &mut Store, name: &str, row: Option<usize>, shape: &[usize], values: &[f32]) {
    assert_eq!(store.read(name, row).unwrap(), Array { shape: shape.to_vec(), values: values.to_vec() });
}

#[test]
fn rows_are_the_same_in_every_format() {
    let folder = Folder::new();
    let array = npy("<f4", false, "(2, 3)", &floats(6));
    // The same two rows, column by column, in big-endian doubles.
    let columns: Vec<u8> = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0_f64].iter().flat_map(|value| value.to_be_bytes()).collect();
    let header = r#"{"audio":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"by":"hand"}}"#;
    let members: &[(&str, &[u8])] = &[("audio.npy", &array), ("words.npy", &npy("<U4", false, "(0,)", b""))];
    for (file, bytes, name) in [
        ("a.npy", array.clone(), ""),
        ("b.npy", npy(">f8", true, "(2, 3)", &columns), ""),
        ("c.npz", zip(::zip::CompressionMethod::Stored, members), "audio"),
        ("d.npz", zip(::zip::CompressionMethod::Deflated, members), "audio"),
        ("e.safetensors", safetensors(header, &floats(6)), "audio"),
        ("f.csv", b"\xEF\xBB\xBFx0;x1;x2\r\n0;1;2\r\n3;4;5\r\n;;\r\n".to_vec(), ""),
        ("g.TSV", b"\"0\"\t\"1\"\t2.0\n3\t4\t5\n\n".to_vec(), ""),
    ] {
        let mut store = folder.open(file, &bytes).unwrap();
        assert_eq!(store.arrays().collect::<Vec<_>>(), [(name, &[2, 3][..])], "{file}");
        check(&mut store, name, None, &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        check(&mut store, name, Some(1), &[3], &[3.0, 4.0, 5.0]);
        let error = store.read(name, Some(2)).unwrap_err().to_string();
        assert!(error.contains("row 2 is asked for, but the array is [2, 3]"), "{error}");
        assert!(store.read("video", None).unwrap_err().to_string().contains("no array is called \"video\""));
    }
    let cube: Vec<u8> = (0..24).collect();
    let mut store = folder.open("h.npy", &npy("|u1", true, "(2, 3, 4)", &cube)).unwrap();
    // Element [1, i, j] of a column-major array lies at 1 + 2 i + 6 j.
    check(&mut store, "", Some(1), &[3, 4], &[1, 7, 13, 19, 3, 9, 15, 21, 5, 11, 17, 23].map(|at: u8| f32::from(at)));
}

#[test]
fn members_of_an_archive_are_unpacked_when_they_are_read() {
    let folder = Folder::new();
    let array = npy("<f4", false, "(2, 3)", &floats(6));
    let by_column = npy("<f4", true, "(2, 2)", &floats(4));
    let members: &[(&str, &[u8])] = &[("a.npy", &array), ("b.npy", &array), ("c.npy", &by_column)];
    let mut bytes = zip(::zip::CompressionMethod::Deflated, members);
    // The sum of the first member, which its directory entry tells, fits no more.
    let entry = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    bytes[entry + 16] ^= 1;
    let mut store = folder.open("a.npz", &bytes).unwrap();
    for _ in 0..2 {
        for row in [None, Some(0)] {
            let error = store.read("a", row).unwrap_err();
            assert!(matches!(error, FeatureError::Damaged { .. }), "{error}");
        }
        check(&mut store, "b", Some(1), &[3], &[3.0, 4.0, 5.0]);
        check(&mut store, "c", Some(1), &[2], &[1.0, 3.0]);
        check(&mut store, "b", None, &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        check(&mut store, "c", None, &[2, 2], &[0.0, 2.0, 1.0, 3.0]);
    }
}

#[test]
fn nothing_is_unpacked_beyond_what_is_said() {
    let folder = Folder::new();
    // A member whose archive says that it has `n` bytes.
    let bomb = |array: &[u8], n: usize| {
        let mut bytes = zip(::zip::CompressionMethod::Deflated, &[("a.npy", array)]);
        let entry = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        bytes[entry + 24..entry + 28].copy_from_slice(&(n as u32).to_le_bytes());
        bytes
    };
    let more = npy("<f4", false, "(2, 3)", &floats(200));
    let n_header = more.len() - 4 * 200;
    assert!(folder.open("a.npz", &bomb(&more, more.len())).is_err(), "header and archive contradict each other");
    let mut store = folder.open("b.npz", &bomb(&more, n_header + 24)).unwrap();
    for row in [None, Some(0)] {
        let error = store.read("a", row).unwrap_err().to_string();
        assert!(error.contains("a cannot be unpacked"), "{error}");
    }
    let huge = npy("<f4", false, "(1000000, 1000)", &floats(1));
    let error = folder.open("c.npz", &bomb(&huge, huge.len() - 4 + 4_000_000_000)).unwrap_err().to_string();
    assert!(error.contains("a cannot be as large as it says"), "{error}");
}

#[test]
fn tables_are_read_however_they_are_written() {
    let folder = Folder::new();
    let rows: &[f32] = &[1.5, 2.0, -3.5, 4.0];
    for (what, text, n_dims, values) in [
        ("a header of numbers", "0,1\n1.5,2.0\n-3.5,4.0\n", 2, rows),
        ("an index, too", ",0,1\n0,1.5,2.0\n1,-3.5,4.0\n", 2, rows),
        ("names and an index", ",a,b\n0,1.5,2.0\n1,-3.5,4.0\n", 2, rows),
        ("an index of some rows", ",a,b\n7,1.5,2.0\nx,-3.5,4.0\n", 2, rows),
        ("rows that a spreadsheet leaves behind", "a,b\n1.5,2.0\n-3.5,4.0\n,\n,\n", 2, rows),
        ("decimal commas", "1,5;2,0\n-3,5;4,0\n", 2, rows),
        ("decimal commas and blanks", "a b\n1,5 2\n-3,5 4\n", 2, rows),
        ("aligned columns", "  1.5   2.0\n -3.5   4.0\n", 2, rows),
        ("numpy's header", "# a b\n1.5 2.0\n-3.5 4.0\n", 2, rows),
        ("a blank after a comma", "1.5, 2.0\n-3.5, 4.0\n", 2, rows),
        ("whole numbers below", "0,1\n2,3\n", 2, &[0.0, 1.0, 2.0, 3.0]),
        ("a header of numbers above counts", "0,1,2,3\n1,5,2,2\n", 4, &[1.0, 5.0, 2.0, 2.0]),
        ("one row", "0;1;2", 3, &[0.0, 1.0, 2.0]),
        ("one column", "1.5\n2.0\n-3.5\n4.0", 1, rows),
    ] {
        let mut store = folder.open("a.csv", text.as_bytes()).unwrap();
        let array = store.read("", None).unwrap();
        assert_eq!((array.shape, &array.values[..]), (vec![values.len() / n_dims, n_dims], values), "{what}");
    }
    let mut gap = folder.open("c.csv", b"a,b\n1,2\n,\n3,4\n").unwrap();
    assert_eq!(gap.read("", Some(2)).unwrap().values, [3.0, 4.0], "a clip without features is a row");
    assert!(gap.read("", Some(1)).unwrap().values.iter().all(|value| value.is_nan()));
    let mut named = folder.open("b.csv", b"clip a;1,5;2,5\nclip b;2;\n").unwrap();
    let array = named.read("", None).unwrap();
    assert!(array.shape == [2, 3] && array.values[0].is_nan() && array.values[1..3] == [1.5, 2.5], "{array:?}");
}

#[test]
#[cfg(unix)]
fn nobody_waits_for_a_pipe() {
    let folder = Folder::new();
    let path = folder.0.path().join("a.npy");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(Store::open(&path), Err(FeatureError::NotAFile(_))));
}

#[test]
fn pickles_are_read_by_row_and_large_arrays_from_the_file() {
    let folder = Folder::new();
    let mut store = folder.open("p.pkl", include_bytes!("pickle/samples/protocol4.pkl")).unwrap();
    check(&mut store, "train/audio", Some(1), &[3, 2], &[6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
    check(&mut store, "train/vision", Some(1), &[3], &[3.0, 4.0, 5.0]);
    assert_eq!(store.texts("train/raw_text").unwrap().values, ["so, what", "Grüße"]);
    assert_eq!(store.shape("train/id"), Some(&[2, 3][..]));
    // 300 rows of 100 numbers, which stay in the file.
    let bytes: Vec<u8> = (0..30_000_u16).flat_map(|value| f32::from(value).to_le_bytes()).collect();
    let pickle = [
        b"}X\x01\x00\x00\x00acnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I300\nI100\nt"
            .as_slice(),
        b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntRI00\nB",
        &(bytes.len() as u32).to_le_bytes(),
        &bytes,
        b"tbs.",
    ]
    .concat();
    let mut store = folder.open("q.pickle", &pickle).unwrap();
    let last: Vec<f32> = (29_900..30_000_u16).map(f32::from).collect();
    check(&mut store, "a", Some(299), &[100], &last);
}

/// A computational sequence as h5py writes it, from the copy of CMU-MOSEI's layout.
fn csd(name: &str) -> Vec<u8> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/tests/assets/csd");
    fs::read(assets.join(format!("CMU_MOSEI_{name}.csd"))).unwrap()
}

#[test]
fn hdf5_is_read_in_old_and_new_groups_compressed_or_not() {
    let folder = Folder::new();
    let counted = |range: std::ops::Range<u16>| range.map(f32::from).collect::<Vec<_>>();
    let mut sound = folder.open("a.csd", &csd("COVAREP")).unwrap();
    check(&mut sound, "COVAREP/data/_dI--eQ6qVU/features", None, &[50, 3], &counted(0..150));
    check(&mut sound, "COVAREP/data/_dI--eQ6qVU/features", Some(7), &[3], &[21.0, 22.0, 23.0]);
    check(&mut sound, "COVAREP/data/_dI--eQ6qVU/intervals", Some(1), &[2], &[0.1, 0.2]);
    check(&mut sound, "COVAREP/data/_dI--eQ6qVU/features", Some(8), &[3], &[24.0, 25.0, 26.0]);
    check(&mut sound, "COVAREP/data/_dI--eQ6qVU/features", Some(0), &[3], &[0.0, 1.0, 2.0]);
    assert_eq!(sound.texts("COVAREP/metadata/root name").unwrap().values, ["COVAREP"]);
    assert!(sound.read("COVAREP/data/_dI--eQ6qVU/features", Some(50)).is_err());
    let mut faces = folder.open("b.h5", &csd("VisualFacet42")).unwrap();
    check(&mut faces, "FACET 4.2/data/-3g5yACwYnA/features", None, &[40, 2], &counted(0..80));
    let mut labels = folder.open("c.csd", &csd("Labels")).unwrap();
    check(&mut labels, "All Labels/data/_dI--eQ6qVU/features", Some(0), &[7], &[-3.0, 0.0, 0.0, 2.0, 0.0, 1.0, 0.0]);
    let words = folder.open("d.csd", &csd("TimestampedWords")).unwrap();
    assert_eq!(words.texts("words/data/-3g5yACwYnA/features").unwrap().values, ["so", "sp", "good", "bad"]);
}

#[test]
fn no_damage_to_hdf5_is_a_crash() {
    let folder = Folder::new();
    for name in ["COVAREP", "VisualFacet42", "TimestampedWords"] {
        let whole = csd(name);
        let n = whole.len();
        let cut = (0..24).map(|part| whole[..n * part / 24].to_vec());
        let flipped = (0..100).map(|at| {
            let mut bytes = whole.clone();
            bytes[(at * 7919) % n] ^= 1 << (at % 8);
            bytes
        });
        for bytes in cut.chain(flipped) {
            let Ok(mut store) = folder.open("damaged.csd", &bytes) else { continue };
            let names: Vec<String> = store.arrays().map(|(name, _)| name.to_owned()).collect();
            for name in names {
                if let Ok(array) = store.read(&name, None) {
                    assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
                }
            }
        }
    }
}

#[test]
fn what_a_file_states_is_checked_before_it_is_believed() {
    let folder = Folder::new();
    let huge = "(1000000000, 1000000000, 1000000000)";
    let offsets =
        |start: u64, end: u64| format!(r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[{start},{end}]}}}}"#);
    for (name, bytes) in [
        ("a.npy", npy("<f4", false, "(2, 3)", &floats(5))),
        ("b.npy", npy("<f4", false, "(2, 3)", &floats(7))),
        ("c.npy", npy("<f4", false, huge, &floats(1))),
        ("d.npy", npy("<f4", false, "(2, -3)", &floats(6))),
        ("e.npy", b"\x93NUMPY\x02\x00\xFF\xFF\xFF\x7F".to_vec()),
        ("f.npy", b"PK\x03\x04 nothing".to_vec()),
        ("g.npy", Vec::new()),
        ("h.npz", zip(::zip::CompressionMethod::Deflated, &[("a.npy", &npy("<f4", false, huge, &floats(1)))])),
        ("i.npz", zip(::zip::CompressionMethod::Stored, &[("a.npy", &npy("<f4", false, "(9,)", &floats(1)))])),
        ("j.npz", b"PK\x05\x06".to_vec()),
        ("k.safetensors", safetensors(&offsets(0, 8), &floats(1))),
        ("l.safetensors", safetensors(&offsets(0, u64::MAX), &floats(2))),
        ("m.safetensors", safetensors("{", &floats(1))),
        ("n.safetensors", u64::MAX.to_le_bytes().to_vec()),
        ("o.csv", b"1,2\n3\n".to_vec()),
        ("p.pkl", b"".to_vec()),
    ] {
        let error = folder.open(name, &bytes).map(|_| name).unwrap_err();
        assert!(matches!(error, FeatureError::Damaged { .. }), "{name}: {error}");
    }
    assert!(matches!(folder.open("x.npy", &npy("|O", false, "(1,)", b"x")), Err(FeatureError::Refused { .. })));
    assert!(matches!(folder.open("x.mat", b"x"), Err(FeatureError::UnknownFormat(_))));
    assert!(matches!(Store::open(&folder.0.path().join("gone.npy")), Err(FeatureError::Read { .. })));
    let error = folder.open("x.pkl", b"cos\nsystem\n.").map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("refused") && error.contains("os.system") && error.ends_with("x.pkl"), "{error}");
}

#[test]
fn a_clip_gets_its_steps_without_padding_and_without_infinities() {
    let folder = Folder::new();
    // Two clips of four steps with two numbers; the second clip has two steps of padding on the left.
    let mut bytes = floats(16);
    bytes[12 * 4..13 * 4].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
    folder.file("audio.npy", &npy("<f4", false, "(2, 4, 2)", &bytes));
    folder.file("au.csv", b"name,au0,au1,mfcc0\na,1,2,3\nb,4,5,6\n");
    let stream = |name: &str, modality, n_dims| Stream {
        name: name.to_owned(),
        modality,
        n_dims,
        aligned: false,
        extracted: false,
    };
    let streams = [stream("covarep", Modality::Voice, 2), stream("au", Modality::Face, 2)];
    let covarep = FeatureRef {
        stream: 0,
        path: "audio.npy".into(),
        array: None,
        row: Some(1),
        first_dim: 0,
        first_step: 2,
        n_steps: 2,
    };
    let mut reader = Reader::new(folder.0.path());
    let (sequence, n_cleaned) = reader.read(&streams, &covarep).unwrap();
    assert_eq!((sequence.stream.as_str(), sequence.modality, sequence.n_steps()), ("covarep", Modality::Voice, 2));
    assert_eq!((sequence.values, n_cleaned), (vec![0.0, 13.0, 14.0, 15.0], 1));
    let au =
        FeatureRef { stream: 1, path: "au.csv".into(), first_dim: 1, first_step: 0, n_steps: 1, ..covarep.clone() };
    assert_eq!(reader.read(&streams, &au).unwrap().0.values, [4.0, 5.0]);
    for wrong in [
        FeatureRef { first_step: 3, ..covarep.clone() },
        FeatureRef { first_step: usize::MAX, ..covarep.clone() },
        FeatureRef { first_dim: 1, ..covarep.clone() },
        FeatureRef { row: None, ..covarep.clone() },
        FeatureRef { stream: 2, ..covarep.clone() },
    ] {
        assert!(matches!(reader.read(&streams, &wrong), Err(FeatureError::OutOfRange { .. })), "{wrong:?}");
    }
}

/// Numbers that look random and are the same every time (SplitMix64).
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

#[test]
fn damaged_files_are_errors_or_other_numbers_but_never_a_panic() {
    let folder = Folder::new();
    let array = npy("<f4", false, "(2, 3)", &floats(6));
    let header = r#"{"audio":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    let pickle = include_bytes!("pickle/samples/protocol4.pkl");
    let old_pickle = include_bytes!("pickle/samples/protocol2.pkl");
    let mut noise = Noise(1);
    for (name, bytes) in [
        ("a.npy", array.clone()),
        ("b.npz", zip(::zip::CompressionMethod::Stored, &[("audio.npy", &array)])),
        ("c.npz", zip(::zip::CompressionMethod::Deflated, &[("audio.npy", &array)])),
        ("d.safetensors", safetensors(header, &floats(6))),
        ("e.csv", b"x0,x1\n0,1\n2,3\n".to_vec()),
        ("f.pkl", pickle.to_vec()),
        ("g.pkl", old_pickle.to_vec()),
    ] {
        let mut n_opened = 0;
        for _ in 0..400 {
            let mut damaged = bytes.clone();
            for _ in 0..=noise.below(4) {
                let at = noise.below(damaged.len());
                match noise.below(4) {
                    0 => damaged.truncate(at.max(1)),
                    1 => damaged[at] = b"()[]}{0R.b\x93\xFF"[noise.below(12)],
                    2 => damaged[at] ^= 1 << noise.below(8),
                    _ => drop(damaged.splice(at..at, bytes[noise.below(bytes.len())..].iter().copied())),
                }
            }
            let Ok(mut store) = folder.open(name, &damaged) else { continue };
            n_opened += 1;
            let arrays: Vec<(String, usize)> =
                store.arrays().map(|(name, shape)| (name.to_owned(), shape.iter().product())).collect();
            for (name, n) in arrays {
                assert!(n <= 10_000, "no array can be larger than its file");
                drop((store.read(&name, None), store.read(&name, Some(0)), store.read(&name, Some(1))));
            }
        }
        assert!(n_opened > 0, "{name}: some damage does not matter");
    }
}
