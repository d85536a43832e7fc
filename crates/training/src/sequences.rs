//! Precomputed features of clips, read when they are needed, with those of their neighbours in a recording.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use emotion::{
    Clip, FeatureInput, FeatureRef, Manifest, Modality, Normalization, Recordings, Sequence, SpeakerScale, Stream,
    side_by_side,
};
use models::ModelError;
use models::vavl::Moments;

use crate::{Event, TrainError};

/// Clips of a speaker that a scale of its own takes at least (choice): the mean of one clip is the clip.
const MIN_SPEAKER_CLIPS: usize = 4;

/// What a clip's sequence of one stream is put together from.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipSequence {
    /// What it is called: its stream's name, or those of several side by side.
    pub(crate) stream: String,
    /// The features of the clips before, of the clip itself, of the clips after; of each clip those that lie side by
    /// side.
    pieces: Vec<Vec<FeatureRef>>,
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
    fn alone(features: &[FeatureRef], input: &FeatureInput) -> Self {
        let (stream, modality, root) = (input.stream.clone(), input.modality, input.root);
        Self { stream, pieces: vec![features.to_vec()], n_after: 0, modality, root, speaker: None }
    }

    /// Whether it is normalized by the scale of the clip's speaker.
    pub(crate) fn has_scale(&self) -> bool {
        self.speaker.is_some()
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
        let (mut values, mut n_dims, mut n_after) = (Vec::new(), 0, 0);
        for (place, piece) in wanted.pieces.iter().enumerate() {
            let mut parts = Vec::with_capacity(piece.len());
            for feature in piece {
                let (part, n) = reader.read(&self.streams, feature)?;
                n_cleaned += n;
                parts.push(part);
            }
            let n_steps = parts[0].n_steps();
            if let Some((part, feature)) = parts.iter().zip(piece).find(|(part, _)| part.n_steps() != n_steps) {
                let reason = format!(
                    "features with {} and {n_steps} steps, {:?} and {:?}, do not lie side by side",
                    part.n_steps(),
                    part.stream,
                    parts[0].stream,
                );
                return Err(TrainError::Damaged { reason, path: feature.path.clone() });
            }
            n_dims = parts.iter().map(|part| part.n_dims).sum();
            for step in 0..n_steps {
                parts.iter().for_each(|part| values.extend(&part.values[step * part.n_dims..][..part.n_dims]));
            }
            n_after += if place < first_after { 0 } else { n_steps };
        }
        if wanted.root {
            values.iter_mut().for_each(|value: &mut f32| *value = value.abs().sqrt().copysign(*value));
        }
        let (stream, modality, speaker) = (wanted.stream.clone(), wanted.modality, wanted.speaker.clone());
        Ok((Sequence { stream, modality, n_dims, values, n_after, speaker }, n_cleaned))
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
    let mut found = vec![Vec::new(); clips.len()];
    for input in inputs {
        let streams = streams_of(manifest, input)?;
        let sequences = find_one(manifest, clips, input, &streams, reader, on_event);
        if input.normalize == Normalization::Speaker {
            let n_without = sequences.iter().flatten().filter(|sequence| sequence.speaker.is_none()).count();
            if n_without > 0 {
                let reason = format!(
                    "the features {:?} of {n_without} of {} clips are normalized like the training split: their speaker is not \
                     known, or has fewer than {MIN_SPEAKER_CLIPS} clips",
                    input.stream,
                    clips.len()
                );
                on_event(Event::Warning { path: manifest.root.clone(), reason });
            }
        }
        found.iter_mut().zip(sequences).for_each(|(found, sequence)| found.extend(sequence));
    }
    Ok(found)
}

