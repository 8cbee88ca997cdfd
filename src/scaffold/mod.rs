//! A first campaign from what can be seen: a table of products, or nothing at all.
//!
//! ```text
//! bytes ─ read ─▶ Export ─ see ─▶ Seen: key, `where`, title, words, pictures ─ campaign_text ─▶ YAML that explains itself
//! ```
//! In: the bytes of a table as a shop exports it. Out: text. Never: the disk, a guess that is not said.

pub mod columns;
pub mod table;
pub mod text;

pub use columns::{Filter, Kind, Pictures, Seen, Unseen, see};
pub use table::{Export, Unreadable, read};
pub use text::{Setting, Story, campaign_text};

/// A small table for whoever has none yet.
pub const SAMPLE: &str = "\
sku,title,material,description
teapot,Round teapot,glazed stoneware,A round teapot with a bamboo handle
lamp,Desk lamp,brushed brass,A slim desk lamp with a linen shade
basket,Market basket,woven willow,A wide basket with two leather handles
";

/// Name of the file that [`SAMPLE`] is written to.
pub const SAMPLE_FILE: &str = "products.csv";
