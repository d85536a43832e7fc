//! Folders: the project, and what the app keeps for itself.
//!
//! ```text
//! PROJECT/limbic.toml                  name of the project
//!         datasets/NAME/manifest.json  one folder per dataset; the sample's clips lie beside its manifest
//!         runs/NAME/                   one folder per run, as `training` writes it
//!         exports/                     figures and checkpoints
//!         .bin/                        what was deleted and can be put back
//! ```
//!
//! Settings and caches belong to the user, not to a project. `LIMBIC_HOME` puts all of it into one folder, so that a
//! test or a trial leaves nothing behind.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use atomic_write_file::AtomicWriteFile;
use media::{Detectors, SampleCache};
use serde::{Deserialize, Serialize};

use crate::theme::Appearance;

/// Where the app keeps things that belong to no project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `settings.toml`.
    pub config: PathBuf,
    /// Prepared clips; can be emptied at any time.
    pub cache: PathBuf,
    /// Where new projects go unless told otherwise.
    pub projects: PathBuf,
    /// Published weights and detectors that are found by name, without being chosen.
    pub models: PathBuf,
}

impl Places {
    /// The folders of this system and user, or those under `LIMBIC_HOME`.
    pub fn of_user() -> anyhow::Result<Self> {
        if let Some(home) = std::env::var_os("LIMBIC_HOME").filter(|home| !home.is_empty()) {
            return Ok(Self::under(Path::new(&home)));
        }
        let app = directories::ProjectDirs::from("", "", "limbic")
            .context("this user has no home folder: set LIMBIC_HOME to a folder that Limbic may use")?;
        let projects = directories::UserDirs::new()
            .and_then(|user| user.document_dir().map(Path::to_owned))
            .unwrap_or_else(|| app.data_dir().to_owned());
        Ok(Self {
            config: app.config_dir().to_owned(),
            cache: app.cache_dir().to_owned(),
            projects: projects.join("Limbic"),
            models: app.data_dir().join("models"),
        })
    }

    /// Everything under one folder.
    pub fn under(home: &Path) -> Self {
        Self {
            config: home.join("config"),
            cache: home.join("cache"),
            projects: home.join("projects"),
            models: home.join("models"),
        }
    }

    /// Prepared clips, shared by all projects and the command line.
    pub fn sample_cache(&self) -> PathBuf {
        self.cache.join("samples")
    }
}

/// The cache of prepared clips, how large it may become, and what clips are prepared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRoom {
    /// Its folder.
    pub dir: PathBuf,
    /// Its limit in bytes.
    pub limit_bytes: u64,
    /// Folder of the networks that find faces and speech.
    pub models: PathBuf,
}

impl CacheRoom {
    /// Opens the cache for a job.
    pub fn open(&self) -> anyhow::Result<SampleCache> {
        let detectors = Detectors::in_folder(&self.models)?;
        Ok(SampleCache::open(&self.dir)?.with_limit(self.limit_bytes).with_detectors(detectors))
    }
}

/// What the user chose once and for all projects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light or dark.
    pub appearance: Appearance,
    /// Size of everything; 1 is the system's size.
    pub zoom: f32,
    /// Device to train and predict on: `auto`, `cpu`, `gpu:0`, …
    pub device: String,
    /// What prepared clips may take on disk, in GiB; 0 is no limit.
    pub cache_gib: u32,
    /// Projects opened lately, the last one first.
    pub recent: Vec<PathBuf>,
    /// Files of published weights, by the keys of those.
    pub weights: BTreeMap<String, PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            appearance: Appearance::System,
            zoom: 1.0,
            device: "auto".into(),
            cache_gib: (SampleCache::USUAL_LIMIT_BYTES >> 30) as u32,
            recent: Vec::new(),
            weights: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Reads the settings; the defaults where there are none yet.
    pub fn load(places: &Places) -> anyhow::Result<Self> {
        let path = places.config.join("settings.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .with_context(|| format!("the settings cannot be read, the defaults are used: {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error)
                .with_context(|| format!("the settings cannot be read, the defaults are used: {}", path.display())),
        }
    }

    /// The limit of the cache in bytes.
    pub fn cache_limit_bytes(&self) -> u64 {
        if self.cache_gib == 0 { u64::MAX } else { u64::from(self.cache_gib) << 30 }
    }

    /// Writes the settings.
    pub fn save(&self, places: &Places) -> anyhow::Result<()> {
        let text = toml::to_string(self).context("the settings cannot be written as TOML")?;
        write_whole(&places.config.join("settings.toml"), text.as_bytes())
    }

    /// Puts `dir` first among the recent projects.
    pub fn remember(&mut self, dir: &Path) {
        self.recent.retain(|other| other != dir);
        self.recent.insert(0, dir.to_owned());
        self.recent.truncate(8);
    }
}

