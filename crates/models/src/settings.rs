//! Settings by name: what `--set key=value` and the window's forms can change, whatever the model.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use crate::ModelError;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Path with dots: `top_k`, `face.side_px`.
    pub key: String,
    /// Current value as written.
    pub value: String,
}

/// What is wrong with `key=value`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting {key:?}; there are: {known}")]
    Unknown {
        /// As given.
        key: String,
        /// All keys.
        known: String,
    },
    /// The value does not fit.
    #[error("setting {key:?} cannot be {value:?}: {reason}")]
    Value {
        /// The key.
        key: String,
        /// As given.
        value: String,
        /// Why.
        reason: String,
    },
}

/// Errors unless the setting `key` is a probability above zero.
pub(crate) fn check_probability(key: &str, value: f64) -> Result<(), ModelError> {
    check(value > 0.0 && value <= 1.0, key, value, "above 0 and at most 1")
}

/// Errors unless the setting `key` is a share that leaves something: of dropout, of smoothing.
pub(crate) fn check_share(key: &str, value: f64) -> Result<(), ModelError> {
    check((0.0..1.0).contains(&value), key, value, "at least 0 and below 1")
}

/// Errors unless the setting `key` is a rate that moves something.
pub(crate) fn check_positive(key: &str, value: f64) -> Result<(), ModelError> {
    check(value > 0.0 && value.is_finite(), key, value, "above 0")
}

/// Errors unless the setting `key` is a weight that may be nothing.
pub(crate) fn check_not_negative(key: &str, value: f64) -> Result<(), ModelError> {
    check(value >= 0.0 && value.is_finite(), key, value, "at least 0")
}

/// Errors where a size of a configuration is nothing, which only some can be, or larger than any that makes sense.
pub(crate) fn check_sizes<T: Serialize>(config: &T) -> Result<(), ModelError> {
    for Setting { key, value } in settings_of(config) {
        let name = key.rsplit('.').next().unwrap_or_default();
        let Ok(size) = value.parse::<u64>() else { continue };
        if size == 0 && !MAY_BE_ZERO.contains(&name) {
            return Err(ModelError::Config(format!("{key} is 0: it must be at least 1")));
        }
        let most = most(name);
        if size > most {
            return Err(ModelError::Config(format!("{key} is {size}: it must be at most {most}")));
        }
    }
    Ok(())
}

/// The most that a whole number can be, by the last part of its key: what no clip and no published network comes near,
/// so that a number with a few digits too many is told by name, and not by the memory that it takes.
fn most(name: &str) -> u64 {
    match name {
        // Nothing is as large as they are; about them a job has words of its own.
        name if name.ends_with("epochs") => u64::MAX,
        // Half an hour at 16 kHz.
        "n_samples" => 30 * 60 * 16_000,
        // What sound cards reach.
        "rate_hz" => 192_000,
        // More than there are frequencies in a frame of 25 ms at 16 kHz.
        "n_bins" => 512,
        // Pictures of cameras.
        "side_px" => 4096,
        // Rows of tables: words or their hashes.
        "n_buckets" | "vocabulary" => 1 << 20,
        // Hidden widths in widths.
        "ffn_mult" | "mlp_ratio" | "feed_forward_expansion" => 64,
        name if name.ends_with("layers") || name.ends_with("depth") => 256,
        // Widths, and steps of sequences: frames, words, tokens.
        _ => 16_384,
    }
}

/// Errors where a file is named that a configuration does not read.
pub(crate) fn check_unread(key: &str, path: &Path, is_read: bool) -> Result<(), ModelError> {
    match is_read || path.as_os_str().is_empty() {
        true => Ok(()),
        false => Err(ModelError::Config(format!(
            "{key} is set, but this preset has small encoders of its own that read no weights: choose another preset: {}",
            path.display()
        ))),
    }
}

fn check(holds: bool, key: &str, value: f64, wanted: &str) -> Result<(), ModelError> {
    if holds { Ok(()) } else { Err(ModelError::Config(format!("{key} is {value}: it must be {wanted}"))) }
}

/// Whole numbers that may be zero, by the last part of their keys: layers, what is left out with 0, and epochs, about
/// which a job has words of its own.
const MAY_BE_ZERO: [&str; 14] = [
    "attributes",
    "classes",
    "context",
    "depth",
    "encoder_layers",
    "epochs",
    "fusion_layers",
    "gate_width",
    "joint_epochs",
    "layers",
    "n_epochs",
    "n_layers",
    "shared_layers",
    "unimodal_epochs",
];

/// Whether a path names the choice among several shapes of a table.
fn is_tag(path: &str) -> bool {
    matches!(path.rsplit('.').next(), Some("kind" | "model"))
}

