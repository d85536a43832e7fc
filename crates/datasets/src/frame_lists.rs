//! Lists of DFER-CLIP and MMA-DFER for DFEW, FERV39k and MAFW: `PATH FRAMES LABEL`, separated by spaces.
//!
//! `DFEW_set_1_train.txt`, `FERV39K_test.txt`, `MAFW_set_5_test.txt`, by themselves or in `annotation`; the paths are
//! those of the machine on which the lists were made, so clips are found by the ends of their paths. Sounds are not
//! listed; they have the numbers of the clips. MAFW's lists use an order of labels that is not MAFW's own. The number
//! of frames is one less than there are in MAFW's lists, so frames are counted where they lie.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{FaceSource, LabelSet, Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::table::Lines;
use crate::tree::{Finder, Kind, Lost, Tree, child, entries, kind, stem};
use crate::{DatasetError, Importer, Options, Variant, dfew, variant};

/// Classes 0 to 10 of MAFW in these lists.
const MAFW_LABELS: [&str; 11] = [
    "happiness",
    "sadness",
    "neutral",
    "anger",
    "surprise",
    "disgust",
    "fear",
    "contempt",
    "anxiety",
    "helplessness",
    "disappointment",
];

/// Classes of CREMA-D in the order of the columns of VAVL's lists.
const VAVL_LABELS: [&str; 6] = ["anger", "sadness", "disgust", "fear", "neutral", "happiness"];

/// Names that [`label_order`] knows, with whose orders of outputs they are.
pub const LABEL_ORDERS: [(&str, &str); 8] = [
    ("dfew", "MMA-DFER on DFEW and FERV39k"),
    ("mafw", "MMA-DFER on MAFW"),
    ("eleven", "UMBEnet on MAFW"),
    ("seven", "UMBEnet on DFEW: alphabetical"),
    ("crema-d", "VAVL on CREMA-D"),
    ("six", "six classes, alphabetical"),
    ("four", "IEMOCAP’s usual four, alphabetical"),
    ("eight", "RAVDESS, alphabetical"),
];

/// An order of classes by its name, one of [`LABEL_ORDERS`]: that of DFEW and FERV39k in these lists (`dfew`), of MAFW
/// (`mafw`), of VAVL's outputs (`crema-d`), or one that corpora share, see [`LabelSet::named`].
pub fn label_order(name: &str) -> Option<LabelSet> {
    let names: &[&str] = match name {
        "dfew" => &dfew::LABELS,
        "mafw" => &MAFW_LABELS,
        "crema-d" => &VAVL_LABELS,
        name => return LabelSet::named(name),
    };
    Some(LabelSet::new(names.iter().copied()).expect("names that differ"))
}

/// Frames that the models of both papers see; shorter clips repeat frames.
const FEW_FRAMES: usize = 16;

/// Train and test lists of published code.
pub struct FrameLists;

