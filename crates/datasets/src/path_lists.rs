//! Lists of HiCMAE and MAE-DFER: lines `PATH SOUND LABEL` or `PATH LABEL`, separated by spaces, without a header.
//!
//! `split01/train.csv` and `split01/test.csv` or `val.csv`, one folder a fold, or the lists by themselves; beside the
//! clips, in `lists`, or as the code keeps them, in `saved/data/CORPUS`. A path is a folder of pictures or a file; it
//! is that of the machine on which the lists were made, so clips are found by the ends of their paths. Labels are
//! numbers, whose meaning is known where paths tell the corpus: CREMA-D, RAVDESS, MAFW and DFEW. MAE-DFER's `val.csv`
//! is its `test.csv` again. Left out: lists of ratings, as for Werewolf-XL.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use emotion::{LabelSet, Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::frame_lists::note_few_frames;
use crate::table::Lines;
use crate::tree::{Finder, Kind, Lost, Tree, child, entries, is_media, kind, stem};
use crate::{DatasetError, Importer, Options, crema_d, dfew, ravdess};

const SPLITS: [&str; 3] = ["train", "val", "test"];
/// Where the folders of folds lie below the folder of a corpus, in MAE-DFER's repository in `org`, in HiCMAE's in the
/// others.
const INNER: [&[&str]; 5] = [&[], &["org"], &["audio_visual"], &["audio_visual", "single"], &["single"]];
/// Where both keep the folders of corpora.
const SAVED: &str = "saved/data";

/// Train and test lists of published code, one folder a fold.
pub struct PathLists;

impl Importer for PathLists {
    fn name(&self) -> &'static str {
        "path-lists"
    }

    fn describe(&self) -> &'static str {
        "lists of HiCMAE and MAE-DFER: [lists/ or saved/data/CORPUS/org/]split01/{train,val,test}.csv and so on, with lines PATH SOUND LABEL or PATH LABEL"
    }

    fn recognizes(&self, root: &Path) -> bool {
        if root.is_file() { is_list(root) } else { !corpora(root).is_empty() }
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let folder = if root.is_file() { root.parent().unwrap_or(root) } else { root };
        let corpora = corpora(folder);
        let folds = match corpora.as_slice() {
            [several, _, ..] if several.starts_with(folder.join(SAVED)) => {
                let names: Vec<_> = corpora.iter().filter_map(|corpus| corpus.strip_prefix(folder).ok()).collect();
                let found = names.iter().map(|name| name.display().to_string()).collect::<Vec<_>>().join(", ");
                return Err(DatasetError::SeveralLists { found, path: folder.to_owned() });
            }
            [corpus, ..] => folds(corpus),
            [] => Vec::new(),
        };
        let fold = match options.fold {
            None => folds.first(),
            Some(asked) => folds.iter().find(|fold| fold.number == Some(asked)),
        };
        let numbers: Vec<String> = folds.iter().filter_map(|fold| Some(fold.number?.to_string())).collect();
        let fold = fold.ok_or_else(|| match options.fold.filter(|_| !numbers.is_empty()) {
            Some(asked) => DatasetError::NoFold { asked, there: numbers.join(", "), path: root.to_owned() },
            None if folds.is_empty() => DatasetError::Incomplete {
                what: "train.csv with lines PATH SOUND LABEL".to_owned(),
                path: root.to_owned(),
            },
            None => DatasetError::NoFolds(root.to_owned()),
        })?;
        // The clips lie elsewhere below the folder in which the code keeps its lists.
        let saved = folder.ancestors().find(|above| above.ends_with(SAVED));
        let folder = saved.and_then(|saved| saved.ancestors().nth(2)).unwrap_or(folder);
        let mut draft = Draft::new(self.name(), folder, &fold.folder, warn);
        let mut lists = Vec::new();
        for split in SPLITS {
            if let Some(list) = child(&fold.folder, &[&format!("{split}.csv")]) {
                lists.push((split, lines(&list, &mut draft)?));
            }
        }
        let has_again = matches!(lists.as_slice(), [.., ("val", val), ("test", test)] if val == test);
        if has_again {
            lists.retain(|(split, _)| *split != "val");
            draft.note(fold.folder.join("val.csv"), "the same as test.csv: not used, and val is made of train");
        }
        let corpus = Corpus::of(lists.iter().flat_map(|(_, lines)| lines));
        let clips = Clips::of(folder, &lists, &mut draft)?;
        for (split, lines) in lists {
            for line in lines {
                if let Some(row) = row(&line, split, corpus.as_ref(), &clips, &mut draft) {
                    draft.rows.push(row);
                }
            }
        }
        note_few_frames(folder, &mut draft);
        let whose = corpus.as_ref().map_or_else(String::new, |corpus| format!(" for {}", corpus.name));
        draft.labels = corpus.map_or_else(Vec::new, |corpus| corpus.labels.to_vec());
        draft.protocol = Some(match fold.number {
            Some(number) => format!("fold {number} of the lists of HiCMAE and MAE-DFER{whose}"),
            None => format!("the lists of HiCMAE and MAE-DFER{whose}"),
        });
        draft.finish(options)
    }
}

