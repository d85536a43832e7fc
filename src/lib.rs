//! Limbic, the app: the window and what drives it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod app;
pub mod cli;
pub mod command;
mod figure;
mod finder;
mod jobs;
mod pages;
pub mod project;
pub mod run;
pub mod state;
mod textures;
pub mod theme;
mod widgets;
mod wording;
mod worker;
