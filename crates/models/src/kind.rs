//! Which models there are.

use serde::{Deserialize, Serialize};

use crate::umbenet::UmbenetConfig;
use crate::{Config, ModelError};

/// A model of the studio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Prompt pool over face, voice and text.
    Umbenet,
}

impl ModelKind {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Umbenet];

    /// The word on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Umbenet => "umbenet",
        }
    }

    /// The name that people know.
    pub fn title(self) -> &'static str {
        match self {
            Self::Umbenet => "UMBEnet",
        }
    }

    /// The paper.
    pub fn paper(self) -> &'static str {
        match self {
            Self::Umbenet => {
                "Mai et al., All rivers run into the sea: Unified Modality Brain-like Emotional Central Mechanism, 2024"
            }
        }
    }

    /// Names of the presets, the default first.
    pub fn presets(self) -> &'static [&'static str] {
        match self {
            Self::Umbenet => &["tiny"],
        }
    }

    /// The configuration of a preset.
    pub fn preset(self, name: &str) -> Result<Config, ModelError> {
        match (self, name) {
            (Self::Umbenet, "tiny") => Ok(Config::Umbenet(UmbenetConfig::tiny())),
            _ => Err(ModelError::Config(format!(
                "{} has no preset {name:?}: choose one of {}",
                self.title(),
                self.presets().join(", ")
            ))),
        }
    }
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
