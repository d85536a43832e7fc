//! Checkpoints of Hugging Face that are cut into parts, `model-00001-of-00004.safetensors` and an index.

use std::path::Path;

use super::{Kind, Report};

/// What `path` is, if it is such a part, the index of the parts, or their folder.
pub(super) fn identify(path: &Path) -> Option<Report> {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let n_parts = if path.is_dir() {
        let inside = std::fs::read_dir(path).ok()?.flatten();
        inside.filter_map(|entry| parts_of(&name(&entry.path()))).max()?
    } else {
        let is_index = name(path).ends_with(".index.json");
        match parts_of(&name(path)) {
            None if is_index => return identify(path.parent().filter(|dir| dir.is_dir())?),
            n_parts => n_parts?,
        }
    };
    let what = if path.is_file() { "one of" } else { "a checkpoint in" };
    let report = Report::new(path, Kind::Unknown, format!("{what} {n_parts} parts"));
    Some(report.with_note(
        "parts are not put together here: save it as one file, with save_pretrained(…, max_shard_size=\"100GB\") say",
    ))
}

/// How many parts there are by the name of one, if there are several.
fn parts_of(name: &str) -> Option<usize> {
    let (rest, n_parts) = name.rsplit_once('.')?.0.rsplit_once("-of-")?;
    let (_, part) = rest.rsplit_once('-')?;
    let is_number = |digits: &str| digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let n_parts = n_parts.parse().ok().filter(|_| is_number(part) && is_number(n_parts))?;
    (n_parts > 1).then_some(n_parts)
}
