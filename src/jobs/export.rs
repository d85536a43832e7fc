//! Figures and models as files for others, and the folders that they are in.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use models::DeviceId;

use super::Desk;
use crate::command::Command;
use crate::figure::{Draft, Format};
use crate::project::{Project, folder_name};
use crate::state::{Level, Notice};

/// Writes a figure.
pub fn export_figure(draft: &Draft, format: Format, path: &Path, desk: &Desk) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("the folder cannot be made: {}", dir.display()))?;
    }
    format.write(&draft.draw(), path)?;
    desk.notice(exported(path));
    Ok(())
}

/// The notice about a file that was written.
pub fn exported(path: &Path) -> Notice {
    Notice::new(Level::Success, format!("Exported to {}", path.display()))
        .with_action("Show in folder", Command::Reveal(path.to_owned()))
}

/// Writes a run's model as a bundle.
pub fn export_model(dir: &Path, to: &Path, desk: &Desk) -> anyhow::Result<()> {
    models::copy_bundle(dir, to)?;
    // Whoever gets the bundle should be able to load it, so it is tried right away.
    models::load(to, &DeviceId::Cpu)?;
    desk.notice(exported(to));
    Ok(())
}

/// Shows a path in the file manager.
pub fn reveal(path: &Path) -> anyhow::Result<()> {
    let dir = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(target_os = "windows") {
        "explorer"
    } else {
        "xdg-open"
    };
    std::process::Command::new(program)
        .arg(dir)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .map(|_| ())
        .with_context(|| format!("{program} is not there, the folder is {}", dir.display()))
}

/// A name for an exported file that is not taken yet.
pub fn export_path(project: &Project, name: &str, extension: &str) -> PathBuf {
    let dir = project.exports();
    let stem = folder_name(name);
    let mut path = dir.join(format!("{stem}.{extension}"));
    let mut number = 2;
    while path.exists() {
        path = dir.join(format!("{stem}-{number}.{extension}"));
        number += 1;
    }
    path
}