impl Importer for FrameLists {
    fn name(&self) -> &'static str {
        "frame-lists"
    }

    fn describe(&self) -> &'static str {
        "lists of DFER-CLIP and MMA-DFER: annotation/DFEW_set_K_train.txt and …_test.txt with lines PATH FRAMES LABEL"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "dfew", describe: "DFEW_set_K_{train,test}.txt" },
            Variant { name: "ferv39k", describe: "FERV39K_{train,test}.txt" },
            Variant { name: "mafw", describe: "MAFW_set_K_{train,test}.txt" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        if root.is_file() { List::of(root).is_some() } else { !lists(root).is_empty() }
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let incomplete = |what: &str| DatasetError::Incomplete { what: what.to_owned(), path: root.to_owned() };
        let (folder, mut lists) = if root.is_file() {
            let own = List::of(root).ok_or_else(|| incomplete("a name like DFEW_set_1_train.txt"))?;
            let folder = root.parent().unwrap_or(root);
            let is_annotation = folder.file_name().is_some_and(|name| name == "annotation");
            let mut lists = lists(folder);
            // A list by itself means its fold, train and test.
            lists.retain(|list| list.dataset == own.dataset && list.fold == own.fold);
            (if is_annotation { folder.parent().unwrap_or(folder) } else { folder }, lists)
        } else {
            (root, lists(root))
        };
        let has = |dataset: &str| lists.iter().any(|list| list.dataset == dataset);
        let dataset = match &options.variant {
            None => self.variants().iter().map(|variant| variant.name).find(|name| has(name)).unwrap_or("dfew"),
            Some(_) => variant(self, options)?,
        };
        lists.retain(|list| list.dataset == dataset);
        let mut folds: Vec<usize> = lists.iter().filter_map(|list| list.fold).collect();
        folds.sort_unstable();
        folds.dedup();
        let fold = options.fold.or(folds.first().copied());
        if let Some(asked) = options.fold.filter(|fold| !folds.contains(fold)) {
            let there = folds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let path = root.to_owned();
            return Err(match folds.as_slice() {
                [] => DatasetError::NoFolds(path),
                _ => DatasetError::NoFold { asked, there, path },
            });
        }
        lists.retain(|list| list.fold == fold);
        if lists.is_empty() {
            return Err(incomplete("a list like DFEW_set_1_train.txt"));
        }
        let labels: &[&'static str] = if dataset == "mafw" { &MAFW_LABELS } else { &dfew::LABELS };
        let mut draft = Draft::new(self.name(), folder, root, warn);
        let clips = Clips::of(Tree::walk_to_frames(folder, &mut |problem| draft.warn(problem))?, folder, dataset);
        for list in &lists {
            read_list(list, labels, &clips, &mut draft)?;
        }
        note_few_frames(folder, &mut draft);
        draft.labels = labels.to_vec();
        let fold = fold.map_or_else(|| "the lists".to_owned(), |fold| format!("fold {fold}"));
        draft.protocol = Some(format!("{fold} of DFER-CLIP and MMA-DFER for {dataset}"));
        draft.faces = FaceSource::Cropped;
        draft.finish(options)
    }
}

struct List {
    path: PathBuf,
    dataset: &'static str,
    fold: Option<usize>,
    split: &'static str,
}

impl List {
    /// What a list is by its name; `None` for another file.
    fn of(path: &Path) -> Option<Self> {
        if path.extension()? != "txt" {
            return None;
        }
        let name = stem(path).to_lowercase();
        let (rest, split) = match name.rsplit_once('_')? {
            (rest, "train") => (rest, "train"),
            (rest, "test") => (rest, "test"),
            _ => return None,
        };
        let (dataset, fold) = match rest.split_once("_set_") {
            Some((dataset, fold)) => (dataset, Some(fold.parse().ok()?)),
            None => (rest, None),
        };
        let dataset = ["dfew", "ferv39k", "mafw"].into_iter().find(|own| *own == dataset)?;
        Some(Self { path: path.to_owned(), dataset, fold, split })
    }
}

fn lists(root: &Path) -> Vec<List> {
    let own = entries(root).unwrap_or_default();
    let inner = child(root, &["annotation"]).and_then(|folder| entries(&folder).ok()).unwrap_or_default();
    own.into_iter().chain(inner).filter(|(_, is_folder)| !is_folder).filter_map(|(path, _)| List::of(&path)).collect()
}

fn read_list(
    list: &List,
    labels: &[&'static str],
    clips: &Clips<'_>,
    draft: &mut Draft<'_>,
) -> Result<(), DatasetError> {
    let split = list.split;
    for (line, text) in Lines::read(&list.path)?.lines {
        let Some((name, label)) = fields(&text).and_then(|(name, label)| Some((name, labels.get(label)?))) else {
            let n = labels.len() - 1;
            draft.skip(&list.path, format!("line {line} is not PATH FRAMES LABEL with a label of 0 to {n}: left out"));
            continue;
        };
        let path = match clips.find(name) {
            Ok(path) => path,
            Err(Lost::Missing) => {
                draft.skip(name, format!("clip of line {line} of {split} is missing: left out"));
                continue;
            }
            Err(Lost::Ambiguous(n, some)) => {
                draft.skip(name, format!("line {line} of {split} can mean {n} clips ({some}): left out"));
                continue;
            }
        };
        let audio = clips.sound(&path);
        draft.rows.push(Row {
            path,
            audio,
            label: (*label).to_owned(),
            split: Some(split.to_owned()),
            ..Row::default()
        });
    }
    Ok(())
}

/// Path and label of a line.
fn fields(text: &str) -> Option<(&str, usize)> {
    let mut fields = text.trim().rsplitn(3, char::is_whitespace);
    let (label, n_frames, name) = (fields.next()?, fields.next()?, fields.next()?);
    n_frames.parse::<u32>().ok()?;
    Some((name.trim(), label.parse().ok()?))
}

/// What there is of each clip.
struct Clips<'a> {
    folder: &'a Path,
    finder: Finder,
    /// Parts at the end of a path that tell clips apart.
    n_parts: usize,
    /// Files with sound by the number of the clip.
    sounds: HashMap<u32, PathBuf>,
}

