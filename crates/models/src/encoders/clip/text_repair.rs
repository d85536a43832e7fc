//! What CLIP's tokenizer does to a text before it reads it: repair as `ftfy` does by default, then HTML entities.
//!
//! Repair of encodings covers UTF-8 that was read as Windows-1252 or Latin-1, by far the most common damage. Left out: the
//! other code pages, bytes that were lost on the way, and entities beyond those of HTML 4 that occur in Western text.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

/// A text without damage: encodings, ligatures, widths, quotes, line breaks, control characters, composition.
pub(super) fn repaired(text: &str) -> String {
    text.split_inclusive('\n').map(repaired_line).collect()
}

fn repaired_line(line: &str) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    // A line with a tag is markup, whose entities are meant.
    let is_markup = line.contains('<');
    let mut line = line.to_owned();
    loop {
        let before = line.clone();
        if !is_markup {
            line = unescaped(&line);
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

/// Characters that Windows-1252 has in place of the control characters 0x80 to 0x9f; a space where it has none.
const WINDOWS_1252: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// What was meant by a control character from 0x80 on.
fn c1_as_windows_1252(c: char) -> Option<char> {
    let place = u32::from(c).checked_sub(0x80).filter(|&place| place < 0x20)?;
    WINDOWS_1252.chars().nth(place as usize).filter(|&meant| meant != ' ')
}

/// The byte that Windows-1252, or failing that Latin-1, has for a character.
fn windows_1252_byte(c: char) -> Option<u8> {
    if c == ' ' {
        return Some(b' ');
    }
    match WINDOWS_1252.chars().position(|known| known == c) {
        Some(place) => Some(0x80 + place as u8),
        None => u8::try_from(u32::from(c)).ok(),
    }
}

/// UTF-8 that was read as Windows-1252, read again.
fn with_encoding_repaired(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let (mut place, mut is_amid_repairs) = (0, false);
    while place < chars.len() {
        let found = misread(&chars[place..]).filter(|&(_, n_chars)| {
            // Two letters with accents may be meant as they stand; runs of such pairs are not, nor are Â and Ã before a sign.
            let is_certain = n_chars > 2 || matches!(chars[place], 'Â' | 'Ã');
            is_certain || is_amid_repairs || misread(&chars[place + n_chars..]).is_some()
        });
        let (c, n_chars) = found.unwrap_or((chars[place], 1));
        out.push(c);
        place += n_chars;
        is_amid_repairs = found.is_some();
    }
    out
}

/// The character beyond ASCII whose UTF-8 the first characters are, and how many they are.
fn misread(chars: &[char]) -> Option<(char, usize)> {
    let lead = windows_1252_byte(*chars.first()?)?;
    let n_chars = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let bytes: Option<Vec<u8>> = chars.get(..n_chars)?.iter().copied().map(windows_1252_byte).collect();
    let decoded = std::str::from_utf8(&bytes?).ok()?.chars().next()?;
    Some((decoded, n_chars))
}

/// Letters in one that are written as several.
const LIGATURES: [(char, &str); 20] = [
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

/// Names of the characters from U+00A0 to U+00FF, which may stand without a semicolon.
const LATIN_1: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 \
    acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig \
    Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave \
    Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave \
    iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
/// Others that may.
const BARE: [(&str, char); 10] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("AMP", '&'),
    ("LT", '<'),
    ("GT", '>'),
    ("QUOT", '"'),
    ("COPY", '©'),
    ("REG", '®'),
];
/// Names that need their semicolon.
const CLOSED: [(&str, char); 24] = [
    ("apos", '\''),
    ("hellip", '…'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("bull", '•'),
    ("dagger", '†'),
    ("permil", '‰'),
    ("euro", '€'),
    ("trade", '™'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("hearts", '♥'),
    ("larr", '←'),
    ("rarr", '→'),
];
/// The longest run of characters that is looked at for a name.
const LONGEST_NAME: usize = 32;

/// A text with its HTML entities replaced once, as Python's `html.unescape`.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (meant, n_bytes) = entity(&rest[1..]).unwrap_or(("&".into(), 0));
        out.push_str(&meant);
        rest = &rest[1 + n_bytes..];
    }
    out.push_str(rest);
    out
}

/// What the entity at the start of `text`, after its ampersand, stands for, and its length.
fn entity(text: &str) -> Option<(String, usize)> {
    if let Some(number) = text.strip_prefix('#') {
        let (digits, radix) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16),
            None => (number, 10),
        };
        let n_digits = digits.chars().take_while(|c| c.is_digit(radix)).count();
        if n_digits == 0 {
            return None;
        }
        let n_bytes = text.len() - digits.len() + n_digits;
        let meant = character(u32::from_str_radix(&digits[..n_digits], radix).unwrap_or(u32::MAX));
        return Some((meant, n_bytes + usize::from(text[n_bytes..].starts_with(';'))));
    }
    let n_chars = text.chars().take(LONGEST_NAME).take_while(|c| !"\t\n\u{c} <&#;".contains(*c)).map(char::len_utf8);
    let name = &text[..n_chars.sum()];
    if text[name.len()..].starts_with(';')
        && let Some(c) = named(name)
    {
        return Some((c.into(), name.len() + 1));
    }
    // Without its semicolon the longest beginning that is a name counts.
    let ends = name.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
    ends.filter(|&end| end > 1).find_map(|end| Some((bare(&name[..end])?.into(), end)))
}

/// The character with this number; what HTML makes of the impossible ones.
fn character(number: u32) -> String {
    match char::from_u32(number) {
        Some('\0') | None => "\u{fffd}".into(),
        Some(c) => match c1_as_windows_1252(c) {
            Some(meant) => meant.into(),
            None if matches!(c, '\u{1}'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}') => {
                String::new()
            }
            None => c.into(),
        },
    }
}

fn named(name: &str) -> Option<char> {
    bare(name).or_else(|| CLOSED.iter().find(|(known, _)| *known == name).map(|(_, c)| *c))
}

fn bare(name: &str) -> Option<char> {
    let latin_1 = LATIN_1.split_whitespace().zip('\u{a0}'..='\u{ff}').find(|(known, _)| *known == name);
    latin_1.map(|(_, c)| c).or_else(|| BARE.iter().find(|(known, _)| *known == name).map(|(_, c)| *c))
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
            ("a\r\nb\u{85}", "a\nb…"),
            ("x\u{1b}[31mred\u{0}", "xred"),
            ("&lt;b&gt;", "<b>"),
            ("<b>&lt;</b>", "<b>&lt;</b>"),
        ] {
            assert_eq!(repaired(text), want);
        }
    }

    #[test]
    fn entities_are_replaced_with_and_without_semicolon() {
        for (text, want) in [
            ("&amp; &ampx &hellip; &hellip", "& &x … &hellip"),
            ("&notanentity; &#39;&#x41&#65;", "¬anentity; 'AA"),
            ("&#128; &#0; &#xD800; &; & &#;", "€ \u{fffd} \u{fffd} &; & &#;"),
        ] {
            assert_eq!(unescaped(text), want);
        }
    }
}
