//! Tracks of subtitles in media files: SubRip, WebVTT, Advanced SubStation, and the timed text of MP4.
//! Packets are read as they are, for their text needs no decoder. Left out: subtitles that are pictures.

use std::path::Path;

use emotion::text_from_bytes;
use ffmpeg_next::codec::Id;

use crate::source::Packets;

/// Words of a clip beyond this are of no use to any model, and damaged tracks end somewhere.
const MAX_BYTES: usize = 64 * 1024;

/// The words in the track of subtitles of a media file, the English one where there are several; `None` without any.
pub fn subtitles(path: &Path) -> Option<String> {
    // What is wrong with the file is said when its picture and sound are read.
    let mut packets = Packets::open(path).ok()?;
    let rank = |language: &str| if is_english(language) { 0 } else { 1 };
    let tracks = packets.tracks().into_iter().filter(|track| is_text(track.codec));
    let track = tracks.min_by_key(|track| rank(&track.language))?;
    let mut cues = Vec::new();
    let mut n_bytes = 0;
    while let Some((stream_idx, bytes)) = packets.next().filter(|_| n_bytes < MAX_BYTES) {
        if stream_idx == track.stream_idx {
            let cue = cue(track.codec, &bytes);
            n_bytes += cue.len();
            cues.push(cue);
        }
    }
    spoken_words(&cues)
}

/// Whether a language code is that of English.
pub(crate) fn is_english(code: &str) -> bool {
    ["en", "eng"].iter().any(|english| code.eq_ignore_ascii_case(english))
}

fn is_text(codec: Id) -> bool {
    matches!(codec, Id::SUBRIP | Id::WEBVTT | Id::ASS | Id::MOV_TEXT | Id::TEXT)
}

/// The text in a packet, markup included.
fn cue(codec: Id, bytes: &[u8]) -> String {
    match codec {
        // The length in two bytes, the text, then boxes of style.
        Id::MOV_TEXT => {
            let n_bytes = bytes.first_chunk().map_or(0, |&length| usize::from(u16::from_be_bytes(length)));
            let text = bytes.get(2..).unwrap_or_default();
            text_from_bytes(&text[..n_bytes.min(text.len())]).into_owned()
        }
        // Eight fields of order, style and place come first.
        Id::ASS => {
            let line = text_from_bytes(bytes);
            let text = line.splitn(9, ',').nth(8).unwrap_or_default();
            text.replace("\\N", " ").replace("\\n", " ").replace("\\h", " ")
        }
        _ => text_from_bytes(bytes).into_owned(),
    }
}

/// Pieces of text in one line without markup; a piece that repeats the last one counts once, as where lines roll up.
/// `None` for what has no letters: numbers alone are annotations.
pub(crate) fn spoken_words(pieces: &[impl AsRef<str>]) -> Option<String> {
    let mut words = String::new();
    let mut last = String::new();
    for piece in pieces {
        let plain = without_markup(piece.as_ref());
        let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() || line == last {
            continue;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words += &line;
        last = line;
    }
    words.chars().any(char::is_alphabetic).then_some(words)
}

/// Without `<i>` and `{\an8}`, and with characters for `&amp;` and its like.
fn without_markup(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '{']) {
        let (before, tag) = rest.split_at(at);
        plain += before;
        let end = if tag.starts_with('<') { '>' } else { '}' };
        let is_tag = tag[1..].starts_with(|c: char| c.is_alphanumeric() || "/\\".contains(c));
        match tag.find(end).filter(|_| is_tag) {
            Some(end) => rest = &tag[end + 1..],
            None => {
                plain += &tag[..1];
                rest = &tag[1..];
            }
        }
    }
    plain += rest;
    [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&lrm;", ""), ("&rlm;", ""), ("&amp;", "&")]
        .iter()
        .fold(plain, |text, (entity, character)| text.replace(entity, character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_media;

    #[test]
    fn the_text_of_a_packet_is_found_in_every_format() {
        assert_eq!(cue(Id::MOV_TEXT, b"\x00\x05Hello\x00\x00\x00\x0Cstyl"), "Hello");
        assert_eq!(cue(Id::MOV_TEXT, b"\x00\xFFHi"), "Hi");
        assert_eq!(cue(Id::MOV_TEXT, b"\x00"), "");
        assert_eq!(cue(Id::ASS, b"1,0,Default,,0,0,0,,Well, {\\i1}yes\\Nno"), "Well, {\\i1}yes no");
        assert_eq!(cue(Id::SUBRIP, b"<b>Hi</b>"), "<b>Hi</b>");
    }

    #[test]
    fn markup_goes_and_mathematics_stays() {
        assert_eq!(
            spoken_words(&["{\\an8}<i>a</i> < b", "a < b", "c &amp;lt; {d"]).as_deref(),
            Some("a < b c &lt; {d")
        );
        assert_eq!(spoken_words(&["1 2", "3"]), None);
        assert_eq!(spoken_words(&[""]), None);
    }

    #[test]
    fn a_track_of_subtitles_is_read_the_english_one_first() {
        let dir = tempfile::tempdir().unwrap();
        let film = dir.path().join("film.y4m");
        test_media::y4m(&film, (8, 8), 5, |_, _, _| 100);
        assert_eq!(subtitles(&film), None);
        assert!(!crate::probe(&film).unwrap().has_subtitles);
        let both = dir.path().join("both.mkv");
        test_media::mkv(&[&film], &[("ger", "Wo bist du?"), ("eng", "Where <i>are</i> you?")], &both);
        assert_eq!(subtitles(&both).as_deref(), Some("Where are you?"));
        assert!(crate::probe(&both).unwrap().has_subtitles);
        let german = dir.path().join("german.mkv");
        test_media::mkv(&[&film], &[("ger", "Wo bist du?")], &german);
        assert_eq!(crate::caption(&german).as_deref(), Some("Wo bist du?"));
    }
}
