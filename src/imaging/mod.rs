//! Looks at pictures and makes them: probes, transforms, contact sheets, thumbnails, rehearsal pictures.
//!
//! In: bytes and plain values. Out: bytes, [`ImageInfo`]s, [`ImagingError`]s.
//! Never: async, paths, a clock. It is CPU work: callers on a runtime put it on a blocking thread.

pub mod checks;
mod color;
pub mod marks;
pub mod mask;
mod means;
pub mod picture;
mod png_reader;
mod prepare;
pub mod probe;
pub mod provenance;
pub mod rehearsal;
pub mod sheet;
pub mod small;
pub mod text;
pub mod transform;

pub use marks::marks;
pub use mask::black_and_white;
pub use picture::{Picture, decode, encode};
pub use probe::{Limits, PNG, probe, verify, verify_and_shrink, verify_file, verify_file_and_shrink};
pub use sheet::sheet;
pub use small::{THUMBNAIL_SIDE, has_thumbnail, thumbnail};
pub use transform::{transform, transform_and_shrink};

use crate::types::{ImageFormat, PixelSize};

/// Why a picture cannot be read or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImagingError {
    /// Not one of the formats that campaigns use.
    #[error("not a PNG, JPEG or WebP picture but {found}")]
    UnknownFormat {
        /// What it looks like: a known other format, or its first bytes.
        found: String,
    },
    /// More bytes than allowed.
    #[error("the file has {bytes} bytes, more than the {limit} allowed")]
    TooManyBytes {
        /// Bytes of the file.
        bytes: u64,
        /// Most that are allowed.
        limit: u64,
    },
    /// More pixels, or a longer side, than allowed; found before anything was decoded.
    #[error("a picture of {size} is larger than allowed (sides up to {side}, {pixels} pixels)")]
    TooLarge {
        /// Its size.
        size: PixelSize,
        /// Longest side allowed.
        side: u32,
        /// Most pixels allowed.
        pixels: u64,
    },
    /// A shape that no picture of a campaign has by intention.
    #[error("a picture of {size} is more than {ratio} times as long as wide, which is not allowed")]
    TooLong {
        /// Its size.
        size: PixelSize,
        /// Largest ratio allowed.
        ratio: u32,
    },
    /// Cut off or damaged.
    #[error("the {format} picture is not whole: {reason}")]
    BadPicture {
        /// Format found in the bytes.
        format: ImageFormat,
        /// What the decoder said.
        reason: String,
    },
    /// No size of it is light enough.
    #[error("the picture cannot be brought under {limit} bytes")]
    TooHeavy {
        /// Most bytes allowed.
        limit: u64,
    },
    /// A JPEG was asked of a picture that has transparent parts.
    #[error("a JPEG cannot hold the transparent parts of this picture; use `png` or `webp`, or `pad` it with a colour first")]
    JpegTransparency,
    /// The transform names an overlay that the job does not have.
    #[error("overlay {number} is not among the {given} overlays given")]
    NoSuchOverlay {
        /// The one named, counted from 1.
        number: u32,
        /// How many there are.
        given: usize,
    },
    /// The picture cannot be written in this format.
    #[error("cannot write the {format} picture: {reason}")]
    Unwritable {
        /// Format asked for.
        format: ImageFormat,
        /// What the encoder said.
        reason: String,
    },
}
