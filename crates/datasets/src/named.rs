//! Corpora that say everything in the names of their files: EmoDB, SAVEE, eNTERFACE'05.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::naming::class_of;
use crate::tree::{Kind, Tree, entries, is_media, kind, stem};
use crate::{DatasetError, Importer, Options};

/// Folders down to which a first recording is looked for.
const DEPTH: usize = 3;

/// A corpus and how to read its names.
pub struct Named {
    name: &'static str,
    describe: &'static str,
    labels: &'static [&'static str],
    /// What the path below the root says; `None` for a file that is called otherwise.
    read: fn(&Path) -> Option<Take>,
}

/// What the path of a recording says.
struct Take {
    speaker: String,
    label: &'static str,
    /// Film and sound of one take have one name.
    name: String,
}

/// EmoDB (Burkhardt et al. 2005): `wav/03a01Fa.wav`: speaker, sentence, emotion, version.
pub const EMO_DB: Named = Named {
    name: "emo-db",
    describe: "EmoDB: wav/03a01Fa.wav",
    labels: &["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"],
    read: emo_db,
};

/// SAVEE (Haq & Jackson 2009): `AudioData/DC/sa01.wav`, or `DC_sa01.wav`, and `AudioVisualClip/DC/sa1.avi`.
pub const SAVEE: Named = Named {
    name: "savee",
    describe: "SAVEE: DC/sa01.wav or DC_sa01.wav, with films of the same names",
    labels: &["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
    read: savee,
};

/// eNTERFACE'05 (Martin et al. 2006): `subject 1/anger/sentence 1/s1_an_1.avi`. Names of files are wrong in places
/// (those of subject 11 say 12), so folders come first.
pub const ENTERFACE: Named = Named {
    name: "enterface",
    describe: "eNTERFACE'05: subject 1/anger/sentence 1/s1_an_1.avi",
    labels: &["anger", "disgust", "fear", "happiness", "sadness", "surprise"],
    read: enterface,
};

impl Importer for Named {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> &'static str {
        self.describe
    }

    fn recognizes(&self, root: &Path) -> bool {
        self.begins(root, DEPTH)
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let mut draft = Draft::new(self.name, root, root, warn);
        let files = Tree::walk(root, &mut |problem| draft.warn(problem))?.files;
        let mut takes = Vec::new();
        let mut by_name: HashMap<(String, Kind), PathBuf> = HashMap::new();
        for file in &files {
            let Some(kind @ (Kind::Video | Kind::Sound)) = kind(file) else { continue };
            let Some(take) = (self.read)(file) else {
                draft.skip(file, format!("not called like {}: left out", self.describe));
                continue;
            };
            by_name.entry((take.name.clone(), kind)).or_insert_with(|| file.clone());
            takes.push((file, kind, take));
        }
        for (file, kind, Take { speaker, label, name }) in takes {
            let [film, sound] = [Kind::Video, Kind::Sound].map(|kind| by_name.get(&(name.clone(), kind)));
            if kind == Kind::Sound && film.is_some() {
                continue;
            }
            if [film, sound].iter().all(|first| *first != Some(file)) {
                draft.leave_out(file, "another file of a take that is there already");
                continue;
            }
            let audio = sound.filter(|_| kind == Kind::Video).cloned();
            let (path, label, speaker) = (file.clone(), label.to_owned(), Some(speaker));
            draft.rows.push(Row { path, audio, label, speaker, ..Row::default() });
        }
        draft.labels = self.labels.to_vec();
        draft.finish(options)
    }
}

impl Named {
    /// Whether the first recording at or below `folder` is called as in this corpus.
    fn begins(&self, folder: &Path, depth: usize) -> bool {
        let Ok(found) = entries(folder) else { return false };
        if let Some((file, _)) = found.iter().find(|(path, is_folder)| !is_folder && is_media(path)) {
            // The name and its folder: what lies above may be anybody's.
            let near: PathBuf = file.iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
            return (self.read)(&near).is_some();
        }
        depth > 0 && found.iter().any(|(path, is_folder)| *is_folder && self.begins(path, depth - 1))
    }
}

fn emo_db(path: &Path) -> Option<Take> {
    let name = stem(path).as_bytes();
    let [s, p, text, t1, t2, emotion, version] = name else { return None };
    let digits = [s, p, t1, t2].iter().all(|byte| byte.is_ascii_digit());
    let label = match emotion {
        b'W' => "anger",
        b'L' => "boredom",
        b'E' => "disgust",
        b'A' => "fear",
        b'F' => "happiness",
        b'N' => "neutral",
        b'T' => "sadness",
        _ => return None,
    };
    let fits = digits && matches!(text, b'a' | b'b') && version.is_ascii_lowercase();
    fits.then(|| Take { speaker: stem(path)[..2].to_owned(), label, name: beside(path) })
}

fn savee(path: &Path) -> Option<Take> {
    const SPEAKERS: [&str; 4] = ["DC", "JE", "JK", "KL"];
    let name = stem(path);
    let folder = path.parent().and_then(Path::file_name).and_then(|folder| folder.to_str()).unwrap_or_default();
    let (speaker, take) = name.split_once('_').unwrap_or((folder, name));
    let code = take.trim_end_matches(|c: char| c.is_ascii_digit());
    let label = match code {
        "a" => "anger",
        "d" => "disgust",
        "f" => "fear",
        "h" => "happiness",
        "n" => "neutral",
        "sa" => "sadness",
        "su" => "surprise",
        _ => return None,
    };
    // Two digits in names of sounds, one in some of films.
    let number = take[code.len()..].parse::<u8>().ok().filter(|number| (1..=99).contains(number))?;
    let is_own = SPEAKERS.contains(&speaker) && take.len() <= code.len() + 2;
    is_own.then(|| Take { speaker: speaker.to_owned(), label, name: format!("{speaker} {code} {number}") })
}

fn enterface(path: &Path) -> Option<Take> {
    let folders = || path.parent().into_iter().flat_map(Path::iter).filter_map(|folder| folder.to_str());
    let subject = |folder: &str| {
        folder.to_lowercase().strip_prefix("subject").map(str::trim).filter(|rest| is_number(rest)).map(str::to_owned)
    };
    let named = enterface_name(stem(path));
    Some(Take {
        speaker: folders().find_map(subject).or_else(|| Some(named?.0.to_owned()))?,
        label: folders().find_map(|folder| class_of(folder, ENTERFACE.labels)).or_else(|| Some(named?.1))?,
        name: beside(path),
    })
}

/// Subject and class of `s1_an_1`.
fn enterface_name(name: &str) -> Option<(&str, &'static str)> {
    let mut parts = name.split('_');
    let (subject, code, take) = (parts.next()?.strip_prefix('s')?, parts.next()?, parts.next()?);
    let label = match code {
        "an" => "anger",
        "di" => "disgust",
        "fe" => "fear",
        "ha" => "happiness",
        "sa" => "sadness",
        "su" => "surprise",
        _ => return None,
    };
    (is_number(subject) && is_number(take) && parts.next().is_none()).then_some((subject, label))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a take whose film and sound lie side by side.
fn beside(path: &Path) -> String {
    path.with_extension("").to_string_lossy().into_owned()
}
