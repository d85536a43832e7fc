//! Which way up a PNG or WebP picture is, as its EXIF says; of JPEG FFmpeg tells it with the frame.
//! Left out: TIFF.

use std::io::BufReader;
use std::path::Path;

use image::metadata::Orientation;
use image::{ImageDecoder as _, ImageFormat, ImageReader};

use crate::opening::open_file;
use crate::upright::Turn;

/// How the picture at `path` becomes upright; `None` where it is another file or does not say.
pub(crate) fn turn_of_picture(path: &Path) -> Option<Turn> {
    let (file, _) = open_file(path).ok()?;
    let reader = ImageReader::new(BufReader::new(file)).with_guessed_format().ok()?;
    if !matches!(reader.format()?, ImageFormat::Png | ImageFormat::WebP) {
        return None;
    }
    let orientation = reader.into_decoder().ok()?.orientation().ok()?;
    // A quarter to the right is a transposed picture, mirrored from left to right.
    let (transposed, mirrored_x, mirrored_y) = match orientation {
        Orientation::NoTransforms => (false, false, false),
        Orientation::FlipHorizontal => (false, true, false),
        Orientation::Rotate180 => (false, true, true),
        Orientation::FlipVertical => (false, false, true),
        Orientation::Rotate90FlipH => (true, false, false),
        Orientation::Rotate90 => (true, true, false),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, false, true),
    };
    Some(Turn { transposed, mirrored_x, mirrored_y })
}

#[cfg(test)]
mod tests {
    use image::codecs::png::PngEncoder;
    use image::codecs::webp::WebPEncoder;
    use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbImage};

    use super::*;
    use crate::pictures::Pictures;
    use crate::{probe, thumbnail};

    /// EXIF with an orientation and nothing else.
    fn exif(orientation: u8) -> Vec<u8> {
        [&b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0], &[0; 4]].concat()
    }

    fn write(mut encoder: impl ImageEncoder, orientation: u8, picture: &RgbImage) {
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8).unwrap();
    }

    #[test]
    fn pictures_stand_upright_as_their_exif_says() {
        let dir = tempfile::tempdir().unwrap();
        let stored = RgbImage::from_fn(6, 4, |x, y| image::Rgb([x as u8 * 40, y as u8 * 60, 77]));
        for orientation in 1..=8 {
            let mut upright = DynamicImage::ImageRgb8(stored.clone());
            upright.apply_orientation(Orientation::from_exif(orientation).unwrap());
            let (png, webp) = (dir.path().join("1.png"), dir.path().join("2.webp"));
            write(PngEncoder::new(std::fs::File::create(&png).unwrap()), orientation, &stored);
            write(WebPEncoder::new_lossless(std::fs::File::create(&webp).unwrap()), orientation, &stored);
            for path in [&png, &webp] {
                let image = thumbnail(path, 64).unwrap();
                let size = (image.width_px as u32, image.height_px as u32);
                assert_eq!(size, (upright.width(), upright.height()), "{orientation}: {}", path.display());
                assert!(image.rgb == upright.to_rgb8().into_raw(), "{orientation}: {}", path.display());
                let video = probe(path).unwrap().video.unwrap();
                assert_eq!((video.width_px, video.height_px), size);
            }
            let video = Pictures::list(dir.path()).unwrap().info().unwrap().video.unwrap();
            assert_eq!((video.width_px, video.height_px), (upright.width(), upright.height()));
        }
    }
}