/// What each of `clips` has of `streams`, side by side; what `input` calls them is what is reported.
pub(crate) fn find_one(
    manifest: &Manifest,
    clips: &[&Clip],
    input: &FeatureInput,
    streams: &[usize],
    reader: &SequenceReader,
    on_event: &mut dyn FnMut(Event),
) -> Vec<Option<ClipSequence>> {
    let own = |clip: &Clip| side_by_side_of(clip, streams);
    let has_some = |clip: &&&Clip| clip.features.iter().any(|feature| streams.contains(&feature.stream));
    let n_lacking = clips.iter().filter(has_some).filter(|clip| own(clip).is_none()).count();
    if n_lacking > 0 {
        let reason = format!(
            "{n_lacking} of {} clips have only some of the features {:?}, which are not read of them",
            clips.len(),
            input.stream
        );
        on_event(Event::Warning { path: manifest.root.clone(), reason });
    }
    let mut readable: HashMap<&str, Vec<FeatureRef>> = HashMap::new();
    let (mut n_cleaned, mut n_clips, mut cleaned_in) = (0, 0, None);
    for &clip in clips {
        let Some(features) = own(clip) else { continue };
        let path = features[0].path.clone();
        match reader.read(&ClipSequence::alone(&features, input)) {
            Ok((sequence, n)) if n == sequence.values.len() => on_event(Event::Warning {
                path,
                reason: format!(
                    "clip {:?} has no number in the features {:?}: it is used without",
                    clip.id, input.stream
                ),
            }),
            Ok((_, n)) => {
                n_cleaned += n;
                if n > 0 {
                    n_clips += 1;
                    cleaned_in.get_or_insert(path);
                }
                readable.insert(&clip.id, features);
            }
            Err(error) => on_event(Event::Warning {
                path,
                reason: format!("clip {:?} is used without its features {:?}: {error}", clip.id, input.stream),
            }),
        }
    }
    if let Some(path) = cleaned_in {
        let reason = format!(
            "{n_cleaned} numbers of {:?} in {n_clips} of {} clips are not finite and count as zero, the first here",
            input.stream,
            clips.len()
        );
        on_event(Event::Warning { path, reason });
    }
    let scales = match input.normalize {
        Normalization::Speaker => speaker_scales(manifest, clips, streams, input, reader),
        Normalization::Train | Normalization::None => HashMap::new(),
    };
    let scale_of = |clip: &Clip| scales.get(clip.speaker.as_deref()?).cloned();
    let places: HashMap<&str, usize> =
        manifest.clips.iter().enumerate().map(|(place, clip)| (clip.id.as_str(), place)).collect();
    let recordings = Recordings::of(manifest);
    let sequence_of = |clip: &&Clip| {
        let place = places[clip.id.as_str()];
        let own = readable.get(clip.id.as_str())?;
        let (before, after) = recordings.around(place, input.context);
        let of = |places: &[usize]| -> Vec<Vec<FeatureRef>> {
            places.iter().filter_map(|&place| readable.get(manifest.clips[place].id.as_str()).cloned()).collect()
        };
        let (mut pieces, after) = (of(before), of(after));
        let n_after = after.len();
        pieces.push(own.clone());
        pieces.extend(after);
        Some(ClipSequence { pieces, n_after, speaker: scale_of(clip), ..ClipSequence::alone(own, input) })
    };
    clips.iter().map(sequence_of).collect()
}

/// The scales of those who speak in `clips`, over all of their clips in `manifest` that can be read, whatever their
/// split.
fn speaker_scales<'a>(
    manifest: &'a Manifest,
    clips: &[&Clip],
    streams: &[usize],
    input: &FeatureInput,
    reader: &SequenceReader,
) -> HashMap<&'a str, Arc<SpeakerScale>> {
    let wanted: HashSet<&str> = clips.iter().filter_map(|clip| clip.speaker.as_deref()).collect();
    let mut seen: HashMap<&str, (usize, Moments)> = HashMap::new();
    for clip in &manifest.clips {
        let Some(speaker) = clip.speaker.as_deref().filter(|speaker| wanted.contains(speaker)) else { continue };
        let Some(features) = side_by_side_of(clip, streams) else { continue };
        // Whoever uses the clip reports what cannot be read of it.
        let Ok((sequence, _)) = reader.read(&ClipSequence::alone(&features, input)) else { continue };
        let (n_clips, moments) = seen.entry(speaker).or_insert_with(|| (0, Moments::new(input.n_dims)));
        *n_clips += 1;
        moments.add(&sequence.values);
    }
    let enough = seen.into_iter().filter(|(_, (n_clips, _))| *n_clips >= MIN_SPEAKER_CLIPS);
    enough.filter_map(|(speaker, (_, moments))| Some((speaker, Arc::new(moments.statistics()?.scale())))).collect()
}

