//! `.csv` and `.tsv`: one vector a line. A header is passed over; cells that are no numbers are not finite, so that names and
//! labels may stand beside the features.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use pickle::{Bytes, Fault};

use crate::Element;
use crate::store::{Entry, Layout};

pub(crate) fn entries(file: &mut File) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| first.iter().filter(|byte| *byte == delimiter).count();
    let delimiter = [b' ', b';', b'\t', b','].into_iter().max_by_key(count).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let (mut width, mut n_rows) = (0, 0);
    let mut values: Vec<f32> = Vec::new();
    while reader.read_byte_record(&mut record).map_err(|error| Fault::Damaged(error.to_string()))? {
        let number = |cell: &[u8]| std::str::from_utf8(cell).ok()?.trim().parse::<f32>().ok();
        let cells: Vec<Option<f32>> = record.iter().map(number).collect();
        if width == 0 {
            width = cells.len();
            if cells.iter().all(Option::is_none) {
                continue;
            }
        }
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        if cells.len() != width {
            let line = record.position().map_or(0, csv::Position::line);
            return Err(Fault::Damaged(format!("line {line} has {} cells instead of {width}", cells.len())));
        }
        values.extend(cells.into_iter().map(|cell| cell.unwrap_or(f32::NAN)));
        n_rows += 1;
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
