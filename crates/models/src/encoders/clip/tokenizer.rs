//! CLIP's byte-pair encoding of text (Sennrich et al. 2016; `clip/simple_tokenizer.py`).
//!
//! The vocabulary is a file that users bring, `bpe_simple_vocab_16e6.txt.gz` of OpenAI's repository, packed or not.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;

use super::entities::unescaped;
use super::text_repair::repaired;
use crate::ModelError;

/// Several times what the vocabulary takes unpacked; a file may claim more.
const MAX_BYTES: u64 = 16 << 20;
/// Symbols before the merges: every byte, inside of a word and at its end.
const N_BYTES: u32 = 256;
const N_SYMBOLS: u32 = 2 * N_BYTES;
/// Merges that CLIP uses of the file, which has more.
const N_MERGES: u32 = 48_894;
/// Words: contractions, letters, single digits, everything else. Case is ignored in what is spelled out alone: a class
/// that ignores it would take U+0345, which is no letter, for the iota that it folds to.
const WORDS: &str = r"(?i:<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+";
const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// What becomes of a text that is longer than the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlong {
    /// Its end is cut off; the last token becomes the end token.
    Cut,
    /// It is an error.
    Refuse,
}

/// A vocabulary in use.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Pairs that merge, earlier ones first, by the ids of their halves.
    ranks: HashMap<(u32, u32), u32>,
    words: Regex,
}

impl Tokenizer {
    /// Reads the vocabulary.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let read = |source| ModelError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(read)?;
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(read)?;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut unpacked = Vec::new();
            let decoder = flate2::read::GzDecoder::new(bytes.as_slice());
            decoder.take(MAX_BYTES).read_to_end(&mut unpacked).map_err(read)?;
            bytes = unpacked;
        }
        let damaged = |reason: String| ModelError::Weights { reason, path: path.to_owned() };
        let text = String::from_utf8(bytes).map_err(|_| damaged("the vocabulary is no text".into()))?;
        let mut ids: HashMap<String, u32> = HashMap::new();
        for (symbol, id) in byte_symbols().into_iter().zip(0..) {
            ids.insert(format!("{symbol}</w>"), id + N_BYTES);
            ids.insert(symbol.to_string(), id);
        }
        let mut ranks = HashMap::new();
        // The first line says what the file is.
        for (rank, line) in (0..N_MERGES).zip(text.lines().skip(1)) {
            let halves = line.split_once(' ').and_then(|(a, b)| Some((*ids.get(a)?, *ids.get(b)?)));
            let halves =
                halves.ok_or_else(|| damaged(format!("line {} of the vocabulary merges nothing known", rank + 2)))?;
            ranks.insert(halves, rank);
            ids.insert(line.replace(' ', ""), N_SYMBOLS + rank);
        }
        if ranks.len() != N_MERGES as usize {
            return Err(damaged(format!("the vocabulary has {} merges, not {N_MERGES}", ranks.len())));
        }
        Ok(Self { ranks, words: Regex::new(WORDS).expect("the pattern is a constant") })
    }

    /// Reads the vocabulary, or takes it from memory where it is the one that was read last.
    pub fn shared(path: &Path) -> Result<Arc<Self>, ModelError> {
        static LAST: Mutex<Option<(PathBuf, Arc<Tokenizer>)>> = Mutex::new(None);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tokenizer)) = last.as_ref().filter(|(known, _)| known == path) {
            return Ok(tokenizer.clone());
        }
        let tokenizer = Arc::new(Self::open(path)?);
        *last = Some((path.to_owned(), tokenizer.clone()));
        Ok(tokenizer)
    }

    /// The token before a text.
    pub fn start(&self) -> i64 {
        i64::from(N_SYMBOLS + N_MERGES)
    }

    /// The token after a text; it is the largest of all.
    pub fn end(&self) -> i64 {
        self.start() + 1
    }

    /// The tokens of a text, with neither start nor end.
    pub fn encode(&self, text: &str) -> Vec<i64> {
        let clean = unescaped(&unescaped(&repaired(text)));
        let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        self.words.find_iter(&clean).flat_map(|word| self.word(word.as_str())).collect()
    }

    /// The tokens of a text between start and end, filled up with zeros to `context`.
    pub fn tokenize(&self, text: &str, context: usize, overlong: Overlong) -> Result<Vec<i64>, ModelError> {
        let mut tokens = vec![self.start()];
        tokens.extend(self.encode(text));
        tokens.push(self.end());
        if tokens.len() > context && overlong == Overlong::Refuse {
            return Err(ModelError::Config(format!(
                "the text has {} tokens, the context {context}: {text:?}",
                tokens.len()
            )));
        }
        if tokens.len() > context {
            tokens.truncate(context);
            *tokens.last_mut().expect("a context has room for a token") = self.end();
        }
        tokens.resize(context, 0);
        Ok(tokens)
    }

    /// A caption as UMBEnet reads it: underscores are spaces.
    pub fn caption(&self, text: &str, context: usize, overlong: Overlong) -> Result<Vec<i64>, ModelError> {
        self.tokenize(&text.replace('_', " "), context, overlong)
    }

    /// The prompt of a class before anything is learned: `n_learned` placeholders, its name, a full stop.
    pub fn class_prompt(&self, name: &str, n_learned: usize, context: usize) -> Result<Vec<i64>, ModelError> {
        let text = format!("{}{}.", "X ".repeat(n_learned), name.replace('_', " "));
        self.tokenize(&text, context, Overlong::Refuse)
    }

    fn word(&self, word: &str) -> Vec<i64> {
        match word {
            START => return vec![self.start()],
            END => return vec![self.end()],
            _ => {}
        }
        let mut symbols: Vec<u32> = word.bytes().map(byte_id).collect();
        if let Some(last) = symbols.last_mut() {
            *last += N_BYTES;
        }
        while let Some((rank, halves)) = symbols
            .windows(2)
            .filter_map(|pair| Some((*self.ranks.get(&(pair[0], pair[1]))?, (pair[0], pair[1]))))
            .min()
        {
            let mut merged = Vec::with_capacity(symbols.len());
            let mut rest = symbols.as_slice();
            while let Some((&first, others)) = rest.split_first() {
                let is_pair = first == halves.0 && others.first() == Some(&halves.1);
                merged.push(if is_pair { N_SYMBOLS + rank } else { first });
                rest = if is_pair { &others[1..] } else { others };
            }
            symbols = merged;
        }
        symbols.into_iter().map(i64::from).collect()
    }
}

