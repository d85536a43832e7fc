//! The pages of the window: each draws the state and returns commands.

mod home;
mod insight;
mod library;
mod live;
mod models;
mod runs;
mod settings;
pub use settings::shortcut_list_ui;
mod train;

use std::sync::Arc;

use ::live::LiveFrame;
use egui::Ui;

use crate::command::Command;
use crate::project::{Places, Settings};
use crate::state::{PageName, State};
use crate::textures::Textures;
use crate::widgets::icon::Icon;

/// What a page sees and whom it asks.
pub struct Shell<'a> {
    /// All that is shown.
    pub state: &'a State,
    /// What the user chose.
    pub settings: &'a Settings,
    /// Folders of the app.
    pub places: &'a Places,
    /// Pictures on the graphics card.
    pub textures: &'a mut Textures,
    /// The newest picture of the live view.
    pub frame: Option<Arc<LiveFrame>>,
    /// The clock, in seconds since 1970.
    pub now_secs: u64,
    /// What was asked for so far.
    pub commands: Vec<Command>,
}

impl Shell<'_> {
    /// Asks for something.
    pub fn ask(&mut self, command: Command) {
        self.commands.push(command);
    }
}

/// A page. What only it cares about lives in it.
pub trait Page {
    /// Draws the page into all of `ui`.
    fn ui(&mut self, ui: &mut Ui, shell: &mut Shell<'_>);
}

/// All pages, in the order of [`PageName::ALL`].
pub fn pages() -> [Box<dyn Page>; 8] {
    [
        Box::new(home::Home),
        Box::<library::Library>::default(),
        Box::<train::Train>::default(),
        Box::<runs::Runs>::default(),
        Box::<insight::Insight>::default(),
        Box::<live::Live>::default(),
        Box::<models::Models>::default(),
        Box::new(settings::Preferences),
    ]
}

/// The icon of a page.
pub fn icon(page: PageName) -> Icon {
    match page {
        PageName::Home => Icon::Home,
        PageName::Library => Icon::Library,
        PageName::Train => Icon::Train,
        PageName::Runs => Icon::Runs,
        PageName::Insight => Icon::Insight,
        PageName::Live => Icon::Live,
        PageName::Models => Icon::Models,
        PageName::Settings => Icon::Settings,
    }
}
