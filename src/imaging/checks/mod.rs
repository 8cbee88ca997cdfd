//! Measures pictures: blankness, background, sharpness, likeness. One figure a function, no judgement.
//!
//! In: decoded pictures. Out: whole numbers in the units of [`CheckKind`](crate::types::CheckKind).
//! Never: a threshold (those stand in [`types::check`](crate::types::check)), bytes, a file.

mod likeness;
mod plane;
mod tones;

pub use likeness::{Fingerprint, drift, similarity};
pub use tones::{clear_edge, sharpness, spread};

#[cfg(test)]
mod tests;