/// A project folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Name shown to people.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct ProjectFile {
    name: String,
}

impl Project {
    /// Makes `dir` a project, or opens the one that is there.
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        if dir.join("limbic.toml").exists() {
            return Self::open(dir);
        }
        let name = dir.file_name().map_or_else(|| "project".into(), |name| name.to_string_lossy().into_owned());
        for part in ["datasets", "runs", "exports"] {
            std::fs::create_dir_all(dir.join(part)).with_context(|| {
                format!("the project folder cannot be made, choose one that you may write to: {}", dir.display())
            })?;
        }
        let text = toml::to_string(&ProjectFile { name: name.clone() }).context("the project cannot be written")?;
        write_whole(&dir.join("limbic.toml"), text.as_bytes())?;
        Ok(Self { name, dir: dir.to_owned() })
    }

    /// Opens an existing project.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("limbic.toml");
        if !path.exists() {
            bail!("this folder is no Limbic project, it has no limbic.toml: {}", dir.display());
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("the project cannot be read: {}", path.display()))?;
        let ProjectFile { name } = toml::from_str(&text).with_context(|| {
            format!("the project file is damaged, its only line is name = \"…\": {}", path.display())
        })?;
        Ok(Self { name, dir: dir.to_owned() })
    }

    /// Folder of dataset `name`.
    pub fn dataset_dir(&self, name: &str) -> PathBuf {
        self.dir.join("datasets").join(name)
    }

    /// Folder of run `name`.
    pub fn run_dir(&self, name: &str) -> PathBuf {
        self.dir.join("runs").join(name)
    }

    /// Folder that figures and checkpoints go to.
    pub fn exports(&self) -> PathBuf {
        self.dir.join("exports")
    }

    /// Names of the folders in `datasets` that have a manifest, sorted.
    pub fn dataset_names(&self) -> Vec<String> {
        folders_with(&self.dir.join("datasets"), "manifest.json")
    }

    /// Names of the folders in `runs` that have a job, sorted.
    pub fn run_names(&self) -> Vec<String> {
        folders_with(&self.dir.join("runs"), "job.toml")
    }

    /// Moves `dir`, a folder of this project, into the bin; the place to put it back from.
    pub fn discard(&self, dir: &Path) -> anyhow::Result<PathBuf> {
        let place = self.place_in_bin(dir)?;
        std::fs::rename(dir, &place).with_context(|| format!("the folder cannot be deleted: {}", dir.display()))?;
        Ok(place)
    }

    /// A free place in the bin for `dir` or what belongs to it.
    pub fn place_in_bin(&self, dir: &Path) -> anyhow::Result<PathBuf> {
        let bin = self.dir.join(".bin");
        std::fs::create_dir_all(&bin)
            .with_context(|| format!("the project's bin cannot be made: {}", bin.display()))?;
        let name = dir.file_name().context("only folders inside of a project can be deleted")?;
        Ok(bin.join(unused_name(&bin, &name.to_string_lossy())))
    }
}

/// Puts what [`Project::discard`] moved away back to `dir`, or beside what has taken its place meanwhile; where it is
/// now.
pub fn restore(place: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    let context = || format!("the folder cannot be put back: {}", dir.display());
    let (parent, name) = dir.parent().zip(dir.file_name()).with_context(context)?;
    let free = parent.join(unused_name(parent, &name.to_string_lossy()));
    std::fs::rename(place, &free).with_context(context)?;
    Ok(free)
}

/// `wanted`, or `wanted-2`, `wanted-3`, … whichever `dir` does not have yet.
pub fn unused_name(dir: &Path, wanted: &str) -> String {
    if !dir.join(wanted).exists() {
        return wanted.to_owned();
    }
    let mut number = 2;
    while dir.join(format!("{wanted}-{number}")).exists() {
        number += 1;
    }
    format!("{wanted}-{number}")
}

