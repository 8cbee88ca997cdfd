//! YAML to [`CampaignSpec`]: what the author wrote, with a way back to every line.
//!
//! In: the campaign file and the tables that it names. Out: the spec, its tables, a [`SourceMap`] per document, or all mistakes at once.
//! Never: what any of it means.

pub mod model;
mod scalars;

pub use model::*;
