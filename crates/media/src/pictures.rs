//! Clips that are folders of pictures, one a frame, as the face crops of DFEW and FERV39k are.
//!
//! The order is that of the numbers in the names: `2.jpg` comes before `10.jpg`. Left out: any rate of frames.

use std::path::{Path, PathBuf};

use emotion::PICTURE_EXTENSIONS;

use crate::picker::spread_frames;
use crate::source::{Decoded, Source, Tracks};
use crate::upright::Scaler;
use crate::{ClipInfo, Image, MediaError, VideoInfo};

/// The pictures of a clip, in order; at least one.
pub(crate) struct Pictures {
    files: Vec<PathBuf>,
}

impl Pictures {
    pub(crate) fn list(folder: &Path) -> Result<Self, MediaError> {
        let failed = |error| MediaError::io("listing the folder", folder, error);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            // Other files may lie between the pictures.
            if !is_hidden && extension.is_some_and(|extension| PICTURE_EXTENSIONS.contains(&extension.as_str())) {
                files.push(path);
            }
        }
        files.sort_by_cached_key(|path| order(path));
        if files.is_empty() { Err(MediaError::NoPictures(folder.to_owned())) } else { Ok(Self { files }) }
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Those that stand for the clip, none of them twice.
    pub(crate) fn picked(&self, n_segments: usize) -> Vec<&Path> {
        let mut wanted: Vec<usize> =
            spread_frames(self.len(), n_segments).iter().map(|&(picture_idx, _)| picture_idx).collect();
        wanted.dedup();
        wanted.into_iter().map(|picture_idx| self.files[picture_idx].as_path()).collect()
    }

    pub(crate) fn middle(&self) -> &Path {
        &self.files[self.len() / 2]
    }

    /// As many frames as there are pictures, of the size of the first that can be opened.
    pub(crate) fn info(&self) -> Result<ClipInfo, MediaError> {
        let mut first_error = None;
        for file in &self.files {
            match Source::open(file, Tracks { video: true, audio: false }) {
                Ok(Source { info: ClipInfo { video: Some(video), .. }, .. }) => {
                    let video = VideoInfo { n_frames: Some(self.len() as u64), rate_hz: 0.0, ..video };
                    return Ok(ClipInfo { video: Some(video), ..ClipInfo::default() });
                }
                Ok(_) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| MediaError::NoPicture(self.files[0].clone())))
    }
}

/// Reads one picture, at most `max_side_px` on its longer side; with whether it is damaged. Of a damaged one it is what
/// could be decoded.
pub(crate) fn read(path: &Path, max_side_px: usize) -> Result<(Image, bool), MediaError> {
    let tracks = Tracks { video: true, audio: false };
    let wary = decode(&mut Source::open_wary(path, tracks)?, path, max_side_px)?;
    let read = match wary {
        Some(_) => wary,
        None => decode(&mut Source::open(path, tracks)?, path, max_side_px)?.map(|(image, _)| (image, true)),
    };
    read.ok_or_else(|| MediaError::decode(path, "no frame could be read"))
}

/// The first frame, and whether anything is wrong with it or its file; `None` where it cannot be decoded.
fn decode(source: &mut Source, path: &Path, max_side_px: usize) -> Result<Option<(Image, bool)>, MediaError> {
    let Some(turn) = source.video.as_ref().map(|video| video.turn) else {
        return Err(MediaError::NoPicture(path.to_owned()));
    };
    while let Some(decoded) = source.next()? {
        if let Decoded::Video { frame, .. } = decoded {
            let image = Scaler::new(turn, Some(max_side_px)).image(&frame);
            let image = image.map_err(|error| MediaError::decode(path, error))?;
            return Ok(Some((image, !source.notes.is_empty() || !source.complaints().is_empty())));
        }
    }
    Ok(None)
}

