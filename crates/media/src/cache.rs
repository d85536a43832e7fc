//! Prepared samples on disk, one file each, so that a clip is decoded once for all epochs and runs.
//!
//! The key is made of the content of the clip's files and the settings, so a changed file or model is prepared anew by
//! itself. The text is no part of it: it costs nothing to take it from the request.
//!
//! The folder is kept to a size by removing samples that were not used for longest. What a job that still runs has used
//! stays, whatever the size: a job takes each sample at its start and reads it again in every epoch. That it runs is
//! known by its lease. A sample's time of change is that of its last use.

mod lease;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use emotion::{FaceSource, Sample};
use tempfile::NamedTempFile;

use self::lease::{LEASE, Lease};
use crate::opening::open_file;
use crate::pictures::Pictures;
use crate::prepare::{Prepared, Request, prepare, spoken};
use crate::stored::{bytes_from_prepared, prepared_from_bytes};
use crate::{Detectors, MediaError};

/// Changes whenever the same file and settings give another sample than before.
const VERSION: u32 = 9;
/// Of samples, after their key.
const SUFFIX: &str = ".safetensors";
/// Of files that are being written; left behind only by a crash.
const UNFINISHED: &str = ".unfinished-";
/// Nobody writes a sample for as long as this.
const UNFINISHED_SECS: u64 = 3600;
/// Some file systems keep times no finer than this.
const CLOCK_GRAIN: Duration = Duration::from_secs(2);
/// The folder is looked through once for each such part of its limit that was written.
const LOOKS_PER_LIMIT: u64 = 20;

/// A folder of prepared samples; several processes may use it at once.
#[derive(Debug, Clone)]
pub struct SampleCache {
    dir: PathBuf,
    limit_bytes: u64,
    detectors: Detectors,
    lease: Arc<Lease>,
    n_written_bytes: Arc<AtomicU64>,
}

impl SampleCache {
    /// What a cache takes unless told otherwise, in bytes: some 8,000 clips of 16 pictures of 224 × 224 pixels.
    pub const USUAL_LIMIT_BYTES: u64 = 20 << 30;

    /// Opens the cache in `dir`, which is created if need be. What is used from then on stays until this value and its
    /// clones are dropped.
    pub fn open(dir: &Path) -> Result<Self, MediaError> {
        let failed = |error| MediaError::cache("creating the cache folder", dir, error);
        fs::create_dir_all(dir).map_err(failed)?;
        Ok(Self {
            dir: dir.to_owned(),
            limit_bytes: Self::USUAL_LIMIT_BYTES,
            detectors: Detectors::default(),
            lease: Arc::new(Lease::take(dir).map_err(failed)?),
            n_written_bytes: Arc::default(),
        })
    }

    /// The same cache, kept to `limit_bytes` from now on, and once nobody needs more of it.
    pub fn with_limit(self, limit_bytes: u64) -> Self {
        self.lease.limit_bytes.store(limit_bytes, Ordering::Relaxed);
        let cache = Self { limit_bytes, ..self };
        // Whoever writes tries again and says what fails.
        let _ = cache.trim();
        cache
    }

    /// The same cache, with other detectors to prepare samples with than those that are built in.
    pub fn with_detectors(self, detectors: Detectors) -> Self {
        Self { detectors, ..self }
    }

    /// What samples are to be prepared with.
    pub fn detectors(&self) -> &Detectors {
        &self.detectors
    }

