//! The smallest pictures that can be opened, each another file by the text in it.

/// A grey picture of 8 × 8 pixels with a comment: one block without any difference to medium grey.
pub(super) fn jpeg(comment: &str) -> Vec<u8> {
    let segment = |marker: u8, content: &[u8]| {
        let length = (content.len() as u16 + 2).to_be_bytes();
        [&[0xFF, marker], length.as_slice(), content].concat()
    };
    // A table of one code, a single zero bit, for the value 0: no difference, no more coefficients.
    let huffman = |class: u8| [&[class, 1][..], &[0; 15], &[0]].concat();
    [
        vec![0xFF, 0xD8],
        segment(0xFE, comment.as_bytes()),
        segment(0xDB, &[&[0][..], &[1; 64]].concat()),
        segment(0xC0, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]),
        segment(0xC4, &huffman(0x00)),
        segment(0xC4, &huffman(0x10)),
        segment(0xDA, &[1, 1, 0, 0, 63, 0]),
        vec![0b0011_1111, 0xFF, 0xD9],
    ]
    .concat()
}

/// The cyclic redundancy check of PNG and zip.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

/// A grey picture of 8 × 8 pixels with a title.
pub(super) fn png(title: &str) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        let named = [kind, content].concat();
        [&(content.len() as u32).to_be_bytes()[..], &named, &checksum(&named).to_be_bytes()].concat()
    };
    let rows = [0, 128, 128, 128, 128, 128, 128, 128, 128].repeat(8);
    let (a, b) = rows.iter().fold((1_u32, 0_u32), |(a, b), &byte| ((a + byte) % 65521, (a + byte + b) % 65521));
    let rows: Vec<u8> = rows.iter().map(|&byte| byte as u8).collect();
    let n = rows.len() as u16;
    let zlib = [&[0x78, 1, 1][..], &n.to_le_bytes(), &(!n).to_le_bytes(), &rows, &(b << 16 | a).to_be_bytes()].concat();
    [
        b"\x89PNG\r\n\x1A\n".to_vec(),
        chunk(b"IHDR", &[0, 0, 0, 8, 0, 0, 0, 8, 8, 0, 0, 0, 0]),
        chunk(b"tEXt", format!("Title\0{title}").as_bytes()),
        chunk(b"IDAT", &zlib),
        chunk(b"IEND", &[]),
    ]
    .concat()
}
