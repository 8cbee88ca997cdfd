//! `costs-summary.csv`: what the campaign has paid so far by step, baseline, model, axis value and run, and in all.
//!
//! In: [`RunReport`]. Out: CSV, one row a group and currency: sums of the rows of `costs.csv` that are not `reused`.
//! Never: two currencies in one row.

use std::io;

use super::run_report::RunReport;
use super::spending::Spending;
use super::spreadsheet::neutral;
use super::{ReportError, ReportWriter};
use crate::types::{Amount, Micros};

/// Name of the file.
const FILE: &str = "costs-summary.csv";

/// Its columns.
const COLUMNS: [&str; 20] = [
    "by",
    "name",
    "value",
    "attempts",
    "pictures",
    "quoted",
    "charged",
    "refunded",
    "in_doubt",
    "reserved",
    "currency",
    "released",
    "paid",
    "in_use",
    "above_quote",
    "below_quote",
    "per_picture",
    "factor",
    "usd",
    "unpriced",
];

/// Writes `costs-summary.csv`.
#[derive(Debug, Clone, Copy)]
pub struct CostsSummary;

impl ReportWriter for CostsSummary {
    fn path(&self) -> &'static str {
        FILE
    }

    fn write(&self, report: &RunReport<'_>, to: &mut dyn io::Write) -> Result<(), ReportError> {
        let failed = |source| ReportError::Csv { file: FILE, source };
        let mut writer = csv::Writer::from_writer(to);
        writer.write_record(COLUMNS).map_err(failed)?;
        let groups = report.groups.iter().map(|group| (group.by, group.name.as_str(), group.value.as_str(), &group.spending));
        let runs = report.runs.iter().map(|run| ("run", run.run.as_str(), "", &run.spending));
        let all = std::iter::once(("total", "", "", &report.spending));
        for (by, name, value, spending) in groups.chain(runs).chain(all) {
            for spent in spending.iter().filter(|spent| spent.attempts > 0) {
                writer.write_record(cells(report, [by, name, value], spent)?).map_err(failed)?;
            }
        }
        writer.flush().map_err(|source| ReportError::Io { file: FILE, source })
    }
}

fn cells(report: &RunReport<'_>, group: [&str; 3], spent: &Spending) -> Result<[String; 20], ReportError> {
    let [by, name, value] = group.map(|text| neutral(text).into_owned());
    let optional = |micros: Option<Micros>| micros.map(|micros| micros.to_string()).unwrap_or_default();
    let usd = report.quotes.book().usd(&Amount::new(spent.currency.clone(), spent.charged));
    // What has no price at all is an empty cell, never 0; what has one in part is told by the last column.
    let is_known = spent.attempts == 0 || spent.unpriced < spent.attempts;
    Ok([
        by,
        name,
        value,
        spent.attempts.to_string(),
        spent.pictures.to_string(),
        optional(Some(spent.quoted).filter(|_| is_known)),
        optional(Some(spent.charged).filter(|_| is_known)),
        spent.refunded.to_string(),
        spent.in_doubt.to_string(),
        spent.reserved.to_string(),
        neutral(&spent.currency.to_string()).into_owned(),
        spent.released.to_string(),
        spent.paid.to_string(),
        spent.in_use.to_string(),
        spent.above.micros.to_string(),
        spent.below.micros.to_string(),
        optional(spent.per_picture()?),
        optional(spent.factor()?),
        optional(usd.filter(|_| is_known)),
        spent.unpriced.to_string(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn money_is_told_by_step_model_and_axis_value() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        insta::assert_snapshot!(sample::text_of(&CostsSummary, &report), @"
        by,name,value,attempts,pictures,quoted,charged,refunded,in_doubt,reserved,currency,released,paid,in_use,above_quote,below_quote,per_picture,factor,usd,unpriced
        step,hero,,3,1,18,6,12,0,0,credits:kie,0,1,1,0,0,6,1,0.03,0
        step,surface,,3,2,18,12,0,6,0,credits:kie,0,2,2,0,0,6,1,0.06,0
        baseline,pdp,,6,3,36,18,12,6,0,credits:kie,0,3,3,0,0,6,1,0.09,0
        model,gpt-image-2,,6,3,36,18,12,6,0,credits:kie,0,3,3,0,0,6,1,0.09,0
        axis,sku,teapot,5,3,30,18,6,6,0,credits:kie,0,3,3,0,0,6,1,0.09,0
        axis,sku,mug,1,0,6,0,6,0,0,credits:kie,0,0,0,0,0,,,0,0
        axis,surface,travertine,1,1,6,6,0,0,0,credits:kie,0,1,1,0,0,6,1,0.03,0
        axis,surface,oak,1,1,6,6,0,0,0,credits:kie,0,1,1,0,0,6,1,0.03,0
        axis,surface,linen,1,0,6,0,0,6,0,credits:kie,0,0,0,0,0,,,0,0
        run,20261122T094500Z-7f3a,,5,2,30,12,12,6,0,credits:kie,0,2,2,0,0,6,1,0.06,0
        run,20261101T080000Z-0001,,1,1,6,6,0,0,0,credits:kie,0,1,1,0,0,6,1,0.03,0
        total,,,6,3,36,18,12,6,0,credits:kie,0,3,3,0,0,6,1,0.09,0
        ");
    }
}