    /// Names the sample that `request` leads to: a hash of the file's content and of all settings but the text.
    pub fn key(&self, request: &Request<'_>) -> Result<String, MediaError> {
        let Request { path, audio, inputs, .. } = *request;
        let mut hasher = blake3::Hasher::new();
        // Only what has a say: who brings a detector keeps the samples that need none.
        let is_searched = inputs.face.is_some() && matches!(request.faces, FaceSource::Auto | FaceSource::Detect);
        let searched = is_searched.then(|| (request.detectors.faces.id(), request.choice));
        let speech = request.detectors.speech.as_ref().filter(|_| inputs.voice.is_some()).map(|model| model.id());
        let settings = (VERSION, request.faces, request.face, inputs.face, inputs.voice, searched, speech);
        hasher.update(&serde_json::to_vec(&settings).expect("settings are plain numbers and names"));
        if path.is_dir() {
            let pictures = Pictures::list(path)?;
            hasher.update(&(pictures.len() as u64).to_le_bytes());
            for picture in pictures.picked(inputs.face.map_or(0, |input| input.n_frames)) {
                // A picture that cannot be read is noted and left out, until it can be read.
                hasher.update(&content(picture).unwrap_or_default());
            }
        } else if !path.as_os_str().is_empty() {
            hasher.update(&content(path)?);
        }
        if let Some(audio) = audio.filter(|_| inputs.voice.is_some()) {
            // Sound that cannot be read is noted and done without, until it can be read.
            hasher.update(b"sound").update(&content(audio).unwrap_or_default());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// The sample of `key`, without its text; `None` where it is absent or damaged.
    pub fn load(&self, key: &str) -> Result<Option<Sample>, MediaError> {
        Ok(self.load_prepared(key)?.map(|prepared| prepared.sample))
    }

    /// Takes the sample from the cache or prepares and stores it; with its key.
    pub fn prepare(&self, request: &Request<'_>) -> Result<(String, Prepared), MediaError> {
        let key = self.key(request)?;
        if let Some(mut prepared) = self.load_prepared(&key)? {
            let used = File::options().write(true).open(self.path(&key));
            // Where the time cannot be set, the sample is only removed and prepared again earlier than others.
            let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
            prepared.sample.text = request.inputs.text.and(spoken(request.text));
            return Ok((key, prepared));
        }
        let prepared = prepare(request)?;
        self.store(&key, &prepared)?;
        Ok((key, prepared))
    }

    /// Bytes that the samples take.
    pub fn size_bytes(&self) -> u64 {
        samples(&self.dir).iter().map(|file| file.n_bytes).sum()
    }

    /// Removes all samples but those that another running job has used, and nothing else that lies in the folder.
    pub fn clear(&self) -> Result<(), MediaError> {
        remove(&self.dir, 0, &|lease| lease != self.lease.path)
    }

    /// Removes samples that were not used for longest, until the rest fits the limit.
    pub fn trim(&self) -> Result<(), MediaError> {
        remove(&self.dir, self.limit_bytes, &|_| true)
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}{SUFFIX}"))
    }

    fn load_prepared(&self, key: &str) -> Result<Option<Prepared>, MediaError> {
        let path = self.path(key);
        match fs::read(&path) {
            Ok(bytes) => Ok(prepared_from_bytes(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // It is no sample, and makes room for one.
            Err(_) if path.is_dir() => Ok(None),
            Err(error) => Err(MediaError::cache("reading the cache", &path, error)),
        }
    }

    fn store(&self, key: &str, prepared: &Prepared) -> Result<(), MediaError> {
        let path = self.path(key);
        let bytes = bytes_from_prepared(prepared);
        let write = || -> io::Result<()> {
            let mut file = unfinished(&self.dir)?;
            file.write_all(&bytes)?;
            file.as_file().set_modified(SystemTime::now())?;
            // Not synced, which would take longer than many a clip: what a power failure cuts off has another checksum,
            // and is prepared anew.
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        // Only an empty one: what is in it is not ours. Another process may be faster.
        if path.is_dir()
            && let Err(error) = fs::remove_dir(&path)
            && path.is_dir()
        {
            return Err(MediaError::cache("removing the folder that lies in place of a sample", &path, error));
        }
        write().map_err(|error| MediaError::cache("writing to the cache", &path, error))?;
        let n_bytes = bytes.len() as u64;
        let before = self.n_written_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        let part = (self.limit_bytes / LOOKS_PER_LIMIT).max(1);
        // The first sample asks for a look, too: the limit may have been lowered.
        if before == 0 || before / part < (before + n_bytes) / part { self.trim() } else { Ok(()) }
    }
}

/// A file in the folder `dir`, to be renamed when it is whole. Others may read it as far as the umask lets them read
/// files, unlike what is temporary.
fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir)
}

/// A file in the folder.
struct Found {
    path: PathBuf,
    n_bytes: u64,
    /// When it was used last.
    used: SystemTime,
}

/// Removes the oldest samples down to `limit_bytes`, but none that is in use by a lease that `counts`.
fn remove(dir: &Path, limit_bytes: u64, counts: &dyn Fn(&Path) -> bool) -> Result<(), MediaError> {
    let mut samples = samples(dir);
    let mut n_bytes: u64 = samples.iter().map(|file| file.n_bytes).sum();
    let leases = files(dir, &|name| name.starts_with(LEASE));
    let needed = leases.iter().filter(|lease| counts(&lease.path)).filter_map(|lease| Lease::since(&lease.path)).min();
    let needed = needed.and_then(|since| since.checked_sub(CLOCK_GRAIN));
    samples.retain(|file| needed.is_none_or(|since| file.used < since));
    samples.sort_by_key(|file| file.used);
    let old = SystemTime::now() - Duration::from_secs(UNFINISHED_SECS);
    let litter = files(dir, &|name| name.starts_with(UNFINISHED)).into_iter().filter(|file| file.used < old);
    let surplus = samples.into_iter().take_while(|file| {
        let too_much = n_bytes > limit_bytes;
        n_bytes -= file.n_bytes;
        too_much
    });
    for Found { path, .. } in litter.chain(surplus) {
        match fs::remove_file(&path) {
            // Another process was faster.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(MediaError::cache("clearing the cache", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn samples(dir: &Path) -> Vec<Found> {
    let is_key = |stem: &str| stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    files(dir, &|name| name.strip_suffix(SUFFIX).is_some_and(is_key))
}

fn files(dir: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Vec<Found> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let wanted = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_wanted));
    // What another process removes meanwhile is not there.
    let found = wanted.filter_map(|entry| {
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(Found { path: entry.path(), n_bytes: metadata.len(), used: metadata.modified().ok()? })
    });
    found.collect()
}

/// A hash of what is in a file.
fn content(path: &Path) -> Result<[u8; blake3::OUT_LEN], MediaError> {
    let (file, _) = open_file(path)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(|error| MediaError::io("reading the file", path, error))?;
    Ok(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests;
