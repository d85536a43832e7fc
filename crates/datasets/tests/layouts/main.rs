//! A tiny copy of the layout of every corpus (`tests/assets`, made by `make.rs` there), and what becomes of it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use emotion::{Clip, FaceSource, Manifest, Scale, Split};
use limbic_datasets::{ColumnMap, IMPORTERS, Importer, Options, import};

mod films;
#[path = "../assets/layouts.rs"]
#[allow(unreachable_pub, reason = "the script that writes them includes it, too")]
mod make;
mod sequences;
mod speech;
mod stills;

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets")
}

/// `split label` of each clip by its id, with a `*` for text; then each of `problems` must be contained, in order.
#[track_caller]
fn check_as(layout: &str, options: &Options, clips: &[(&str, &str)], problems: &[&str]) -> Manifest {
    let manifest = import(&assets().join(layout), options).unwrap();
    assert_eq!(manifest.importer, layout.split('/').next().unwrap());
    let shown = |clip: &Clip| {
        let star = if clip.text.is_some() { "*" } else { "" };
        (clip.id.clone(), format!("{} {}{star}", clip.split.name(), manifest.labels.name(clip.label)))
    };
    let found: BTreeMap<String, String> = manifest.clips.iter().map(shown).collect();
    let expected: BTreeMap<String, String> =
        clips.iter().map(|(id, what)| ((*id).to_owned(), (*what).to_owned())).collect();
    let said: Vec<String> = manifest
        .problems
        .iter()
        .map(|problem| {
            let path = problem.path.strip_prefix(assets()).unwrap_or(&problem.path);
            format!("{}: {}", path.display(), problem.reason)
        })
        .collect();
    assert_eq!(found, expected, "{said:#?}");
    assert_eq!(said.len(), problems.len(), "{said:#?}");
    for (said, part) in said.iter().zip(problems) {
        assert!(said.contains(part), "{said:?} should contain {part:?}");
    }
    manifest
}

#[track_caller]
fn check(layout: &str, clips: &[(&str, &str)], problems: &[&str]) -> Manifest {
    check_as(layout, &Options::default(), clips, problems)
}

fn variant(name: &str) -> Options {
    Options { variant: Some(name.to_owned()), ..Options::default() }
}

fn clip<'a>(manifest: &'a Manifest, id: &str) -> &'a Clip {
    manifest.clips.iter().find(|clip| clip.id == id).unwrap()
}

#[track_caller]
fn check_protocol(manifest: &Manifest, part: &str) {
    assert!(manifest.protocol.contains(part), "{:?} should contain {part:?}", manifest.protocol);
}

#[test]
fn the_copies_are_as_the_script_makes_them() {
    fn list(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => list(&path, found),
                path => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    list(&assets(), &mut found);
    let mut made = make::layouts();
    for (path, content) in &made {
        assert!(std::fs::read(assets().join(path)).unwrap() == *content, "{path} is not as make.rs makes it");
    }
    made.sort();
    made.dedup_by(|a, b| a.0 == b.0);
    // HDF5 is written by a script of its own.
    let is_csd = |path: &PathBuf| path.extension().is_some_and(|end| end == "csd");
    let n_csd = found.iter().filter(|path| is_csd(path)).count();
    assert_eq!(found.len(), made.len() + n_csd + 4, "the scripts and what they make, nothing else");
}

#[test]
fn every_importer_of_a_corpus_has_a_copy_and_only_it_recognizes_it() {
    for importer in IMPORTERS.iter().filter(|importer| !["csv", "folders"].contains(&importer.name())) {
        let root = assets().join(importer.name());
        assert!(root.is_dir(), "{}", importer.name());
        let is_own = |other: &&&dyn Importer| !["csv", "folders"].contains(&other.name());
        let found: Vec<&str> =
            IMPORTERS.iter().filter(is_own).filter(|other| other.recognizes(&root)).map(|other| other.name()).collect();
        assert_eq!(found, [importer.name()]);
    }
}

#[test]
fn a_variant_that_does_not_exist_is_told() {
    let error = import(&assets().join("mafw"), &variant("triple")).unwrap_err().to_string();
    assert!(error.contains("has no variant \"triple\"; there are single, compound"), "{error}");
}
