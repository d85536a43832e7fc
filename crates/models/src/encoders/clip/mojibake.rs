//! UTF-8 that was read as Windows-1252 or Latin-1, by far the most common damage to texts, read again.
//!
//! Follows `fix_encoding` of ftfy 6.3 (Speer 2019), with its judgement of what is damage. Left out: the other code
//! pages that it tries after these two, and surrogates that were encoded one by one.

use std::sync::LazyLock;

use regex::{Regex, bytes};

/// Characters by what they do in texts, as `ftfy.badness` sorts them: pieces of character classes.
const CATEGORIES: [(&str, &str); 14] = [
    ("common", r"\u{a0}\u{ad}·\u{b4}–—―…’"),
    ("c1", r"\u{80}-\u{9f}"),
    ("bad", r"¦¤\u{a8}¬\u{af}\u{b8}ƒ\u{2c6}\u{2c7}\u{2d8}\u{2db}\u{2dc}†‡‰⌐◊\u{fffd}ªº"),
    ("law", "¶§"),
    ("currency", "¢£¥₧€"),
    ("start", r"¡«¿©\u{384}\u{385}‘‚“„•‹\u{f8ff}"),
    ("end", r"®»\u{2dd}”›™"),
    ("numeric", "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№"),
    ("kaomoji", "Ò-ÖÙ-Üò-öø-üŐŌŪŲ°"),
    ("upper_accented", "À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"),
    ("lower_accented", "ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ"),
    ("upper_common", "ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я"),
    ("lower_common", "α-ωάέήίΰа-џ"),
    ("box", "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓"),
];
/// What hardly ever stands side by side but in damaged texts (`BADNESS_RE`); names in braces are [`CATEGORIES`].
const UNLIKELY: [&str; 35] = [
    "[{c1}]",
    "[{bad}{lower_accented}{upper_accented}{box}{start}{end}{currency}{numeric}{law}][{bad}]",
    "[a-zA-Z][{lower_common}{upper_common}][{bad}]",
    "[{bad}][{lower_accented}{upper_accented}{box}{start}{end}{currency}{numeric}{law}]",
    "[{lower_accented}{lower_common}{box}{end}{currency}{numeric}][{upper_accented}]",
    "[{box}{end}{currency}{numeric}][{lower_accented}]",
    "[{lower_accented}{box}{end}][{currency}]",
    r"\s[{upper_accented}][{currency}]",
    "[{upper_accented}{box}][{numeric}{law}]",
    "[{lower_accented}{upper_accented}{box}{currency}{end}][{start}][{numeric}]",
    "[{lower_accented}{upper_accented}{currency}{numeric}{box}{law}][{end}][{start}]",
    "[{currency}{numeric}{box}][{start}]",
    "[a-z][{upper_accented}][{start}{currency}]",
    "[{box}][{kaomoji}]",
    "[{lower_accented}{upper_accented}{currency}{numeric}{start}{end}{law}][{box}]",
    "[{box}][{end}]",
    r"[{lower_accented}{upper_accented}][{start}{end}]\w",
    "[Œœ][^A-Za-z]",
    "[{upper_accented}]°",
    r"[ÂÃÎÐ][€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»{start}{end}–—\u{b4}]",
    "×[²³]",
    "[ØÙ][{common}{currency}{bad}{numeric}{start}ŸŠ®°µ»][ØÙ][{common}{currency}{bad}{numeric}{start}ŸŠ®°µ»]",
    "à[²µ¹¼½¾]",
    r"√[±∂†≠®™\u{b4}≤≥¥µø]",
    "≈[°¢]",
    "‚Ä[ìîïòôúùû†°¢π]",
    "‚[âó][àä°ê]",
    "вЂ",
    "[ВГРС][{c1}{bad}{start}{end}{currency}°µ][ВГРС]",
    "ГўВЂВ.[A-Za-z ]",
    r"Ã[\u{a0}¡]|[a-z]\s?[ÃÂ][ ]|^[ÃÂ][ ]",
    "[a-z.,?!{end}]Â[ {start}{end}]",
    r"β€[™\u{a0}Ά\u{ad}®°]",
    "[ΒΓΞΟ][{c1}{bad}{start}{end}{currency}°][ΒΓΞΟ]",
    "ā€",
];

static DAMAGE: LazyLock<Regex> = LazyLock::new(|| {
    let mut pattern = UNLIKELY.join("|");
    for (name, members) in CATEGORIES {
        pattern = pattern.replace(&format!("{{{name}}}"), members);
    }
    Regex::new(&pattern).expect("the pattern is a constant")
});

