//! Settings by name: what `--set key=value` and the window's forms can change, whatever the model.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

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
    use serde::Deserialize;

    use super::*;

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
}
