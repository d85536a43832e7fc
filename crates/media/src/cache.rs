//! Prepared samples on disk, one file each, so that a clip is decoded once for all epochs and runs.
//!
//! The key is made of the content of the clip's files and the settings, so a changed file or model is prepared anew by itself.
//! The text is no part of it: it costs nothing to take it from the request.
//!
//! The folder is kept to a size by removing samples that were not used for longest. What a job that still runs has used stays,
//! whatever the size: a job takes each sample at its start and reads it again in every epoch. That it runs is known by a
//! locked file, its lease, whose lock the system lifts even when the process is killed; where the file system has no locks, a
//! lease counts for a day. A sample's time of change is that of its last use.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use emotion::{FaceSource, Sample};

use crate::opening::open_file;
use crate::pictures::Pictures;
use crate::prepare::{Prepared, Request, prepare, spoken};
use crate::stored::{bytes_from_prepared, prepared_from_bytes};
use crate::{Detectors, MediaError};

/// Changes whenever the same file and settings give another sample than before.
const VERSION: u32 = 7;
/// Of samples, after their key.
const SUFFIX: &str = ".safetensors";
/// Of files that are being written; left behind only by a crash.
const UNFINISHED: &str = ".unfinished-";
/// Nobody writes a sample for as long as this.
const UNFINISHED_SECS: u64 = 3600;
/// Of leases.
const LEASE: &str = ".in-use-";
/// How long a lease counts where it cannot be locked (choice): most trainings take less, and who was killed is not missed long.
const LOCKLESS: Duration = Duration::from_secs(24 * 3600);
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

/// Says that samples used after some time are still needed, for as long as it lives.
#[derive(Debug)]
struct Lease {
    path: PathBuf,
    /// What the folder is kept to when the lease ends.
    limit_bytes: AtomicU64,
    /// Locked.
    _file: File,
}

impl Lease {
    fn take(dir: &Path) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)?;
        file.as_file().set_modified(SystemTime::now())?;
        // Where the file system has no locks, others go by the lease's age.
        let _ = file.as_file().try_lock();
        let name = file.path().file_name().unwrap_or_default().to_string_lossy().replace(UNFINISHED, LEASE);
        let path = dir.join(name);
        let file = file.persist(&path).map_err(|error| error.error)?;
        Ok(Self { path, limit_bytes: AtomicU64::new(SampleCache::USUAL_LIMIT_BYTES), _file: file })
    }

    /// Since when samples are needed by whoever holds the lease at `path`; `None` where nobody does any more.
    fn since(path: &Path) -> Option<SystemTime> {
        let file = File::open(path).ok()?;
        let since = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
        if is_held(&file.try_lock(), since) {
            return Some(since);
        }
        let _ = fs::remove_file(path);
        None
    }
}

/// Whether somebody holds the lease of `since`, by how locking it went.
fn is_held(locked: &Result<(), TryLockError>, since: SystemTime) -> bool {
    match locked {
        Err(TryLockError::WouldBlock) => true,
        // Its process was killed.
        Ok(()) => false,
        // There are no locks.
        Err(TryLockError::Error(_)) => since.elapsed().unwrap_or_default() < LOCKLESS,
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Without its lock it is removed by whoever finds it next.
        let _ = fs::remove_file(&self.path);
        // What the job needed beyond the limit is not needed any more; what fails here is tried again by the next job.
        let dir = self.path.parent().unwrap_or(Path::new(""));
        let _ = remove(dir, self.limit_bytes.load(Ordering::Relaxed), &|lease| lease != self.path);
    }
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
            Err(error) => Err(MediaError::cache("reading the cache", &path, error)),
        }
    }

    fn store(&self, key: &str, prepared: &Prepared) -> Result<(), MediaError> {
        let path = self.path(key);
        let bytes = bytes_from_prepared(prepared);
        let write = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.dir)?;
            file.write_all(&bytes)?;
            file.as_file().set_modified(SystemTime::now())?;
            // Not synced, which would take longer than many a clip: what a power failure cuts off has another checksum, and
            // is prepared anew.
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| MediaError::cache("writing to the cache", &path, error))?;
        let n_bytes = bytes.len() as u64;
        let before = self.n_written_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        let part = (self.limit_bytes / LOOKS_PER_LIMIT).max(1);
        // The first sample asks for a look, too: the limit may have been lowered.
        if before == 0 || before / part < (before + n_bytes) / part { self.trim() } else { Ok(()) }
    }
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
        let metadata = entry.metadata().ok()?;
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
mod tests {
    use emotion::{FaceChoice, FaceInput, Inputs, TextInput, VoiceInput};