/// Sorts by the numbers in the name where those differ: pairs of text and number, then the name itself.
fn order(path: &Path) -> (Vec<(String, usize, String)>, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = Vec::new();
    let mut rest = name.as_str();
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        let (digits, after) = after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()));
        let digits = digits.trim_start_matches('0');
        // Numbers have any length, so they are compared as text: the longer one is larger.
        parts.push((text.to_owned(), digits.len(), digits.to_owned()));
        rest = after;
    }
    (parts, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_follow_the_numbers_in_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["10.jpg", "2.JPG", "1.png", "b1.webp", "002.jpg", "notes.txt", ".1.jpg", "b1_12.bmp", "b1_3.bmp"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let pictures = Pictures::list(dir.path()).unwrap();
        let names: Vec<_> = pictures.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["1.png", "2.JPG", "002.jpg", "10.jpg", "b1.webp", "b1_3.bmp", "b1_12.bmp"]);
        let picked: Vec<_> =
            pictures.picked(3).iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(picked, ["2.JPG", "10.jpg", "b1_3.bmp"]);
    }

    /// A grey picture of 4 × 2 pixels: one strip of bytes, not compressed.
    fn tiff(level: u8) -> Vec<u8> {
        // Width, height, bits, compression, black is zero, where the strip begins, rows in it, its length.
        let entries = [(256, 4), (257, 2), (258, 8), (259, 1), (262, 1), (273, 110), (278, 2), (279, 8_u32)];
        let mut bytes = [&b"II*\0"[..], &8_u32.to_le_bytes(), &(entries.len() as u16).to_le_bytes()].concat();
        for (tag, value) in entries {
            let tag: u16 = tag;
            bytes.extend([&tag.to_le_bytes()[..], &[4, 0], &1_u32.to_le_bytes(), &value.to_le_bytes()].concat());
        }
        bytes.extend([0; 4]);
        assert_eq!(bytes.len(), 110, "the strip begins here");
        bytes.extend([level; 8]);
        bytes
    }

    #[test]
    fn pictures_may_be_tiff() {
        let dir = tempfile::tempdir().unwrap();
        for (name, level) in [("1.tif", 50), ("2.TIFF", 200)] {
            std::fs::write(dir.path().join(name), tiff(level)).unwrap();
        }
        let pictures = Pictures::list(dir.path()).unwrap();
        let video = pictures.info().unwrap().video.unwrap();
        assert_eq!((video.width_px, video.height_px, video.n_frames), (4, 2, Some(2)));
        let levels: Vec<u8> = pictures.files.iter().map(|file| read(file, 100).unwrap().0.rgb[0]).collect();
        assert!(levels[0].abs_diff(50) <= 2 && levels[1].abs_diff(200) <= 2, "{levels:?}");
    }

    #[test]
    fn damaged_pictures_are_said_and_shown_as_far_as_they_go() {
        let dir = tempfile::tempdir().unwrap();
        let picture = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([(x * y) as u8, x as u8 * 3, y as u8 * 2]));
        let cut = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
        let wrong = |bytes: &[u8]| {
            let scan = bytes.windows(2).position(|two| two == b"\xFF\xDA").unwrap();
            // A code that there is none of comes of it soon.
            [&bytes[..scan + 240], &[0xFE; 80], &bytes[scan + 320..]].concat()
        };
        // Before the last chunk, which has twelve bytes, comes the checksum of the pixels.
        let checksum = |bytes: &[u8]| {
            [&bytes[..bytes.len() - 13], &[!bytes[bytes.len() - 13]], &bytes[bytes.len() - 12..]].concat()
        };
        type Break<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
        let breaks: [(&str, Break<'_>); 3] = [("cut.jpg", &cut), ("wrong.jpg", &wrong), ("checksum.png", &checksum)];
        for (name, broken) in breaks {
            let path = dir.path().join(name);
            picture.save(&path).unwrap();
            let (whole, is_damaged) = read(&path, 100).unwrap();
            assert!(!is_damaged, "{name}");
            std::fs::write(&path, broken(&std::fs::read(&path).unwrap())).unwrap();
            let (image, is_damaged) = read(&path, 100).unwrap();
            assert!(is_damaged && image.rgb[..64 * 3] == whole.rgb[..64 * 3], "{name}");
            let notes = crate::film::watch(&path, 1, None, 0.0).unwrap().notes;
            assert_eq!(notes, ["1 piece is damaged"], "{name}");
        }
    }

    #[test]
    fn a_folder_without_pictures_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("notes.txt"), "1").unwrap();
        assert!(matches!(Pictures::list(dir.path()), Err(MediaError::NoPictures(_))));
    }
}