/// The features of a clip in all of `streams`, in their order.
fn side_by_side_of(clip: &Clip, streams: &[usize]) -> Option<Vec<FeatureRef>> {
    let of = |&stream: &usize| clip.features.iter().find(|feature| feature.stream == stream).cloned();
    streams.iter().map(of).collect()
}

/// Places of the streams that an input means.
pub(crate) fn streams_of(manifest: &Manifest, input: &FeatureInput) -> Result<Vec<usize>, TrainError> {
    let FeatureInput { stream, n_dims, .. } = input;
    let name = &manifest.name;
    let reason = match side_by_side(&manifest.streams, stream) {
        Ok(places) => match places.iter().map(|&place| manifest.streams[place].n_dims).sum::<usize>() {
            found if found == *n_dims => return Ok(places),
            found => format!(
                "the features {stream:?} of dataset {name:?} have {found} values a step, and the model reads {n_dims}"
            ),
        },
        Err(lacks) if manifest.streams.is_empty() => {
            format!("the model reads the features {lacks:?}, and dataset {name:?} has none")
        }
        Err(lacks) => {
            let known = manifest.streams.iter().map(|own| own.name.as_str()).collect::<Vec<_>>().join(", ");
            format!("the model reads the features {lacks:?}, and dataset {name:?} has {known}")
        }
    };
    Err(ModelError::Config(reason).into())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

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
    fn streams_side_by_side_are_one_sequence_where_a_clip_has_all_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = dataset(dir.path(), &[Some("a"); 6]);
        manifest.streams.push(Stream { name: "t".into(), n_dims: 1, ..manifest.streams[0].clone() });
        features::write_npy(&dir.path().join("t.npy"), &[3, 1], &[7.0, 8.0, 9.0]).unwrap();
        for (place, n_steps) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 3)] {
            let feature = manifest.clips[place].features[0].clone();
            let feature = FeatureRef { stream: 1, path: "t.npy".into(), n_steps, ..feature };
            manifest.clips[place].features.insert(0, feature);
        }
        let (reader, clips) = (SequenceReader::new(&manifest), manifest.clips.iter().collect::<Vec<_>>());
        let input = FeatureInput { stream: "s+t".into(), n_dims: 3, ..input(Normalization::Speaker) };
        let mut warnings = Vec::new();
        let found = find(&manifest, &clips, &[input], &reader, &mut |event| {
            if let Event::Warning { reason, .. } = event {
                warnings.push(reason);
            }
        });
        let found = found.unwrap();
        let (sequence, _) = reader.read(&found[3][0]).unwrap();
        assert_eq!((sequence.values, sequence.n_dims, sequence.stream.as_str()), (vec![3.0, 30.0, 7.0], 3, "s+t"));
        assert_eq!(sequence.speaker.unwrap().mean, [1.5, 15.0, 7.0], "of the four clips that have both");
        assert!(found[4].is_empty() && found[5].is_empty());
        assert!(warnings[0].contains("1 of 6 clips have only some"), "{warnings:?}");
        assert!(warnings[1].contains("3 and 1 steps, \"t\" and \"s\""), "{warnings:?}");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }

    #[test]
    fn features_without_a_step_or_a_number_are_absent() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = dataset(dir.path(), &[None; 4]);
        manifest.clips[0].features[0].n_steps = 0;
        features::write_npy(&dir.path().join("1.npy"), &[1, 2], &[f32::NAN, f32::NEG_INFINITY]).unwrap();
        features::write_npy(&dir.path().join("2.npy"), &[1, 2], &[f32::NAN, 2.0]).unwrap();
        let input = input(Normalization::Train);
        let (mut warnings, clips) = (Vec::new(), manifest.clips.iter().collect::<Vec<_>>());
        let found =
            find(&manifest, &clips, &[input], &SequenceReader::new(&manifest), &mut |event| warnings.push(event));
        assert_eq!(found.unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 1, 1]);
        let reasons: Vec<String> = warnings.iter().map(|event| format!("{event:?}")).collect();
        assert!(reasons[0].contains("clip \\\"0\\\" has no number"), "{reasons:?}");
        assert!(reasons[1].contains("clip \\\"1\\\" has no number"), "{reasons:?}");
        assert!(reasons[2].contains("1 numbers of \\\"s\\\" in 1 of 4 clips are not finite"), "{reasons:?}");
        assert_eq!(reasons.len(), 3);
    }
}
