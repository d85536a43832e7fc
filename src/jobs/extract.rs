//! Features of a dataset's clips, made and named in its manifest.

use std::path::Path;

use anyhow::Context as _;
use emotion::Manifest;
use training::{Event as Told, Extraction, TrainError};

use super::Desk;
use super::import::{MANIFEST, load_dataset};
use crate::command::{Command, Extract};
use crate::project::CacheRoom;
use crate::state::{Event, Level, Notice, PageName};
use crate::wording::{count, grouped};

/// Clips without features that are listed in the details of the notice.
const N_LISTED: usize = 50;

/// Extracts one kind of features of the dataset in `dir`, then those of copies; what was made before, here or by the
/// command line, is not made again.
pub fn extract(
    dir: &Path,
    extract: &Extract,
    device: &models::DeviceId,
    cache: &CacheRoom,
    desk: &Desk,
) -> anyhow::Result<()> {
    for speed in std::iter::once(None).chain(extract.speeds.iter().copied().map(Some)) {
        let extraction = Extraction { speed, ..extract.extraction.clone() };
        one(dir, extract, &extraction, device, cache, desk)?;
        // Without the originals copies are of no use.
        if !desk.keep_going() {
            break;
        }
    }
    Ok(())
}

fn one(
    dir: &Path,
    extract: &Extract,
    extraction: &Extraction,
    device: &models::DeviceId,
    cache: &CacheRoom,
    desk: &Desk,
) -> anyhow::Result<()> {
    let (path, kind) = (dir.join(MANIFEST), extraction.stream());
    let manifest = datasets::load(&path)?;
    let cache = cache.open()?;
    let mut without = Vec::new();
    let mut on_event = |event| match event {
        Told::Preparing { done, total, remaining_secs } => desk.tell(Event::JobProgress {
            id: desk.id,
            note: extraction.speed.map_or_else(|| "clips".to_owned(), |speed| format!("clips at speed {speed}")),
            progress: Some((done, total)),
            remaining_secs: remaining_secs.filter(|_| done > 0),
        }),
        Told::Warning { path, reason } => without.push(format!("{}: {reason}", path.display())),
        _ => {}
    };
    let to = extract.to.join(&kind);
    let made = training::extract(&manifest, extraction, &to, device, &cache, &desk.control, &mut on_event);
    let made = match made {
        Err(TrainError::Stopped) => {
            let text = format!("Extracting {kind} was stopped; it goes on where it was when you start it again");
            desk.notice(Notice::new(Level::Info, text));
            return Ok(());
        }
        made => made?,
    };
    let training::Extracted { manifest: made, outdated, .. } = made;
    let n_made = n_with(&made, &kind);
    if n_made == 0 {
        let first = without.first().map_or("there are no clips", String::as_str);
        anyhow::bail!("none of the clips has what they are made of, the first because: {first}");
    }
    // Whose face it is may have been chosen meanwhile, or the folder been read again.
    anyhow::ensure!(
        datasets::load(&path)? == manifest,
        "the dataset was changed meanwhile: extract them again, which takes what is made already from {}",
        to.display()
    );
    datasets::save(&made, &path)?;
    for path in outdated {
        std::fs::remove_file(&path)
            .with_context(|| format!("outdated features cannot be removed: {}", path.display()))?;
    }
    desk.tell(Event::Dataset(load_dataset(dir)?));
    let n_clips = made.clips.len();
    let text = format!("“{}” has {kind} of {} of {}", extract.dataset, grouped(n_made), count(n_clips, "clip"));
    let level = if n_made == n_clips { Level::Success } else { Level::Warning };
    let details = (!without.is_empty()).then(|| without[..without.len().min(N_LISTED)].join("\n"));
    let notice = Notice { details, ..Notice::new(level, text) };
    desk.notice(notice.with_action("Show", Command::GoTo(PageName::Library)));
    Ok(())
}

/// Clips with features of the stream called `name`.
pub fn n_with(manifest: &Manifest, name: &str) -> usize {
    let stream = manifest.streams.iter().position(|own| own.name == name);
    manifest.clips.iter().filter(|clip| clip.features.iter().any(|own| Some(own.stream) == stream)).count()
}