/// The folders of corpora that have lists: `root` itself, `lists` in it, or those that the code keeps.
fn corpora(root: &Path) -> Vec<PathBuf> {
    let saved = entries(&root.join(SAVED)).unwrap_or_default().into_iter().map(|(folder, _)| folder);
    let found = [root.to_owned(), root.join("lists")].into_iter().chain(saved);
    found.filter(|folder| !folds(folder).is_empty()).collect()
}

/// A folder of lists.
struct Fold {
    /// Of `split01`; `None` where there is one by another name.
    number: Option<usize>,
    folder: PathBuf,
}

/// The folders of lists at `root`, in order of number.
fn folds(root: &Path) -> Vec<Fold> {
    let number = |folder: &Path| folder.file_name()?.to_str()?.to_lowercase().strip_prefix("split")?.parse().ok();
    let has_lists = |folder: &Path| SPLITS.iter().any(|split| is_list(&folder.join(format!("{split}.csv"))));
    for inner in INNER {
        let Some(folder) = inner.iter().try_fold(root.to_owned(), |folder, name| child(&folder, &[name])) else {
            continue;
        };
        if has_lists(&folder) {
            return vec![Fold { number: number(&folder), folder }];
        }
        let found = entries(&folder).unwrap_or_default().into_iter().filter(|(_, is_folder)| *is_folder);
        let numbered = found.filter_map(|(folder, _)| Some(Fold { number: Some(number(&folder)?), folder }));
        let mut folds: Vec<Fold> = numbered.filter(|fold| has_lists(&fold.folder)).collect();
        folds.sort_by_key(|fold| fold.number);
        if !folds.is_empty() {
            return folds;
        }
    }
    Vec::new()
}

/// Whether `path` is called like a list and begins like one.
fn is_list(path: &Path) -> bool {
    let is_named = path.extension().is_some_and(|end| end == "csv") && SPLITS.contains(&stem(path));
    let first = || Lines::head(path).ok()?.lines.into_iter().next();
    is_named && first().is_some_and(|(number, line)| Line::parse(number, &line).is_some_and(|line| line.has_path()))
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: u64,
    path: String,
    sound: Option<String>,
    label: usize,
}

impl Line {
    /// `None`: something else.
    fn parse(number: u64, text: &str) -> Option<Self> {
        // What pandas writes has quotes around names with spaces; what people write has none.
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.delimiter(b' ').has_headers(false).flexible(true);
        let record = reader.from_reader(text.as_bytes()).into_records().next()?.ok()?;
        let fields: Vec<&str> = record.iter().map(str::trim).filter(|field| !field.is_empty()).collect();
        let (label, names) = fields.split_last().filter(|(_, names)| !names.is_empty())?;
        let has_sound = names.len() > 1 && names.last().is_some_and(|name| kind(Path::new(name)) == Some(Kind::Sound));
        let second = names.iter().skip(1).rposition(|name| name.starts_with('/')).map_or(names.len() - 1, |at| at + 1);
        let n_first = if has_sound { second } else { names.len() };
        Some(Self {
            number,
            path: names[..n_first].join(" "),
            sound: has_sound.then(|| names[n_first..].join(" ")),
            label: label.parse().ok()?,
        })
    }

    /// Whether this can be no other kind of text.
    fn has_path(&self) -> bool {
        self.path.contains(['/', '\\']) || is_media(Path::new(&self.path))
    }

    /// The clip's own name.
    fn name(&self) -> &str {
        let name = self.path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default();
        if is_media(Path::new(name)) { stem(Path::new(name)) } else { name }
    }
}

fn lines(list: &Path, draft: &mut Draft<'_>) -> Result<Vec<Line>, DatasetError> {
    let mut lines = Vec::new();
    for (number, text) in Lines::read(list)?.lines {
        match Line::parse(number, &text) {
            Some(line) => lines.push(line),
            None => draft.skip(list, format!("line {number} is not PATH SOUND LABEL or PATH LABEL: left out")),
        }
    }
    Ok(lines)
}

/// A corpus whose numbers of classes are known.
struct Corpus {
    name: &'static str,
    labels: &'static [&'static str],
    /// Who speaks, by the name of a clip.
    speaker: fn(&str) -> Option<&str>,
}

