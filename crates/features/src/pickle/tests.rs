//! Pickles that numpy wrote, and pickles that nobody should run.

use std::io::Cursor;

use super::*;

/// As `samples/make.py` makes them, with protocols 2 to 5.
const SAMPLES: [&[u8]; 4] = [
    include_bytes!("samples/protocol2.pkl"),
    include_bytes!("samples/protocol3.pkl"),
    include_bytes!("samples/protocol4.pkl"),
    include_bytes!("samples/protocol5.pkl"),
];

fn read(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, Fault> {
    entries(&mut Cursor::new(bytes), bytes.len() as u64)
}

/// Values of an array that is small enough to be here.
fn values(entry: &Entry) -> (Vec<usize>, Vec<f32>) {
    let Entry::Numbers(Layout { element, big_endian, shape, bytes: Bytes::Here(bytes), .. }) = entry else {
        panic!("numbers, not {entry:?}");
    };
    (shape.clone(), bytes.chunks_exact(element.n_bytes()).map(|bytes| element.value(bytes, *big_endian)).collect())
}

fn shown(entry: &Entry) -> (&[usize], Vec<&str>) {
    let Entry::Texts(texts) = entry else { panic!("texts, not {entry:?}") };
    (&texts.shape, texts.values.iter().map(String::as_str).collect())
}

#[test]
fn arrays_and_texts_of_every_protocol_are_read() {
    for (bytes, protocol) in SAMPLES.into_iter().zip(2..) {
        let found = read(bytes).unwrap();
        let names: Vec<&str> = found.keys().map(String::as_str).filter(|name| !name.starts_with("valid")).collect();
        let expected = ["audio", "audio_lengths", "id", "labels", "name", "raw_text", "scale", "vision"];
        let expected: Vec<String> = expected.iter().map(|name| format!("train/{name}")).collect();
        assert_eq!(names[..8], expected, "protocol {protocol}");
        let audio: Vec<f32> = (0..12_u8).map(f32::from).collect();
        assert_eq!(values(&found["train/audio"]), (vec![2, 3, 2], audio.clone()));
        assert_eq!(values(&found["valid/audio"]), (vec![1, 3, 2], audio[..6].to_vec()));
        assert_eq!(values(&found["train/labels"]), (vec![2, 1, 1], vec![-1.5, 2.0]));
        assert_eq!(values(&found["train/audio_lengths"]), (vec![2], vec![3.0, -2.0]));
        assert_eq!(values(&found["train/scale"]), (vec![], vec![0.25]));
        assert_eq!(values(&found["version"]), (vec![], vec![2.0_f32.powi(40)]));
        let Entry::Numbers(vision) = &found["train/vision"] else { panic!("numbers") };
        assert!(vision.big_endian && vision.fortran);
        assert_eq!(shown(&found["train/id"]), (&[2, 3][..], vec!["a", "0.5", "1", "b", "1", "2"]));
        assert_eq!(shown(&found["train/name"]), (&[2][..], vec!["eins", "zwei"]));
        assert_eq!(shown(&found["train/raw_text"]), (&[2][..], vec!["so, what", "Grüße"]));
    }
}

#[test]
fn a_pickle_that_ends_early_is_damaged_and_never_more() {
    for sample in SAMPLES {
        for len in 0..sample.len() {
            match read(&sample[..len]) {
                Err(Fault::Damaged(_)) => {}
                other => panic!("{len} bytes of {}: {other:?}", sample.len()),
            }
        }
    }
}

#[track_caller]
fn check_refused(bytes: &[u8], what: &str) {
    match read(bytes) {
        Err(Fault::Refused(reason)) => assert!(reason.contains(what), "{reason:?} should contain {what:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_would_run_something_is_refused_by_name() {
    // os.system("true"), as every guide writes it.
    check_refused(b"cos\nsystem\n(S'true'\ntR.", "the global os.system at byte 0");
    check_refused(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "the global builtins.eval at byte");
    check_refused(b"(S'true'\nios\nsystem\n.", "the opcode INST (0x69), a call of os.system, at byte 9");
    check_refused(b"\x80\x02}(ccollections\nOrderedDict\n)\x81.", "the opcode NEWOBJ (0x81)");
    check_refused(b"Pother file\n.", "PERSID");
    check_refused(b"\x80\x05\x97.", "NEXT_BUFFER");
    check_refused(b"\x82\x01.", "EXT1");
    check_refused(b"\xFE.", "unknown (0xfe)");
    check_refused(b"K\x01)R.", "a call of something that has no name");
    check_refused(b"]K\x01b.", "a state");
    check_refused(b"ctorch._utils\n_rebuild_tensor_v2\n.", "torch._utils._rebuild_tensor_v2");
    // Numpy's own names with arguments that numpy never gives.
    check_refused(b"cnumpy\nndarray\n)R.", "a call of NdArray");
    check_refused(b"cnumpy\ndtype\n(S'O8'\nI00\nI01\ntR(I3\nS'|'\n(dtb.", "an array of records");
    check_refused(b"S'a\\x41'\n.", "escapes");
}

#[track_caller]
fn check_again_and_again(bytes: &[u8]) {
    match read(bytes) {
        Err(Fault::Damaged(reason)) => assert!(reason.contains("the same values again and again"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_pickle_cannot_ask_for_much() {
    // A string of four gigabytes that is not there.
    assert!(matches!(read(b"B\xFF\xFF\xFF\xFFab."), Err(Fault::Damaged(_))));
    // An array of 2⁶⁰ numbers, or of as many texts, in one byte.
    for code in ["f4", "S4", "U4"] {
        let state = format!("(I1\n(L{}L\nt", 1_u64 << 60);
        let head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR";
        let dtype = format!("cnumpy\ndtype\n(S'{code}'\nI0\nI1\ntR");
        let bytes = [head, state.as_bytes(), dtype.as_bytes(), b"I00\nC\x01xtb."].concat();
        assert!(matches!(read(&bytes), Err(Fault::Damaged(_))), "{code}");
    }
    // Ten thousand lists in each other, and a list in itself.
    let deep = [vec![b']'; 10_000], vec![b'a'; 9_999], b".".to_vec()].concat();
    assert!(read(&deep).unwrap().is_empty());
    assert!(read(b"]q\x00h\x00a.").unwrap().is_empty());
    // A dictionary of a thousand dictionaries of a thousand …, all of them one.
    let mut bytes = b"}q\x00".to_vec();
    for level in 1..=4_u8 {
        bytes.extend(b"}q");
        bytes.push(level);
        bytes.push(b'(');
        for key in 0..1000_u16 {
            bytes.extend(b"X\x04\x00\x00\x00");
            bytes.extend(format!("{key:04}").bytes());
            bytes.extend([b'h', level - 1]);
        }
        bytes.push(b'u');
    }
    bytes.push(b'.');
    check_again_and_again(&bytes);
    // A million references to one text.
    let text =
        [b"X\xFF\xFF\x00\x00".as_slice(), &[b'a'; 0xFFFF], b"q\x00](", &b"h\x00".repeat(1 << 20), b"e."].concat();
    check_again_and_again(&text);
}
