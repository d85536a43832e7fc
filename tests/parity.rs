//! Reference numbers: every folder below `LIMBIC_PARITY` (by default `../shared/parity` beside the workspace) is a
//! case, run by its name through the real importer. `LIMBIC_HEAVY=1` adds models of real size, `LIMBIC_CASE` picks by a
//! part of the name.

mod case;
mod mcr;
mod mma_dfer;
mod shared;
mod umbenet;
mod vavl;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

pub use case::{Case, Input, gradient_norms, norms_or_zero, values};

/// Compares one kind of case. Its name is that of its folders, which may go on with anything but a letter.
pub type Kind = (&'static str, fn(&mut Case));

const KINDS: [&[Kind]; 5] = [umbenet::CASES, mma_dfer::CASES, vavl::CASES, mcr::CASES, shared::CASES];

/// The most specific kind that a folder is of.
fn kind_of(folder: &str) -> Option<fn(&mut Case)> {
    let fits = |kind: &str| folder.strip_prefix(kind).is_some_and(|rest| !rest.starts_with(char::is_alphabetic));
    let fitting = KINDS.into_iter().flatten().filter(|(kind, _)| fits(kind));
    fitting.max_by_key(|(kind, _)| kind.len()).map(|(_, run)| *run)
}

/// One line for people, past the capture of test output.
fn say(line: &str) {
    let mut out = std::io::stdout();
    out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).unwrap();
}

struct Outcome {
    name: String,
    n_compared: usize,
    worst: (f64, String),
    failures: Vec<String>,
}

fn outcome_of(mut case: Case, compare: fn(&mut Case)) -> Outcome {
    let run = catch_unwind(AssertUnwindSafe(|| compare(&mut case)));
    let mut failures = std::mem::take(&mut case.failures);
    match run {
        Ok(()) => failures.extend(case.forgotten().into_iter().map(|output| format!("{output} was not compared"))),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            failures.push(format!("stopped: {}", said.unwrap_or("for a reason that it did not say")));
        }
    }
    if case.n_compared == 0 {
        failures.push("nothing was compared".to_owned());
    }
    Outcome { name: case.name().to_owned(), n_compared: case.n_compared, worst: case.worst, failures }
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[test]
fn models_are_the_reference() {
    let asked = std::env::var_os("LIMBIC_PARITY").map(PathBuf::from);
    let is_asked = asked.is_some();
    let root = asked.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/parity"));
    assert!(root.is_dir() || !is_asked, "LIMBIC_PARITY names no folder: {}", root.display());
    if !root.is_dir() {
        let n = KINDS.iter().map(|kinds| kinds.len()).sum::<usize>();
        say(&format!("\nparity: skipped {n} kinds of cases: there is no folder {}", root.display()));
        return;
    }
    let part = std::env::var("LIMBIC_CASE").unwrap_or_default();
    let heavy = std::env::var("LIMBIC_HEAVY").is_ok_and(|value| value == "1");
    let (mut cases, mut failures, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for folder in folders(&root) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains(&part) || name.starts_with('.') {
            continue;
        }
        let is_data = !folder.join("case.json").exists() && std::fs::read_dir(&folder).unwrap().next().is_some();
        if is_data && kind_of(&name).is_none() {
            say(&format!("parity: {name} holds no case, but what cases read"));
            continue;
        }
        match (kind_of(&name), Case::open(&folder)) {
            (None, _) => failures.push(format!("{name}: no such kind of case is known")),
            (_, Err(reason)) => failures.push(format!("{name}: {reason}")),
            (_, Ok(case)) if case.is_heavy() && !heavy => left_out.push(name),
            (Some(run), Ok(case)) => cases.push(std::sync::Mutex::new(Some((case, run)))),
        }
    }
    let next = AtomicUsize::new(0);
    let outcomes = std::sync::Mutex::new(Vec::new());
    let n_threads = if heavy { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some(slot) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (case, run) = slot.lock().unwrap().take().unwrap();
                    let outcome = outcome_of(case, run);
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    for outcome in &outcomes {
        failures.extend(outcome.failures.iter().map(|failure| format!("{}: {failure}", outcome.name)));
    }
    say("");
    for failure in &failures {
        say(failure);
    }
    if !left_out.is_empty() {
        say(&format!(
            "parity: left out {} of real size, LIMBIC_HEAVY=1 runs them: {}",
            left_out.len(),
            left_out.join(", ")
        ));
    }
    let n_outputs: usize = outcomes.iter().map(|outcome| outcome.n_compared).sum();
    let worst = outcomes.iter().max_by(|a, b| a.worst.0.total_cmp(&b.worst.0));
    let worst = worst.map_or_else(
        || "worst error 0 of tolerance (none, none)".to_owned(),
        |outcome| {
            let (error, output) = &outcome.worst;
            format!("worst error {error:.3} of tolerance ({}, {output})", outcome.name)
        },
    );
    say(&format!("parity: {} cases, {n_outputs} outputs, {worst}", outcomes.len()));
    assert!(failures.is_empty(), "{} failures, listed above", failures.len());
}
