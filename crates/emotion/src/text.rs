//! Bytes of unknown encoding to text.
//!
//! UTF-8, UTF-16, GBK as Chinese corpora ship it, Windows-1252 as spreadsheets do, and UTF-8 with some bytes of the
//! latter.
//! Left out: telling other legacy encodings apart; they read as Windows-1252.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Reads text in whatever encoding it is; a byte order mark is no part of it.
pub fn text_from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, mark_len)) => return encoding.decode_without_bom_handling(&bytes[mark_len..]).0,
        None => wide(bytes),
    };
    if let Some(encoding) = encoding {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    if is_mostly_utf8(bytes) {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text += chunk.valid();
            text += &WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0;
        }
        return Cow::Owned(text);
    }
    let encoding = if is_gbk(bytes) { GB18030 } else { WINDOWS_1252 };
    encoding.decode_without_bom_handling(bytes).0
}

/// UTF-16 without a byte order mark: text has no zeros, but every second byte of ASCII in UTF-16 is one.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let n_zeros = |first: usize| bytes.iter().skip(first).step_by(2).filter(|&&byte| byte == 0).count();
    match (n_zeros(0), n_zeros(1)) {
        (0, odd) if odd * 4 > bytes.len() => Some(UTF_16LE),
        (even, 0) if even * 4 > bytes.len() => Some(UTF_16BE),
        _ => None,
    }
}

/// Whether more characters beyond ASCII are whole than broken; bytes of another encoding rarely fit together.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let count = |(whole, broken): (usize, usize), chunk: std::str::Utf8Chunk<'_>| {
        let n_whole = chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        (whole + n_whole, broken + usize::from(!chunk.invalid().is_empty()))
    };
    let (n_whole, n_broken) = bytes.utf8_chunks().fold((0, 0), count);
    n_whole > n_broken
}

/// Whether bytes beyond ASCII come in pairs that are Chinese characters, and are not lost among Latin letters. Accents
/// and curly quotes of Western text stand alone, but in a word like `Größe`.
fn is_gbk(bytes: &[u8]) -> bool {
    let mut runs = bytes.split(u8::is_ascii);
    let n_latin = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let n_characters = bytes
        .split(u8::is_ascii)
        .flat_map(|run| run.chunks_exact(2))
        .filter(|pair| (0xB0..=0xF7).contains(&pair[0]) && pair[1] >= 0xA1)
        .count();
    // Chinese apostrophes stand within English words, too.
    let is_within_word = |four: &[u8]| {
        let is_character = (0xB0..=0xF7).contains(&four[1]) && four[2] >= 0xA1;
        four[0].is_ascii_alphabetic() && is_character && four[3].is_ascii_alphabetic()
    };
    runs.all(|run| run.len() % 2 == 0)
        && !bytes.windows(4).any(is_within_word)
        && n_characters * 4 > n_latin
        && GB18030.decode_without_bom_handling_and_without_replacement(bytes).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_usual_encoding_is_read() {
        let utf16 = |text: &str, from: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(from).collect::<Vec<u8>>();
        let wide = "She said: 女人";
        for (bytes, text) in [
            (b"plain".to_vec(), "plain"),
            ("schön 女".into(), "schön 女"),
            ("\u{feff}schön".into(), "schön"),
            (utf16("\u{feff}女", u16::to_le_bytes), "女"),
            (utf16("\u{feff}女", u16::to_be_bytes), "女"),
            (utf16(wide, u16::to_le_bytes), wide),
            (utf16(wide, u16::to_be_bytes), wide),
            // GBK: a woman cries; with punctuation and digits. Two bytes alone may be UTF-8, too.
            (b"\xC5\xAE\xC8\xCB\xBF\xDE".to_vec(), "女人哭"),
            (b"\xC5\xAE".to_vec(), "Ů"),
            (b"3\xB8\xF6\xC5\xAE\xC8\xCB\xA3\xAC ok\xA1\xA3".to_vec(), "3个女人， ok。"),
            // Windows-1252.
            (b"it\x92s \x80".to_vec(), "it’s €"),
            (b"\x93No\x85\x94 she sighs".to_vec(), "“No…” she sighs"),
            (b"Gr\xF6\xDFe".to_vec(), "Größe"),
            (b"na\xEFve, une cr\xE9ation".to_vec(), "naïve, une création"),
            (b"\xBF\xC1ndale, amigo!".to_vec(), "¿Ándale, amigo!"),
            // UTF-8 with a byte of the other.
            (b"\xE5\xA5\xB3\xE4\xBA\xBA doesn\x92t".to_vec(), "女人 doesn’t"),
            (b"".to_vec(), ""),
        ] {
            assert_eq!(text_from_bytes(&bytes), text, "{bytes:x?}");
        }
    }
}
