//! Corpora that say everything in the names of their files: EmoDB, SAVEE, eNTERFACE'05.

use std::path::Path;

use emotion::{Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::tree::{Recordings, Tree, entries, is_media, stem};
use crate::{DatasetError, Importer, Options};

/// Folders down to which a first recording is looked for.
const DEPTH: usize = 3;

/// A corpus and how to read its names.
pub struct Named {
    name: &'static str,
    describe: &'static str,
    labels: &'static [&'static str],
    /// Speaker and label by the path below the root; `None` for a file that is called otherwise.
    read: fn(&Path) -> Option<(String, &'static str)>,
}

/// EmoDB (Burkhardt et al. 2005): `wav/03a01Fa.wav`: speaker, sentence, emotion, version.
pub const EMO_DB: Named = Named {
    name: "emo-db",
    describe: "EmoDB: wav/03a01Fa.wav",
    labels: &["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"],
    read: emo_db,
};

/// SAVEE (Haq & Jackson 2009): `AudioData/DC/sa01.wav`, or `DC_sa01.wav`.
pub const SAVEE: Named = Named {
    name: "savee",
    describe: "SAVEE: DC/sa01.wav or DC_sa01.wav, with films of the same names",
    labels: &["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
    read: savee,
};

/// eNTERFACE'05 (Martin et al. 2006): `subject 1/anger/sentence 1/s1_an_1.avi`.
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
        let recordings = Recordings::new(&files);
        for file in files.iter().filter(|file| is_media(file)) {
            let Some((speaker, label)) = (self.read)(file) else {
                draft.skip(file, format!("not called like {}: left out", self.describe));
                continue;
            };
            // SAVEE repeats stems in the folders of its speakers, so a film and its sound meet only by unique names.
            let (path, audio) = match recordings.find(stem(file)) {
                Some((video, Some(sound))) if sound == *file && video.parent() == file.parent() => continue,
                Some((video, Some(sound))) if video == *file && sound.parent() == file.parent() => (video, Some(sound)),
                _ => (file.clone(), None),
            };
            draft.rows.push(Row { path, audio, label: label.to_owned(), speaker: Some(speaker), ..Row::default() });
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
            return (self.read)(file).is_some();
        }
        depth > 0 && found.iter().any(|(path, is_folder)| *is_folder && self.begins(path, depth - 1))
    }
}

fn emo_db(path: &Path) -> Option<(String, &'static str)> {
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
    fits.then(|| (stem(path)[..2].to_owned(), label))
}

fn savee(path: &Path) -> Option<(String, &'static str)> {
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
    (SPEAKERS.contains(&speaker) && take.len() == code.len() + 2).then(|| (speaker.to_owned(), label))
}

fn enterface(path: &Path) -> Option<(String, &'static str)> {
    let mut parts = stem(path).split('_');
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
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(subject) && is_number(take) && parts.next().is_none()).then(|| (subject.to_owned(), label))
}