/// `name` as a folder can be called on every system: letters, digits, dots, hyphens and underscores.
pub fn folder_name(name: &str) -> String {
    let cleaned: String = name
        .trim()
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' })
        .collect();
    let cleaned = cleaned.trim_matches(['.', '-']).to_owned();
    if cleaned.is_empty() { "unnamed".to_owned() } else { cleaned }
}

/// Writes `bytes` so that a reader sees the old file or the new one, never half of it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let dir = path.parent().context("a file needs a folder")?;
    let context = || format!("the file cannot be written: {}", path.display());
    std::fs::create_dir_all(dir).with_context(context)?;
    let mut file = AtomicWriteFile::open(path).with_context(context)?;
    file.write_all(bytes).and_then(|()| file.commit()).with_context(context)
}

/// When `path` was last written, in seconds since 1970; zero when that is unknown.
pub fn written_secs(path: &Path) -> u64 {
    std::fs::metadata(path).and_then(|data| data.modified()).map_or(0, secs_since_1970)
}

/// The clock, in seconds since 1970.
pub fn now_secs() -> u64 {
    secs_since_1970(SystemTime::now())
}

fn secs_since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn folders_with(dir: &Path, file: &str) -> Vec<String> {
    // A folder that is not there has no members.
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join(file).is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // What is hidden is only being made, or was when the process was killed.
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discarded_run_can_be_put_back() {
        let home = tempfile::tempdir().unwrap();
        let project = Project::create(&home.path().join("p")).unwrap();
        let run = project.run_dir("a");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("job.toml"), "").unwrap();
        assert_eq!(project.run_names(), ["a"]);
        let place = project.discard(&run).unwrap();
        assert!(project.run_names().is_empty());
        assert_eq!(restore(&place, &run).unwrap(), run);
        assert_eq!(project.run_names(), ["a"]);
        assert!(restore(&place, &run).unwrap_err().to_string().contains("cannot be put back"));
        // Its name was given to another one meanwhile.
        let place = project.discard(&run).unwrap();
        std::fs::create_dir_all(&run).unwrap();
        assert_eq!(restore(&place, &run).unwrap(), project.run_dir("a-2"));
    }

    #[test]
    fn a_run_that_is_only_being_made_is_no_run() {
        let home = tempfile::tempdir().unwrap();
        let project = Project::create(&home.path().join("p")).unwrap();
        for name in ["a", ".b.partly"] {
            std::fs::create_dir_all(project.run_dir(name)).unwrap();
            std::fs::write(project.run_dir(name).join("job.toml"), "").unwrap();
        }
        assert_eq!(project.run_names(), ["a"]);
    }

    #[test]
    fn settings_survive_and_damage_is_said() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        assert_eq!(Settings::load(&places).unwrap(), Settings::default());
        let mut settings = Settings { zoom: 1.25, appearance: Appearance::Dark, ..Settings::default() };
        settings.remember(Path::new("/a"));
        settings.remember(Path::new("/b"));
        settings.remember(Path::new("/a"));
        settings.save(&places).unwrap();
        assert_eq!(Settings::load(&places).unwrap(), settings);
        assert_eq!(settings.recent, [Path::new("/a"), Path::new("/b")]);
        std::fs::write(places.config.join("settings.toml"), "zoom = \"big\"").unwrap();
        assert!(Settings::load(&places).unwrap_err().to_string().contains("settings.toml"));
    }

    #[test]
    fn a_folder_that_is_no_project_is_refused() {
        let home = tempfile::tempdir().unwrap();
        assert!(Project::open(home.path()).unwrap_err().to_string().contains("no Limbic project"));
        Project::create(home.path()).unwrap();
        assert!(Project::open(home.path()).is_ok());
    }

    #[test]
    fn names_become_folders() {
        for (name, folder) in [("My study 1", "My-study-1"), ("../up", "up"), ("  ", "unnamed"), ("ümlaut", "ümlaut")]
        {
            assert_eq!(folder_name(name), folder);
        }
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("a")).unwrap();
        assert_eq!((unused_name(home.path(), "a"), unused_name(home.path(), "b")), ("a-2".into(), "b".into()));
    }
}
