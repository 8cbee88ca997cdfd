//! What a plan and a run leave behind: tables, the tree of pictures, cost reports, the contact page.
//!
//! In: the plan, its history, the paid tries, quotes. Out: bytes and text; [`tree`] alone writes to the disk.
//! Never: network; a prompt, a path or a vendor's message unescaped.

pub mod costs_csv;
pub mod costs_summary;
pub mod graph;
pub mod index_html;
pub mod manifest_json;
pub mod plan_export;
pub mod plan_table;
pub mod prompts_jsonl;
pub mod run_report;
#[cfg(test)]
pub(crate) mod sample;
pub mod spreadsheet;
pub mod summary;
pub mod text;
pub mod tree;
mod tree_state;
mod tree_write;

pub use plan_export::{plan_csv, plan_json, plan_markdown};
pub use plan_table::{Change, PlanView, plan_table};
pub use run_report::{Group, ReportRow, RunReport, Shot, Spending, StepStatus};
pub use summary::{RunView, run_summary, status};
pub use tree::{Materialised, OpenPicture, Placement, Stamp, TreeError, TreeKind, is_current, materialise, placements};

/// One file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Where it stands below the output folder, with `/` between folders.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl ReportFile {
    /// Returns a file called `path`.
    pub fn new(path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), bytes: bytes.into() }
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
    /// A sum did not fit.
    #[error("a sum of the report does not fit: {0}")]
    Money(#[from] crate::types::MoneyError),
}

/// The report port: bytes from a run's report, and nothing else.
pub trait ReportWriter: Sync {
    /// Returns the files of this report.
    fn render(&self, report: &RunReport<'_>) -> Result<Vec<ReportFile>, ReportError>;
}

/// All reports that every run writes; a new one is one line here.
pub static WRITERS: &[&dyn ReportWriter] =
    &[&costs_csv::CostsCsv, &costs_summary::CostsSummary, &manifest_json::ManifestJson, &prompts_jsonl::PromptsJsonl, &index_html::IndexHtml];

/// Returns the files of all reports.
///
/// # Errors
/// The first report that could not be made.
pub fn render_all(report: &RunReport<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let mut files = Vec::new();
    for writer in WRITERS {
        files.extend(writer.render(report)?);
    }
    Ok(files)
}
