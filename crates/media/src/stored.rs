//! A prepared clip as bytes: safetensors with a checksum.

use std::collections::HashMap;

use emotion::{Frames, LogMel, Sample, Voice};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::ClipInfo;
use crate::prepare::Prepared;

/// A safetensors file; what is no tensor goes into its metadata, along with a checksum.
pub(crate) fn bytes_from_prepared(prepared: &Prepared) -> Vec<u8> {
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
pub(crate) fn prepared_from_bytes(bytes: &[u8]) -> Option<Prepared> {
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
    use std::path::Path;

    use emotion::{FaceChoice, FaceInput, FaceSource, Inputs, TextInput, VoiceInput};

    use super::*;
    use crate::{BUILT_IN, Request, prepare, test_media};

    static INPUTS: Inputs = Inputs {
        face: Some(FaceInput { n_frames: 4, size_px: 8 }),
        voice: Some(VoiceInput::LogMel { rate_hz: 16000, n_frames: 20, n_bins: 8 }),
        text: Some(TextInput { max_tokens: 8 }),
        features: Vec::new(),
    };

    fn request(path: &Path) -> Request<'_> {
        Request {
            path,
            audio: None,
            text: None,
            faces: FaceSource::Cropped,
            face: None,
            choice: FaceChoice::Size,
            detectors: &BUILT_IN,
            inputs: &INPUTS,
        }
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let prepared = prepare(&request(&test_media::mp4(dir.path(), 2, 1000))).unwrap();
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
}
