//! Prepared samples on disk, one file each, so that a clip is decoded once for all epochs and runs.
//!
//! The key is made of the file's content and the settings, so a changed file or model is prepared anew by itself.
//! The text is no part of it: it costs nothing to take it from the request. Left out: a limit on size; see
//! [`SampleCache::size_bytes`] and [`SampleCache::clear`].

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use emotion::{Frames, LogMel, Sample, Voice};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::prepare::{Prepared, Request, prepare, spoken};
use crate::{ClipInfo, MediaError};

/// Changes whenever the same file and settings give another sample than before.
const VERSION: u32 = 1;
const EXTENSION: &str = "safetensors";
/// Of files that are being written; left behind only by a crash.
const UNFINISHED: &str = ".unfinished-";

/// A folder of prepared samples; several processes may use it at once.
#[derive(Debug, Clone)]
pub struct SampleCache {
    dir: PathBuf,
}

impl SampleCache {
    /// Opens the cache in `dir`, which is created if need be.
    pub fn open(dir: &Path) -> Result<Self, MediaError> {
        fs::create_dir_all(dir).map_err(|error| MediaError::io("creating the cache folder", dir, error))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Names the sample that `request` leads to: a hash of the file's content and of all settings but the text.
    pub fn key(&self, request: &Request<'_>) -> Result<String, MediaError> {
        let failed = |error| MediaError::io("reading the file", request.path, error);
        let file = File::open(request.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => MediaError::Missing(request.path.to_owned()),
            _ => failed(error),
        })?;
        // Reading from a pipe would wait for a writer.
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(MediaError::NotAFile(request.path.to_owned()));
        }
        let mut hasher = blake3::Hasher::new();
        let settings = (VERSION, request.faces, request.face, request.inputs.face, request.inputs.voice);
        hasher.update(&serde_json::to_vec(&settings).expect("settings are plain numbers and names"));
        hasher.update_reader(file).map_err(failed)?;
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
            prepared.sample.text = request.inputs.text.and(spoken(request.text));
            return Ok((key, prepared));
        }
        let prepared = prepare(request)?;
        self.store(&key, &prepared)?;
        Ok((key, prepared))
    }

    /// Bytes that the samples take.
    pub fn size_bytes(&self) -> u64 {
        self.own_files().iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum()
    }

    /// Removes all samples, and nothing else that lies in the folder.
    pub fn clear(&self) -> Result<(), MediaError> {
        for path in self.own_files() {
            match fs::remove_file(&path) {
                // Another process was faster.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(MediaError::io("clearing the cache", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}.{EXTENSION}"))
    }

    fn own_files(&self) -> Vec<PathBuf> {
        let is_own = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_key = |stem: &str| stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
            name.starts_with(UNFINISHED) || name.strip_suffix(".safetensors").is_some_and(is_key)
        };
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(is_own).collect()
    }

    fn load_prepared(&self, key: &str) -> Result<Option<Prepared>, MediaError> {
        let path = self.path(key);
        match fs::read(&path) {
            Ok(bytes) => Ok(prepared_from_bytes(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(MediaError::io("reading the cache", &path, error)),
        }
    }

    fn store(&self, key: &str, prepared: &Prepared) -> Result<(), MediaError> {
        let path = self.path(key);
        let write = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.dir)?;
            file.write_all(&bytes_from_prepared(prepared))?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| MediaError::io("writing to the cache", &path, error))
    }
}

/// A safetensors file; what is no tensor goes into its metadata, along with a checksum.
fn bytes_from_prepared(prepared: &Prepared) -> Vec<u8> {
    let mut tensors: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    if let Some(frames) = &prepared.sample.face {
        let side = frames.size_px;
        let valid = frames.valid.iter().map(|&valid| u8::from(valid)).collect();
        tensors.push(("face.rgb", Dtype::U8, vec![frames.n_frames(), side, side, 3], frames.rgb.clone()));
        tensors.push(("face.valid", Dtype::U8, vec![frames.n_frames()], valid));
    }
    let mut metadata = HashMap::from([
        ("info".to_owned(), serde_json::to_string(&prepared.info).expect("clip info is plain numbers")),
        ("notes".to_owned(), serde_json::to_string(&prepared.notes).expect("notes are strings")),
    ]);
    match &prepared.sample.voice {
        Some(Voice::Waveform(samples)) => {
            tensors.push(("voice.waveform", Dtype::F32, vec![samples.len()], bytes_from_floats(samples)));
        }
        Some(Voice::LogMel(mel)) => {
            metadata.insert("voice.n_valid".into(), mel.n_valid.to_string());
            let shape = vec![mel.n_frames(), mel.n_bins];
            tensors.push(("voice.log_mel", Dtype::F32, shape, bytes_from_floats(&mel.values)));
        }
        None => {}
    }
    let stored = tensors.iter().map(|(_, _, shape, bytes)| (shape.as_slice(), bytes.as_slice()));
    metadata.insert("checksum".into(), checksum(&metadata, stored));
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).expect("the shape was taken from the data"))
    });
    safetensors::serialize(views, Some(metadata)).expect("a handful of tensors fits the header")
}

