//! A finished figure and the files it becomes.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;

use crate::typeface;

/// Longest side of a picture in pixels; larger ones are of no use and take gigabytes.
const MAX_SIDE_PX: f32 = 16_384.0;

/// A drawing and the numbers that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What people read above it.
    pub title: String,
    /// A complete SVG document.
    pub svg: String,
    /// The numbers.
    pub table: Table,
    /// Width at scale one.
    pub width_px: u32,
    /// Height at scale one.
    pub height_px: u32,
}

/// Numbers as rows below a header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// As long as the header, each.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn with_header(header: &[&str]) -> Self {
        Self { header: header.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }
}

/// Why a figure was not saved.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// The system refuses to write.
    #[error("cannot save the figure: {source}: {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The drawing cannot become a picture.
    #[error("cannot draw the figure {title:?}: {reason}")]
    Draw {
        /// The figure.
        title: String,
        /// What the renderer says.
        reason: String,
    },
}

impl Figure {
    /// Writes the drawing as SVG, whole or not at all.
    pub fn save_svg(&self, path: &Path) -> Result<(), FigureError> {
        write_whole(path, self.svg.as_bytes())
    }

    /// Writes the drawing as PNG, `scale` times as large; 3 is fit for print.
    pub fn save_png(&self, path: &Path, scale: f32) -> Result<(), FigureError> {
        write_whole(path, &self.png_bytes(scale)?)
    }

    /// Writes the numbers as CSV.
    pub fn save_csv(&self, path: &Path) -> Result<(), FigureError> {
        write_whole(path, &self.csv_bytes()?)
    }

    /// The drawing as PNG, `scale` times as large.
    pub fn png_bytes(&self, scale: f32) -> Result<Vec<u8>, FigureError> {
        self.pixmap(scale)?.encode_png().map_err(|error| self.undrawable(&error))
    }

    /// The drawing as opaque pixels: width, height, bytes `[height, width, 4]`.
    pub fn rgba(&self, scale: f32) -> Result<(usize, usize, Vec<u8>), FigureError> {
        let pixmap = self.pixmap(scale)?;
        // The background covers everything, so premultiplied is the same as not.
        Ok((pixmap.width() as usize, pixmap.height() as usize, pixmap.take()))
    }

    /// The numbers as CSV.
    pub fn csv_bytes(&self) -> Result<Vec<u8>, FigureError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |error: csv::Error| self.undrawable(&error);
        writer.write_record(&self.table.header).map_err(failed)?;
        for row in &self.table.rows {
            writer.write_record(row).map_err(failed)?;
        }
        writer.into_inner().map_err(|error| self.undrawable(&error))
    }

    fn pixmap(&self, scale: f32) -> Result<Pixmap, FigureError> {
        let options = usvg::Options {
            font_family: typeface::FAMILY.to_owned(),
            fontdb: typeface::fonts_for(&self.svg),
            ..usvg::Options::default()
        };
        let tree = usvg::Tree::from_str(&self.svg, &options).map_err(|error| self.undrawable(&error))?;
        let size = [tree.size().width(), tree.size().height()];
        let scale = scale.clamp(0.05, MAX_SIDE_PX / size[0].max(size[1]));
        let [width, height] = size.map(|side| (side * scale).round().max(1.0) as u32);
        let mut pixmap = Pixmap::new(width, height).ok_or_else(|| self.undrawable(&"no memory for the picture"))?;
        // To whole pixels in both directions, or the last row and column would be half transparent.
        let fill = Transform::from_scale(width as f32 / size[0], height as f32 / size[1]);
        resvg::render(&tree, fill, &mut pixmap.as_mut());
        Ok(pixmap)
    }

    fn undrawable(&self, reason: &dyn std::fmt::Display) -> FigureError {
        FigureError::Draw { title: self.title.clone(), reason: reason.to_string() }
    }
}

/// Writes a figure whole or not at all, and makes its folder.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FigureError> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(bytes)?;
        file.commit()
    };
    write().map_err(|source| FigureError::Write { path: path.to_owned(), source })
}
