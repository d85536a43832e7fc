//! Caches of tiny films, and who keeps what in them.

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
    let key =
        |detectors, faces, inputs| cache.key(&Request { faces, detectors, inputs, ..request(&path, None) }).unwrap();
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

#[test]
fn a_folder_in_place_of_a_sample_makes_room_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = test_media::mp4(dir.path(), 2, 1000);
    let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
    let key = cache.key(&request(&path, None)).unwrap();
    let place = cache.path(&key);
    fs::create_dir_all(place.join("kept")).unwrap();
    assert_eq!((cache.load(&key).unwrap(), cache.size_bytes()), (None, 0));
    let reason = cache.prepare(&request(&path, None)).unwrap_err().to_string();
    assert!(reason.starts_with("removing the folder that lies in place of a sample failed"), "{reason}");
    cache.clear().unwrap();
    fs::remove_dir(place.join("kept")).unwrap();
    cache.prepare(&request(&path, None)).unwrap();
    assert!(cache.load(&key).unwrap().is_some());
}

#[test]
#[cfg(unix)]
fn others_may_read_samples_and_leases_as_far_as_they_may_read_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (folder, plain) = (dir.path().join("cache"), dir.path().join("plain"));
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    let cache = SampleCache::open(&folder).unwrap();
    cache.prepare(&request(&test_media::mp4(dir.path(), 2, 1000), None)).unwrap();
    let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 2, "a sample and a lease: {files:?}");
    for file in files {
        assert_eq!(mode(&file), mode(&plain), "{}", file.display());
    }
}

/// Ages the samples of `paths` by an hour less for each, so that the first is the oldest, and ends the caches that used
/// them.
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
