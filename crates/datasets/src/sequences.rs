//! Sequences of features by utterance as MulT and MMSA publish them: CMU-MOSI, CMU-MOSEI, CH-SIMS and IEMOCAP in one
//! pickle.
//!
//! `mosi_data.pkl`, `mosi_data_noalign.pkl`, `aligned_50.pkl`, `unaligned_50.pkl`: for train, valid and test the arrays
//! `text`, `audio` and `vision` `[utterances, steps, values]`, `labels` or `regression_labels`, `id`, `raw_text`. MulT
//! pads with zeros on the left, MMSA on the right; both are found by the zeros. MMSA keeps its pickles in `Processed`,
//! and the films in `Raw/VIDEO/CLIP.mp4` beside it. CH-SIMS is told by its name or by the ratings of each modality that
//! it alone has, which are left out, and tokens for BERT with them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{Affect, FeatureRef, Manifest, Modality, Problem, Scale, Stream};
use features::Store;

use crate::assemble::{Draft, Row};
use crate::tree::{Kind, Tree, child, entries, extension, kind, stem};
use crate::{DatasetError, Importer, Options, Variant, variant};

const PARTS: [(&str, Modality); 3] = [("text", Modality::Text), ("audio", Modality::Voice), ("vision", Modality::Face)];
const SPLITS: [&str; 3] = ["train", "valid", "test"];
/// By the sign of the sentiment.
pub(crate) const SENTIMENTS: [&str; 3] = ["negative", "neutral", "positive"];
/// Columns of the labels of MulT's IEMOCAP.
const EMOTIONS: [&str; 4] = ["neutral", "happiness", "sadness", "anger"];
/// Padding is looked for in arrays of at most so many numbers; MOSEI's larger ones would take minutes.
pub(crate) const MAX_SEARCHED: usize = 1 << 29;

/// One pickle, or a folder of them.
pub struct Sequences;

impl Importer for Sequences {
    fn name(&self) -> &'static str {
        "sequences"
    }

    fn describe(&self) -> &'static str {
        "pickles of MulT and MMSA for MOSI and MOSEI (−3..3), CH-SIMS (−1..1) and IEMOCAP: mosi_data.pkl, Processed/aligned_50.pkl with Raw/VIDEO/CLIP.mp4"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "aligned", describe: "one step a word in all modalities" },
            Variant { name: "unaligned", describe: "each modality at its own rate" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        if root.is_file() {
            return is_pickle(root);
        }
        // Folders of other kinds may have a pickle in them, too.
        let is_known = |path: &PathBuf| {
            let name = stem(path).to_lowercase();
            ["mosi", "mosei", "sims", "iemocap", "aligned"].iter().any(|part| name.contains(part))
        };
        pickles(root).iter().any(is_known)
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let path = if root.is_file() { root.to_owned() } else { choose(root, variant(self, options)?, options)? };
        let folder = if root.is_file() { folder_of(&path) } else { root };
        let mut draft = Draft::new(self.name(), folder, &path, warn);
        let mut store = Store::open(&path)?;
        let is_aligned = is_aligned(&store, &path);
        let is_sims = is_sims(&mut store, folder, &path)?;
        let scale = if is_sims { Scale::UNIT } else { Scale::SENTIMENT };
        let pickle = Pickle { path: &path, own_path: path.strip_prefix(folder).unwrap_or(&path), is_aligned, scale };
        let mut n_classes = 0;
        for split in SPLITS {
            n_classes = read_split(split, &pickle, &mut store, &mut draft)?.max(n_classes);
        }
        add_films(folder, &mut draft)?;
        let (labels, what): (&[&'static str], _) = match n_classes {
            4 => (&EMOTIONS, "emotions"),
            _ if is_sims => (&SENTIMENTS, "CH-SIMS's sentiment, by its sign as classes"),
            _ => (&SENTIMENTS, "sentiment, by its sign as classes"),
        };
        if n_classes != 4 {
            draft.scale = Some(scale);
        }
        draft.labels = labels.to_vec();
        let how = if is_aligned { "word-aligned" } else { "unaligned" };
        draft.protocol = Some(format!("{}, {how}, official parts, {what}", stem(&path)));
        draft.finish(options)
    }
}

