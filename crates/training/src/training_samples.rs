//! What training sees of its clips: samples changed at random, and which modalities of them are switched on.

use emotion::{Inputs, Manifest, Modalities, Modality, Sample};
use media::SampleCache;
use models::{Augmentation, StageInput};
use rand::{Rng, RngExt as _};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use crate::augment::augment;
use crate::copies::Copies;
use crate::loader::{Loader, rng_at};
use crate::speakers::SpeakerMeans;
use crate::{Event, Job, PreparedClip, TrainError};

/// The samples of the training split.
pub(crate) struct TrainingSamples<'a> {
    job: &'a Job,
    loader: Loader<'a>,
    /// The modalities that the model reads.
    usable: Modalities,
    augmentation: Augmentation,
    /// Where samples read copies of their features.
    copies: Option<Copies>,
    /// Where samples are moved between speakers.
    speakers: Option<SpeakerMeans>,
}

/// Indices of clips, their samples, and what is switched on of each.
type TrainingBatch = (Vec<usize>, Vec<Sample>, Vec<Modalities>);

impl<'a> TrainingSamples<'a> {
    /// Those of `clips`, of which a model reads `inputs`.
    pub(crate) fn new(
        job: &'a Job,
        manifest: &'a Manifest,
        clips: Vec<PreparedClip>,
        inputs: &Inputs,
        augmentation: Augmentation,
        cache: &'a SampleCache,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let copies = match job.recipe.copies > 0.0 {
            true => Some(Copies::of(manifest, &clips, &inputs.features, on_event)?),
            false => None,
        };
        let loader = Loader::new(cache, manifest, clips)?;
        let are_swapped = job.recipe.swap_speakers > 0.0 && !inputs.features.is_empty();
        let speakers = are_swapped.then(|| SpeakerMeans::of(&loader)).transpose()?;
        Ok(Self { job, loader, usable: inputs.modalities(), augmentation, copies, speakers })
    }

    /// The samples as they are.
    pub(crate) fn loader(&self) -> &Loader<'a> {
        &self.loader
    }

    /// What each optimizer step of a batch sees: clips of the loader, their samples and what is switched on.
    pub(crate) fn batches(
        &self,
        chosen: &[usize],
        input: StageInput,
        stage: usize,
        epoch: usize,
    ) -> Result<Vec<TrainingBatch>, TrainError> {
        let (samples, on) = self.changed(chosen, input, stage, epoch)?;
        let turns = input.turns();
        if turns.is_empty() {
            return Ok(vec![(chosen.to_vec(), samples, on)]);
        }
        let with = |turn: Modalities| {
            let rows = (0..samples.len()).filter(|&row| samples[row].present().intersection(turn) == turn);
            let (clips, own): (Vec<usize>, Vec<Sample>) = rows.map(|row| (chosen[row], samples[row].clone())).unzip();
            let n = own.len();
            (clips, own, vec![turn; n])
        };
        Ok(turns.into_iter().map(with).filter(|(clips, ..)| !clips.is_empty()).collect())
    }

    /// Samples as the stage's training sees them: changed at random, modalities switched on as the plan says.
    fn changed(
        &self,
        chosen: &[usize],
        input: StageInput,
        stage: usize,
        epoch: usize,
    ) -> Result<(Vec<Sample>, Vec<Modalities>), TrainError> {
        let samples = self.loader.samples(chosen)?;
        let changed: Result<Vec<(Sample, Modalities)>, TrainError> = samples
            .into_par_iter()
            .zip(chosen)
            .map(|(sample, &index)| {
                let mut rng = rng_at(self.job.seed, stage, epoch, index);
                let on = switched_on(input, sample.present().intersection(self.usable), &mut rng);
                let mut sample = Sample::clone(&sample);
                // What is switched off need not be changed.
                sample.face = sample.face.filter(|_| on.contains(Modality::Face));
                if self.job.recipe.augment {
                    augment(&mut sample, self.augmentation, &mut rng);
                }
                if let Some(copies) = &self.copies
                    && rng.random_bool(self.job.recipe.copies)
                {
                    copies.exchange(&mut sample, index, &mut rng)?;
                }
                if let Some(speakers) = &self.speakers
                    && rng.random_bool(self.job.recipe.swap_speakers)
                {
                    speakers.swap(&mut sample, index, &mut rng);
                }
                Ok((sample, on))
            })
            .collect();
        Ok(changed?.into_iter().unzip())
    }
}

/// The modalities of a sample that a training step sees.
fn switched_on(input: StageInput, present: Modalities, rng: &mut impl Rng) -> Modalities {
    match input {
        StageInput::Only { modality } => Modalities::only(modality),
        StageInput::All | StageInput::InTurn { .. } => Modalities::ALL,
        StageInput::RandomDrop { keep } => loop {
            let kept: Modalities = present.iter().filter(|_| rng.random_bool(keep)).collect();
            if !kept.is_empty() {
                break kept;
            }
        },
    }
}