/// Position of the end token, which has the largest id of all; the first of equals.
pub fn end_of(tokens: &[i64]) -> usize {
    (0..tokens.len()).rev().max_by_key(|&position| tokens[position]).unwrap_or(0)
}

/// Whether a byte is written as itself in the vocabulary.
fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// How bytes are written in the vocabulary, in the order of their ids: printable ones as themselves, then the others as
/// letters from U+0100 on.
fn byte_symbols() -> Vec<char> {
    let printable = (0..=255).filter(|&byte| is_printable(byte)).map(char::from);
    let others = (0..=255_u8).filter(|&byte| !is_printable(byte)).zip('\u{100}'..).map(|(_, symbol)| symbol);
    printable.chain(others).collect()
}

/// The id of a byte inside of a word.
fn byte_id(byte: u8) -> u32 {
    let before = |is_counted: fn(u8) -> bool| (0..byte).filter(|&other| is_counted(other)).count();
    let place = if is_printable(byte) {
        before(is_printable)
    } else {
        (0..=255).filter(|&other| is_printable(other)).count() + before(|other| !is_printable(other))
    };
    place as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_spelled_out_ignores_case() {
        let words = Regex::new(WORDS).unwrap();
        let of = |text| words.find_iter(text).map(|word| word.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(of("We'LL <|EndOfText|>"), ["We", "'LL", "<|EndOfText|>"]);
        // A combining iota, which is no letter, though a capital of it is one.
        assert_eq!(of("a\u{345} b"), ["a", "\u{345}", "b"]);
    }

    #[test]
    fn bytes_have_ids_in_the_order_of_their_symbols() {
        let symbols = byte_symbols();
        assert_eq!(symbols.len(), 256);
        assert_eq!((symbols[0], byte_id(b'!')), ('!', 0));
        assert_eq!((symbols[188], byte_id(0)), ('\u{100}', 188));
        let mut ids: Vec<u32> = (0..=255).map(byte_id).collect();
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..256));
    }

    #[test]
    fn a_file_that_is_no_vocabulary_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vocabulary.txt");
        std::fs::write(&path, "header\ni n\nzz q\n").unwrap();
        let error = Tokenizer::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
        assert!(Tokenizer::open(&dir.path().join("none")).is_err());
    }
}
