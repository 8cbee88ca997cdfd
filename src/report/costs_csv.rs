//! `costs.csv`: one row a paid try, with one column for each axis.
//!
//! In: [`RunReport`]. Out: CSV that is safe to open in a spreadsheet. Never: 0 for what is not known; that is an empty cell.

use std::collections::HashMap;

use super::run_report::{ReportRow, RunReport};
use super::spreadsheet::neutral;
use super::{ReportError, ReportFile, ReportWriter};
use crate::ledger::AttemptStatus;
use crate::types::{Amount, Micros};

/// Name of the file.
const FILE: &str = "costs.csv";

/// Columns before those of the axes.
const BEFORE: [&str; 4] = ["run_id", "campaign", "job", "step"];

/// Columns after those of the axes.
const AFTER: [&str; 24] = [
    "take",
    "attempt",
    "provider",
    "model",
    "operation",
    "aspect",
    "resolution",
    "quality",
    "status",
    "error_code",
    "unit_price",
    "quoted",
    "charged",
    "refunded",
    "currency",
    "usd",
    "reused",
    "started_at",
    "finished_at",
    "latency_ms",
    "task_id",
    "job_key",
    "output_path",
    "blake3",
];

/// Writes `costs.csv`.
#[derive(Debug, Clone, Copy)]
pub struct CostsCsv;

impl ReportWriter for CostsCsv {
    fn render(&self, report: &RunReport<'_>) -> Result<Vec<ReportFile>, ReportError> {
        let failed = |source| ReportError::Csv { file: FILE, source };
        let mut writer = csv::Writer::from_writer(Vec::new());
        let headings = BEFORE.iter().map(|name| (*name).to_owned()).chain(report.axes.iter().map(|axis| heading(axis)));
        writer.write_record(headings.chain(AFTER.iter().map(|name| (*name).to_owned()))).map_err(failed)?;
        for row in &report.rows {
            writer.write_record(cells(report, row)).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
        Ok(vec![ReportFile::new(FILE, bytes)])
    }
}

/// Returns the heading of an axis: its name, or `axis_model` where a column has that name already.
fn heading(axis: &str) -> String {
    let is_taken = BEFORE.iter().chain(&AFTER).any(|column| *column == axis);
    neutral(&if is_taken { format!("axis_{axis}") } else { axis.to_owned() }).into_owned()
}

fn cells(report: &RunReport<'_>, row: &ReportRow<'_>) -> Vec<String> {
    let attempt = row.attempt;
    let card = &attempt.card;
    let text = |text: &str| neutral(text).into_owned();
    let optional = |text: Option<&str>| text.map(|text| neutral(text).into_owned()).unwrap_or_default();
    let axes: HashMap<&str, &str> = card.axes.iter().map(|(axis, value)| (axis.as_str(), value.as_str())).collect();
    let money = |micros: Option<Micros>| micros.map(|micros| micros.to_string()).unwrap_or_default();
    let unit_price = row.job.and_then(|ix| report.quotes.price(ix)).filter(|quote| quote.amount.currency == attempt.quoted.currency);
    let usd = attempt.charged.and_then(|charged| report.quotes.book().usd(&Amount::new(attempt.quoted.currency.clone(), charged)));
    let path = row.job.filter(|_| attempt.status == AttemptStatus::Done).map(|ix| &*report.plan.job(ix).path);
    let latency = attempt.finished_at.map(|finished| finished.since(attempt.started_at).as_millis().to_string());
    let mut cells = vec![text(attempt.run.as_str()), text(&card.campaign), text(card.job.as_str()), text(&card.step)];
    cells.extend(report.axes.iter().map(|axis| optional(axes.get(axis.as_str()).copied())));
    cells.extend([
        card.take.map(|take| take.to_string()).unwrap_or_default(),
        attempt.attempt.to_string(),
        text(&card.provider),
        text(&card.model),
        text(&card.operation),
        optional(card.aspect.as_deref()),
        optional(card.resolution.as_deref()),
        optional(card.quality.as_deref()),
        attempt.status.as_str().to_owned(),
        optional(attempt.error_code.as_deref()),
        money(unit_price.map(|quote| quote.amount.micros)),
        attempt.quoted.micros.to_string(),
        money(attempt.charged),
        attempt.refunded.to_string(),
        text(&attempt.quoted.currency.to_string()),
        money(usd),
        row.reused.to_string(),
        attempt.started_at.to_string(),
        attempt.finished_at.map(|finished| finished.to_string()).unwrap_or_default(),
        latency.unwrap_or_default(),
        optional(attempt.task.as_ref().map(|task| task.as_str())),
        attempt.key.to_string(),
        optional(path),
        attempt.artifact.map(|artifact| artifact.blob.digest.to_string()).unwrap_or_default(),
    ]);
    cells
}