    use super::*;
    use crate::BUILT_IN;
    use crate::test_media::{self, shared};

    static INPUTS: Inputs = Inputs {
        face: Some(FaceInput { n_frames: 4, size_px: 8 }),
        voice: Some(VoiceInput::LogMel { rate_hz: 16000, n_frames: 20, n_bins: 8 }),
        text: Some(TextInput { max_tokens: 8 }),
        features: Vec::new(),
    };

    fn request<'a>(path: &'a Path, text: Option<&'a str>) -> Request<'a> {
        let (choice, detectors) = (FaceChoice::Size, &BUILT_IN);
        Request { path, audio: None, text, faces: FaceSource::Cropped, face: None, choice, detectors, inputs: &INPUTS }
    }

    #[test]
    fn a_stored_sample_comes_back_with_the_text_of_the_request() {
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 6, 4000);
        let cache = SampleCache::open(&dir.path().join("cache/inner")).unwrap();
        let (key, fresh) = cache.prepare(&request(&path, Some("one"))).unwrap();
        let (same_key, cached) = cache.prepare(&request(&path, Some("two"))).unwrap();
        assert_eq!(key, same_key);
        assert!(fresh.sample.face.is_some() && fresh.sample.voice.is_some());
        assert_eq!(cached.sample.text.as_deref(), Some("two"));
        let without_text = Sample { text: None, ..fresh.sample.clone() };
        assert_eq!(Sample { text: None, ..cached.sample }, without_text);
        assert_eq!((cached.info, cached.notes), (fresh.info, fresh.notes));
        assert_eq!(cache.load(&key).unwrap(), Some(without_text));
        assert_eq!(cache.load(&"0".repeat(64)).unwrap(), None);
    }

    #[test]
    fn keys_follow_content_and_settings_but_not_names() {
        let dir = tempfile::tempdir().unwrap();
        let cache = SampleCache::open(dir.path()).unwrap();
        let (first, copy, other) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
        for (path, content) in [(&first, "x"), (&copy, "x"), (&other, "y")] {
            fs::write(path, content).unwrap();
        }
        let key = cache.key(&request(&first, None)).unwrap();
        assert_eq!(key, cache.key(&request(&copy, Some("hello"))).unwrap());
        assert_ne!(key, cache.key(&request(&other, None)).unwrap());
        let searched = Request { faces: FaceSource::Detect, ..request(&first, None) };
        assert_ne!(key, cache.key(&searched).unwrap());
        let centred = cache.key(&Request { choice: FaceChoice::Centre, ..searched }).unwrap();
        assert_ne!(centred, cache.key(&searched).unwrap());
        assert_eq!(key, cache.key(&Request { choice: FaceChoice::Centre, ..request(&first, None) }).unwrap());
        let smaller = Inputs { face: Some(FaceInput { n_frames: 4, size_px: 7 }), ..INPUTS.clone() };
        assert_ne!(key, cache.key(&Request { inputs: &smaller, ..request(&first, None) }).unwrap());
        let heard = |audio| cache.key(&Request { audio: Some(audio), ..request(&first, None) }).unwrap();
        assert_eq!(heard(&copy), heard(&first));
        assert_ne!(heard(&copy), heard(&other));
        assert_ne!(heard(&copy), key);
        assert!(matches!(cache.key(&request(&dir.path().join("d"), None)), Err(MediaError::Missing(_))));
    }

    #[test]
    fn keys_follow_the_detectors_where_they_are_used() {
        let (Some(yunet), Some(silero)) = (shared("data/models/yunet"), shared("data/models/silero_vad")) else {
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 2, 1000);
        let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
        let [yunet, silero] = [yunet, silero].map(|folder| Detectors::in_folder(&folder).unwrap());
        let face_only = Inputs { voice: None, ..INPUTS.clone() };
        let key = |detectors, faces, inputs| {
            cache.key(&Request { faces, detectors, inputs, ..request(&path, None) }).unwrap()
        };
        for (faces, inputs, yunet_matters, silero_matters) in [
            (FaceSource::Auto, &INPUTS, true, true),
            (FaceSource::Detect, &face_only, true, false),
            (FaceSource::Cropped, &INPUTS, false, true),
            (FaceSource::Boxes, &face_only, false, false),
        ] {
            let built_in = key(&BUILT_IN, faces, inputs);
            assert_eq!(built_in != key(&yunet, faces, inputs), yunet_matters, "{faces:?}");
            assert_eq!(built_in != key(&silero, faces, inputs), silero_matters, "{faces:?}");
        }
    }

    #[test]
    fn keys_of_pictures_follow_those_that_are_seen_and_their_number() {
        let dir = tempfile::tempdir().unwrap();
        let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
        let folder = dir.path().join("clip");
        fs::create_dir(&folder).unwrap();
        let key = || cache.key(&request(&folder, None)).ok();
        assert_eq!(key(), None);
        (1..=8).for_each(|number| fs::write(folder.join(format!("{number}.png")), number.to_string()).unwrap());
        let first = key();
        fs::write(folder.join("notes.txt"), "not a picture").unwrap();
        assert_eq!(key(), first);
        fs::write(folder.join("2.png"), "changed").unwrap();
        let changed = key();
        assert_ne!(changed, first);
        // Of eight pictures four are seen: 2, 4, 6 and 8.
        fs::write(folder.join("1.png"), "changed").unwrap();
        assert_eq!(key(), changed);
        fs::write(folder.join("9.png"), "8").unwrap();
        assert_ne!(key(), changed);
    }

    #[test]
    fn pictures_that_cannot_be_read_are_left_out_until_they_can() {
        let dir = tempfile::tempdir().unwrap();
        let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
        let folder = dir.path().join("clip");
        fs::create_dir(&folder).unwrap();
        for number in [1, 2, 4] {
            image::RgbImage::new(8, 8).save(folder.join(format!("{number}.png"))).unwrap();
        }
        // A folder stands for what no file can be read of, such as a dangling link.
        fs::create_dir(folder.join("3.png")).unwrap();
        let (key, prepared) = cache.prepare(&request(&folder, None)).unwrap();
        assert!(prepared.notes[0].starts_with("1 of 4 pictures"), "{:?}", prepared.notes);
        fs::remove_dir(folder.join("3.png")).unwrap();
        fs::copy(folder.join("4.png"), folder.join("3.png")).unwrap();
        assert_ne!(cache.key(&request(&folder, None)).unwrap(), key);
    }

    #[test]
    #[cfg(unix)]
    fn nobody_waits_for_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
        let (pipe, folder) = (dir.path().join("pipe.mp4"), dir.path().join("clip"));
        fs::create_dir(&folder).unwrap();
        image::RgbImage::new(8, 8).save(folder.join("1.png")).unwrap();
        let made = std::process::Command::new("mkfifo").args([&pipe, &folder.join("2.png")]).status().unwrap();
        assert!(made.success());
        assert!(matches!(cache.prepare(&request(&pipe, None)), Err(MediaError::NotAFile(_))));
        let (_, prepared) = cache.prepare(&request(&folder, None)).unwrap();
        assert!(prepared.notes[0].starts_with("1 of 2 pictures"), "{:?}", prepared.notes);
    }

    #[test]
    fn damaged_samples_are_prepared_anew_and_clearing_spares_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 2, 1000);
        let cache = SampleCache::open(dir.path()).unwrap();
        let (key, prepared) = cache.prepare(&request(&path, None)).unwrap();
        let size = cache.size_bytes();
        assert!(size > 4 * 8 * 8 * 3);
        fs::write(cache.path(&key), b"cut off").unwrap();
        assert_eq!(cache.load(&key).unwrap(), None);
        assert_eq!(cache.prepare(&request(&path, None)).unwrap(), (key, prepared));
        assert_eq!(cache.size_bytes(), size);
        cache.clear().unwrap();
        assert_eq!(cache.size_bytes(), 0);
        assert!(path.exists());
    }

    /// Ages the samples of `paths` by an hour less for each, so that the first is the oldest, and ends the caches that used them.
    fn age(cache: SampleCache, keys: &[String]) {
        for (nth, key) in keys.iter().enumerate() {
            let file = File::options().write(true).open(cache.path(key)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(3600 * (100 - nth as u64))).unwrap();
        }
        drop(cache);
    }

    fn stored(cache: &SampleCache, keys: &[String]) -> Vec<bool> {
        keys.iter().map(|key| cache.load(key).unwrap().is_some()).collect()
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_but_nothing_that_a_job_needs() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cache");
        let paths: Vec<PathBuf> = (0..4).map(|nth| test_media::mp4(dir.path(), 2 + nth, 1000)).collect();
        let first = SampleCache::open(&folder).unwrap();
        let keys: Vec<String> = paths.iter().map(|path| first.prepare(&request(path, None)).unwrap().0).collect();
        let n_bytes = first.size_bytes() / 4;
        age(first, &keys);

        let job = SampleCache::open(&folder).unwrap();
        // Used again, the oldest is the newest.
        job.prepare(&request(&paths[0], None)).unwrap();
        let other = SampleCache::open(&folder).unwrap().with_limit(n_bytes * 5 / 2);
        other.trim().unwrap();
        assert_eq!(stored(&other, &keys), [true, false, false, true]);
        let small = other.clone().with_limit(1);
        small.trim().unwrap();
        assert_eq!(stored(&other, &keys), [true, false, false, false], "the job still runs");
        small.clear().unwrap();
        assert_eq!(stored(&other, &keys), [true, false, false, false], "the job still runs");
        age(job, &keys[..1]);
        small.trim().unwrap();
        assert_eq!(stored(&other, &keys), [false; 4], "the job has ended");
    }

    #[test]
    fn what_a_job_took_beyond_the_limit_goes_when_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cache");
        let job = SampleCache::open(&folder).unwrap().with_limit(1);
        let clone = job.clone();
        let paths: Vec<PathBuf> = (0..2).map(|nth| test_media::mp4(dir.path(), 2 + nth, 1000)).collect();
        let keys: Vec<String> = paths.iter().map(|path| job.prepare(&request(path, None)).unwrap().0).collect();
        drop(job);
        assert_eq!(stored(&clone, &keys), [true; 2], "a clone still needs them");
        drop(clone);
        assert_eq!(SampleCache::open(&folder).unwrap().size_bytes(), 0);
    }

    #[test]
    fn a_lease_that_a_killed_process_left_behind_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 2, 1000);
        let left = dir.path().join(".in-use-x");
        fs::write(&left, "").unwrap();
        let cache = SampleCache::open(dir.path()).unwrap();
        let keys = [cache.prepare(&request(&path, None)).unwrap().0];
        age(cache, &keys);
        let cache = SampleCache::open(dir.path()).unwrap();
        File::options().write(true).open(&left).map(|file| file.set_modified(SystemTime::UNIX_EPOCH)).ok();
        cache.with_limit(0).trim().unwrap();
        assert!(!dir.path().join(format!("{}.safetensors", keys[0])).exists());
        assert!(!left.exists() && path.exists());
    }

    #[test]
    fn without_locks_a_lease_counts_for_a_day() {
        let (day, minute) = (Duration::from_secs(24 * 3600), Duration::from_secs(60));
        let lockless = || Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
        for (locked, age, expected) in [
            (Ok(()), minute, false),
            (Err(TryLockError::WouldBlock), 10 * day, true),
            (lockless(), day - minute, true),
            (lockless(), day + minute, false),
        ] {
            assert_eq!(is_held(&locked, SystemTime::now() - age), expected, "{locked:?} after {age:?}");
        }
        assert!(is_held(&lockless(), SystemTime::now() + minute), "another machine's clock may be ahead");
    }

    #[test]
    fn the_limit_is_kept_while_samples_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cache");
        let mut keys = Vec::new();
        let mut n_bytes = 0;
        for nth in 0..6 {
            let cache = SampleCache::open(&folder).unwrap().with_limit(n_bytes * 5 / 2);
            let path = test_media::mp4(dir.path(), 2 + nth, 1000);
            keys.push(cache.prepare(&request(&path, None)).unwrap().0);
            n_bytes = if nth == 0 { cache.size_bytes() } else { n_bytes };
            age(cache, &keys[nth..]);
        }
        assert!(SampleCache::open(&folder).unwrap().size_bytes() <= n_bytes * 7 / 2, "one more than the limit at most");
    }

    #[test]
    fn several_jobs_use_a_cache_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cache");
        let paths: Vec<PathBuf> = (0..6).map(|nth| test_media::mp4(dir.path(), 2 + nth, 1000)).collect();
        let wanted: Vec<Prepared> = paths.iter().map(|path| prepare(&request(path, None)).unwrap()).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let cache = SampleCache::open(&folder).unwrap().with_limit(1);
                    for _ in 0..5 {
                        for (path, wanted) in paths.iter().zip(&wanted) {
                            let (key, prepared) = cache.prepare(&request(path, None)).unwrap();
                            assert_eq!(prepared, *wanted);
                            assert_eq!(cache.load(&key).unwrap().as_ref(), Some(&wanted.sample), "it is in use");
                        }
                        cache.clear().unwrap();
                    }
                });
            }
        });
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name.to_string_lossy().ends_with(".safetensors")), "{names:?}");
    }
}
