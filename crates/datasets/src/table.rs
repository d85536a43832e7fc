//! Lists: as text, whatever the encoding, the delimiter and the line ends; or in Excel.
//!
//! UTF-8 and UTF-16 with or without a byte order mark, single lines in GBK or Windows-1252, quoted fields, commas,
//! semicolons or tabs, or what Excel's first line `sep=;` says, CRLF, empty lines. Left out: other legacy encodings;
//! they read as Windows-1252.

use std::io::Read as _;
use std::path::Path;

use emotion::text_from_bytes;

use crate::tree::extension;
use crate::{DatasetError, opening, spreadsheet};

/// What is read to tell a list by its header.
const HEAD_BYTES: u64 = 1 << 18;

/// The extension of lists that are spreadsheets.
const SPREADSHEET: &str = "xlsx";

/// Whether `path` is called like a list of clips: `.csv`, `.tsv` or `.xlsx`.
pub fn is_list(path: &Path) -> bool {
    matches!(extension(path).as_deref(), Some("csv" | "tsv" | SPREADSHEET))
}

/// Whether `path` is called like a list in Excel.
pub(crate) fn is_spreadsheet(path: &Path) -> bool {
    extension(path).as_deref() == Some(SPREADSHEET)
}

/// A list in memory.
pub(crate) struct Table {
    pub header: Vec<String>,
    pub records: Vec<Record>,
    pub origin: Origin,
}

/// What kind of file a list is.
pub(crate) enum Origin {
    Text {
        delimiter: u8,
        /// Lines that were not UTF-8.
        n_foreign: usize,
    },
    Spreadsheet {
        /// The one that was read.
        sheet: String,
        /// Others with rows.
        others: Vec<String>,
    },
}

pub(crate) struct Record {
    /// Line in the file or row of the sheet, from 1.
    pub line: u64,
    pub fields: Vec<String>,
}

impl Record {
    /// The field without spaces around it; empty where the row is too short.
    pub fn field(&self, column: usize) -> &str {
        self.fields.get(column).map(|field| field.trim()).unwrap_or_default()
    }
}

impl Table {
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        if is_spreadsheet(path) {
            let spreadsheet::Sheet { name, records, others } = spreadsheet::read(path)?;
            return Self::new(records, Origin::Spreadsheet { sheet: name, others }, path);
        }
        Self::parse(&opening::read(path)?, path)
    }

    /// The header and the first rows, of which the last may be cut off: enough to tell what a list is, however long.
    pub fn head(path: &Path) -> Result<Self, DatasetError> {
        if is_spreadsheet(path) {
            return Self::read(path);
        }
        Self::parse(&head(path)?, path)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, DatasetError> {
        let (text, n_foreign) = decode(bytes);
        // The reader takes the second half of such an end for a part of the next line when it counts.
        let text = text.replace("\r\n", "\n");
        let (delimiter, text) = match stated(&text) {
            Some((delimiter, rest)) => (delimiter, rest),
            None => (sniff(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()), text.as_str()),
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut records = Vec::new();
        for record in reader.records() {
            let record = record
                .map_err(|error| DatasetError::Unreadable { reason: error.to_string(), path: path.to_owned() })?;
            // Spreadsheets leave rows of delimiters behind.
            if record.iter().any(|field| !field.trim().is_empty()) {
                let line = record.position().map(csv::Position::line).unwrap_or_default();
                records.push(Record { line, fields: record.iter().map(str::to_owned).collect() });
            }
        }
        Self::new(records, Origin::Text { delimiter, n_foreign }, path)
    }

    fn new(mut records: Vec<Record>, origin: Origin, path: &Path) -> Result<Self, DatasetError> {
        if records.is_empty() {
            return Err(DatasetError::EmptyList(path.to_owned()));
        }
        let header = records.remove(0).fields.into_iter().map(|name| name.trim().to_owned()).collect();
        Ok(Self { header, records, origin })
    }

    /// The rows of a list whose first row is no header.
    pub fn headless(self) -> Vec<Record> {
        let first = Record { line: 1, fields: self.header };
        std::iter::once(first).chain(self.records).collect()
    }

    /// Lines that were not UTF-8.
    pub fn n_foreign(&self) -> usize {
        if let Origin::Text { n_foreign, .. } = self.origin { n_foreign } else { 0 }
    }

    /// The column names as messages list them.
    pub fn listed(&self) -> String {
        let names = self.header.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        match &self.origin {
            _ if names.is_empty() => "none".to_owned(),
            Origin::Text { .. } => names,
            Origin::Spreadsheet { sheet, .. } => format!("{names} on the sheet {sheet:?}"),
        }
    }

    /// Position of the column called `name` in any case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|own| own.eq_ignore_ascii_case(name))
    }

    /// Positions of columns that must be there.
    pub fn columns<const N: usize>(&self, names: [&'static str; N], path: &Path) -> Result<[usize; N], DatasetError> {
        let mut found = [0; N];
        for (place, role) in found.iter_mut().zip(names) {
            let missing = || DatasetError::NoColumn { role, found: self.listed(), path: path.to_owned() };
            *place = self.column(role).ok_or_else(missing)?;
        }
        Ok(found)
    }
}

/// A text file as lines without their ends; empty ones are left out.
pub(crate) struct Lines {
    /// Number from 1, and text.
    pub lines: Vec<(u64, String)>,
    /// Lines that were not UTF-8.
    pub n_foreign: usize,
}

impl Lines {
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        Ok(Self::parse(&opening::read(path)?))
    }

    /// The first lines, of which the last may be cut off.
    pub fn head(path: &Path) -> Result<Self, DatasetError> {
        Ok(Self::parse(&head(path)?))
    }

    fn parse(bytes: &[u8]) -> Self {
        let (text, n_foreign) = decode(bytes);
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        Self { lines: lines.map(|(number, line)| (number, line.to_owned())).collect(), n_foreign }
    }
}

