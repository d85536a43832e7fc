//! Sequences of features side by side: language, video, audio, as the papers on asynchronous streams order them.
//!
//! A stream is named after a modality, whatever its features are: [`Modality::Text`] is language, [`Modality::Face`]
//! video, [`Modality::Voice`] audio.

use burn::module::Module;
use burn::tensor::Tensor;
use emotion::{Modalities, Modality};
use serde::{Deserialize, Serialize};

/// The order of streams in every concatenation.
pub const STREAMS: [Modality; 3] = [Modality::Text, Modality::Face, Modality::Voice];

/// The letter of a stream in the papers and in parameter names: `l`, `v` or `a`.
pub fn stream_letter(stream: Modality) -> char {
    match stream {
        Modality::Text => 'l',
        Modality::Face => 'v',
        Modality::Voice => 'a',
    }
}

/// One thing per stream, where there is one. The fields are named as in parameter names.
#[derive(Module, Debug)]
pub struct Streams<T> {
    /// Language.
    pub l: Option<T>,
    /// Video.
    pub v: Option<T>,
    /// Audio.
    pub a: Option<T>,
}

impl<T> Streams<T> {
    /// What `make` has for each stream, made in the order of [`STREAMS`].
    pub fn from_fn(mut make: impl FnMut(Modality) -> Option<T>) -> Self {
        let [l, v, a] = STREAMS.map(&mut make);
        Self { l, v, a }
    }

    /// What there is for each of `streams`.
    pub fn of(streams: Modalities, mut make: impl FnMut(Modality) -> T) -> Self {
        Self::from_fn(|stream| streams.contains(stream).then(|| make(stream)))
    }

    /// That of `stream`.
    pub fn get(&self, stream: Modality) -> Option<&T> {
        match stream {
            Modality::Text => self.l.as_ref(),
            Modality::Face => self.v.as_ref(),
            Modality::Voice => self.a.as_ref(),
        }
    }

    /// That of `stream`, to change it.
    pub fn get_mut(&mut self, stream: Modality) -> Option<&mut T> {
        match stream {
            Modality::Text => self.l.as_mut(),
            Modality::Face => self.v.as_mut(),
            Modality::Voice => self.a.as_mut(),
        }
    }

    /// Those that there are, in the order of [`STREAMS`].
    pub fn iter(&self) -> impl Iterator<Item = (Modality, &T)> {
        STREAMS.into_iter().filter_map(|stream| Some((stream, self.get(stream)?)))
    }
}

impl<T> std::ops::Index<Modality> for Streams<T> {
    type Output = T;

    /// Panics where there is none.
    fn index(&self, stream: Modality) -> &T {
        self.get(stream).unwrap_or_else(|| panic!("there is no {} stream", stream.name()))
    }
}

/// A number for each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByStream {
    /// Of language.
    pub language: usize,
    /// Of video.
    pub video: usize,
    /// Of audio.
    pub audio: usize,
}

impl ByStream {
    /// That of `stream`.
    pub fn get(&self, stream: Modality) -> usize {
        match stream {
            Modality::Text => self.language,
            Modality::Face => self.video,
            Modality::Voice => self.audio,
        }
    }
}

/// Sees the name and the values of a tensor.
pub type See<'a> = dyn FnMut(&str, Tensor<3>) + 'a;

/// Shows the tensors inside a forward pass to whoever asked; for nobody, nothing is computed.
#[derive(Default)]
pub struct Watch<'a> {
    see: Option<&'a mut See<'a>>,
    place: String,
}

impl<'a> Watch<'a> {
    /// Calls `see` with each tensor.
    pub fn new(see: &'a mut See<'a>) -> Self {
        Self { see: Some(see), place: String::new() }
    }

    /// Puts `place` before the names that follow.
    pub(crate) fn enter(&mut self, place: String) {
        self.place = place;
    }

    pub(crate) fn show(&mut self, what: &str, stream: Modality, values: impl FnOnce() -> Tensor<3>) {
        if let Some(see) = &mut self.see {
            see(&format!("{}{what}.{}", self.place, stream_letter(stream)), values());
        }
    }
}
