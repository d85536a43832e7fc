//! What is said in a clip, where its annotation does not tell.
//!
//! In this order: a text file beside the clip with its name, `film.txt`, `film.srt` or `film.vtt`; the same with a
//! language, as in `film.en.srt`, English first; a track of subtitles in the file, again English first. The first that
//! has words counts.
//! Left out: the times of cues, for a clip has one text; subtitles that are pictures, as on discs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use emotion::text_from_bytes;

use crate::subtitles::{is_english, spoken_words, subtitles};

/// Extensions, the preferred first.
const EXTENSIONS: [&str; 3] = ["txt", "srt", "vtt"];
/// What people say in a clip takes a fraction of this; a longer file is something else.
const MAX_BYTES: u64 = 1 << 20;

/// The text files in some folders, by the clips that they belong to.
#[derive(Debug, Default)]
pub struct Captions {
    /// Path of the clip without extension; files in order of preference.
    by_clip: BTreeMap<PathBuf, BTreeSet<Candidate>>,
}

/// Sorted by preference.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    language: Language,
    extension: usize,
    path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Language {
    Unsaid,
    English,
    Other,
}

impl Captions {
    /// Lists the folders in which `clips` lie, each once; a folder that cannot be read has no texts.
    pub fn beside<'a>(clips: impl IntoIterator<Item = &'a Path>) -> Self {
        let folders: BTreeSet<&Path> = clips.into_iter().filter_map(Path::parent).collect();
        let mut captions = Self::default();
        for entry in folders.into_iter().flat_map(std::fs::read_dir).flatten().flatten() {
            captions.add(entry.path());
        }
        captions
    }

    /// The words in the preferred text file of `clip` that has any; a folder of pictures is a clip, too.
    pub fn of(&self, clip: &Path) -> Option<String> {
        let clip = if clip.is_dir() { clip.to_owned() } else { clip.with_extension("") };
        self.by_clip.get(&clip)?.iter().find_map(|candidate| words_of(&candidate.path))
    }

    fn add(&mut self, path: PathBuf) {
        let lower = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let Some(extension) = EXTENSIONS.iter().position(|known| lower.as_deref() == Some(known)) else { return };
        let whole = path.with_extension("");
        // `film.en` may be a clip in English, or a clip of that name.
        let tag = whole.extension().and_then(|tag| tag.to_str()).and_then(language);
        if let Some(language) = tag {
            let candidate = Candidate { language, extension, path: path.clone() };
            self.by_clip.entry(whole.with_extension("")).or_default().insert(candidate);
        }
        self.by_clip.entry(whole).or_default().insert(Candidate { language: Language::Unsaid, extension, path });
    }
}

/// The words of a single clip: in a file beside it, or in a track of subtitles.
pub fn caption(clip: &Path) -> Option<String> {
    Captions::beside([clip]).of(clip).or_else(|| subtitles(clip))
}

/// The language of a tag like `en`, `eng` or `pt-BR`; `None` for anything else.
fn language(tag: &str) -> Option<Language> {
    let (code, region) = tag.split_once(['-', '_']).map_or((tag, None), |(code, region)| (code, Some(region)));
    let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_region = |region: &str| (2..=4).contains(&region.len()) && region.bytes().all(|b| b.is_ascii_alphanumeric());
    let known = if is_english(code) { Language::English } else { Language::Other };
    (is_code && region.is_none_or(is_region)).then_some(known)
}

fn words_of(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let text = text_from_bytes(&bytes);
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt")) {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        words.chars().any(char::is_alphabetic).then_some(words)
    } else {
        spoken_words(&cue_lines(&text))
    }
}

/// The lines of SubRip or WebVTT that are shown: those after a line with times, up to an empty one.
fn cue_lines(text: &str) -> Vec<&str> {
    let mut shown = Vec::new();
    let mut in_cue = false;
    for line in text.lines().map(str::trim) {
        if line.contains("-->") {
            // Without an empty line between them, the number of this cue looks like a line of the last one.
            if in_cue && shown.last().is_some_and(|last: &&str| last.bytes().all(|byte| byte.is_ascii_digit())) {
                shown.pop();
            }
            in_cue = true;
        } else if line.is_empty() {
            in_cue = false;
        } else if in_cue {
            shown.push(line);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRT: &str = "\u{feff}1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Where</i> are you?\r\n\r\n2\r\n\
                       00:00:02,500 --> 00:00:04,000\r\n{\\an8}I am\r\nhere.\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\nhere.\r\n";
    const VTT: &str = "WEBVTT - a film\n\nNOTE not spoken\n\nSTYLE\n::cue { color: red }\n\nintro\n00:01.000 --> 00:02.000 align:start\n\
                       <v Anna>Rock &amp; roll</v>\n\n00:02.000 --> 00:03.000\n&lt;laughs&gt; 女人\n";

    fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(folder.join(name), content).unwrap();
    }

    #[test]
    fn cues_become_one_line_of_words() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.srt", SRT);
        write(dir.path(), "b.vtt", VTT);
        write(dir.path(), "c.txt", "  two\n lines ");
        write(dir.path(), "d.SRT", b"1\n00:00:01,000 --> 00:00:02,000\n\xC5\xAE\xC8\xCB\n");
        for (clip, words) in [
            ("a.mp4", "Where are you? I am here."),
            ("b.mp4", "Rock & roll <laughs> 女人"),
            ("c.png", "two lines"),
            ("d.mkv", "女人"),
        ] {
            assert_eq!(caption(&dir.path().join(clip)).as_deref(), Some(words));
        }
    }

    #[test]
    fn the_nearest_text_counts() {
        let dir = tempfile::tempdir().unwrap();
        let clip = dir.path().join("a.film.mp4");
        let now = || caption(&clip).unwrap_or_default();
        assert_eq!(now(), "");
        let cue = |words: &str| format!("1\n00:00:01,000 --> 00:00:02,000\n{words}\n");
        // Each is preferred to all before it.
        for (name, words) in [
            ("a.film.de.srt", "deutsch"),
            ("a.film.de.txt", "rein deutsch"),
            ("a.film.en-GB.vtt", "English"),
            ("a.film.eng.srt", "plain English"),
            ("a.film.vtt", "web"),
            ("a.film.srt", "subtitle"),
            ("a.film.txt", "text"),
        ] {
            let content = if name.ends_with("txt") { words.to_owned() } else { cue(words) };
            write(dir.path(), name, content);
            assert_eq!(now(), words, "{name}");
        }
        // What has no words is passed over; other names are other clips.
        write(dir.path(), "a.film.txt", "0 0.5 0.5 0.25 0.25");
        assert_eq!(now(), "subtitle");
        assert_eq!(caption(&dir.path().join("a.mp4")), None);
        assert_eq!(caption(&dir.path().join("a.film.de.mp4")).as_deref(), Some("rein deutsch"));
    }

    #[test]
    fn a_folder_of_pictures_has_its_text_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("00001")).unwrap();
        write(dir.path(), "00001.txt", "A woman smiles.");
        assert_eq!(caption(&dir.path().join("00001")).as_deref(), Some("A woman smiles."));
    }
}
