//! Decoded frames of any format to upright RGB images with square pixels.
//! Left out: colour matrices other than BT.601, which are read as BT.601.

use ffmpeg_next as ffmpeg;

use ffmpeg::format::Pixel;
use ffmpeg::software::scaling;
use ffmpeg::util::frame;

use crate::Image;

/// Pixels that are further from square than this are taken for a broken header.
const MAX_PIXEL_ASPECT: f64 = 4.0;

/// Size in square pixels: wide pixels widen the picture, tall ones heighten it.
pub(crate) fn square_pixels(width: u32, height: u32, aspect: ffmpeg::Rational) -> (u32, u32) {
    let aspect = f64::from(aspect);
    if !aspect.is_finite() || !(1.0 / MAX_PIXEL_ASPECT..=MAX_PIXEL_ASPECT).contains(&aspect) {
        (width, height)
    } else if aspect >= 1.0 {
        ((f64::from(width) * aspect).round() as u32, height)
    } else {
        (width, (f64::from(height) / aspect).round() as u32)
    }
}

/// How a stored picture becomes upright: transposed first, then mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Turn {
    pub(crate) transposed: bool,
    pub(crate) mirrored_x: bool,
    pub(crate) mirrored_y: bool,
}

impl Turn {
    /// Reads FFmpeg's display matrix: nine native-endian 32-bit integers, of which the upper left four turn.
    /// Angles between the right ones are taken for the nearest.
    pub(crate) fn from_display_matrix(bytes: &[u8]) -> Self {
        let entry = |index: usize| {
            let bytes = bytes.get(index * 4..index * 4 + 4)?;
            Some(i64::from(i32::from_ne_bytes(bytes.try_into().ok()?)))
        };
        let (Some(a), Some(b), Some(c), Some(d)) = (entry(0), entry(1), entry(3), entry(4)) else {
            return Self::default();
        };
        // A point (x, y) is shown at (a x + c y, b x + d y).
        if a.abs() + d.abs() >= b.abs() + c.abs() {
            Self { transposed: false, mirrored_x: a < 0, mirrored_y: d < 0 }
        } else {
            Self { transposed: true, mirrored_x: c < 0, mirrored_y: b < 0 }
        }
    }

    /// `rgb` is `[height, width, 3]`.
    fn apply(self, width: usize, height: usize, rgb: Vec<u8>) -> Image {
        if self == Self::default() {
            return Image { width_px: width, height_px: height, rgb };
        }
        let (width_px, height_px) = if self.transposed { (height, width) } else { (width, height) };
        let mut turned = Vec::with_capacity(rgb.len());
        for y in 0..height_px {
            for x in 0..width_px {
                let from_x = if self.mirrored_x { width_px - 1 - x } else { x };
                let from_y = if self.mirrored_y { height_px - 1 - y } else { y };
                let (from_x, from_y) = if self.transposed { (from_y, from_x) } else { (from_x, from_y) };
                let start = (from_y * width + from_x) * 3;
                turned.extend_from_slice(&rgb[start..start + 3]);
            }
        }
        Image { width_px, height_px, rgb: turned }
    }
}

/// Turns decoded frames into upright RGB images with square pixels, whatever their format; the format may change
/// from frame to frame.
pub(crate) struct Scaler {
    turn: Turn,
    max_side_px: Option<usize>,
    context: Option<(scaling::context::Definition, scaling::Context)>,
}

impl Scaler {
    /// Images are at most `max_side_px` on the longer side.
    pub(crate) fn new(turn: Turn, max_side_px: Option<usize>) -> Self {
        Self { turn, max_side_px, context: None }
    }

    pub(crate) fn image(&mut self, frame: &frame::Video) -> Result<Image, ffmpeg::Error> {
        let (width, height) = (frame.width(), frame.height());
        if width == 0 || height == 0 || frame.planes() == 0 {
            return Err(ffmpeg::Error::InvalidData);
        }
        let (full_width, full_height) = square_pixels(width, height, frame.aspect_ratio());
        let longer = full_width.max(full_height) as usize;
        let factor = self.max_side_px.map_or(1.0, |max| (max.max(1) as f64 / longer as f64).min(1.0));
        let out_width = ((f64::from(full_width) * factor).round() as u32).max(1);
        let out_height = ((f64::from(full_height) * factor).round() as u32).max(1);

        let wanted = scaling::context::Definition { format: frame.format(), width, height };
        let same = |(source, context): &(scaling::context::Definition, scaling::Context)| {
            *source == wanted && (context.output().width, context.output().height) == (out_width, out_height)
        };
        if !self.context.as_ref().is_some_and(same) {
            let flags = if factor < 1.0 { scaling::Flags::AREA } else { scaling::Flags::BICUBIC };
            let context =
                scaling::Context::get(frame.format(), width, height, Pixel::RGB24, out_width, out_height, flags)?;
            self.context = Some((wanted, context));
        }
        let (_, context) = self.context.as_mut().expect("it was made above");
        let mut out = frame::Video::empty();
        context.run(frame, &mut out)?;
        if out.planes() == 0 {
            return Err(ffmpeg::Error::InvalidData);
        }
        let (stride, row) = (out.stride(0), out_width as usize * 3);
        let mut rgb = Vec::with_capacity(row * out_height as usize);
        for line in out.data(0).chunks(stride).take(out_height as usize) {
            rgb.extend_from_slice(&line[..row]);
        }
        // A frame may carry its own orientation, as photographs do.
        let turn = frame
            .side_data(frame::side_data::Type::DisplayMatrix)
            .map_or(self.turn, |data| Turn::from_display_matrix(data.data()));
        Ok(turn.apply(out_width as usize, out_height as usize, rgb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_without_a_whole_matrix_are_none() {
        assert_eq!(Turn::from_display_matrix(&[1, 2, 3]), Turn::default());
    }
}