/// `None` for anything but a whole file of ours.
fn prepared_from_bytes(bytes: &[u8]) -> Option<Prepared> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let metadata = header.metadata().as_ref()?;
    let file = SafeTensors::deserialize(bytes).ok()?;
    let names = ["face.rgb", "face.valid", "voice.waveform", "voice.log_mel"];
    let [rgb, valid, waveform, mel] = names.map(|name| file.tensor(name).ok());
    let stored = [&rgb, &valid, &waveform, &mel].into_iter().flatten().map(|view| (view.shape(), view.data()));
    if *metadata.get("checksum")? != checksum(metadata, stored) {
        return None;
    }
    let face = match (rgb, valid) {
        (Some(rgb), Some(valid)) => {
            let valid = valid.data().iter().map(|&flag| flag != 0).collect();
            Some(Frames { size_px: *rgb.shape().get(1)?, rgb: rgb.data().to_vec(), valid })
        }
        _ => None,
    };
    let voice = match (waveform, mel) {
        (Some(waveform), _) => Some(Voice::Waveform(floats_from_bytes(waveform.data()))),
        (None, Some(mel)) => Some(Voice::LogMel(LogMel {
            n_bins: *mel.shape().get(1)?,
            values: floats_from_bytes(mel.data()),
            n_valid: metadata.get("voice.n_valid")?.parse().ok()?,
        })),
        (None, None) => None,
    };
    let info: ClipInfo = serde_json::from_str(metadata.get("info")?).ok()?;
    let notes = serde_json::from_str(metadata.get("notes")?).ok()?;
    Some(Prepared { sample: Sample { face, voice, ..Sample::default() }, info, notes })
}

fn checksum<'a>(metadata: &HashMap<String, String>, tensors: impl Iterator<Item = (&'a [usize], &'a [u8])>) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in ["info", "notes", "voice.n_valid"] {
        hasher.update(metadata.get(name).map_or("", String::as_str).as_bytes());
    }
    for (shape, bytes) in tensors {
        shape.iter().for_each(|&size| {
            hasher.update(&(size as u64).to_le_bytes());
        });
        hasher.update(bytes);
    }
    hasher.finalize().to_hex().to_string()
}

fn bytes_from_floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats_from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

#[cfg(test)]
mod tests {
    use emotion::{FaceInput, FaceSource, Inputs, TextInput, VoiceInput};

    use super::*;
    use crate::test_media;

    static INPUTS: Inputs = Inputs {
        face: Some(FaceInput { n_frames: 4, size_px: 8 }),
        voice: Some(VoiceInput::LogMel { rate_hz: 16000, n_frames: 20, n_bins: 8 }),
        text: Some(TextInput { max_tokens: 8 }),
        features: Vec::new(),
    };

    fn request<'a>(path: &'a Path, text: Option<&'a str>) -> Request<'a> {
        Request { path, text, faces: FaceSource::Cropped, face: None, inputs: &INPUTS }
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
        let smaller = Inputs { face: Some(FaceInput { n_frames: 4, size_px: 7 }), ..INPUTS.clone() };
        assert_ne!(key, cache.key(&Request { inputs: &smaller, ..request(&first, None) }).unwrap());
        assert!(matches!(cache.key(&request(dir.path(), None)), Err(MediaError::NotAFile(_))));
        assert!(matches!(cache.key(&request(&dir.path().join("d"), None)), Err(MediaError::Missing(_))));
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let prepared = prepare(&request(&test_media::mp4(dir.path(), 2, 1000), None)).unwrap();
        let bytes = bytes_from_prepared(&prepared);
        assert_eq!(prepared_from_bytes(&bytes).as_ref(), Some(&prepared));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            if let Some(read) = prepared_from_bytes(&damaged) {
                assert_eq!(read, prepared, "byte {at}");
            }
            assert_eq!(prepared_from_bytes(&bytes[..at]), None);
        }
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
}
