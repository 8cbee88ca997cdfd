//! `costs-summary.csv`: what this campaign paid by step, by model and by axis value, and in all.
//!
//! In: [`RunReport`]. Out: CSV, one row a group and currency. Never: two currencies in one row.

use std::io;

use super::run_report::{RunReport, Spending};
use super::spreadsheet::neutral;
use super::{ReportError, ReportWriter};

/// Name of the file.
const FILE: &str = "costs-summary.csv";

/// Its columns.
const COLUMNS: [&str; 12] =
    ["by", "name", "value", "attempts", "pictures", "quoted", "charged", "refunded", "in_doubt", "reserved", "currency", "unpriced"];

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
        for group in &report.groups {
            for spending in &group.spending {
                writer.write_record(cells(group.by, &group.name, &group.value, spending)).map_err(failed)?;
            }
        }
        for spending in report.spending.iter().filter(|spending| spending.attempts > 0) {
            writer.write_record(cells("total", "", "", spending)).map_err(failed)?;
        }
        writer.flush().map_err(|source| ReportError::Io { file: FILE, source })
    }
}

fn cells(by: &str, name: &str, value: &str, spending: &Spending) -> [String; 12] {
    let text = |text: &str| neutral(text).into_owned();
    [
        by.to_owned(),
        text(name),
        text(value),
        spending.attempts.to_string(),
        spending.pictures.to_string(),
        spending.quoted.to_string(),
        spending.charged.to_string(),
        spending.refunded.to_string(),
        spending.in_doubt.to_string(),
        spending.reserved.to_string(),
        text(&spending.currency.to_string()),
        spending.unpriced.to_string(),
    ]
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
        by,name,value,attempts,pictures,quoted,charged,refunded,in_doubt,reserved,currency,unpriced
        step,hero,,3,1,18,6,12,0,0,credits:kie,0
        step,surface,,3,2,18,12,0,6,0,credits:kie,0
        model,gpt-image-2,,6,3,36,18,12,6,0,credits:kie,0
        axis,sku,teapot,5,3,30,18,6,6,0,credits:kie,0
        axis,sku,mug,1,0,6,0,6,0,0,credits:kie,0
        axis,surface,travertine,1,1,6,6,0,0,0,credits:kie,0
        axis,surface,oak,1,1,6,6,0,0,0,credits:kie,0
        axis,surface,linen,1,0,6,0,0,6,0,credits:kie,0
        total,,,6,3,36,18,12,6,0,credits:kie,0
        ");
    }
}
