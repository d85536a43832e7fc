//! Precomputed features as three sequences: whatever a dataset brings for language, video and audio.
//!
//! Layout as [`FeatureInput`] says: the clip's last step is always at the same place, with padding of zero rows, which
//! have no position, at the far ends. A modality that a clip or the whole dataset lacks is one learned vector at every
//! step.

use burn::module::{Module, Param};
use burn::nn::Dropout;
use burn::tensor::Tensor;
use emotion::{FeatureInput, Inputs, Manifest, Modalities, Modality, Normalization, Recordings, Stream, side_by_side};
use serde::{Deserialize, Serialize};

use crate::batch::PixelScale;
use crate::layers::crossmodal::dropout;
use crate::layers::normalization::{Moments, Scale};
use crate::layers::rows::{all, rows_or};
use crate::layers::streams::{ByStream, STREAMS, Streams};
use crate::settings::check_share;
use crate::{Batch, Init, ModelError, Reader, TrainingBatches};

/// Which features are read, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSize {
    /// For language.
    pub language: StreamSize,
    /// For video.
    pub video: StreamSize,
    /// For audio.
    pub audio: StreamSize,
    /// Steps at most, up to the clip's last one and after it; the farthest are left out (choice: 500, as MulT's video).
    pub max_steps: usize,
    /// Clips before and after in the same recording whose features come along (choice; the published models see one
    /// alone).
    pub context: usize,
    /// Share of the values that a training step does without (choice).
    pub dropout: f64,
}

/// A stream of features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSize {
    /// Name in the dataset, or several as [`side_by_side`] says; where it is empty, the dataset's first for this
    /// modality that is no changed copy.
    pub stream: String,
    /// Steps up to a clip's last one, steps after it, values of a step: those of the dataset.
    pub shape: [usize; 3],
    /// Whether features are taken by the square root of their size first.
    #[serde(default)]
    pub root: bool,
    /// What the features are normalized by.
    #[serde(default)]
    pub normalize: Normalization,
}

impl StreamSize {
    /// Of what a dataset lacks: one step, which is the absent token.
    const ABSENT: Self = Self::of(1, 1);

    /// A stream of a dataset that is not known yet; until then, of these steps and values.
    pub const fn of(n_steps: usize, n_dims: usize) -> Self {
        Self { stream: String::new(), shape: [n_steps, 0, n_dims], root: false, normalize: Normalization::Train }
    }

    /// That of `manifest` for `modality`, or of none where it has none.
    ///
    /// Errors when it lacks the one that is named.
    pub fn for_dataset(
        &self,
        modality: Modality,
        manifest: &Manifest,
        max_steps: usize,
        context: usize,
    ) -> Result<Self, ModelError> {
        let own: Vec<&Stream> = manifest.streams.iter().filter(|stream| stream.modality == modality).collect();
        let names = match self.stream.as_str() {
            "" => {
                // One that Limbic made is a copy even where its original is not there.
                let is_copy = |stream: &Stream| {
                    (stream.extracted && stream.name.contains('@'))
                        || own.iter().any(|original| stream.change_of(original).is_some())
                };
                own.iter().find(|stream| !is_copy(stream)).map_or("", |stream| &stream.name)
            }
            names => names,
        };
        if names.is_empty() {
            return Ok(Self::ABSENT);
        }
        let lacks = |name: &str| {
            let known: Vec<&str> = own.iter().map(|stream| stream.name.as_str()).collect();
            ModelError::Config(format!(
                "dataset {:?} has no features {name:?} for {}; it has: {}",
                manifest.name,
                modality.name(),
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))
        };
        let places = side_by_side(&manifest.streams, names).map_err(lacks)?;
        let found: Vec<&Stream> = places.iter().map(|&place| &manifest.streams[place]).collect();
        if let Some(other) = found.iter().find(|stream| stream.modality != modality) {
            return Err(lacks(&other.name));
        }
        let steps = |clip: usize| {
            let features = &manifest.clips[clip].features;
            let of = |&place: &usize| features.iter().find(|feature| feature.stream == place);
            places.iter().map(of).collect::<Option<Vec<_>>>().map_or(0, |own| own[0].n_steps)
        };
        let recordings = Recordings::of(manifest);
        let (mut n_steps, mut n_after) = (1, 0);
        for clip in (0..manifest.clips.len()).filter(|&clip| steps(clip) > 0) {
            let (before, after) = recordings.around(clip, context);
            n_steps = n_steps.max(before.iter().map(|&clip| steps(clip)).sum::<usize>() + steps(clip));
            n_after = n_after.max(after.iter().map(|&clip| steps(clip)).sum());
        }
        let n_dims = found.iter().map(|stream| stream.n_dims).sum();
        let stream = found.iter().map(|stream| stream.name.as_str()).collect::<Vec<_>>().join("+");
        Ok(Self { stream, shape: [n_steps.min(max_steps), n_after.min(max_steps), n_dims], ..*self })
    }

