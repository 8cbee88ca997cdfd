//! YAML to [`CampaignSpec`]: what the author wrote, with a way back to every line.
//!
//! In: the campaign file and the tables that it names. Out: the spec, its tables and [`Sources`], or all mistakes at once.
//! Never: what any of it means.

pub mod assets;
mod cells;
pub mod files;
pub mod lint;
pub mod loader;
pub mod model;
pub mod policy;
pub mod providers;
mod reading;
pub mod reference;
mod scalar_text;
mod scalars;
pub mod schema;
mod shape;
pub mod source;
pub mod table;
mod traps;
mod wording;
mod yaml;

pub use assets::{Asset, AssetProblem, read_assets};
pub use files::{DiskFiles, Files, MemoryFiles};
pub use lint::LintSpec;
pub use loader::{Loaded, Loading, load};
pub use model::*;
pub use policy::{FigureSpec, GrowthSpec, PolicyLimitSpec, PolicySpec};
pub use providers::{ProviderSpec, WindowSpec};
pub use reading::read_yaml;
pub use source::{Document, Place, Sources};
pub use table::{Row, Table};
pub use yaml::Positions;
