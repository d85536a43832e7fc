//! Precomputed features of clips, read when they are needed, with those of their neighbours in a recording.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use emotion::{
    Clip, FeatureInput, FeatureRef, Manifest, Modality, Normalization, Recordings, Sequence, SpeakerScale, Stream,
};
use models::ModelError;
use models::vavl::Moments;

use crate::{Event, TrainError};

/// Clips of a speaker that a scale of its own takes at least (choice): the mean of one clip is the clip.
const MIN_SPEAKER_CLIPS: usize = 4;

/// What a clip's sequence of one stream is put together from.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipSequence {
    /// The features of the clips before, of the clip itself, of the clips after.
    pieces: Vec<FeatureRef>,
    /// How many of these are of clips after.
    n_after: usize,
    /// What they stand for.
    pub modality: Modality,
    /// Whether the features are taken by the square root of their size.
    root: bool,
    /// The scale of the clip's speaker, where it is asked for and known.
    speaker: Option<Arc<SpeakerScale>>,
}

impl ClipSequence {
    /// The features of one clip, nothing around them.
    fn alone(feature: &FeatureRef, input: &FeatureInput) -> Self {
        let (modality, root) = (input.modality, input.root);
        Self { pieces: vec![feature.clone()], n_after: 0, modality, root, speaker: None }
    }
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
        let mut whole = whole.expect("a clip's own features are among the pieces");
        if wanted.root {
            whole.values.iter_mut().for_each(|value| *value = value.abs().sqrt().copysign(*value));
        }
        Ok((Sequence { speaker: wanted.speaker.clone(), ..whole }, n_cleaned))
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
            match reader.read(&ClipSequence::alone(&feature, input)) {
                Ok((sequence, _)) if sequence.values.is_empty() => on_event(Event::Warning {
                    path: feature.path.clone(),
                    reason: format!(
                        "clip {:?} has no step of the features {:?}: it is used without",
                        clip.id, input.stream
                    ),
                }),
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
        let scales = match input.normalize {
            Normalization::Speaker => speaker_scales(manifest, clips, stream, input, reader),
            Normalization::Train | Normalization::None => HashMap::new(),
        };
        let scale_of = |clip: &Clip| scales.get(clip.speaker.as_deref()?).cloned();
        let n_without = clips.iter().filter(|clip| own(clip).is_some() && scale_of(clip).is_none()).count();
        if n_without > 0 && input.normalize == Normalization::Speaker {
            let reason = format!(
                "the features {:?} of {n_without} of {} clips are normalized like the training split: their speaker is not known, \
                 or has fewer than {MIN_SPEAKER_CLIPS} clips",
                input.stream,
                clips.len()
            );
            on_event(Event::Warning { path: manifest.root.clone(), reason });
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
            let own = ClipSequence::alone(own, input);
            found.push(ClipSequence { pieces, n_after, speaker: scale_of(clip), ..own });
        }
    }
    Ok(found)
}

