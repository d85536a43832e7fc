//! `.csv` and `.tsv`: one vector a line. A header is passed over, and so are lines that begin with `#` and the index
//! that pandas and R write without a name; cells that are no numbers are not finite, so that names and labels may stand
//! beside the features. A line of empty cells is a row of them, unless none follows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use pickle::{Bytes, Fault};

use crate::Element;
use crate::store::{Entry, Layout};

/// The likelier first. Runs of blanks are one, as numpy aligns columns.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b' '];
/// So many numbers that count up from 0 are no features but a header, whatever is below.
const N_COUNTED: usize = 4;
/// Lines that the delimiter is told by.
const N_TRIED: usize = 20;

pub(crate) fn entries(file: &mut File) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let head: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').take(N_TRIED).collect();
    let delimiter = delimiter_of(&head.join(&b'\n'));
    let (mut width, mut n_rows, mut has_index) = (0, 0, false);
    let mut values: Vec<f32> = Vec::new();
    // A first row 0, 1, 2 … is the header of a table without names, where the rows below are of another kind or wide.
    let mut count: Option<Vec<f32>> = None;
    let mut n_empty = 0;
    for_rows(bytes, delimiter, &mut |line, cells| {
        if is_empty(cells) {
            // What a spreadsheet leaves behind the last row is none.
            n_empty += usize::from(width > 1 && cells.len() == width);
            return Ok(());
        }
        let numbers: Vec<Option<f32>> = cells.iter().map(|cell| number(cell, delimiter)).collect();
        let row = |numbers: &[Option<f32>]| numbers.iter().map(|cell| cell.unwrap_or(f32::NAN)).collect::<Vec<f32>>();
        if width == 0 {
            width = numbers.len();
            has_index = width > 1 && cells[0].trim_ascii().is_empty();
            if numbers.iter().all(Option::is_none) {
                return Ok(());
            }
            if is_count(cells) {
                // Whatever is below: an empty cell names the index.
                count = (!has_index).then(|| row(&numbers));
                return Ok(());
            }
            has_index = false;
        }
        if numbers.len() != width {
            return Err(Fault::Damaged(format!("line {line} has {} cells instead of {width}", numbers.len())));
        }
        if let Some(count) = count.take()
            && cells.len() < N_COUNTED
            && cells.iter().all(|cell| is_whole(cell))
        {
            values.extend(count);
            n_rows += 1;
        }
        let n_missing = std::mem::take(&mut n_empty);
        values.extend(std::iter::repeat_n(f32::NAN, n_missing * width));
        values.extend(row(&numbers));
        n_rows += n_missing + 1;
        Ok(())
    })?;
    if let Some(count) = count {
        values.extend(count);
        n_rows = 1;
    }
    if has_index && n_rows > 0 {
        values = values.chunks_exact(width).flat_map(|row| &row[1..]).copied().collect();
        width -= 1;
    }
    let layout = Layout {
        element: Element::Float { n_bytes: 4 },
        big_endian: false,
        fortran: false,
        shape: vec![n_rows, width],
        bytes: Bytes::Here(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()),
    };
    Ok([(String::new(), Entry::Numbers(layout.checked().map_err(Fault::Damaged)?))].into())
}

/// Takes the number of a row's line and its cells.
type RowReader<'a> = dyn FnMut(u64, &[&[u8]]) -> Result<(), Fault> + 'a;

fn is_empty(cells: &[&[u8]]) -> bool {
    cells.iter().all(|cell| cell.trim_ascii().is_empty())
}

/// Calls `each` with the number of the line and the cells of every row; lines without a delimiter need a cell.
fn for_rows(bytes: &[u8], delimiter: u8, each: &mut RowReader<'_>) -> Result<(), Fault> {
    let joined;
    let bytes = if delimiter == b' ' {
        joined = with_single_blanks(bytes);
        &joined
    } else {
        bytes
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| Fault::Damaged(error.to_string()))? {
        let cells: Vec<&[u8]> = record.iter().collect();
        each(record.position().map_or(0, csv::Position::line), &cells)?;
    }
    Ok(())
}

fn with_single_blanks(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split(|&byte| byte == b'\n').map(|line| {
        let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        words.join(&b' ')
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// The delimiter that leaves as many cells in each row and numbers in most of them; of equals the one with more cells.
fn delimiter_of(head: &[u8]) -> u8 {
    let merit = |&delimiter: &u8| {
        let mut rows: Vec<(usize, usize, usize)> = Vec::new();
        let read = for_rows(head, delimiter, &mut |_, cells| {
            if is_empty(cells) {
                return Ok(());
            }
            let filled = cells.iter().filter(|cell| !cell.trim_ascii().is_empty());
            let n_numbers = filled.clone().filter(|cell| number(cell, delimiter).is_some()).count();
            rows.push((cells.len(), filled.count(), n_numbers));
            Ok(())
        });
        let width = rows.first().map_or(0, |&(width, ..)| width);
        let is_even = width > 1 && read.is_ok() && rows.iter().all(|&(own, ..)| own == width);
        // The first may be a header.
        let below = &rows[usize::from(rows.len() > 1)..];
        let (n_filled, n_numbers) = below.iter().fold((0, 0), |sum, row| (sum.0 + row.1, sum.1 + row.2));
        (is_even, n_numbers * 1000 / n_filled.max(1), width)
    };
    // Of several best, the last is taken.
    DELIMITERS.into_iter().rev().max_by_key(merit).unwrap_or(b',')
}

/// Where commas part no cells, they are decimal points.
fn number(cell: &[u8], delimiter: u8) -> Option<f32> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    text.parse().ok().or_else(|| if delimiter == b',' { None } else { text.replace(',', ".").parse().ok() })
}

/// Whether the cells, but for an empty first one, are 0, 1, 2 …
fn is_count(cells: &[&[u8]]) -> bool {
    let cells = if cells[0].trim_ascii().is_empty() { &cells[1..] } else { cells };
    cells.len() > 1
        && (0..).zip(cells).all(|(place, cell): (usize, _)| cell.trim_ascii() == place.to_string().as_bytes())
}

fn is_whole(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|text| text.trim().parse::<i64>().is_ok())
}
