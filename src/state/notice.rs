//! What the user should know.

use crate::command::Command;

/// How urgent a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// It worked.
    Success,
    /// It worked in part.
    Warning,
    /// It did not work.
    Error,
}

/// Something that the user should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its number; set when it is shown.
    pub id: u64,
    /// How urgent it is.
    pub level: Level,
    /// What happened, in a sentence.
    pub text: String,
    /// All that could help to understand it.
    pub details: Option<String>,
    /// Something that can be done about it: the verb and what it does.
    pub action: Option<(String, Command)>,
    /// Whether it was closed or has faded.
    pub closed: bool,
}

impl Notice {
    /// A notice without details.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { id: 0, level, text: text.into(), details: None, action: None, closed: false }
    }

    /// A failure: the problem in a sentence, and the chain of causes as details.
    pub fn error(what: &str, error: &anyhow::Error) -> Self {
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        let notice = Self::new(Level::Error, format!("{what}: {error}"));
        Self { details: Some(chain.join("\ncaused by: ")), ..notice }
    }

    /// With something that can be done.
    #[must_use]
    pub fn with_action(mut self, verb: &str, command: Command) -> Self {
        self.action = Some((verb.to_owned(), command));
        self
    }
}
