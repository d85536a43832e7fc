//! From the classes of one label set to those of another, written down: which meets which, and which is left out.
//!
//! Corpora name 4 to 11 emotions, and 0 is happiness in one and anger in the next. Nothing here guesses in silence:
//! a class that has no counterpart is an error until somebody says what becomes of it.

use crate::label::canonical_emotion;
use crate::{LabelError, LabelSet, Manifest};

/// What becomes of each class of a label set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    from: LabelSet,
    to: LabelSet,
    /// Index into `to` of each class of `from`; `None`: its clips are left out.
    targets: Vec<Option<usize>>,
}

/// What is wrong with a mapping of labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelMapError {
    /// Classes without a counterpart.
    #[error("no class of {to} means {labels}: say {example}=CLASS to merge, or {example}=- to leave the clips out")]
    Unmatched {
        /// The classes, in words.
        labels: String,
        /// The first of them.
        example: String,
        /// The classes that there are, in words.
        to: String,
    },
    /// A class that the label set does not have.
    #[error("there is no label {name:?}; the labels are {known}")]
    UnknownLabel {
        /// The name asked for.
        name: String,
        /// The labels, in words.
        known: String,
    },
    /// A set that has no name here.
    #[error("there is no label set {0:?}; the sets are four, six, seven, eight and eleven")]
    UnknownSet(String),
    /// The map was made for other labels.
    #[error("the map is for the labels {expected}, but the labels are {found}")]
    OtherLabels {
        /// Labels of the map, in words.
        expected: String,
        /// Labels of the manifest, in words.
        found: String,
    },
    /// What is left is no label set.
    #[error(transparent)]
    Labels(#[from] LabelError),
}

/// How classes are to be renamed, merged and left out, as users write it: a named set (see [`LabelSet::named`]), pairs
/// `OLD=NEW`, or both, separated by commas; `OLD=-` leaves the clips out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSpec {
    /// The named set that classes are to meet.
    pub set: Option<String>,
    /// Old and new names; the new name `-` leaves out.
    pub pairs: Vec<(String, String)>,
}

impl From<&str> for LabelSpec {
    fn from(text: &str) -> Self {
        let mut spec = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((old, new)) => spec.pairs.push((old.trim().to_owned(), new.trim().to_owned())),
                None => spec.set = Some(part.to_owned()),
            }
        }
        spec
    }
}

impl std::fmt::Display for LabelSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs = self.pairs.iter().map(|(old, new)| format!("{old}={new}"));
        let parts: Vec<String> = self.set.iter().cloned().chain(pairs).collect();
        f.write_str(&parts.join(","))
    }
}

