//! The same recording twice: a clip that is in train and in test makes a model look better than it is.
//!
//! Files are told apart by size, then by their first bytes, and read whole only where both agree; folders of pictures
//! by the size of all, then likewise. Left out: the same take in another encoding.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use emotion::{Clip, FeatureRef, Manifest, Problem, Stamp, Stream};

use crate::opening;
use crate::tree::entries;

/// Read of a file before it is read whole; headers of equal files agree, so it is more than a header.
const HEAD_BYTES: u64 = 16 * 1024;

/// Notes size and time of each clip's file, or of the pictures of its folder.
pub(crate) fn stamp(clips: &mut [Clip], root: &Path) {
    for clip in clips.iter_mut().filter(|clip| clip.has_media()) {
        clip.stamp = stamp_of(&root.join(&clip.path));
    }
}

/// Of a folder: the size of all its files, and when the last of them changed, or which files there are.
fn stamp_of(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    let modified_secs = |found: &std::fs::Metadata| {
        let since = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        since.map_or(0, |since| since.as_secs())
    };
    let mut stamp = Stamp { n_bytes: 0, modified_secs: modified_secs(&found) };
    if found.is_file() {
        return Some(Stamp { n_bytes: found.len(), ..stamp });
    }
    for picture in pictures(path)? {
        let found = std::fs::metadata(picture).ok()?;
        stamp.n_bytes += found.len();
        stamp.modified_secs = stamp.modified_secs.max(modified_secs(&found));
    }
    Some(stamp)
}

/// Clips of one content in more than one split; each but the first of them is a problem.
pub(crate) fn across_splits(clips: &[Clip], root: &Path) -> Vec<Problem> {
    let all: Vec<usize> = (0..clips.len()).collect();
    let size = |clip: usize| clips[clip].stamp.map(|stamp| stamp.n_bytes).filter(|&n_bytes| n_bytes > 0);
    let hash = |limit| move |clip: usize| content(&root.join(&clips[clip].path), limit);
    let mut problems = Vec::new();
    for same_size in groups(clips, &all, size) {
        for same_head in groups(clips, &same_size, hash(HEAD_BYTES)) {
            for same in groups(clips, &same_head, hash(u64::MAX)) {
                let first = &clips[same[0]];
                for clip in same[1..].iter().map(|&idx| &clips[idx]) {
                    let (split, other) = (clip.split.name(), first.split.name());
                    let reason = format!(
                        "the same content as {}: one is in {split}, the other in {other}",
                        first.path.display()
                    );
                    let reason =
                        if split == other { format!("the same content as {}", first.path.display()) } else { reason };
                    problems.push(Problem { path: clip.path.clone(), reason });
                }
            }
        }
    }
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    problems
}

/// Keeps what an earlier import of the same files found out, length, modalities, face and extracted features of clips
/// that did not change; and what was decided by hand about a clip, whatever has become of its file.
///
/// Returns the number of clips that are as they were.
pub fn keep_known(fresh: &mut Manifest, earlier: &Manifest) -> usize {
    let kept_streams = keep_extracted(fresh, earlier);
    let own = |clip: &Clip| clip.features.iter().filter(|own| kept_streams[own.stream].is_none()).count();
    let known: HashMap<&str, &Clip> = earlier.clips.iter().map(|clip| (clip.id.as_str(), clip)).collect();
    let mut n_kept = 0;
    for clip in &mut fresh.clips {
        let Some(old) = known.get(clip.id.as_str()) else { continue };
        clip.person = old.person;
        let same = clip.stamp.is_some() && clip.stamp == old.stamp && clip.path == old.path && clip.audio == old.audio;
        // What a clip has depends on its text and features, too.
        if same && clip.text.is_some() == old.text.is_some() && clip.features.len() == own(old) {
            clip.duration_secs = old.duration_secs;
            clip.present = old.present;
            clip.face = clip.face.or(old.face);
            clip.features.extend(old.features.iter().filter_map(|feature| {
                kept_streams[feature.stream].map(|stream| FeatureRef { stream, ..feature.clone() })
            }));
            n_kept += 1;
        }
    }
    n_kept
}

/// Adds the streams of `earlier` that Limbic extracted to `fresh`, unless those of its annotation are called so; the
/// number that each has there.
fn keep_extracted(fresh: &mut Manifest, earlier: &Manifest) -> Vec<Option<usize>> {
    let add = |stream: &Stream| {
        let is_kept = stream.extracted && fresh.streams.iter().all(|own| own.name != stream.name);
        is_kept.then(|| {
            fresh.streams.push(stream.clone());
            fresh.streams.len() - 1
        })
    };
    earlier.streams.iter().map(add).collect()
}

/// Those `members` that share a key with a member of another split, by key.
fn groups(clips: &[Clip], members: &[usize], key: impl Fn(usize) -> Option<u64>) -> Vec<Vec<usize>> {
    let mut by_key: HashMap<u64, Vec<usize>> = HashMap::new();
    for &clip in members {
        if let Some(key) = key(clip) {
            by_key.entry(key).or_default().push(clip);
        }
    }
    by_key.retain(|_, same| same.iter().any(|&clip| clips[clip].split != clips[same[0]].split));
    by_key.into_values().collect()
}

/// A hash of the first `limit` bytes of the file, or of each picture of the folder; `None` where one cannot be read.
fn content(path: &Path, limit: u64) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    let mut buffer = [0; 64 * 1024];
    for file in pictures(path).unwrap_or_else(|| vec![path.to_owned()]) {
        let mut file = opening::open(&file).ok()?.take(limit);
        loop {
            match file.read(&mut buffer).ok()? {
                0 => break,
                n => hasher.write(&buffer[..n]),
            }
        }
    }
    Some(hasher.finish())
}

/// The files of a folder in order of name; `None` where it is none.
fn pictures(folder: &Path) -> Option<Vec<PathBuf>> {
    let files = entries(folder).ok()?.into_iter().filter(|(_, is_folder)| !is_folder);
    Some(files.map(|(path, _)| path).collect())
}