/// The first bytes of a list.
fn head(path: &Path) -> Result<Vec<u8>, DatasetError> {
    let mut bytes = Vec::new();
    let read = opening::open(path)?.take(HEAD_BYTES).read_to_end(&mut bytes);
    read.map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// Text of a list in UTF-8 or UTF-16, or with single lines in another encoding; and how many those were. Columns of
/// such a line are told apart where tabs part them: MAFW's have Chinese in GBK beside English in Windows-1252.
pub(crate) fn decode(bytes: &[u8]) -> (String, usize) {
    let is_wide = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || bytes.contains(&0);
    if is_wide || std::str::from_utf8(bytes).is_ok() {
        return (text_from_bytes(bytes).into_owned(), 0);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut n_foreign = 0;
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(line) => text += line,
            Err(_) => {
                n_foreign += 1;
                let columns: String = line.split_inclusive(|&byte| byte == b'\t').map(text_from_bytes).collect();
                let whole = text_from_bytes(line);
                // Quotes of an English column in GBK tell nothing by themselves; the Chinese beside them does.
                text += if has_chinese(&columns) && has_chinese(&whole) { &whole } else { &columns };
            }
        }
    }
    (text, n_foreign)
}

fn has_chinese(text: &str) -> bool {
    text.contains(|c| matches!(c, '\u{4E00}'..='\u{9FFF}'))
}

/// The delimiter that Excel is told in a line of its own, as in `sep=;`, and what follows from that line's end on.
fn stated(text: &str) -> Option<(u8, &str)> {
    let (first, _) = text.split_once('\n')?;
    let (word, delimiter) = first.trim_matches(['"', ' ']).split_once('=')?;
    let &[delimiter] = delimiter.as_bytes() else { return None };
    word.eq_ignore_ascii_case("sep").then_some((delimiter, &text[first.len()..]))
}

/// The delimiter that the header has most of.
fn sniff(header: &str) -> u8 {
    let mut best = (b',', 0);
    for delimiter in [b',', b'\t', b';'] {
        let mut quoted = false;
        let mut n = 0;
        for byte in header.bytes() {
            quoted ^= byte == b'"';
            n += usize::from(byte == delimiter && !quoted);
        }
        if n > best.1 {
            best = (delimiter, n);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_most_frequent_outside_quotes() {
        for (header, delimiter) in
            [("path,label", b','), ("path\tlabel", b'\t'), ("path;label", b';'), ("\"a,b,c\";d", b';'), ("path", b',')]
        {
            assert_eq!(sniff(header), delimiter, "{header}");
        }
    }

    #[test]
    fn any_usual_encoding_is_read() {
        assert_eq!(decode(b"\xEF\xBB\xBFa,\xC3\xBC\n"), ("a,ü\n".into(), 0));
        assert_eq!(decode(b"\xFFa\n\xC3\xBC\n\xFC"), ("ÿa\nü\nü".into(), 2));
        assert_eq!(decode(b"it\x92s\x80"), ("it’s€".into(), 1));
        assert_eq!(decode(b"a\nx\t\xC5\xAE\xC8\xCB\tit\x92s\n"), ("a\nx\t女人\tit’s\n".into(), 1));
        let all_gbk = b"x\t\xC5\xAE\xC8\xCB\xD7\xDF\xC2\xB7\tit\xA1\xAFs\n";
        assert_eq!(decode(all_gbk), ("x\t女人走路\tit’s\n".into(), 1));
        assert_eq!(decode(b"\xFF\xFEa\x00,\x00"), ("a,".into(), 0));
    }
}