impl<'a> Clips<'a> {
    fn of(mut tree: Tree, folder: &'a Path, dataset: &str) -> Self {
        let sounds = sounds(&tree.files, dataset);
        tree.files.retain(|path| kind(path) == Some(Kind::Video));
        // FERV39k numbers its clips by scene and class.
        let n_parts = if dataset == "ferv39k" { 3 } else { 1 };
        Self { folder, finder: Finder::new(tree), n_parts, sounds }
    }

    /// The clip as it is named on this machine, by the end of its path, or by its number without the zeros before it,
    /// as the original films have it.
    fn find(&self, name: &str) -> Result<PathBuf, Lost> {
        let direct = self.folder.join(name);
        if direct.is_dir() || kind(&direct) == Some(Kind::Video) && direct.is_file() {
            return Ok(direct.strip_prefix(self.folder).map(Path::to_owned).unwrap_or(direct));
        }
        let found = self.finder.find_by(name, self.n_parts).or_else(|lost| {
            let number = name.rsplit(['/', '\\']).next().and_then(|last| last.parse::<u32>().ok());
            match (lost, number) {
                (Lost::Missing, Some(number)) if self.n_parts == 1 => self.finder.find(&number.to_string()),
                (lost, _) => Err(lost),
            }
        });
        found.map(Path::to_owned)
    }

    /// Where the sound of a clip is, if not in there.
    fn sound(&self, path: &Path) -> Option<PathBuf> {
        self.sounds.get(&dfew::number(stem(path))?).filter(|sound| *sound != path).cloned()
    }
}

/// Sounds by the number of the clip, and films where there are none. FERV39k has neither.
fn sounds(files: &[PathBuf], dataset: &str) -> HashMap<u32, PathBuf> {
    // People keep DFEW and MAFW side by side, and both have a clip 1.
    let others: &[&str] = match dataset {
        "dfew" => &["mafw", "mfaw"],
        "mafw" => &["dfew"],
        _ => return HashMap::new(),
    };
    let is_own = |path: &Path| {
        let path = path.to_string_lossy().to_lowercase();
        !others.iter().any(|other| path.contains(other))
    };
    let mut sounds = HashMap::new();
    for wanted in [Kind::Sound, Kind::Video] {
        // Films of 224 × 224 pixels are cropped faces, and silent.
        let is_wanted = |path: &&PathBuf| kind(path) == Some(wanted) && is_own(path) && !dfew::is_under(path, "224");
        for path in files.iter().filter(is_wanted) {
            if let Some(number) = dfew::number(stem(path)) {
                sounds.entry(number).or_insert_with(|| path.clone());
            }
        }
    }
    sounds
}

/// Says once which clips are folders of so few pictures that models repeat some.
pub(crate) fn note_few_frames(root: &Path, draft: &mut Draft<'_>) {
    let is_frame = |entry: &std::fs::DirEntry| {
        kind(&entry.path()) == Some(Kind::Picture) && !entry.file_name().to_string_lossy().starts_with('.')
    };
    // Counted no further than needed: a corpus has a million pictures.
    let n_frames = |row: &Row| {
        let found = std::fs::read_dir(root.join(&row.path)).ok()?;
        Some(found.flatten().filter(is_frame).take(FEW_FRAMES).count()).filter(|n| *n < FEW_FRAMES)
    };
    let few: Vec<(&Path, usize)> =
        draft.rows.iter().filter_map(|row| Some((row.path.as_path(), n_frames(row)?))).collect();
    let Some(&(first, n)) = few.first() else { return };
    let frames = if n == 1 { "frame" } else { "frames" };
    let more = match few.len() - 1 {
        0 => String::new(),
        n_more => format!(", and {n_more} more clips have fewer than {FEW_FRAMES}"),
    };
    let first = first.to_owned();
    draft.note(first, format!("only {n} {frames}{more}; models that see {FEW_FRAMES} repeat some"));
}
