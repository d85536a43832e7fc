//! What clips look like: thumbnails and waveforms that arrive from a worker, and the newest live frame.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use media::Image;

use crate::state::PeopleOf;

/// Thumbnails kept at most; those that were not seen for the longest time go first.
const MAX_THUMBNAILS: usize = 600;
/// Longest side of a thumbnail in pixels.
pub const THUMBNAIL_PX: usize = 192;

/// Peaks of a waveform.
pub const N_PEAKS: usize = 48;

/// What a clip looks like, as a worker found it.
pub struct Preview {
    /// A picture from the middle; `None` for a clip without one.
    pub picture: Option<Image>,
    /// Outline of its sound, 0..1; empty for a clip without any.
    pub peaks: Vec<f32>,
}

enum Thumbnail {
    Asked,
    Arrived { picture: Option<TextureHandle>, peaks: Vec<f32> },
}

/// What is known about the looks of a clip.
pub enum Look<'a> {
    /// It will come.
    Underway,
    /// Here it is, as far as the clip has picture and sound.
    Ready {
        /// A picture from the middle.
        picture: Option<&'a TextureHandle>,
        /// Outline of the sound, 0..1.
        peaks: &'a [f32],
    },
}

/// Pictures by where they come from.
#[derive(Default)]
pub struct Textures {
    thumbnails: HashMap<PathBuf, (u64, Thumbnail)>,
    wanted: Vec<PathBuf>,
    clock: u64,
    live: Option<(f64, TextureHandle)>,
    people: Option<(PeopleOf, TextureHandle)>,
}

impl Textures {
    /// The thumbnail of the clip at `path`; asks for it the first time.
    pub fn thumbnail(&mut self, path: &Path) -> Look<'_> {
        self.clock += 1;
        let clock = self.clock;
        if !self.thumbnails.contains_key(path) {
            self.wanted.push(path.to_owned());
            self.thumbnails.insert(path.to_owned(), (clock, Thumbnail::Asked));
        }
        match self.thumbnails.get_mut(path) {
            Some((seen, thumbnail)) => {
                *seen = clock;
                match thumbnail {
                    Thumbnail::Asked => Look::Underway,
                    Thumbnail::Arrived { picture, peaks } => Look::Ready { picture: picture.as_ref(), peaks },
                }
            }
            None => Look::Underway,
        }
    }

    /// Forgets the thumbnails of what lies under `root`: it may look otherwise now.
    pub fn forget_under(&mut self, root: &Path) {
        self.thumbnails.retain(|path, (_, thumbnail)| matches!(thumbnail, Thumbnail::Asked) || !path.starts_with(root));
    }

    /// Hands each thumbnail that is wanted to `ask`; those that it refuses are asked for again later.
    pub fn ask_for_wanted(&mut self, mut ask: impl FnMut(PathBuf) -> bool) {
        for path in std::mem::take(&mut self.wanted) {
            if !ask(path.clone()) {
                self.thumbnails.remove(&path);
            }
        }
    }

    /// Puts a thumbnail on the graphics card.
    pub fn thumbnail_arrived(&mut self, ctx: &Context, path: PathBuf, preview: Preview) {
        let picture = preview
            .picture
            .map(|image| ctx.load_texture(path.to_string_lossy(), color_image(&image), TextureOptions::LINEAR));
        let thumbnail = Thumbnail::Arrived { picture, peaks: preview.peaks };
        self.thumbnails.insert(path, (self.clock, thumbnail));
        if self.thumbnails.len() > MAX_THUMBNAILS {
            let mut seen: Vec<u64> = self.thumbnails.values().map(|(seen, _)| *seen).collect();
            seen.sort_unstable();
            let oldest_kept = seen[seen.len() - MAX_THUMBNAILS * 3 / 4];
            self.thumbnails
                .retain(|_, (seen, thumbnail)| *seen >= oldest_kept || matches!(thumbnail, Thumbnail::Asked));
        }
    }

    /// The live picture of time `pts_secs` on the graphics card.
    pub fn live(&mut self, ctx: &Context, pts_secs: f64, image: &Image) -> &TextureHandle {
        let (shown, texture) = self.live.get_or_insert_with(|| {
            (f64::NAN, ctx.load_texture("live picture", ColorImage::example(), TextureOptions::LINEAR))
        });
        if *shown != pts_secs {
            texture.set(color_image(image), TextureOptions::LINEAR);
            *shown = pts_secs;
        }
        texture
    }

    /// The picture with the people of a clip on the graphics card; only the last one asked for is kept.
    pub fn people(&mut self, ctx: &Context, of: &PeopleOf, picture: &Image) -> &TextureHandle {
        if self.people.as_ref().is_none_or(|(own, _)| own != of) {
            self.people = None;
        }
        let (_, texture) = self.people.get_or_insert_with(|| {
            (of.clone(), ctx.load_texture("people", color_image(picture), TextureOptions::LINEAR))
        });
        texture
    }

    /// Frees the live picture.
    pub fn live_ended(&mut self) {
        self.live = None;
    }
}

fn color_image(image: &Image) -> ColorImage {
    ColorImage::from_rgb([image.width_px, image.height_px], &image.rgb)
}
