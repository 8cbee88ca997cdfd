//! What a plan and a run leave behind: tables, the tree of pictures, cost reports, the gallery.
//!
//! In: the plan, its history, the paid tries, quotes. Out: bytes and text; [`tree`] alone writes to the disk.
//! Never: network; a prompt, a path or a vendor's message unescaped.

mod by_provider;
pub mod changes;
pub mod costs_csv;
pub mod costs_summary;
pub mod focus_csv;
pub mod gallery;
pub mod graph;
pub mod junit;
pub mod manifest_json;
pub mod markdown;
mod next;
pub mod outlook;
pub mod picture_comment;
pub mod plan_comment;
pub mod plan_diff;
pub mod plan_diff_export;
pub mod plan_export;
pub mod plan_table;
pub mod preparations;
pub mod prices_diff;
pub mod prompts_jsonl;
pub mod rejects;
pub mod report_json;
pub mod reuse;
pub mod run_report;
#[cfg(test)]
pub(crate) mod sample;
pub mod shopify_csv;
pub mod side_by_side;
pub mod sidecar;
pub mod spending;
pub mod spreadsheet;
pub mod status;
pub mod status_json;
pub mod summary;
pub mod summary_md;
#[cfg(test)]
mod sums_tests;
pub mod text;
mod told;
pub mod tree;
mod tree_state;
mod tree_write;
pub mod what_if;
pub mod worksheet;

use std::io;

pub use focus_csv::{FocusDone, FocusError, FocusNames, focus_csv};
pub use gallery::thumbnails;
pub use outlook::Ahead;
pub use plan_comment::{Reader, diff_markdown, plan_comment};
pub use plan_diff::{DiffView, diff_table};
pub use plan_diff_export::{diff_csv, diff_json};
pub use plan_export::{plan_csv, plan_json, plan_markdown};
pub use plan_table::{Change, PlanView, plan_table};
pub use prices_diff::{CampaignSides, PricesDiffView, StepSides, prices_diff_csv, prices_diff_json, prices_diff_markdown, prices_diff_table};
pub use rejects::{Reject, Unmet, rejects, unmet};
pub use report_json::report_json;
pub use reuse::{Reuse, Reused};
pub use run_report::{ReportRow, RunReport, Shot, StepStatus};
pub use sidecar::{Sidecar, sidecar_paths, sidecars};
pub use spending::{Deviation, Group, RunLine, Spending};
pub use status::{costs_table, status};
pub use status_json::{CampaignStatus, StatusView, Way};
pub use summary::{CapStop, RunView, Stopped, run_summary};
pub use tree::{Form, Materialised, OpenPicture, Placement, Stamp, TreeError, TreeKind, is_current, materialise, placements, rejected_placements};

/// Writes the bytes of a report.
type Write<'a> = dyn Fn(&mut dyn io::Write) -> Result<(), ReportError> + 'a;

/// One file of a report: its place, and how it is written. Its bytes are never held as a whole.
pub struct ReportFile<'a> {
    /// Where it stands below the output folder, with `/` between folders.
    pub path: &'a str,
    write: Box<Write<'a>>,
}

impl<'a> ReportFile<'a> {
    /// Returns a file at `path` that `write` writes.
    pub fn new(path: &'a str, write: impl Fn(&mut dyn io::Write) -> Result<(), ReportError> + 'a) -> Self {
        Self { path, write: Box::new(write) }
    }

    /// Writes the file's bytes.
    ///
    /// # Errors
    /// A value that cannot be shown, or what the disk says.
    pub fn write(&self, to: &mut dyn io::Write) -> Result<(), ReportError> {
        (self.write)(to)
    }
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A row did not take.
    #[error("`{file}` cannot be written as CSV: {source}")]
    Csv {
        /// The report.
        file: &'static str,
        /// What the writer said.
        source: csv::Error,
    },
    /// A value did not take.
    #[error("`{file}` cannot be written as JSON: {source}")]
    Json {
        /// The report.
        file: &'static str,
        /// What the writer said.
        source: serde_json::Error,
    },
    /// The page did not take.
    #[error("`{file}` cannot be rendered: {source}")]
    Page {
        /// The report.
        file: &'static str,
        /// What the template engine said.
        source: minijinja::Error,
    },
    /// The bytes did not take.
    #[error("`{file}` cannot be written: {source}")]
    Io {
        /// The report.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A sum did not fit.
    #[error("a sum of the report does not fit: {0}")]
    Money(#[from] crate::types::MoneyError),
}

/// The report port: the bytes of one file from a run's report, and nothing else.
pub trait ReportWriter: Sync {
    /// Returns where the file stands below the output folder.
    fn path(&self) -> &'static str;

    /// Writes the file, piece by piece: memory does not grow with the number of shots.
    ///
    /// # Errors
    /// A value that cannot be shown, or what `to` says.
    fn write(&self, report: &RunReport<'_>, to: &mut dyn io::Write) -> Result<(), ReportError>;
}

/// All reports that every run writes; a new one is one line here.
pub static WRITERS: &[&dyn ReportWriter] = &[
    &costs_csv::CostsCsv,
    &costs_summary::CostsSummary,
    &manifest_json::ManifestJson,
    &prompts_jsonl::PromptsJsonl,
    &summary_md::SummaryMd,
    &gallery::IndexHtml,
];

/// Returns the files of all reports; each is made when it is written.
pub fn files<'a>(report: &'a RunReport<'_>) -> Vec<ReportFile<'a>> {
    WRITERS.iter().map(|writer| ReportFile::new(writer.path(), |to| writer.write(report, to))).collect()
}