impl LabelMap {
    /// Reads `spec` as a [`LabelSpec`].
    ///
    /// With a set, classes meet by meaning and pairs decide about the others. Without one, classes that are in no pair
    /// keep their name, and two that get the same name are merged.
    pub fn parse(from: &LabelSet, spec: &str) -> Result<Self, LabelMapError> {
        let LabelSpec { set, pairs } = LabelSpec::from(spec);
        let set = set.map(|name| LabelSet::named(&name).ok_or(LabelMapError::UnknownSet(name))).transpose()?;
        let mut wanted: Vec<Option<&str>> = from.names().iter().map(|name| Some(name.as_str())).collect();
        let mut said = vec![false; from.len()];
        for (old, new) in &pairs {
            let label = counterpart(old, from)
                .ok_or_else(|| LabelMapError::UnknownLabel { name: old.clone(), known: words(from.names()) })?;
            wanted[label] = (new != "-").then_some(new.as_str());
            said[label] = true;
        }
        let to = match set {
            Some(set) => set,
            None => {
                let mut names: Vec<&str> = Vec::new();
                for name in wanted.iter().copied().flatten() {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                LabelSet::new(names)?
            }
        };
        let mut unmatched = Vec::new();
        let mut targets = Vec::with_capacity(from.len());
        for (label, name) in wanted.into_iter().enumerate() {
            let target = name.and_then(|name| counterpart(name, &to));
            match name {
                Some(name) if target.is_none() && said[label] => {
                    return Err(LabelMapError::UnknownLabel { name: name.to_owned(), known: words(to.names()) });
                }
                Some(name) if target.is_none() => unmatched.push(name.to_owned()),
                _ => {}
            }
            targets.push(target);
        }
        if let Some(example) = unmatched.first() {
            let (labels, to) = (words(&unmatched), words(to.names()));
            return Err(LabelMapError::Unmatched { example: example.clone(), labels, to });
        }
        Ok(Self { from: from.clone(), to, targets })
    }

    /// The classes after mapping.
    pub fn labels(&self) -> &LabelSet {
        &self.to
    }

    /// Index into [`Self::labels`] of a class before mapping; `None`: its clips are left out.
    pub fn target(&self, label: usize) -> Option<usize> {
        self.targets[label]
    }

    /// What changes, in words: `angry → anger; contempt is left out`. Empty where nothing does.
    pub fn explain(&self) -> String {
        let changes = self.from.names().iter().zip(&self.targets).filter_map(|(old, target)| match target {
            None => Some(format!("{old} is left out")),
            Some(target) if self.to.name(*target) != old => Some(format!("{old} → {}", self.to.name(*target))),
            Some(_) => None,
        });
        changes.collect::<Vec<_>>().join("; ")
    }
}

impl Manifest {
    /// Renames, merges and drops classes; returns the number of clips that were left out. The protocol says what
    /// changed.
    ///
    /// Votes of merged classes are added; those for dropped classes go, and the rest is brought back to one.
    pub fn relabel(&mut self, map: &LabelMap) -> Result<usize, LabelMapError> {
        if map.from != self.labels {
            let (expected, found) = (words(map.from.names()), words(self.labels.names()));
            return Err(LabelMapError::OtherLabels { expected, found });
        }
        let n_before = self.clips.len();
        self.clips.retain(|clip| map.targets[clip.label].is_some());
        for clip in &mut self.clips {
            clip.label = map.targets[clip.label].expect("clips without a target were left out");
            if clip.votes.is_empty() {
                continue;
            }
            let mut votes = vec![0.0; map.to.len()];
            for (share, target) in clip.votes.iter().zip(&map.targets) {
                if let Some(target) = target {
                    votes[*target] += share;
                }
            }
            let total: f32 = votes.iter().sum();
            votes.iter_mut().filter(|_| total > 0.0).for_each(|share| *share /= total);
            clip.votes = votes;
        }
        self.labels = map.to.clone();
        let n_out = n_before - self.clips.len();
        let changes = map.explain();
        if !changes.is_empty() {
            self.protocol = format!("{}; labels mapped: {changes}; clips left out: {n_out}", self.protocol);
        }
        Ok(n_out)
    }
}

/// The class of `to` that is spelled like `name`, or so but for the case, or means the same emotion.
fn counterpart(name: &str, to: &LabelSet) -> Option<usize> {
    let place = |is: &dyn Fn(&String) -> bool| to.names().iter().position(is);
    to.index_of(name).or_else(|| place(&|own| own.to_lowercase() == name.to_lowercase())).or_else(|| {
        let meaning = canonical_emotion(name)?;
        place(&|own| canonical_emotion(own) == Some(meaning))
    })
}

fn words(names: &[String]) -> String {
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Clip;

    fn set(names: &[&str]) -> LabelSet {
        LabelSet::new(names.iter().copied()).expect("different names")
    }

    #[track_caller]
    fn check(from: &[&str], spec: &str, targets: &[Option<&str>], explained: &str) {
        let map = LabelMap::parse(&set(from), spec).expect("a complete map");
        let found: Vec<_> = (0..from.len()).map(|label| map.target(label).map(|to| map.labels().name(to))).collect();
        assert_eq!(found, targets, "{spec}");
        assert_eq!(map.explain(), explained);
    }

    #[test]
    fn classes_meet_by_meaning_and_pairs_decide_the_rest() {
        check(
            &["Happy", "ang", "sadness"],
            "seven",
            &[Some("happiness"), Some("anger"), Some("sadness")],
            "Happy → happiness; ang → anger",
        );
        check(
            &["happiness", "contempt", "anxiety"],
            "seven,contempt=-,anxiety=fear",
            &[Some("happiness"), None, Some("fear")],
            "contempt is left out; anxiety → fear",
        );
        check(
            &["hap", "excited", "sad"],
            "excited=hap, sad=gloom",
            &[Some("hap"), Some("hap"), Some("gloom")],
            "excited → hap; sad → gloom",
        );
        check(&["a", "b"], "", &[Some("a"), Some("b")], "");
        check(
            &["happiness", "anger", "other"],
            "hap=joy,Other=-",
            &[Some("joy"), Some("anger"), None],
            "happiness → joy; other is left out",
        );
    }

    #[test]
    fn nothing_is_left_out_unasked() {
        let error = |from: &[&str], spec| LabelMap::parse(&set(from), spec).expect_err("incomplete").to_string();
        assert!(error(&["anger", "surprise", "calm"], "six").contains("means surprise, calm: say surprise=CLASS"));
        assert!(error(&["anger", "joy"], "nine").contains("\"nine\""));
        assert!(error(&["anger", "joy"], "hate=anger").contains("\"hate\""));
        assert!(error(&["anger", "joy"], "six,joy=bliss").contains("\"bliss\""));
        assert!(error(&["anger", "joy"], "joy=anger").contains("at least two"));
    }

    #[test]
    fn clips_and_votes_follow_the_map() {
        let labels = set(&["happiness", "excitement", "other", "anger"]);
        let mut manifest = Manifest::new("m", "csv", Path::new("/"), labels.clone());
        manifest.protocol = "official".into();
        let clip =
            |id: &str, label, votes: &[f32]| Clip { id: id.into(), label, votes: votes.into(), ..Clip::default() };
        manifest.clips = vec![clip("a", 1, &[0.25, 0.25, 0.5, 0.0]), clip("b", 2, &[]), clip("c", 3, &[])];
        let map = LabelMap::parse(&labels, "excitement=happiness,other=-").expect("complete");
        assert_eq!(manifest.relabel(&map), Ok(1));
        assert_eq!(manifest.labels, set(&["happiness", "anger"]));
        assert_eq!(manifest.clips, [clip("a", 0, &[1.0, 0.0]), clip("c", 1, &[])]);
        assert_eq!(
            manifest.protocol,
            "official; labels mapped: excitement → happiness; other is left out; clips left out: 1"
        );
        assert!(matches!(manifest.relabel(&map), Err(LabelMapError::OtherLabels { .. })));
    }
}