/// UTF-8 but for a space where the byte A0 belongs, which many a program takes for one (`ALTERED_UTF8_RE`).
static WITH_SPACES: LazyLock<bytes::Regex> = LazyLock::new(|| {
    let pattern = r"(?-u)[\xc2\xc3\xc5\xce\xd0\xd9] |[\xe2\xe3] [\x80-\x84\x86-\x9f\xa1-\xbf]|[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf] |\xf0 [\x80-\xbf][\x80-\xbf]|\xf0[\x80-\xbf] [\x80-\xbf]|\xf0[\x80-\xbf][\x80-\xbf] ";
    bytes::Regex::new(pattern).expect("the pattern is a constant")
});

/// UTF-8 of which bytes are lost, [`LOST`] or a question mark in their place (`LOSSY_UTF8_RE`).
static WITH_LOSSES: LazyLock<bytes::Regex> = LazyLock::new(|| {
    let pattern = r"(?-u)[\xc2-\xdf]\x1a|[\xc2-\xc3]\?|\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]|\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]|[\xe0-\xef][\x1a?][\x1a\x80-\xbf]|[\xe0-\xef][\x1a\x80-\xbf][\x1a?]|[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]|\x1a";
    bytes::Regex::new(pattern).expect("the pattern is a constant")
});
/// Stands for a byte that became U+FFFD.
const LOST: u8 = 0x1a;

/// Characters beyond Latin-1 by the bytes of UTF-8 that they are in one code page or another (`UTF8_CLUES`): repair
/// leaves the other code pages out, but damage is told from its surroundings as in ftfy.
const FIRST_OF_2: &str =
    "ĂĀĆČĎĐĚĖĒĘĞĢİĪĶĹĻŁŃŇŅŐŌŘŚŠŞŢŰŪŲŮŹŽŻΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫάέήίВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ";
const FIRST_OF_3: &str = "ăāąćčďěėēęģīįķĺļŕźΰαβγδεζηθικλμνξοабвгдежзийклмноп";
const FIRST_OF_4: &str = "đğšπσру";
const CONTINUATION: &str =
    "ĄÆĽŁØŖŚŠŞŤŸŹŽŻŒąæƒľłøŗśšşťźžżœˆˇ˘˛˜˝\u{384}\u{385}ΆΈΉΊΌΎΏЁЂЃЄЅІЇЈЉЊЋЌЎЏёђѓєѕіїјљњћќўџҐґ†‡‰‹›€№™";

/// Characters that Windows-1252 has in place of the control characters 0x80 to 0x9f; a space where it has none.
const WINDOWS_1252: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// What was meant by a control character from 0x80 on.
pub(super) fn c1_as_windows_1252(c: char) -> Option<char> {
    let place = u32::from(c).checked_sub(0x80).filter(|&place| place < 0x20)?;
    WINDOWS_1252.chars().nth(place as usize).filter(|&meant| meant != ' ')
}

/// The byte that Windows-1252 has for a character, or Latin-1 where it has none.
fn windows_1252_byte(c: char) -> Option<u8> {
    match c {
        ' ' => Some(b' '),
        '\u{fffd}' => Some(LOST),
        // The byte stands for a loss.
        '\u{1a}' => None,
        c if c1_as_windows_1252(c).is_some() => None,
        c => match WINDOWS_1252.chars().position(|known| known == c) {
            Some(place) => Some(0x80 + place as u8),
            None => latin_1_byte(c),
        },
    }
}

fn latin_1_byte(c: char) -> Option<u8> {
    u8::try_from(u32::from(c)).ok()
}

/// A text as it was before it was encoded and read wrongly, however many times in a row.
pub(super) fn with_encoding_repaired(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(next) = once_repaired(&text).filter(|next| *next != text) {
        text = next;
    }
    text
}

fn once_repaired(text: &str) -> Option<String> {
    if text.is_ascii() || !DAMAGE.is_match(text) {
        return None;
    }
    if let Some(bytes) = text.chars().map(latin_1_byte).collect::<Option<Vec<u8>>>()
        && let Ok(text) = String::from_utf8(with_a0_restored(bytes))
    {
        return Some(text);
    }
    if let Some(bytes) = text.chars().map(windows_1252_byte).collect::<Option<Vec<u8>>>()
        && let Ok(text) = String::from_utf8(with_losses_marked(&with_a0_restored(bytes)))
    {
        return Some(text);
    }
    let pieces = pieces_repaired(text);
    if pieces != text {
        return Some(pieces);
    }
    Some(text.chars().map(|c| c1_as_windows_1252(c).unwrap_or(c)).collect())
}

