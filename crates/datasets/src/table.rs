//! Lists as text: whatever the encoding, the delimiter and the line ends.
//!
//! UTF-8 and UTF-16 with or without a byte order mark, single lines in GBK or Windows-1252, quoted fields, commas,
//! semicolons or tabs, CRLF, empty lines. Left out: other legacy encodings; they read as Windows-1252.

use std::path::Path;

use emotion::text_from_bytes;

use crate::DatasetError;

/// A list as text.
pub(crate) struct Table {
    pub header: Vec<String>,
    pub records: Vec<Record>,
    pub delimiter: u8,
    /// Lines that were not UTF-8.
    pub n_foreign: usize,
}

pub(crate) struct Record {
    /// Line in the file, from 1.
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
        let bytes = std::fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
        let (text, n_foreign) = decode(&bytes);
        // The reader takes the second half of such an end for a part of the next line when it counts.
        let text = text.replace("\r\n", "\n");
        let delimiter = sniff(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default());
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut records = Vec::new();
        for record in reader.records() {
            let record =
                record.map_err(|error| DatasetError::Csv { reason: error.to_string(), path: path.to_owned() })?;
            // Spreadsheets leave rows of delimiters behind.
            if record.iter().any(|field| !field.trim().is_empty()) {
                let line = record.position().map(csv::Position::line).unwrap_or_default();
                records.push(Record { line, fields: record.iter().map(str::to_owned).collect() });
            }
        }
        if records.is_empty() {
            return Err(DatasetError::EmptyList(path.to_owned()));
        }
        let header = records.remove(0).fields.into_iter().map(|name| name.trim().to_owned()).collect();
        Ok(Self { header, records, delimiter, n_foreign })
    }

    /// Position of the column called `name` in any case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|own| own.eq_ignore_ascii_case(name))
    }

    /// Positions of columns that must be there.
    pub fn columns<const N: usize>(&self, names: [&'static str; N], path: &Path) -> Result<[usize; N], DatasetError> {
        let mut found = [0; N];
        for (place, role) in found.iter_mut().zip(names) {
            let header = self.header.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            *place = self.column(role).ok_or(DatasetError::NoColumn { role, found: header, path: path.to_owned() })?;
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
        let bytes = std::fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
        let (text, n_foreign) = decode(&bytes);
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        Ok(Self { lines: lines.map(|(number, line)| (number, line.to_owned())).collect(), n_foreign })
    }
}

/// Text of a list in UTF-8 or UTF-16, or with single lines in another encoding; and how many those were. Columns of such
/// a line are told apart where tabs part them: MAFW's have Chinese in GBK beside English in Windows-1252.
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
                line.split_inclusive(|&byte| byte == b'\t').for_each(|column| text += &text_from_bytes(column));
            }
        }
    }
    (text, n_foreign)
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
        assert_eq!(decode(b"\xFF\xFEa\x00,\x00"), ("a,".into(), 0));
    }
}
