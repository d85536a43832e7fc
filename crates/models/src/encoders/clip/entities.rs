//! HTML's names and numbers of characters, as Python reads them (`html.unescape`) and as ftfy does (`unescape_html`).

use html_escape::NAMED_ENTITIES;

use super::mojibake::c1_as_windows_1252;

/// Names of the characters from U+00A0 to U+00FF, which may stand without a semicolon.
const LATIN_1: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 \
    acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig \
    Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave \
    Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave \
    iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
/// Others that may.
const BARE: [&str; 10] = ["amp", "lt", "gt", "quot", "AMP", "LT", "GT", "QUOT", "COPY", "REG"];
/// The longest run of characters that Python looks at for a name.
const LONGEST_NAME: usize = 32;
/// The longest name or number that ftfy looks at.
const LONGEST_CERTAIN: usize = 24;

/// A text with its entities replaced once, as Python's `html.unescape`.
pub(super) fn unescaped(text: &str) -> String {
    replaced(text, entity)
}

/// A text with the entities replaced that cannot be meant otherwise: those with a semicolon, and names in capitals of
/// characters that have one in small letters.
pub(super) fn certainly_unescaped(text: &str) -> String {
    replaced(text, certain_entity)
}

/// Replaces what `entity` finds after an ampersand: what it stands for, and its length.
fn replaced(text: &str, entity: fn(&str) -> Option<(String, usize)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (meant, n_bytes) = entity(rest).unwrap_or(("&".into(), 0));
        out.push_str(&meant);
        rest = &rest[n_bytes..];
    }
    out.push_str(rest);
    out
}

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
        && let Some(meant) = named(name)
    {
        return Some((meant.into(), name.len() + 1));
    }
    // Without its semicolon the longest beginning that is a name counts.
    let ends = name.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
    ends.filter(|&end| end > 1).find_map(|end| Some((bare(&name[..end])?.into(), end)))
}

fn certain_entity(text: &str) -> Option<(String, usize)> {
    let name = text.split_once(';')?.0;
    let n_bytes = name.len() + 1;
    let letters = name.strip_prefix('#').unwrap_or(name);
    if !(1..=LONGEST_CERTAIN).contains(&letters.len()) || !letters.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    if letters.len() < name.len() {
        // A number that ends before the semicolon is none.
        return entity(text).filter(|(meant, length)| *length == n_bytes && meant != ";");
    }
    if let Some(meant) = named(name) {
        return Some((meant.into(), n_bytes));
    }
    let is_capital = !name.bytes().any(|byte| byte.is_ascii_lowercase()) && entity(&text[..n_bytes]).is_none();
    let meant = named(&name.to_ascii_lowercase()).filter(|_| is_capital)?;
    Some((meant.to_uppercase(), n_bytes))
}

/// The character with this number; what Python makes of the impossible ones.
fn character(number: u32) -> String {
    match char::from_u32(number) {
        Some('\0') | None => "\u{fffd}".into(),
        Some(c) => match c1_as_windows_1252(c) {
            Some(meant) => meant.into(),
            None if is_unassignable(c) => String::new(),
            None => c.into(),
        },
    }
}

/// Control characters, but for the five that Windows-1252 leaves as they are, and what will never be a character.
fn is_unassignable(c: char) -> bool {
    matches!(c, '\u{1}'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// What a name stands for that is followed by its semicolon.
fn named(name: &str) -> Option<&'static str> {
    let place = NAMED_ENTITIES.binary_search_by(|(known, _)| (*known).cmp(name.as_bytes())).ok()?;
    Some(NAMED_ENTITIES[place].1)
}

/// What a name stands for that may go without.
fn bare(name: &str) -> Option<&'static str> {
    let is_bare = LATIN_1.split_whitespace().chain(BARE).any(|known| known == name);
    named(name).filter(|_| is_bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_replaced_with_and_without_semicolon() {
        for (text, want) in [
            ("&amp; &ampx &hellip; &hellip", "& &x … &hellip"),
            ("&notanentity; &#39;&#x41&#65;", "¬anentity; 'AA"),
            ("&#128; &#0; &#xD800; &; & &#;", "€ \u{fffd} \u{fffd} &; & &#;"),
            ("&le; &ge; &ne; &minus; &infin;", "≤ ≥ ≠ − ∞"),
            ("&alpha;&Omega;&thetasym;&piv;", "αΩϑϖ"),
            ("&ensp;&emsp;&thinsp;&zwnj;&zwj;", "\u{2002}\u{2003}\u{2009}\u{200c}\u{200d}"),
            ("&prime;&Prime;&circ;&tilde;&Yuml;", "′″ˆ˜Ÿ"),
            ("&notin; &notit; &Lt; &fjlig; &NotEqualTilde;", "∉ ¬it; ≪ fj ≂\u{338}"),
            ("&#x81;&#141;|&#11;|&#xfdd0;|&#x1ffff;|&#13;", "\u{81}\u{8d}||||\r"),
            ("&#99999999999;", "\u{fffd}"),
        ] {
            assert_eq!(unescaped(text), want);
        }
    }

    #[test]
    fn only_certain_entities_are_damage() {
        for (text, want) in [
            ("this&not that &amp &#65", "this&not that &amp &#65"),
            ("&notit; &#x3b; &#12ab; &;", "&notit; &#x3b; &#12ab; &;"),
            ("P&EACUTE;REZ BUNDESSTRA&SZLIG;E &nTILDE; &LTCC;", "PÉREZ BUNDESSTRASSE &nTILDE; &LTCC;"),
            ("&notin; &hellip; &#x2019;", "∉ … ’"),
            ("&CounterClockwiseContourIntegral;", "&CounterClockwiseContourIntegral;"),
        ] {
            assert_eq!(certainly_unescaped(text), want);
        }
    }
}
