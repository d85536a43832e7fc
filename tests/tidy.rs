//! The layout of the workspace: which crate may know which, and what may not be in the tree.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Names under `[dependencies]` of a crate.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(manifest).expect("every crate has a manifest");
    let table: toml::Table = toml::from_str(&text).expect("cargo reads it too");
    table["dependencies"].as_table().expect("it is a table").keys().cloned().collect()
}

#[track_caller]
fn check(krate: &str, may_know: &[&str], must_not_have: &[&str]) {
    const OURS: [&str; 10] =
        ["emotion", "pickle", "checkpoints", "features", "figures", "media", "datasets", "models", "training", "live"];
    let found = dependencies(&root().join("crates").join(krate).join("Cargo.toml"));
    for name in &found {
        assert!(!OURS.contains(&name.as_str()) || may_know.contains(&name.as_str()), "{krate} must not know {name}");
        assert!(!must_not_have.contains(&name.as_str()), "{krate} must not depend on {name}");
    }
}

#[test]
fn arrows_between_crates_point_down() {
    let windows = ["eframe", "egui", "egui_plot", "rfd", "clap"];
    let with =
        |more: &[&'static str]| -> Vec<&'static str> { windows.iter().copied().chain(more.iter().copied()).collect() };
    check("emotion", &[], &with(&["burn", "ffmpeg-next", "cpal", "crossbeam-channel", "rayon"]));
    check("pickle", &[], &with(&["burn", "safetensors", "zip"]));
    check("checkpoints", &["pickle"], &with(&["burn", "ffmpeg-next", "cpal", "zip"]));
    check("figures", &["emotion"], &with(&["burn", "ffmpeg-next", "cpal"]));
    check("media", &["emotion"], &with(&["burn"]));
    check("features", &["pickle", "emotion"], &with(&["burn", "ffmpeg-next", "cpal"]));
    check("datasets", &["features", "emotion"], &with(&["burn", "ffmpeg-next", "cpal"]));
    check("models", &["checkpoints", "features", "emotion"], &with(&["ffmpeg-next", "cpal", "csv"]));
    check("training", &["models", "datasets", "features", "media", "emotion"], &with(&["ffmpeg-next", "cpal"]));
    check("live", &["models", "media", "emotion"], &with(&["ffmpeg-next", "cpal"]));
}

#[test]
fn every_crate_is_checked() {
    let mut crates: Vec<String> = std::fs::read_dir(root().join("crates"))
        .expect("the folder of crates")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    crates.sort();
    let known =
        ["checkpoints", "datasets", "emotion", "features", "figures", "live", "media", "models", "pickle", "training"];
    assert_eq!(crates, known);
}

/// All source files below a folder.
fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a source folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn only_the_theme_has_literal_colours() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    for file in files.iter().filter(|file| !file.ends_with("theme.rs")) {
        let text = std::fs::read_to_string(file).expect("a source file");
        for literal in ["Color32::from_rgb(", "Color32::from_hex(", "hex_color!"] {
            assert!(!text.contains(literal), "{literal} belongs into theme.rs: {}", file.display());
        }
    }
}

#[test]
fn comments_are_as_wide_as_code_at_most() {
    const MAX_WIDTH: usize = 120;
    let mut files = Vec::new();
    for folder in ["benches", "crates", "src", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    assert!(files.len() > 100, "{} files", files.len());
    for file in &files {
        let text = std::fs::read_to_string(file).expect("a source file");
        for (line_idx, line) in text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            let width = line.chars().count();
            assert!(!is_comment || width <= MAX_WIDTH, "{}:{} has {width} characters", file.display(), line_idx + 1);
        }
    }
}
