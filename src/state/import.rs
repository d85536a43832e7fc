//! An import that is looked at before it is made.

use std::sync::Arc;

use emotion::Manifest;

use super::Facts;
use crate::command::Import;

/// An import that the user is deciding about.
#[derive(Debug, Clone)]
pub struct ImportDraft {
    /// What would be imported, and how.
    pub import: Import,
    /// What the newest look that arrived has found.
    pub found: Option<Found>,
    /// Number of the look that is wanted; what older ones bring is not shown.
    look: u64,
    underway: bool,
    past: Vec<Import>,
}

/// What was found in a folder.
#[derive(Debug, Clone)]
pub struct Found {
    /// The importer that recognizes it.
    pub recognized: Option<&'static str>,
    /// Column names of its list; empty where it has none.
    pub header: Vec<String>,
    /// Classes before they are renamed or merged, with their numbers of clips.
    pub classes: Vec<(String, usize)>,
    /// What was counted in what would be imported.
    pub facts: Facts,
    /// What would be imported, or why nothing can be.
    pub manifest: Result<Arc<Manifest>, String>,
}

impl ImportDraft {
    /// A draft that has not been looked at; `look` numbers its first look.
    pub fn new(import: Import, look: u64) -> Self {
        Self { import, found: None, look, underway: true, past: Vec::new() }
    }

    /// Decides otherwise, to be looked at as number `look`.
    pub fn change(&mut self, import: Import, look: u64) {
        self.past.push(std::mem::replace(&mut self.import, import));
        (self.look, self.underway) = (look, true);
    }

    /// Takes the last decision back, to be looked at as number `look`; whether there was one.
    pub fn undo(&mut self, look: u64) -> bool {
        let Some(import) = self.past.pop() else { return false };
        self.import = import;
        (self.look, self.underway) = (look, true);
        true
    }

    /// Whether there is a decision to take back.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether a look is being taken.
    pub fn is_underway(&self) -> bool {
        self.underway
    }

    /// Takes in what look number `look` has found.
    pub fn looked(&mut self, look: u64, found: Found) {
        if look == self.look {
            (self.found, self.underway) = (Some(found), false);
        }
    }
}
