//! Everything that reproduces a run, as it stands in `job.toml`.

use std::path::{Path, PathBuf};

use models::{
    Config, DeviceId, Keep, ModelKind, Schedule, Setting, SettingError, StagePlan, apply_setting, settings_of,
};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// A training job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Name of the run.
    pub name: String,
    /// The dataset.
    pub manifest: PathBuf,
    /// The preset that the configuration started from.
    pub preset: String,
    /// Initial values, order of the data, dropped modalities and augmentation follow from it.
    pub seed: u64,
    /// Where to compute.
    pub device: DeviceId,
    /// How to train.
    pub recipe: Recipe,
    /// The model, all settings applied.
    pub config: Config,
}

/// How a model is trained, whatever it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Clips per optimizer step (UMBEnet §4.1: 16).
    pub batch_size: usize,
    /// The learning rate is multiplied by this on a plateau (UMBEnet §4.1: 0.6).
    pub plateau_factor: f64,
    /// Flat epochs in a row that are borne (UMBEnet §4.1: 3).
    pub plateau_patience: usize,
    /// A loss counts as lower when it is lower by this share (PyTorch's default).
    pub plateau_threshold: f64,
    /// Training stops when the rate falls below this (UMBEnet §4.1: 1e-7).
    pub stop_learning_rate: f64,
    /// Training of a stage stops when the training accuracy rises above this. UMBEnet §4.1 says 0.80, for a large
    /// pretrained encoder; small encoders that learn from nothing need to go on.
    pub stop_train_accuracy: f64,
    /// Mirrored faces, jittered positions and loudness, dropped words in training.
    pub augment: bool,
    /// Share of training samples whose precomputed features are moved as if somebody between two other speakers had
    /// been recorded; see `speakers.rs`.
    #[serde(default)]
    pub swap_speakers: f64,
    /// Share of training samples whose precomputed features are those of a changed copy of the clip, as the streams
    /// `NAME@…` of the dataset have them.
    #[serde(default)]
    pub copies: f64,
    /// Whether the clips of the validation split are trained on as well, once all settings are found.
    #[serde(default)]
    pub train_on_validation: bool,
    /// Adam's decay of the mean gradient.
    pub beta_1: f64,
    /// Adam's decay of the mean squared gradient.
    pub beta_2: f64,
    /// Added to Adam's denominator.
    pub epsilon: f64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            batch_size: 16,
            plateau_factor: 0.6,
            plateau_patience: 3,
            plateau_threshold: 1e-4,
            stop_learning_rate: 1e-7,
            stop_train_accuracy: 0.995,
            augment: true,
            swap_speakers: 0.0,
            copies: 0.0,
            train_on_validation: false,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// A setting of a job, with its default and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSetting {
    /// Key for `--set key=value`.
    pub key: String,
    /// Value of the preset.
    pub value: String,
    /// One sentence for people, with the paper's value where there is one.
    pub help: &'static str,
}

impl Job {
    /// A job with a preset's values, then `settings` applied in order.
    pub fn new(
        name: &str,
        manifest: &Path,
        model: ModelKind,
        preset: &str,
        settings: &[(String, String)],
    ) -> Result<Self, TrainError> {
        let mut job = Self {
            name: name.to_owned(),
            manifest: manifest.to_owned(),
            preset: preset.to_owned(),
            seed: 0,
            device: DeviceId::Auto,
            recipe: Recipe::default(),
            config: model.preset(preset)?,
        };
        for (key, value) in settings {
            job.set(key, value)?;
        }
        job.check()?;
        Ok(job)
    }