fn is_pickle(path: &Path) -> bool {
    matches!(extension(path).as_deref(), Some("pkl" | "pickle"))
}

/// Pickles of a folder, or where it has none, of `Processed` in it.
fn pickles(root: &Path) -> Vec<PathBuf> {
    let of = |folder: &Path| -> Vec<PathBuf> {
        let found = entries(folder).unwrap_or_default().into_iter();
        found.filter(|(path, is_folder)| !is_folder && is_pickle(path)).map(|(path, _)| path).collect()
    };
    let own = of(root);
    if own.is_empty() { child(root, &["Processed"]).map_or(own, |folder| of(&folder)) } else { own }
}

/// The folder of the corpus that the pickle at `path` is of.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(path);
    let is_inner = folder.file_name().is_some_and(|name| name.eq_ignore_ascii_case("Processed"));
    folder.parent().filter(|_| is_inner).unwrap_or(folder)
}

/// Gives utterances the films that are called like them.
fn add_films(folder: &Path, draft: &mut Draft<'_>) -> Result<(), DatasetError> {
    if child(folder, &["Raw"]).is_none() {
        return Ok(());
    }
    let films = films(folder, draft)?;
    let mut without = Vec::new();
    for row in &mut draft.rows {
        let id = row.id.as_deref().unwrap_or_default();
        match films.get(&id.to_lowercase()) {
            Some(film) => row.path = film.clone(),
            None => without.push(id.to_owned()),
        }
    }
    note_without_film(&without, "features", draft);
    Ok(())
}

/// The films `Raw/VIDEO/CLIP.mp4` of a folder by `video/clip`.
pub(crate) fn films(folder: &Path, draft: &mut Draft<'_>) -> Result<HashMap<String, PathBuf>, DatasetError> {
    let mut films: HashMap<String, PathBuf> = HashMap::new();
    let Some(raw) = child(folder, &["Raw"]).filter(|raw| raw.is_dir()) else { return Ok(films) };
    for film in Tree::walk(&raw, &mut |problem| draft.warn(problem))?.files {
        let inner = raw.strip_prefix(folder).expect("it is a child of the folder").join(&film);
        let video = film.parent().and_then(Path::file_name).map(|video| video.to_string_lossy());
        if let (Some(Kind::Video), Some(video)) = (kind(&film), video) {
            films.entry(format!("{video}/{}", stem(&film)).to_lowercase()).or_insert(inner);
        }
    }
    Ok(films)
}

/// Says once which clips are `without` a film, of which only `what` are used.
pub(crate) fn note_without_film(without: &[String], what: &str, draft: &mut Draft<'_>) {
    let [first, more @ ..] = without else { return };
    let more = if more.is_empty() { String::new() } else { format!(", and those of {} more", more.len()) };
    draft.note(first, format!("its film is not in Raw{more}: only {what} are used"));
}

fn says_unaligned(path: &Path) -> bool {
    let name = stem(path).to_lowercase();
    name.contains("noalign") || name.contains("unalign")
}

/// The only pickle of a folder, or the only one of the variant.
fn choose(root: &Path, variant: &str, options: &Options) -> Result<PathBuf, DatasetError> {
    let all = pickles(root);
    let mut found = all.clone();
    if found.len() > 1 || options.variant.is_some() {
        found.retain(|path| says_unaligned(path) == (variant == "unaligned"));
    }
    match found.as_slice() {
        [path] => Ok(path.clone()),
        [] => Err(DatasetError::Incomplete { what: format!("an {variant} pickle"), path: root.to_owned() }),
        _ => {
            let names = all.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy());
            Err(DatasetError::SeveralPickles { found: names.collect::<Vec<_>>().join(", "), path: root.to_owned() })
        }
    }
}