/// Puts the byte A0 back where a space stands in its place.
fn with_a0_restored(bytes: Vec<u8>) -> Vec<u8> {
    if !WITH_SPACES.is_match(&bytes) {
        return bytes;
    }
    // The word à lost its A0 to the space after it, unless the space is the rest of a Portuguese word.
    let mut out = Vec::with_capacity(bytes.len() + 1);
    let mut rest = bytes.as_slice();
    while let Some((&byte, after)) = rest.split_first() {
        out.push(byte);
        if let Some(after) = (byte == 0xc3).then(|| after.strip_prefix(b" ")).flatten() {
            let goes_on =
                [b" ".as_slice(), b"quele", b"quela", b"quilo", b"s "].iter().any(|end| after.starts_with(end));
            if !goes_on {
                out.push(0xa0);
            }
        }
        rest = after;
    }
    let restored = |found: &bytes::Captures| -> Vec<u8> {
        found[0].iter().map(|&byte| if byte == b' ' { 0xa0 } else { byte }).collect()
    };
    WITH_SPACES.replace_all(&out, restored).into_owned()
}

/// Makes U+FFFD of what lost a byte.
fn with_losses_marked(bytes: &[u8]) -> Vec<u8> {
    WITH_LOSSES.replace_all(bytes, "\u{fffd}".as_bytes()).into_owned()
}

/// A text of which only pieces are damaged, each taken for itself (`decode_inconsistent_utf8`).
fn pieces_repaired(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut place = 0;
    while place < chars.len() {
        // What follows a byte from amid a character is the rest of a larger mess, which a repair of its end would not
        // better.
        let is_amid = place > 0 && is_continuation(chars[place - 1]) && !is_sign(chars[place - 1]);
        let mut end = place;
        while !is_amid && let Some(n_chars) = misread(&chars[end..]) {
            end += n_chars;
        }
        if end == place {
            out.push(chars[place]);
            place += 1;
            continue;
        }
        let piece: String = chars[place..end].iter().collect();
        let is_damaged = end - place < chars.len() && DAMAGE.is_match(&piece);
        out.push_str(&if is_damaged { with_encoding_repaired(&piece) } else { piece });
        place = end;
    }
    out
}

/// How many characters at the start look like the UTF-8 of one (`UTF8_DETECTOR_RE`).
fn misread(chars: &[char]) -> Option<usize> {
    let n_chars = match *chars.first()? {
        '\u{c2}'..='\u{df}' => 2,
        '\u{e0}'..='\u{ef}' => 3,
        '\u{f0}' | '\u{f3}' => 4,
        c if FIRST_OF_2.contains(c) => 2,
        c if FIRST_OF_3.contains(c) => 3,
        c if FIRST_OF_4.contains(c) => 4,
        _ => return None,
    };
    chars.get(1..n_chars)?.iter().all(|&c| is_continuation(c)).then_some(n_chars)
}

/// Whether a code page has the character where UTF-8 has all bytes of a character but the first.
fn is_continuation(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{bf}' | ' ') || CONTINUATION.contains(c) || is_sign(c)
}

/// Whether a character also stands for itself next to damage.
fn is_sign(c: char) -> bool {
    " ‚„…‘’“”•–—―".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_repaired_as_often_as_they_were_broken() {
        for (text, want) in [
            ("schÃ¶n", "schön"),
            ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет"),
            ("doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t", "doesn’t"),
            ("a Â b", "a \u{a0}b"),
            ("a Ã b", "a à b"),
            ("voilÃ le travail", "voilà le travail"),
            ("fui Ã quela praia", "fui àquela praia"),
            ("10 Â°C", "10 °C"),
            ("â€œ like this â€\u{fffd}", "“ like this \u{fffd}"),
            ("Ж donâ€™t", "Ж don’t"),
            ("what \u{85}", "what …"),
        ] {
            assert_eq!(with_encoding_repaired(text), want);
        }
    }

    #[test]
    fn what_is_meant_stays() {
        for text in
            ["", "Â", "X Â b", "É Ã B", "ÜÖ naïve CAFÉ… Ärger ÀÉ", "Ångström", "10 × 20 °C", "¿Qué?", "“quoted”"]
        {
            assert_eq!(with_encoding_repaired(text), text);
        }
    }
}
