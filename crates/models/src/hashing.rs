//! Words as numbers without a vocabulary file: the hashing trick (Weinberger et al. 2009).
//!
//! A word is a run of letters, digits and apostrophes, in lower case; `_` separates words, as in MAFW's captions.

/// Values of a row of [`hashed_words`].
pub const WORD_WIDTH: usize = 256;
/// Lengths of the runs of characters that words share with words like them.
const RUNS: [usize; 2] = [3, 4];

/// Words as numbers 2..`n_buckets`. A text without words becomes one token, 1, so that it still is a text.
pub fn hashed_tokens(text: &str, n_buckets: usize) -> Vec<i64> {
    let tokens: Vec<i64> = words(text).map(|word| 2 + (fnv_1a(word.bytes()) % (n_buckets as u64 - 2)) as i64).collect();
    if tokens.is_empty() { vec![1] } else { tokens }
}

/// Words as rows of length 1, `[words, WORD_WIDTH]`: each word and its runs of three and four characters, `<` and `>`
/// around it (Bojanowski et al. 2017), count where their hashes point to, with the sign that their hashes give them, so
/// that collisions cancel out on average.
pub fn hashed_words(text: &str) -> Vec<f32> {
    words(text).flat_map(|word| row(&word)).collect()
}

fn row(word: &str) -> Vec<f32> {
    let mut row = vec![0.0_f32; WORD_WIDTH];
    let mut count = |hash: u64| {
        // The place takes the low bits, the sign the highest.
        row[(hash % WORD_WIDTH as u64) as usize] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
    };
    count(fnv_1a(word.bytes()));
    let marked: Vec<char> = std::iter::once('<').chain(word.chars()).chain(['>']).collect();
    for length in RUNS {
        for run in marked.windows(length) {
            count(fnv_1a(run.iter().collect::<String>().bytes()));
        }
    }
    let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
    // Everything may cancel out; the word then says nothing.
    row.iter_mut().for_each(|value| *value /= length.max(1.0));
    row
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '\''));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// 64-bit FNV-1a.
fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_ignore_case_and_punctuation() {
        let tokens = hashed_tokens("I can't, I won't!", 4096);
        assert_eq!(tokens.len(), 4);
        assert_eq!(tokens, hashed_tokens("i CAN'T_i won't", 4096));
        assert_eq!(tokens[0], tokens[2]);
        assert_eq!(hashed_tokens("?!", 4096), [1]);
        assert!(tokens.iter().all(|&token| (2..4096).contains(&token)));
    }

    #[test]
    fn words_that_look_alike_lie_close() {
        let rows = hashed_words("Happy happily, window");
        assert_eq!(rows.len(), 3 * WORD_WIDTH);
        assert_eq!(rows[..WORD_WIDTH], hashed_words("HAPPY")[..]);
        let rows: Vec<&[f32]> = rows.chunks(WORD_WIDTH).collect();
        let cosine = |a: usize, b: usize| rows[a].iter().zip(rows[b]).map(|(a, b)| a * b).sum::<f32>();
        assert!((cosine(0, 0) - 1.0).abs() < 1e-6);
        assert!(cosine(0, 1) > 0.3 && cosine(0, 2).abs() < 0.2, "{} {}", cosine(0, 1), cosine(0, 2));
        assert!(hashed_words("?!").is_empty());
        // FNV-1a's published values of "" and "a".
        assert_eq!([fnv_1a("".bytes()), fnv_1a("a".bytes())], [0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c]);
    }
}