impl Corpus {
    /// The corpus that the first of `lines` is of; `None` where nobody can tell, or some label is none of its classes.
    fn of<'a>(lines: impl Iterator<Item = &'a Line> + Clone) -> Option<Self> {
        let first = lines.clone().next()?;
        let (name, path) = (first.name(), first.path.to_lowercase());
        let corpus = match () {
            () if crema_d::actor(name).is_some() => {
                Self { name: "CREMA-D", labels: &crema_d::LABELS, speaker: crema_d::actor }
            }
            () if ravdess::actor(name).is_some() => {
                Self { name: "RAVDESS", labels: &ravdess::LABELS, speaker: ravdess::actor }
            }
            () if path.contains("mafw") => Self { name: "MAFW", labels: &LabelSet::ELEVEN, speaker: |_| None },
            () if path.contains("dfew") => Self { name: "DFEW", labels: &dfew::LABELS, speaker: |_| None },
            () => return None,
        };
        let n_labels = corpus.labels.len();
        lines.map(|line| line.label).all(|label| label < n_labels).then_some(corpus)
    }
}

fn row(line: &Line, split: &str, corpus: Option<&Corpus>, clips: &Clips<'_>, draft: &mut Draft<'_>) -> Option<Row> {
    let number = line.number;
    let mut found = |name: &str, finder: &Finder| match clips.find(name, finder) {
        Ok(path) => Ok(Some(path)),
        Err(Lost::Missing) => Ok(None),
        Err(Lost::Ambiguous(n, some)) => {
            draft.skip(name, format!("line {number} of {split} can mean {n} files ({some}): left out"));
            Err(())
        }
    };
    let is_sound = kind(Path::new(&line.path)) == Some(Kind::Sound);
    let path = found(&line.path, if is_sound { &clips.sounds } else { &clips.pictures }).ok()?;
    let sound = match &line.sound {
        Some(sound) => found(sound, &clips.sounds).ok()?,
        None => None,
    };
    let (path, audio) = match (path, sound) {
        (Some(path), sound) => {
            if let (Some(name), None) = (&line.sound, &sound) {
                draft.note(name, format!("sound of line {number} of {split} is missing"));
            }
            (path, sound)
        }
        (None, Some(sound)) => {
            draft.note(&line.path, format!("clip of line {number} of {split} is missing: only its sound is used"));
            (sound, None)
        }
        (None, None) => {
            draft.skip(&line.path, format!("clip of line {number} of {split} is missing: left out"));
            return None;
        }
    };
    Some(Row {
        path,
        audio,
        label: corpus.map_or_else(|| line.label.to_string(), |corpus| corpus.labels[line.label].to_owned()),
        split: Some(split.to_owned()),
        speaker: corpus.and_then(|corpus| (corpus.speaker)(line.name())).map(str::to_owned),
        ..Row::default()
    })
}

/// What there is of the clips.
struct Clips<'a> {
    folder: &'a Path,
    /// Films, pictures and folders of pictures.
    pictures: Finder,
    sounds: Finder,
}

impl<'a> Clips<'a> {
    fn of(folder: &'a Path, lists: &[(&str, Vec<Line>)], draft: &mut Draft<'_>) -> Result<Self, DatasetError> {
        let lines = lists.iter().flat_map(|(_, lines)| lines);
        let names: HashSet<String> = lines.map(|line| line.name().to_lowercase()).collect();
        let Tree { files, frames } = Tree::walk_to(
            folder,
            &|folder| names.contains(&folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase()),
            &mut |problem| draft.warn(problem),
        )?;
        let (sounds, pictures) = files.into_iter().partition(|file| kind(file) == Some(Kind::Sound));
        let finder = |files, frames| Finder::new(Tree { files, frames });
        Ok(Self { folder, pictures: finder(pictures, frames), sounds: finder(sounds, Vec::new()) })
    }

    /// The file or folder as it is named on this machine, or by the end of its path.
    fn find(&self, name: &str, finder: &Finder) -> Result<PathBuf, Lost> {
        let direct = self.folder.join(name);
        if direct.is_dir() || is_media(&direct) && direct.is_file() {
            return Ok(direct.strip_prefix(self.folder).map(Path::to_owned).unwrap_or(direct));
        }
        finder.find(name.trim_end_matches('/')).map(Path::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_and_without_sound_and_quotes() {
        for (text, path, sound) in [
            ("/d/face/1001_A /d/wav/1001_A.wav 3", "/d/face/1001_A", Some("/d/wav/1001_A.wav")),
            ("d/a.mp4 3", "d/a.mp4", None),
            ("d/a.mp4  3 ", "d/a.mp4", None),
            ("\"/my data/a\" \"/my data/a.wav\" 3", "/my data/a", Some("/my data/a.wav")),
            ("/my data/a /my data/a.wav 3", "/my data/a", Some("/my data/a.wav")),
            ("/my data/a.mp4 3", "/my data/a.mp4", None),
            ("a.wav 3", "a.wav", None),
        ] {
            let line = Line::parse(1, text).unwrap();
            assert_eq!((line.path.as_str(), line.sound.as_deref(), line.label), (path, sound, 3), "{text}");
            assert!(line.has_path());
        }
        for text in ["path,label", "a.mp4,anger", "3", "/d/a 1.0 0.0 0.5", "a.mp4 anger"] {
            assert_eq!(Line::parse(1, text), None, "{text}");
        }
    }
}