/// The scales of those who speak in `clips`, over all of their clips in `manifest` that can be read, whatever their split.
fn speaker_scales<'a>(
    manifest: &'a Manifest,
    clips: &[&Clip],
    stream: usize,
    input: &FeatureInput,
    reader: &SequenceReader,
) -> HashMap<&'a str, Arc<SpeakerScale>> {
    let wanted: HashSet<&str> = clips.iter().filter_map(|clip| clip.speaker.as_deref()).collect();
    let mut seen: HashMap<&str, (usize, Moments)> = HashMap::new();
    for clip in &manifest.clips {
        let Some(speaker) = clip.speaker.as_deref().filter(|speaker| wanted.contains(speaker)) else { continue };
        let Some(feature) = clip.features.iter().find(|feature| feature.stream == stream) else { continue };
        // Whoever uses the clip reports what cannot be read of it.
        let Ok((sequence, _)) = reader.read(&ClipSequence::alone(feature, input)) else { continue };
        let (n_clips, moments) = seen.entry(speaker).or_insert_with(|| (0, Moments::new(input.n_dims)));
        *n_clips += 1;
        moments.add(&sequence.values);
    }
    let enough = seen.into_iter().filter(|(_, (n_clips, _))| *n_clips >= MIN_SPEAKER_CLIPS);
    enough.filter_map(|(speaker, (_, moments))| Some((speaker, Arc::new(moments.statistics()?.scale())))).collect()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use emotion::LabelSet;

    use super::*;

    /// Clips of `speakers`, one step of two values each: the place of the clip, and ten times that.
    fn dataset(dir: &Path, speakers: &[Option<&str>]) -> Manifest {
        let mut manifest = Manifest::new("m", "csv", dir, LabelSet::basic(2));
        manifest.streams.push(Stream {
            name: "s".into(),
            modality: Modality::Voice,
            n_dims: 2,
            aligned: false,
            extracted: false,
        });
        for (place, speaker) in speakers.iter().enumerate() {
            let path = PathBuf::from(format!("{place}.npy"));
            features::write_npy(&dir.join(&path), &[1, 2], &[place as f32, 10.0 * place as f32]).unwrap();
            let feature =
                FeatureRef { stream: 0, path, array: None, row: None, first_dim: 0, first_step: 0, n_steps: 1 };
            manifest.clips.push(Clip {
                id: place.to_string(),
                speaker: speaker.map(str::to_owned),
                features: vec![feature],
                ..Clip::default()
            });
        }
        manifest
    }

    fn input(normalize: Normalization) -> FeatureInput {
        FeatureInput {
            stream: "s".into(),
            modality: Modality::Voice,
            n_dims: 2,
            n_steps: 1,
            n_after: 0,
            context: 0,
            root: false,
            normalize,
        }
    }

    #[test]
    fn speakers_have_the_scale_of_all_of_their_clips_and_others_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Some("a"), Some("b"));
        let manifest = dataset(dir.path(), &[a, a, b, a, a, None, b]);
        let reader = SequenceReader::new(&manifest);
        // Asked about one clip of each alone: the others count all the same.
        let clips: Vec<&Clip> = [0, 2, 5].iter().map(|&place| &manifest.clips[place]).collect();
        let read = |normalize| {
            let mut warnings = Vec::new();
            let found = find(&manifest, &clips, &[input(normalize)], &reader, &mut |event| {
                if let Event::Warning { reason, .. } = event {
                    warnings.push(reason);
                }
            });
            let scales =
                found.unwrap().iter().map(|found| reader.read(&found[0]).unwrap().0.speaker).collect::<Vec<_>>();
            (scales, warnings)
        };
        let (scales, warnings) = read(Normalization::Speaker);
        let scale = scales[0].as_ref().unwrap();
        assert_eq!(scale.mean, [2.0, 20.0], "of clips 0, 1, 3 and 4");
        assert!((scale.divisor[0] - 2.5_f32.sqrt()).abs() < 1e-5, "{:?}", scale.divisor);
        assert_eq!(scales[1..], [None, None], "two clips are too few, and who is not known has none");
        assert!(warnings.len() == 1 && warnings[0].contains("2 of 3 clips"), "{warnings:?}");
        assert_eq!(read(Normalization::Train), (vec![None; 3], Vec::new()));
    }

    #[test]
    fn features_are_taken_by_their_square_root_before_speakers_have_a_scale() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dataset(dir.path(), &[Some("a"); 5]);
        features::write_npy(&dir.path().join("4.npy"), &[1, 2], &[-4.0, 9.0]).unwrap();
        let (reader, clips) = (SequenceReader::new(&manifest), manifest.clips.iter().collect::<Vec<_>>());
        let input = FeatureInput { root: true, ..input(Normalization::Speaker) };
        let found = find(&manifest, &clips, &[input], &reader, &mut |_| ()).unwrap();
        let (sequence, _) = reader.read(&found[4][0]).unwrap();
        assert_eq!(sequence.values, [-2.0, 3.0]);
        let mean = (1.0 + 2.0_f32.sqrt() + 3.0_f32.sqrt() - 2.0) / 5.0;
        assert!((sequence.speaker.unwrap().mean[0] - mean).abs() < 1e-6);
    }

    #[test]
    fn features_without_a_step_are_absent() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = dataset(dir.path(), &[None, None]);
        manifest.clips[0].features[0].n_steps = 0;
        let input = input(Normalization::Train);
        let (mut warnings, clips) = (Vec::new(), manifest.clips.iter().collect::<Vec<_>>());
        let found =
            find(&manifest, &clips, &[input], &SequenceReader::new(&manifest), &mut |event| warnings.push(event));
        assert_eq!(found.unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(warnings.len(), 1);
    }
}
