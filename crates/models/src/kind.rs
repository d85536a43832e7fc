//! Which models there are.

use serde::{Deserialize, Serialize};

use crate::{Config, ModelError, mcr, mma_dfer, mult, umbenet, vavl};

/// A model of the studio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Prompt pool over face, voice and text.
    Umbenet,
    /// Two pretrained encoders that learn from each other.
    MmaDfer,
    /// Conformers over face and voice, together or alone.
    Vavl,
    /// Sequences that reinforce one another, as targets and as sources.
    Mcr,
    /// Sequences that look at one another.
    Mult,
}

/// A preset: its name, and its configuration.
pub type Preset = (&'static str, fn() -> Config);

/// What is said of a model; each model's file has its own.
#[derive(Debug)]
pub struct About {
    /// The word on the command line and in files.
    pub name: &'static str,
    /// The name that people know.
    pub title: &'static str,
    /// The paper.
    pub paper: &'static str,
    /// Names and configurations of the presets, the default first.
    pub presets: &'static [Preset],
    /// What a setting of the configuration is, for people, with the paper's value where there is one.
    pub help: fn(&str) -> Option<&'static str>,
}

impl ModelKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Umbenet, Self::MmaDfer, Self::Vavl, Self::Mcr, Self::Mult];

    fn about(self) -> &'static About {
        match self {
            Self::Umbenet => &umbenet::ABOUT,
            Self::MmaDfer => &mma_dfer::ABOUT,
            Self::Vavl => &vavl::ABOUT,
            Self::Mcr => &mcr::ABOUT,
            Self::Mult => &mult::ABOUT,
        }
    }

    /// The word on the command line and in files.
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// The name that people know.
    pub fn title(self) -> &'static str {
        self.about().title
    }

    /// The paper.
    pub fn paper(self) -> &'static str {
        self.about().paper
    }

    /// Names of the presets, the default first.
    pub fn presets(self) -> impl Iterator<Item = &'static str> {
        self.about().presets.iter().map(|(name, _)| *name)
    }

    /// The preset that a first training uses.
    pub fn default_preset(self) -> &'static str {
        self.about().presets[0].0
    }

    /// What a setting of the model's configuration is, for people.
    pub fn help(self, key: &str) -> &'static str {
        (self.about().help)(key).unwrap_or("A size of the model.")
    }

    /// The configuration of a preset.
    pub fn preset(self, name: &str) -> Result<Config, ModelError> {
        let preset = self.about().presets.iter().find(|(preset, _)| *preset == name);
        preset.map(|(_, config)| config()).ok_or_else(|| {
            let known: Vec<&str> = self.presets().collect();
            ModelError::Config(format!("{} has no preset {name:?}: choose one of {}", self.title(), known.join(", ")))
        })
    }
}

/// Runs an expression with the type of a configuration's model: `with_model!(config, M, config => load::<M>(config))`.
///
/// The one place that joins the variants of [`Config`] with the types of the models.
#[macro_export]
macro_rules! with_model {
    ($value:expr, $model:ident, $config:ident => $run:expr) => {
        match $value {
            $crate::Config::Umbenet($config) => {
                type $model = $crate::umbenet::Umbenet;
                $run
            }
            $crate::Config::MmaDfer($config) => {
                type $model = $crate::mma_dfer::MmaDfer;
                $run
            }
            $crate::Config::Vavl($config) => {
                type $model = $crate::vavl::Vavl;
                $run
            }
            $crate::Config::Mcr($config) => {
                type $model = $crate::mcr::McrClassifier;
                $run
            }
            $crate::Config::Mult($config) => {
                type $model = $crate::mult::MultClassifier;
                $run
            }
        }
    };
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for ModelKind {
    type Err = ModelError;
    fn from_str(name: &str) -> Result<Self, ModelError> {
        Self::ALL.into_iter().find(|kind| kind.name() == name.to_lowercase()).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            ModelError::Config(format!("unknown model {name:?}: choose one of {known}"))
        })
    }
}
