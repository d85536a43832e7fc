//! Files of published weights: which are here, and whether they are what they should be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use models::Published;
use models::identify::{Report, identify};
use sha2::{Digest as _, Sha256};

use super::Desk;
use crate::state::{Checked, Computed, Event, Level, Notice, Weights};

/// Read at once for a checksum.
const CHUNK_BYTES: usize = 1 << 20;

/// Looks into the chosen files, and finds others in `dir` by what is in them.
pub(super) fn find(dir: &Path, chosen: &BTreeMap<String, PathBuf>, desk: &Desk) {
    for (key, path) in chosen {
        tell(key, path, looked_into(path, None), desk);
    }
    // A folder that is not there has no files.
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    for path in files.into_iter().filter(|path| path.is_file()) {
        let checked = looked_into(&path, None);
        if let Computed::Ready(found) = &checked
            && let Some(key) = found.report.published
            && !chosen.contains_key(key)
        {
            tell(key, &path, checked, desk);
        }
    }
}

/// What a file that is to be imported is.
pub(super) fn look_into(path: &Path) -> Computed<Report> {
    match identify(path) {
        Ok(report) => Computed::Ready(Arc::new(report)),
        Err(error) => Computed::Failed(error.to_string()),
    }
}

/// Looks into a file and compares its checksum with the published one, where there is one.
pub(super) fn verify(published: &'static Published, path: &Path, desk: &Desk) -> anyhow::Result<()> {
    let mut checksum = None;
    let is_original = path.file_name().is_some_and(|name| name == published.file);
    if let (Some(expected), true) = (published.sha256, is_original && path.is_file()) {
        let Some(found) = sha256(path, desk)? else {
            tell(published.key, path, looked_into(path, None), desk);
            return Ok(());
        };
        checksum = Some(found == expected);
    }
    let checked = looked_into(path, checksum);
    let weights = Weights { path: path.to_owned(), checked };
    let notice = match weights.fits(published.key) {
        true => Notice::new(Level::Success, format!("{} is ready to be used", published.title)),
        false => Notice::new(Level::Warning, format!("This file cannot be used as {}", published.title)),
    };
    desk.tell(Event::Weights { key: published.key.to_owned(), weights });
    desk.notice(notice);
    Ok(())
}

fn tell(key: &str, path: &Path, checked: Computed<Checked>, desk: &Desk) {
    desk.tell(Event::Weights { key: key.to_owned(), weights: Weights { path: path.to_owned(), checked } });
}

fn looked_into(path: &Path, checksum: Option<bool>) -> Computed<Checked> {
    match identify(path) {
        Ok(report) => Computed::Ready(Arc::new(Checked { report, checksum })),
        Err(error) => Computed::Failed(error.to_string()),
    }
}

/// The file's SHA-256 in hexadecimal digits; `None` when it was cancelled.
fn sha256(path: &Path, desk: &Desk) -> anyhow::Result<Option<String>> {
    let context = || format!("the file cannot be read: {}", path.display());
    let mut file = std::fs::File::open(path).with_context(context)?;
    let n_chunks = file.metadata().with_context(context)?.len().div_ceil(CHUNK_BYTES as u64) as usize;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    for done in 0.. {
        desk.progress("megabytes", done, n_chunks);
        if !desk.keep_going() {
            return Ok(None);
        }
        let n = file.read(&mut chunk).with_context(context)?;
        if n == 0 {
            break;
        }
        hash.update(&chunk[..n]);
    }
    Ok(Some(hash.finalize().iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a string takes all");
        digits
    })))
}
