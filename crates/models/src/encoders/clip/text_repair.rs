//! What CLIP's tokenizer does to a text before it reads it: repair as `ftfy` 6.3 does by default.
//!
//! Left out: surrogates, which no text here can hold, and what [`mojibake`](super::mojibake) leaves out.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::entities::certainly_unescaped;
use super::mojibake::{c1_as_windows_1252, with_encoding_repaired};

/// A text without damage: encodings, ligatures, widths, quotes, line breaks, control characters, composition.
pub(super) fn repaired(text: &str) -> String {
    // A tag makes a text markup from its line on, whose entities are meant.
    let mut is_markup = false;
    let repaired = |line: &str| {
        is_markup |= line.contains('<');
        repaired_line(line, is_markup)
    };
    text.split_inclusive('\n').map(repaired).collect()
}

fn repaired_line(line: &str, is_markup: bool) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let mut line = line.to_owned();
    loop {
        let before = line.clone();
        if !is_markup {
            line = certainly_unescaped(&line);
        }
        line = with_encoding_repaired(&line);
        line = line.chars().map(|c| c1_as_windows_1252(c).unwrap_or(c)).collect();
        line = without_ligatures_and_widths(&line);
        line = without_terminal_escapes(&plain_quotes_and_breaks(&line));
        line.retain(|c| !is_removed(c));
        line = nfc.normalize(&line).into_owned();
        if line == before {
            return line;
        }
    }
}

/// Letters in one that are written as several.
const LIGATURES: [(char, &str); 23] = [
    ('Ĳ', "IJ"),
    ('ĳ', "ij"),
    ('ŉ', "ʼn"),
    ('Ǳ', "DZ"),
    ('ǲ', "Dz"),
    ('ǳ', "dz"),
    ('Ǆ', "DŽ"),
    ('ǅ', "Dž"),
    ('ǆ', "dž"),
    ('Ǉ', "LJ"),
    ('ǈ', "Lj"),
    ('ǉ', "lj"),
    ('Ǌ', "NJ"),
    ('ǋ', "Nj"),
    ('ǌ', "nj"),
    ('ﬀ', "ff"),
    ('ﬁ', "fi"),
    ('ﬂ', "fl"),
    ('ﬃ', "ffi"),
    ('ﬄ', "ffl"),
    ('ﬅ', "ſt"),
    ('ﬆ', "st"),
    ('\u{3000}', " "),
];

/// Latin ligatures as their letters, full and half width as the usual width.
fn without_ligatures_and_widths(text: &str) -> String {
    let nfkd = DecomposingNormalizerBorrowed::new_nfkd();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match LIGATURES.iter().find(|(ligature, _)| *ligature == c) {
            Some((_, letters)) => out.push_str(letters),
            None if ('\u{ff01}'..='\u{ffef}').contains(&c) => out.push_str(&nfkd.normalize(c.encode_utf8(&mut [0; 4]))),
            None => out.push(c),
        }
    }
    out
}

/// Straight quotes, and line breaks as `\n`.
fn plain_quotes_and_breaks(text: &str) -> String {
    let plain = |c: char| match c {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => '\n',
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(plain).collect()
}

/// Colours and movements of terminals are no text: `ESC [ numbers letter`.
fn without_terminal_escapes(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match rest.strip_prefix(|c: char| c.is_ascii_alphabetic()) {
            Some(rest) => out.push_str(rest),
            None => {
                out.push_str("\u{1b}[");
                out.push_str(part);
            }
        }
    }
    out
}

fn is_removed(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_repaired_and_what_is_meant_stays() {
        for (text, want) in [
            ("schÃ¶n donâ€™t l’humanitÃ©", "schön don't l'humanité"),
            ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет"),
            ("ÜÖ naïve CAFÉ… Ärger ÀÉ", "ÜÖ naïve CAFÉ… Ärger ÀÉ"),
            ("ﬁne ＦＵＬＬ", "fine FULL"),
            ("xǊy ǋ ǌ", "xNJy Nj nj"),
            ("doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t", "doesn't"),
            ("a\r\nb\u{85}", "a\nb…"),
            ("x\u{1b}[31mred\u{0}", "xred"),
            ("&lt;b&gt;", "<b>"),
            ("<b>&lt;</b>", "<b>&lt;</b>"),
            ("&lt;\n<b>\n&lt;", "<\n<b>\n&lt;"),
            ("this&not &notin; that", "this&not ∉ that"),
        ] {
            assert_eq!(repaired(text), want);
        }
    }
}