/// All scalar settings of a configuration, in its order.
pub fn settings_of<T: Serialize>(config: &T) -> Vec<Setting> {
    fn walk(prefix: &str, value: &Value, out: &mut Vec<Setting>) {
        match value {
            Value::Table(table) => {
                for (key, value) in table {
                    let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&path, value, out);
                }
            }
            // What an encoder is decides which other settings exist; it is chosen with the preset.
            Value::String(_) if is_tag(prefix) => {}
            Value::Array(_) => {}
            Value::String(word) => out.push(Setting { key: prefix.to_owned(), value: word.clone() }),
            // As it is written by people: 1e-8 rather than eight digits.
            Value::Float(value) => out.push(Setting { key: prefix.to_owned(), value: format!("{value:?}") }),
            scalar => out.push(Setting { key: prefix.to_owned(), value: scalar.to_string() }),
        }
    }
    let mut out = Vec::new();
    if let Ok(value) = Value::try_from(config) {
        walk("", &value, &mut out);
    }
    out
}

/// Sets `key` of `config`; the value must be of the kind that is there.
pub fn apply_setting<T: Serialize + DeserializeOwned>(config: &T, key: &str, value: &str) -> Result<T, SettingError> {
    let unfit = |reason: String| SettingError::Value { key: key.to_owned(), value: value.to_owned(), reason };
    if !settings_of(config).iter().any(|setting| setting.key == key) {
        let known = settings_of(config).into_iter().map(|setting| setting.key).collect::<Vec<_>>().join(", ");
        return Err(SettingError::Unknown { key: key.to_owned(), known });
    }
    let mut root = Value::try_from(config).map_err(|error| unfit(error.to_string()))?;
    let place = key.split('.').try_fold(&mut root, |table, part| table.get_mut(part)).expect("the key was just found");
    *place = match place {
        Value::Integer(_) => {
            value.parse().map(Value::Integer).map_err(|_| unfit("it must be a whole number".into()))?
        }
        Value::Float(_) => value.parse().map(Value::Float).map_err(|_| unfit("it must be a number".into()))?,
        Value::Boolean(_) => value.parse().map(Value::Boolean).map_err(|_| unfit("it must be true or false".into()))?,
        Value::String(_) => Value::String(value.to_owned()),
        _ => return Err(unfit("it cannot be changed".into())),
    };
    root.try_into().map_err(|error: toml::de::Error| unfit(error.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use serde::Deserialize;

    use super::*;
    use crate::{EmotionModel as _, Init, ModelKind, with_model};

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Inner {
        side_px: usize,
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(rename_all = "snake_case")]
    enum Way {
        Up,
        FarDown,
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Outer {
        top_k: usize,
        rate: f64,
        way: Way,
        face: Inner,
    }

    #[test]
    fn settings_are_found_by_path_and_checked() {
        let outer = Outer { top_k: 3, rate: 0.5, way: Way::Up, face: Inner { side_px: 64 } };
        let changed = [("face.side_px", "32"), ("rate", "1"), ("way", "far_down")]
            .iter()
            .fold(outer, |outer, (key, value)| apply_setting(&outer, key, value).unwrap());
        assert_eq!(changed, Outer { top_k: 3, rate: 1.0, way: Way::FarDown, face: Inner { side_px: 32 } });
        let outer = changed;
        let error = apply_setting(&outer, "way", "sideways").unwrap_err().to_string();
        assert!(error.contains("far_down"), "the words that fit are listed: {error}");
        assert!(matches!(apply_setting(&outer, "k", "1"), Err(SettingError::Unknown { .. })));
        for value in ["-1", "x", "1.5"] {
            assert!(matches!(apply_setting(&outer, "top_k", value), Err(SettingError::Value { .. })), "{value}");
        }
    }

    #[test]
    fn a_huge_size_is_refused_by_its_name() {
        let configs = ModelKind::ALL.into_iter().flat_map(|model| model.presets().map(move |preset| (model, preset)));
        for config in configs.map(|(model, preset)| model.preset(preset).unwrap()) {
            let is_size = |setting: &Setting| setting.value.parse::<u64>().is_ok() && !setting.key.ends_with("epochs");
            for Setting { key, .. } in settings_of(&config).into_iter().filter(is_size) {
                let huge = apply_setting(&config, &key, "4000000000").unwrap();
                let error = huge.check().unwrap_err().to_string();
                assert!(error.starts_with(&format!("{key} is 4000000000: it must be at most ")), "{error}");
            }
        }
    }

    #[test]
    fn a_size_of_nothing_is_refused_or_can_be_built() {
        for model in ModelKind::ALL {
            for preset in model.presets() {
                model.preset(preset).unwrap().check().unwrap();
            }
            let tiny = model.preset("tiny").unwrap();
            let sizes = settings_of(&tiny).into_iter().filter(|setting| setting.value.parse::<usize>().is_ok());
            for Setting { key, .. } in sizes {
                let config = apply_setting(&tiny, &key, "0").unwrap();
                if config.check().is_ok() {
                    let device = Device::flex();
                    with_model!(&config, M, config => {
                        M::build(config, 2, &mut Init::new(0, &device));
                    });
                }
            }
        }
    }
}
