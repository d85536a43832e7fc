//! Lists that are kept in Excel: the first sheet of an `.xlsx` file that has rows, each cell as its user typed it.
//!
//! Whole numbers have no decimals, dates read `2024-03-01`, times `12:30:00`; of formulas the result counts. Left out:
//! `.xls`, `.ods`, and how cells look.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use calamine::{DataRef, ExcelDateTime, Reader as _, Xlsx, XlsxError};

use crate::table::Record;
use crate::{DatasetError, opening};

/// Cells further to the right are no annotation; a file of a few bytes could ask for 16,384 of them in every row.
const MAX_COLUMNS: usize = 1024;
/// Text of all cells together, for many cells can share one text.
const MAX_BYTES: usize = 1 << 30;

/// What a file has.
pub(crate) struct Sheet {
    /// Of the first sheet with rows.
    pub name: String,
    pub records: Vec<Record>,
    /// Names of other sheets with rows.
    pub others: Vec<String>,
}

/// Reads the first sheet with rows of the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Sheet, DatasetError> {
    let damaged = |reason: String| DatasetError::Unreadable { reason, path: path.to_owned() };
    let file = opening::open(path)?;
    let mut workbook = Xlsx::new(BufReader::new(file)).map_err(|error| damaged(error.to_string()))?;
    let mut first: Option<Sheet> = None;
    for name in workbook.sheet_names() {
        let failed = |error: XlsxError| damaged(format!("sheet {name:?}: {error}"));
        match &mut first {
            None => {
                let records = records(&mut workbook, &name, usize::MAX).map_err(failed)?;
                let records = records.ok_or_else(|| damaged(format!("sheet {name:?} has more text than any list")))?;
                if !records.is_empty() {
                    first = Some(Sheet { name, records, others: Vec::new() });
                }
            }
            // What is wrong with sheets that are not read does no harm.
            Some(first) => {
                let has_rows =
                    records(&mut workbook, &name, 1).is_ok_and(|rows| rows.is_some_and(|rows| !rows.is_empty()));
                first.others.extend(has_rows.then_some(name));
            }
        }
    }
    first.ok_or_else(|| DatasetError::EmptyList(path.to_owned()))
}

/// At most `limit` rows of a sheet that are not empty; `None` where there is too much text. Charts have no rows.
fn records(workbook: &mut Xlsx<BufReader<File>>, sheet: &str, limit: usize) -> Result<Option<Vec<Record>>, XlsxError> {
    let mut cells = match workbook.worksheet_cells_reader(sheet) {
        Err(XlsxError::NotAWorksheet(_)) => return Ok(Some(Vec::new())),
        cells => cells?,
    };
    let mut records: Vec<Record> = Vec::new();
    let mut n_bytes = 0;
    while let Some(cell) = cells.next_cell()? {
        let (row, column) = cell.get_position();
        let (line, column) = (u64::from(row) + 1, column as usize);
        let text = text(cell.get_value());
        if text.trim().is_empty() || column >= MAX_COLUMNS {
            continue;
        }
        if records.last().is_none_or(|record| record.line != line) {
            if records.len() == limit {
                break;
            }
            records.push(Record { line, fields: Vec::new() });
        }
        let fields = &mut records.last_mut().expect("it was just pushed").fields;
        n_bytes += text.len() + (column + 1).saturating_sub(fields.len()) * size_of::<String>();
        if n_bytes > MAX_BYTES {
            return Ok(None);
        }
        if fields.len() <= column {
            fields.resize(column + 1, String::new());
        }
        fields[column] = text;
    }
    Ok(Some(records))
}

/// A cell as it was typed; errors such as #N/A are as good as empty.
fn text(cell: &DataRef<'_>) -> String {
    match cell {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(true) => "true".to_owned(),
        DataRef::Bool(false) => "false".to_owned(),
        DataRef::DateTime(moment) => moment_text(moment),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

fn moment_text(moment: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let days = moment.as_f64();
    if moment.is_duration() {
        let seconds = (days * 86400.0).round() as i64;
        return format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    let (date, time) = (format!("{year:04}-{month:02}-{day:02}"), format!("{hour:02}:{minute:02}:{second:02}"));
    match () {
        () if days < 1.0 => time,
        () if days.fract() == 0.0 => date,
        () => format!("{date} {time}"),
    }
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn cells_read_as_they_were_typed() {
        let moment = |days, kind| DataRef::DateTime(ExcelDateTime::new(days, kind, false));
        for (cell, expected) in [
            (DataRef::Float(25.0), "25"),
            (DataRef::Float(-0.125), "-0.125"),
            (DataRef::Int(7), "7"),
            (DataRef::SharedString("00025.mp4"), "00025.mp4"),
            (DataRef::Bool(true), "true"),
            (moment(45352.0, ExcelDateTimeType::DateTime), "2024-03-01"),
            (moment(45352.75, ExcelDateTimeType::DateTime), "2024-03-01 18:00:00"),
            (moment(0.5, ExcelDateTimeType::DateTime), "12:00:00"),
            (moment(1.5, ExcelDateTimeType::TimeDelta), "36:00:00"),
            (DataRef::Empty, ""),
        ] {
            assert_eq!(text(&cell), expected, "{cell:?}");
        }
    }
}
