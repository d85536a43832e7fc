//! Which worker does a job.

/// Which worker does a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Reads and writes small files.
    Files,
    /// Makes and imports datasets.
    Data,
    /// Trains.
    Train,
    /// Computes figures and scores.
    Analyse,
    /// Decodes pictures of clips.
    Thumbnails,
    /// Finds and probes devices.
    Devices,
    /// Waits in dialogs of the system.
    Dialogs,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Files, Self::Data, Self::Train, Self::Analyse, Self::Thumbnails, Self::Devices, Self::Dialogs];

    /// The thread's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Data => "data",
            Self::Train => "train",
            Self::Analyse => "analyse",
            Self::Thumbnails => "thumbnails",
            Self::Devices => "devices",
            Self::Dialogs => "dialogs",
        }
    }
}