    /// What is asked of a clip; nothing where the dataset has no such features. Before a dataset is known, a stream is
    /// called like its modality.
    pub fn input(&self, modality: Modality, context: usize) -> Option<FeatureInput> {
        let [n_steps, n_after, n_dims] = self.shape;
        (*self != Self::ABSENT).then(|| FeatureInput {
            stream: if self.stream.is_empty() { modality.name().to_owned() } else { self.stream.clone() },
            modality,
            n_dims,
            n_steps,
            n_after,
            context,
            root: self.root,
            normalize: self.normalize,
        })
    }

    /// Steps in all.
    pub fn n_steps(&self) -> usize {
        self.shape[0] + self.shape[1]
    }

    /// Values of a step.
    pub fn n_dims(&self) -> usize {
        self.shape[2]
    }
}

impl FeatureSize {
    /// Streams as the unaligned CMU-MOSI has them, until a dataset says otherwise.
    pub const fn mosi() -> Self {
        Self {
            language: StreamSize::of(50, 300),
            video: StreamSize::of(500, 20),
            audio: StreamSize::of(375, 5),
            max_steps: 500,
            context: 0,
            dropout: 0.0,
        }
    }

    /// That of a modality.
    pub fn get(&self, stream: Modality) -> &StreamSize {
        match stream {
            Modality::Text => &self.language,
            Modality::Face => &self.video,
            Modality::Voice => &self.audio,
        }
    }

    /// The same with the streams of a dataset.
    ///
    /// Errors when it has none for `modalities`.
    pub fn for_dataset(&self, modalities: Modalities, manifest: &Manifest) -> Result<Self, ModelError> {
        let of = |modality| self.get(modality).for_dataset(modality, manifest, self.max_steps, self.context);
        let (language, video, audio) = (of(Modality::Text)?, of(Modality::Face)?, of(Modality::Voice)?);
        let own = Self { language, video, audio, ..self.clone() };
        match modalities.iter().any(|modality| *own.get(modality) != StreamSize::ABSENT) {
            true => Ok(own),
            false => Err(no_features(manifest)),
        }
    }

    /// Steps of each sequence.
    pub fn lengths(&self) -> ByStream {
        self.each(StreamSize::n_steps)
    }

    /// Steps of each sequence up to the clip's last one.
    pub fn ends(&self) -> ByStream {
        self.each(|stream| stream.shape[0])
    }

    /// Values of a step of each sequence.
    pub fn n_dims(&self) -> ByStream {
        self.each(StreamSize::n_dims)
    }

    fn each(&self, of: impl Fn(&StreamSize) -> usize) -> ByStream {
        ByStream { language: of(&self.language), video: of(&self.video), audio: of(&self.audio) }
    }

    /// How samples become batches when these modalities are used.
    pub fn reader(&self, modalities: Modalities) -> Reader {
        let inputs = modalities.iter().filter_map(|modality| self.get(modality).input(modality, self.context));
        reader_of(inputs.collect())
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), ModelError> {
        let complain = |text: String| Err(ModelError::Config(text));
        if self.max_steps == 0 {
            return complain("sequences.max_steps must be at least 1".into());
        }
        if let Some(stream) = STREAMS.into_iter().find(|&stream| self.get(stream).shape[0] == 0) {
            return complain(format!("the features for {} have no step", stream.name()));
        }
        check_share("sequences.dropout", self.dropout)
    }
}

/// What is wrong with a dataset of media alone.
pub(crate) fn no_features(manifest: &Manifest) -> ModelError {
    ModelError::Config(format!(
        "this preset reads precomputed features, and dataset {:?} brings none that it can use: choose the preset tiny, import \
         features, or make some (limbic features, or Extract features… in the window)",
        manifest.name
    ))
}

/// A reader of features alone.
pub(crate) fn reader_of(features: Vec<FeatureInput>) -> Reader {
    Reader {
        inputs: Inputs { face: None, voice: None, text: None, features },
        pixels: PixelScale::PerFrame,
        n_buckets: 2,
        vocabulary: None,
        face_as_scene: false,
    }
}

/// What becomes of features before a network sees them.
#[derive(Module, Debug)]
pub struct FeatureSequences {
    /// To mean 0 and deviation 1, as the training split has it; rows may bring a scale of their own.
    scale: Streams<Scale>,
    absent: Streams<Param<Tensor<1>>>,
    dropout: Dropout,
}

