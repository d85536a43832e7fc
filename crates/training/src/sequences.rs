//! Precomputed features of clips, read when they are needed, with those of their neighbours in a recording.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use emotion::{Clip, FeatureInput, FeatureRef, Manifest, Modality, Recordings, Sequence, Stream};
use models::ModelError;

use crate::{Event, TrainError};

/// What a clip's sequence of one stream is put together from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipSequence {
    /// The features of the clips before, of the clip itself, of the clips after.
    pieces: Vec<FeatureRef>,
    /// How many of these are of clips after.
    n_after: usize,
    /// What they stand for.
    pub modality: Modality,
}

/// Reads the features of a manifest's clips; every file is opened once.
#[derive(Debug)]
pub struct SequenceReader {
    streams: Vec<Stream>,
    reader: Mutex<features::Reader>,
}

impl SequenceReader {
    /// For the clips of `manifest`; nothing is opened yet.
    pub fn new(manifest: &Manifest) -> Self {
        Self { streams: manifest.streams.clone(), reader: Mutex::new(features::Reader::new(&manifest.root)) }
    }

    /// The features of a clip, with how many of the numbers were not finite and are zero now.
    pub fn read(&self, wanted: &ClipSequence) -> Result<(Sequence, usize), TrainError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let (first_after, mut n_cleaned) = (wanted.pieces.len() - wanted.n_after, 0);
        let mut whole: Option<Sequence> = None;
        for (place, piece) in wanted.pieces.iter().enumerate() {
            let (sequence, n) = reader.read(&self.streams, piece)?;
            n_cleaned += n;
            let n_steps = sequence.n_steps();
            match &mut whole {
                None => whole = Some(sequence),
                Some(whole) => whole.values.extend(sequence.values),
            }
            if place >= first_after
                && let Some(whole) = &mut whole
            {
                whole.n_after += n_steps;
            }
        }
        Ok((whole.expect("a clip's own features are among the pieces"), n_cleaned))
    }
}

/// What of `inputs` each clip of `clips` has; clips whose features cannot be read lack them, which is reported.
///
/// Errors when the manifest has no such stream, or one of another width.
pub(crate) fn find(
    manifest: &Manifest,
    clips: &[&Clip],
    inputs: &[FeatureInput],
    reader: &SequenceReader,
    on_event: &mut dyn FnMut(Event),
) -> Result<Vec<Vec<ClipSequence>>, TrainError> {
    let places: HashMap<&str, usize> =
        manifest.clips.iter().enumerate().map(|(place, clip)| (clip.id.as_str(), place)).collect();
    let recordings = Recordings::of(manifest);
    let mut found = vec![Vec::new(); clips.len()];
    for input in inputs {
        let stream = stream_of(manifest, input)?;
        let own = |clip: &Clip| clip.features.iter().find(|feature| feature.stream == stream).cloned();
        let mut readable: BTreeMap<usize, FeatureRef> = BTreeMap::new();
        let (mut n_cleaned, mut cleaned_in): (usize, Option<PathBuf>) = (0, None);
        for &clip in clips {
            let Some(feature) = own(clip) else { continue };
            let alone = ClipSequence { pieces: vec![feature.clone()], n_after: 0, modality: input.modality };
            match reader.read(&alone) {
                Ok((_, n)) => {
                    n_cleaned += n;
                    if n > 0 {
                        cleaned_in.get_or_insert_with(|| feature.path.clone());
                    }
                    readable.insert(places[clip.id.as_str()], feature);
                }
                Err(error) => on_event(Event::Warning {
                    path: feature.path.clone(),
                    reason: format!("clip {:?} is used without its features {:?}: {error}", clip.id, input.stream),
                }),
            }
        }
        if let Some(path) = cleaned_in {
            let reason = format!("{n_cleaned} numbers of {:?} are not finite and count as zero", input.stream);
            on_event(Event::Warning { path, reason });
        }
        for (clip, found) in clips.iter().zip(&mut found) {
            let place = places[clip.id.as_str()];
            let Some(own) = readable.get(&place) else { continue };
            let (before, after) = recordings.around(place, input.context);
            let of = |places: &[usize]| -> Vec<FeatureRef> {
                places.iter().filter_map(|place| readable.get(place).cloned()).collect()
            };
            let (mut pieces, after) = (of(before), of(after));
            let n_after = after.len();
            pieces.push(own.clone());
            pieces.extend(after);
            found.push(ClipSequence { pieces, n_after, modality: input.modality });
        }
    }
    Ok(found)
}

/// Place of the stream that an input means.
fn stream_of(manifest: &Manifest, input: &FeatureInput) -> Result<usize, TrainError> {
    let FeatureInput { stream, n_dims, .. } = input;
    let name = &manifest.name;
    let reason = match manifest.streams.iter().position(|own| own.name == *stream) {
        Some(place) if manifest.streams[place].n_dims == *n_dims => return Ok(place),
        Some(place) => format!(
            "the features {stream:?} of dataset {name:?} have {} values a step, and the model reads {n_dims}",
            manifest.streams[place].n_dims
        ),
        None if manifest.streams.is_empty() => {
            format!("the model reads the features {stream:?}, and dataset {name:?} has none")
        }
        None => {
            let known = manifest.streams.iter().map(|own| own.name.as_str()).collect::<Vec<_>>().join(", ");
            format!("the model reads the features {stream:?}, and dataset {name:?} has {known}")
        }
    };
    Err(ModelError::Config(reason).into())
}