    /// Changes one setting of the recipe or the model.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), TrainError> {
        if settings_of(&self.recipe).iter().any(|setting| setting.key == key) {
            self.recipe = apply_setting(&self.recipe, key, value)?;
            return Ok(());
        }
        match apply_setting(&self.config, key, value) {
            Ok(config) => self.config = config,
            Err(SettingError::Unknown { key, known }) => {
                let recipe = settings_of(&self.recipe).into_iter().map(|setting| setting.key);
                let known = recipe.chain([known]).collect::<Vec<_>>().join(", ");
                return Err(SettingError::Unknown { key, known }.into());
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Gives every stage `n_epochs` at most.
    pub fn set_epochs(&mut self, n_epochs: usize) -> Result<(), TrainError> {
        let keys: Vec<String> = settings_of(&self.config).into_iter().map(|setting| setting.key).collect();
        for key in keys.iter().filter(|key| key.ends_with("_epochs") || *key == "epochs") {
            self.set(key, &n_epochs.to_string())?;
        }
        Ok(())
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), TrainError> {
        self.config.check()?;
        let unfit = |key: &str, value: String, reason: &str| {
            Err(SettingError::Value { key: key.into(), value, reason: reason.into() }.into())
        };
        if self.recipe.batch_size == 0 {
            return unfit("batch_size", "0".into(), "a step needs at least one clip");
        }
        if !(self.recipe.plateau_factor > 0.0 && self.recipe.plateau_factor < 1.0) {
            return unfit("plateau_factor", self.recipe.plateau_factor.to_string(), "it must be between 0 and 1");
        }
        for (key, decay) in [("beta_1", self.recipe.beta_1), ("beta_2", self.recipe.beta_2)] {
            if !(0.0..1.0).contains(&decay) {
                return unfit(key, decay.to_string(), "it must be at least 0 and below 1");
            }
        }
        if !(self.recipe.epsilon > 0.0 && self.recipe.epsilon.is_finite()) {
            return unfit("epsilon", self.recipe.epsilon.to_string(), "it must be above 0");
        }
        for (key, value) in [
            ("plateau_threshold", self.recipe.plateau_threshold),
            ("stop_learning_rate", self.recipe.stop_learning_rate),
            ("stop_train_accuracy", self.recipe.stop_train_accuracy),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return unfit(key, value.to_string(), "it must be in 0..=1");
            }
        }
        for (key, share) in [("swap_speakers", self.recipe.swap_speakers), ("copies", self.recipe.copies)] {
            if !(0.0..=1.0).contains(&share) {
                return unfit(key, share.to_string(), "it must be in 0..=1");
            }
        }
        let chooses =
            |plan: &StagePlan| plan.optimization.keep != Keep::Last || plan.optimization.schedule == Schedule::Plateau;
        if self.recipe.train_on_validation && self.config.stages().iter().any(chooses) {
            let reason = "validation would choose an epoch by clips that it is trained on: set keep=last and a schedule of \
                          cosine or constant, where the model has these settings";
            return unfit("train_on_validation", "true".into(), reason);
        }
        if self.config.stages().iter().any(|stage| stage.n_epochs == 0) {
            return unfit("epochs", "0".into(), "a stage needs at least one epoch");
        }
        Ok(())
    }

    /// Which model is trained.
    pub fn model(&self) -> ModelKind {
        self.config.kind()
    }
}

/// What `--set` and the window's form can change, with the preset's values.
pub fn settings(model: ModelKind, preset: &str) -> Result<Vec<JobSetting>, TrainError> {
    let recipe = settings_of(&Recipe::default()).into_iter().map(|setting| (help(&setting.key), setting));
    let config = settings_of(&model.preset(preset)?).into_iter().map(|setting| (model.help(&setting.key), setting));
    Ok(recipe.chain(config).map(|(help, Setting { key, value })| JobSetting { key, value, help }).collect())
}

/// What a setting of the recipe is, for people.
fn help(key: &str) -> &'static str {
    match key {
        "batch_size" => "Clips per optimizer step. UMBEnet's paper: 16.",
        "plateau_factor" => "The learning rate is multiplied by this on a plateau. UMBEnet's paper: 0.6.",
        "plateau_patience" => "Flat epochs in a row before the rate falls. UMBEnet's paper: 3.",
        "plateau_threshold" => {
            "How much lower, as a share, a validation loss must be to count. PyTorch's default: 0.0001."
        }
        "stop_learning_rate" => "Training stops below this rate. UMBEnet's paper: 1e-7.",
        "stop_train_accuracy" => {
            "A stage stops above this training accuracy. UMBEnet's paper: 0.80; from scratch, more."
        }
        "augment" => {
            "Training sees faces mirrored, moved and partly hidden, voices louder or with gaps, texts without some words."
        }
        "swap_speakers" => {
            "Share of training samples whose precomputed features are moved to the means of other speakers of the training split."
        }
        "copies" => {
            "Share of training samples that read a changed copy of their features (streams NAME@…), such as the voice at another speed."
        }
        "train_on_validation" => "Whether the validation split is trained on as well, once all settings are found.",
        "beta_1" => "Adam's decay of the mean gradient. UMBEnet's code: 0.9.",
        "beta_2" => "Adam's decay of the mean squared gradient. UMBEnet's code: 0.999.",
        "epsilon" => "Added to Adam's denominator. UMBEnet's code: 1e-8.",
        _ => "A setting of the recipe.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(settings: &[(&str, &str)]) -> Result<Job, TrainError> {
        let settings: Vec<(String, String)> =
            settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        Job::new("run", Path::new("m.json"), ModelKind::Umbenet, "tiny", &settings)
    }

    #[test]
    fn settings_reach_recipe_and_model() {
        let job = job(&[("batch_size", "4"), ("top_k", "2")]).unwrap();
        assert_eq!(job.recipe.batch_size, 4);
        assert!(settings_of(&job.config).iter().any(|setting| setting.key == "top_k" && setting.value == "2"));
    }

    #[test]
    fn impossible_settings_are_refused() {
        for setting in [
            ("nonsense", "1"),
            ("batch_size", "0"),
            ("top_k", "99"),
            ("keep_probability", "0"),
            ("plateau_factor", "NaN"),
            ("swap_speakers", "1.5"),
            ("copies", "-0.1"),
            // Of UMBEnet the epoch is kept that validation likes best.
            ("train_on_validation", "true"),
        ] {
            assert!(job(&[setting]).is_err(), "{setting:?}");
        }
    }

    #[test]
    fn every_setting_of_the_recipe_is_explained() {
        for setting in settings(ModelKind::Umbenet, "tiny").unwrap().iter().take(settings_of(&Recipe::default()).len())
        {
            assert_ne!(setting.help, help(""), "{}", setting.key);
        }
    }

    #[test]
    fn a_job_survives_its_file() {
        let job = job(&[("learning_rate", "0.003")]).unwrap();
        let text = toml::to_string(&job).unwrap();
        assert_eq!(toml::from_str::<Job>(&text).unwrap(), job);
    }
}