impl FeatureSequences {
    /// For these modalities, not scaled yet.
    pub fn new(size: &FeatureSize, modalities: Modalities, init: &mut Init<'_>) -> Self {
        Self {
            scale: Streams::of(modalities, |stream| Scale::new(size.get(stream).n_dims(), init)),
            absent: Streams::of(modalities, |stream| init.normal([size.get(stream).n_dims()], 1.0)),
            dropout: dropout(size.dropout),
        }
    }

    /// Sets the scales from the training split, as [`EmotionModel::calibrate`](crate::EmotionModel::calibrate) says.
    pub fn calibrate<E: From<ModelError>>(&mut self, training: impl TrainingBatches<E>) -> Result<(), E> {
        for stream in STREAMS {
            let Some(scale) = self.scale.get_mut(stream) else { continue };
            let mut moments = Moments::new(scale.width());
            training(stream, &mut |batch| {
                let features = batch.features(stream);
                features.map_or(Ok(()), |features| moments.add_valid(&features.values, &features.valid))
            })?;
            moments.statistics().iter().for_each(|statistics| scale.set(statistics));
        }
        Ok(())
    }

    /// The sequences of a batch, `[batch, steps, n_dims]` each; a modality that nobody in the batch has is all absent
    /// tokens.
    pub fn forward(&self, size: &FeatureSize, batch: &Batch) -> Streams<Tensor<3>> {
        let [n, _] = batch.present.dims();
        Streams::from_fn(|stream| {
            let absent = self.absent.get(stream)?.val();
            let (steps, n_dims) = (size.get(stream).n_steps(), size.get(stream).n_dims());
            let filler = absent.reshape([1, 1, n_dims]).expand([1, steps, n_dims]);
            Some(match batch.features(stream) {
                None => filler.expand([n, steps, n_dims]),
                Some(features) => {
                    let scaled = self.scale[stream].forward_rows(features.values.clone(), features.own_scale.as_ref());
                    let seen = self.dropout.forward(scaled * features.valid.clone().unsqueeze_dim::<3>(2));
                    rows_or(seen, &features.rows, &all(n), filler)
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use emotion::{Clip, FeatureRef, LabelSet};

    use super::*;

    /// A clip that has all streams, with two steps each, and one that lacks the last.
    fn dataset(streams: &[(&str, Modality, usize)]) -> Manifest {
        let mut manifest = Manifest::new("m", "csv", "".as_ref(), LabelSet::basic(2));
        manifest.streams = streams
            .iter()
            .map(|&(name, modality, n_dims)| Stream {
                name: name.into(),
                modality,
                n_dims,
                aligned: false,
                extracted: true,
            })
            .collect();
        let feature = |stream, n_steps| FeatureRef {
            stream,
            path: "f".into(),
            array: None,
            row: None,
            first_dim: 0,
            first_step: 0,
            n_steps,
        };
        for (id, n, n_steps) in [("whole", streams.len(), 2), ("part", streams.len() - 1, 9)] {
            let features = (0..n).map(|stream| feature(stream, n_steps)).collect();
            manifest.clips.push(Clip { id: id.into(), features, ..Clip::default() });
        }
        manifest
    }

    fn found(names: &str, manifest: &Manifest) -> Result<(String, [usize; 3]), String> {
        let size = StreamSize { stream: names.into(), ..StreamSize::of(1, 1) };
        let found = size.for_dataset(Modality::Face, manifest, 100, 0).map_err(|error| error.to_string())?;
        Ok((found.stream, found.shape))
    }

    #[test]
    fn streams_side_by_side_are_as_wide_as_all_and_as_long_as_clips_with_all() {
        let manifest = dataset(&[("a", Modality::Face, 3), ("said", Modality::Text, 5), ("b", Modality::Face, 4)]);
        assert_eq!(found("", &manifest), Ok(("a".into(), [9, 0, 3])));
        assert_eq!(found("b + a", &manifest), Ok(("b+a".into(), [2, 0, 7])));
        assert!(found("a+c", &manifest).unwrap_err().contains("no features \"c\" for face; it has: a, b"));
        assert!(found("a+said", &manifest).unwrap_err().contains("no features \"said\" for face"));
    }

    #[test]
    fn no_copy_is_taken_for_what_a_dataset_has() {
        let face = Modality::Face;
        let first = |streams: &[_]| found("", &dataset(streams)).unwrap().0;
        assert_eq!(first(&[("a@0.9", face, 3), ("a", face, 3)]), "a");
        assert_eq!(first(&[("a@0.9", face, 3), ("b", face, 3)]), "b", "though its original is not there");
        assert_eq!(first(&[("a@0.9", face, 3)]), "");
    }
}