/// Whether all modalities have the same number of steps, unless the name says otherwise.
fn is_aligned(store: &Store, path: &Path) -> bool {
    let steps = |(part, _): &(&str, Modality)| {
        let of = |split: &str| store.shape(&format!("{split}/{part}"))?.get(1).copied();
        SPLITS.into_iter().find_map(of)
    };
    let steps: Vec<usize> = PARTS.iter().filter_map(steps).collect();
    !says_unaligned(path) && steps.windows(2).all(|pair| pair[0] == pair[1])
}

/// Whether the pickle at `path` is of CH-SIMS. MMSA's code writes ratings of each modality for all corpora, but has no
/// numbers for others than this one.
fn is_sims(store: &mut Store, folder: &Path, path: &Path) -> Result<bool, DatasetError> {
    let is_named =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains("sims"));
    if is_named(folder) || is_named(path) {
        return Ok(true);
    }
    for split in SPLITS {
        let name = format!("{split}/regression_labels_T");
        if store.arrays().any(|(own, _)| own == name) && store.read(&name, None)?.values.iter().any(|v| v.is_finite()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A pickle that is read.
struct Pickle<'a> {
    path: &'a Path,
    /// As the manifest calls it.
    own_path: &'a Path,
    is_aligned: bool,
    /// Of sentiments.
    scale: Scale,
}

/// Adds the utterances of a split; returns the number of binary labels that each has, 1 for a sentiment.
fn read_split(
    split: &str,
    pickle: &Pickle<'_>,
    store: &mut Store,
    draft: &mut Draft<'_>,
) -> Result<usize, DatasetError> {
    let &Pickle { path, own_path, is_aligned, scale } = pickle;
    let incomplete = |what: String| DatasetError::Incomplete { what, path: path.to_owned() };
    let name = |part: &str| format!("{split}/{part}");
    let label_name = ["regression_labels", "labels"].map(name).into_iter().find(|name| store.shape(name).is_some());
    let Some(label_name) = label_name else { return Ok(0) };
    let labels = store.read(&label_name, None)?;
    let n = labels.shape.first().copied().unwrap_or(0);
    let n_binary = match labels.shape.as_slice() {
        [_, 4, 2] => 4,
        [_] | [_, 1] | [_, 1, 1] => 1,
        other => return Err(incomplete(format!("a label an utterance; {label_name} has the shape {other:?}"))),
    };
    let mut parts = Vec::new();
    for (part, modality) in PARTS {
        let Some(shape) = store.shape(&name(part)).map(<[usize]>::to_vec) else { continue };
        let &[n_rows, n_steps, n_dims] = shape.as_slice() else {
            return Err(incomplete(format!("sequences; {} has the shape {shape:?}", name(part))));
        };
        if n_rows != n {
            return Err(incomplete(format!(
                "as many labels as sequences; {} has {n_rows}, {label_name} {n}",
                name(part)
            )));
        }
        let known = draft.streams.iter().position(|stream| stream.name == part);
        let stream = known.unwrap_or(draft.streams.len());
        match known.map(|known| draft.streams[known].n_dims) {
            None => draft.streams.push(Stream {
                name: part.to_owned(),
                modality,
                n_dims,
                aligned: is_aligned,
                extracted: false,
            }),
            Some(own) if own != n_dims => {
                return Err(incomplete(format!(
                    "one width; {} has {n_dims} values a step instead of {own}",
                    name(part)
                )));
            }
            Some(_) => {}
        }
        let is_searched = shape.iter().product::<usize>() <= MAX_SEARCHED;
        if !is_searched {
            draft.note(path, format!("{} is too large to look for padding: all steps count", name(part)));
        }
        parts.push((stream, name(part), n_steps, n_dims, is_searched));
    }
    let ids = store.texts(&name("id")).cloned();
    let texts = store.texts(&name("raw_text")).cloned().filter(|texts| texts.values.len() == n);
    for row in 0..n {
        let (id, speaker) = match ids.as_ref().filter(|ids| ids.shape.first() == Some(&n)) {
            Some(ids) => {
                identity(&ids.values[row * (ids.values.len() / n)..(row + 1) * (ids.values.len() / n)], split, row)
            }
            None => (format!("{split}/{row}"), None),
        };
        let values = &labels.values[row * (labels.values.len() / n)..(row + 1) * (labels.values.len() / n)];
        let (label, affect) = match class(values, scale) {
            Ok(found) => found,
            Err(reason) => {
                draft.leave_out(id, reason);
                continue;
            }
        };
        let mut spans = Vec::new();
        for (stream, array, n_steps, n_dims, is_searched) in &parts {
            let span = match is_searched {
                true => data_steps(&store.read(array, Some(row))?.values, *n_dims),
                false => Some((0, *n_steps)),
            };
            match span {
                Some((first, end)) => spans.push((*stream, array, first, end)),
                None => draft.note(&id, format!("{array} is all zeros here, as if it were missing: it is left out")),
            }
        }
        if is_aligned {
            // A word that one modality lacks is still a step of all.
            let first = spans.iter().map(|span| span.2).min().unwrap_or(0);
            let end = spans.iter().map(|span| span.3).max().unwrap_or(0);
            spans.iter_mut().for_each(|span| (span.2, span.3) = (first, end));
        }
        let feature = |(stream, array, first, end): (usize, &String, usize, usize)| FeatureRef {
            stream,
            path: own_path.to_owned(),
            array: Some(array.clone()),
            row: Some(row),
            first_dim: 0,
            first_step: first,
            n_steps: end - first,
        };
        draft.rows.push(Row {
            id: Some(id),
            label: label.to_owned(),
            affect,
            split: Some(split.to_owned()),
            recording: speaker.clone(),
            speaker,
            text: texts.as_ref().map(|texts| texts.values[row].trim().to_owned()).filter(|text| !text.is_empty()),
            features: spans.into_iter().map(feature).collect(),
            ..Row::default()
        });
    }
    Ok(n_binary)
}

/// Name and video of an utterance: `[video, start, end]` by MulT, `video$_$clip` by MMSA.
fn identity(parts: &[String], split: &str, row: usize) -> (String, Option<String>) {
    match parts {
        [] => (format!("{split}/{row}"), None),
        [id] => (id.replace("$_$", "/"), id.split_once("$_$").map(|(video, _)| video.to_owned())),
        // Cut by time, so the times make the name unique; some copies round them.
        [video, times @ ..] => (format!("{video}/{}/{row}", times.join("-")), Some(video.clone())),
    }
}

/// Class and sentiment, on `scale`, of an utterance; the error says why it has none.
pub(crate) fn class(values: &[f32], scale: Scale) -> Result<(&'static str, Affect), String> {
    if let [sentiment] = *values {
        let outside = || format!("the sentiment {sentiment} is not in −{0} to {0}", scale.high);
        let valence = scale.to_unit(sentiment).ok_or_else(outside)?;
        let label = match sentiment {
            _ if sentiment < 0.0 => SENTIMENTS[0],
            _ if sentiment > 0.0 => SENTIMENTS[2],
            _ => SENTIMENTS[1],
        };
        return Ok((label, Affect { valence: Some(valence), ..Affect::default() }));
    }
    // Not and is, for each emotion.
    let is = |pair: &[f32]| pair[1] > pair[0];
    let found: Vec<&str> =
        values.chunks_exact(2).zip(EMOTIONS).filter(|(pair, _)| is(pair)).map(|(_, label)| label).collect();
    match found.as_slice() {
        [label] => Ok((label, Affect::default())),
        [] => Err("none of the four emotions".to_owned()),
        _ => Err("several emotions".to_owned()),
    }
}

/// First step that is not zero, and the one after the last; −∞ is as good as zero.
pub(crate) fn data_steps(values: &[f32], n_dims: usize) -> Option<(usize, usize)> {
    let is_data = |step: &[f32]| step.iter().any(|value| value.is_finite() && *value != 0.0);
    let mut steps = values.chunks_exact(n_dims.max(1));
    let first = steps.clone().position(is_data)?;
    Some((first, steps.rposition(is_data)? + 1))
}
