//! What can go wrong with media, in words for the person who chose the file or the device.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with a media file, a device or the cache, and what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file is not there.
    #[error("the file is not there, look whether it was moved or renamed: {}", .0.display())]
    Missing(PathBuf),
    /// A folder, a pipe or a device where a file was expected.
    #[error("this is not a file but a folder or a device, choose a file: {}", .0.display())]
    NotAFile(PathBuf),
    /// Zero bytes.
    #[error("the file is empty, copy or record it again: {}", .0.display())]
    Empty(PathBuf),
    /// Nothing that FFmpeg recognizes.
    #[error("this is not a media file, or it is damaged or cut off ({reason}), copy it again or convert it to MP4: {}", path.display())]
    NotMedia {
        /// The file.
        path: PathBuf,
        /// FFmpeg's words.
        reason: String,
    },
    /// A known kind of file that is not read.
    #[error("this is {what}, which is not read, choose another or convert it to MP4: {}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        what: &'static str,
    },
    /// Recognized, but without picture and sound.
    #[error("there is neither picture nor sound in this file, choose another: {}", .0.display())]
    NoStreams(PathBuf),
    /// A folder without pictures, where a clip of pictures was expected.
    #[error("there is no picture in this folder, choose one with JPEG, PNG, BMP, TIFF or WebP files: {}", .0.display())]
    NoPictures(PathBuf),
    /// Sound only, where a picture was asked for.
    #[error("there is no picture in this file, choose a video or an image: {}", .0.display())]
    NoPicture(PathBuf),
    /// Recognized, but nothing comes out.
    #[error("the file cannot be decoded ({reason}), copy it again or convert it to MP4: {}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What failed, or FFmpeg's words.
        reason: String,
    },
    /// A file with a network that is not one, or not the right one.
    #[error("the network cannot be used ({reason}), fetch the file again or remove it: {}", path.display())]
    Network {
        /// The file.
        path: PathBuf,
        /// What failed, or the runtime's words.
        reason: String,
    },
    /// Writing a media file failed.
    #[error("the file cannot be encoded ({reason}), look whether the disk is full and FFmpeg has the codec: {}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What failed, or FFmpeg's words.
        reason: String,
    },
    /// A camera or microphone cannot be opened or used.
    #[error("the device cannot be used ({reason}), plug it in, allow access or choose another: {device}")]
    Device {
        /// The device's name or identifier.
        device: String,
        /// What failed, or the system's words.
        reason: String,
    },
    /// A camera or microphone that worked has stopped.
    #[error("the device stopped ({reason}), plug it in again or choose another: {device}")]
    DeviceGone {
        /// The device's name or identifier.
        device: String,
        /// What failed, or the system's words.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("{doing} failed ({source}), look at the disk's space and the permissions: {}", path.display())]
    Io {
        /// What was tried, as in "reading the file".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Reading or writing the cache of prepared clips failed, as it will for the next clip.
    #[error("{doing} failed ({source}), look at the disk's space and the permissions: {}", path.display())]
    Cache {
        /// What was tried, as in "writing to the cache".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The caller asked to stop.
    #[error("stopped before it was done: {}", .0.display())]
    Stopped(PathBuf),
}

impl MediaError {
    pub(crate) fn not_media(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::NotMedia { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn decode(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Decode { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn network(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Network { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn cache(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Cache { doing, path: path.to_owned(), source }
    }

    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}
