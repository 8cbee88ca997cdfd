//! `costs.csv`: one row a paid try, with one column for each axis.
//!
//! In: [`RunReport`]. Out: CSV that is safe to open in a spreadsheet. `reused` marks what another campaign paid: the rows without it add up
//! to what this one did. Never: 0 for what is not known; that is an empty cell.

use std::collections::HashMap;
use std::io;

use super::run_report::{ReportRow, RunReport};
use super::spending::{refunded, released};
use super::spreadsheet::neutral;
use super::{ReportError, ReportWriter};
use crate::ledger::AttemptStatus;
use crate::types::{Amount, Micros};

/// Name of the file.
const FILE: &str = "costs.csv";

/// Columns before those of the axes.
const BEFORE: [&str; 4] = ["run_id", "campaign", "job", "step"];

/// Columns after those of the axes.
const AFTER: [&str; 26] = [
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
    "released",
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
    "checks",
];

/// Writes `costs.csv`.
#[derive(Debug, Clone, Copy)]
pub struct CostsCsv;

impl ReportWriter for CostsCsv {
    fn path(&self) -> &'static str {
        FILE
    }

    fn write(&self, report: &RunReport<'_>, to: &mut dyn io::Write) -> Result<(), ReportError> {
        let failed = |source| ReportError::Csv { file: FILE, source };
        let mut writer = csv::Writer::from_writer(to);
        let headings = BEFORE.iter().map(|name| (*name).to_owned()).chain(report.axes.iter().map(|axis| heading(axis)));
        writer.write_record(headings.chain(AFTER.iter().map(|name| (*name).to_owned()))).map_err(failed)?;
        for row in &report.rows {
            writer.write_record(cells(report, row)).map_err(failed)?;
        }
        writer.flush().map_err(|source| ReportError::Io { file: FILE, source })
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
    let usd = attempt.known_charge().and_then(|charged| report.quotes.book().usd(&Amount::new(attempt.quoted.currency.clone(), charged)));
    let path = row.job.filter(|_| attempt.status == AttemptStatus::Done && status(report, row) != "rejected").map(|ix| &*report.plan.job(ix).path);
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
        status(report, row).to_owned(),
        optional(attempt.error_code.as_deref()),
        money(unit_price.map(|quote| quote.amount.micros)),
        money(attempt.known_quote()),
        money(attempt.known_charge()),
        money(attempt.known_quote().map(|_| refunded(attempt))),
        money(attempt.known_quote().map(|_| released(attempt))),
        text(&attempt.quoted.currency.to_string()),
        money(usd),
        (!row.is_ours).to_string(),
        attempt.started_at.to_string(),
        attempt.finished_at.map(|finished| finished.to_string()).unwrap_or_default(),
        latency.unwrap_or_default(),
        optional(attempt.task.as_ref().map(|task| task.name())),
        attempt.key.to_string(),
        optional(path),
        attempt.artifact.map(|artifact| artifact.blob.digest.to_string()).unwrap_or_default(),
        text(&checks(report, row)),
    ]);
    cells
}

/// Returns how a try ended; a picture that was turned down, by a check or a person, is `rejected`.
fn status(report: &RunReport<'_>, row: &ReportRow<'_>) -> &'static str {
    let attempt = row.attempt;
    let judged = report.history.judged(&attempt.key).iter().find(|known| known.of == Some(attempt.attempt));
    let by_person = || {
        let refused = report.plan.refused.iter().find(|(ix, _)| report.plan.id(**ix) == attempt.card.job);
        refused.is_some_and(|(_, refused)| refused.iter().any(|one| attempt.artifact.is_some_and(|artifact| artifact.blob.digest == one.picture)))
    };
    if judged.is_some_and(|known| !known.accepted) || (row.job.is_none() && by_person()) { "rejected" } else { attempt.status.as_str() }
}

/// Returns what was measured of the picture of a try: `sharpness 3 (wanted at least 20)`.
fn checks(report: &RunReport<'_>, row: &ReportRow<'_>) -> String {
    let judged = report.history.judged(&row.attempt.key).iter().find(|known| known.of == Some(row.attempt.attempt));
    let findings = judged.map_or(&[][..], |known| &known.findings);
    findings.iter().map(|finding| format!("{finding}{}", if finding.passed { "" } else { ": failed" })).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::report::spreadsheet::original;
    use crate::types::{RunId, TaskId};
    use proptest::prelude::*;

    fn render(ran: &sample::Ran) -> String {
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, Some(sample::run_id())).expect("small sums");
        sample::text_of(&CostsCsv, &report)
    }

    #[test]
    fn every_try_is_a_row() {
        let text = render(&sample::ran());
        let short = text.replace(|char: char| !char.is_ascii(), "?");
        let short: Vec<String> = short
            .lines()
            .map(|line| {
                line.split(',').map(|cell| if cell.len() == 64 { cell[..6].to_owned() } else { cell.to_owned() }).collect::<Vec<_>>().join(",")
            })
            .collect();
        insta::assert_snapshot!(short.join("\n"), @r#"
        run_id,campaign,job,step,sku,surface,take,attempt,provider,model,operation,aspect,resolution,quality,status,error_code,unit_price,quoted,charged,refunded,released,currency,usd,reused,started_at,finished_at,latency_ms,task_id,job_key,output_path,blake3,checks
        20261122T094500Z-7f3a,spring-drop,hero[sku=teapot],hero,teapot,,,1,kie,gpt-image-2,generate,4:5,1K,,failed,failed/501,6,6,0,6,0,credits:kie,0,false,2026-11-22T09:45:00.000Z,2026-11-22T09:45:31.250Z,31250,task-0-1,adeaef,,,
        20261122T094500Z-7f3a,spring-drop,hero[sku=teapot],hero,teapot,,,2,kie,gpt-image-2,generate,4:5,1K,,done,,6,6,6,0,0,credits:kie,0.03,false,2026-11-22T09:45:00.000Z,2026-11-22T09:45:31.250Z,31250,task-0-2,adeaef,teapot/hero.png,fbdf33,
        20261122T094500Z-7f3a,spring-drop,"surface[sku=teapot,surface=travertine]",surface,teapot,travertine,,1,kie,gpt-image-2,edit,4:5,1K,,done,,6,6,6,0,0,credits:kie,0.03,false,2026-11-22T09:45:02.000Z,2026-11-22T09:45:33.250Z,31250,task-2-1,1d449b,teapot/travertine/surface.png,b73e11,
        20261101T080000Z-0001,spring-drop,"surface[sku=teapot,surface=oak]",surface,teapot,oak,,1,kie,gpt-image-2,edit,4:5,1K,,done,,6,6,6,0,0,credits:kie,0.03,false,2026-11-22T09:45:03.000Z,2026-11-22T09:45:34.250Z,31250,task-3-1,fc1ccc,teapot/oak/surface.png,e67fd4,
        20261122T094500Z-7f3a,spring-drop,"surface[sku=teapot,surface=linen]",surface,teapot,linen,,1,kie,gpt-image-2,edit,4:5,1K,,in-doubt,,6,6,,0,0,credits:kie,,false,2026-11-22T09:45:04.000Z,,,,50808b,,,
        20261122T094500Z-7f3a,spring-drop,hero[sku=mug],hero,mug,,,1,kie,gpt-image-2,generate,4:5,1K,,failed,refused/moderation,6,6,0,6,0,credits:kie,0,false,2026-11-22T09:45:01.000Z,2026-11-22T09:45:32.250Z,31250,task-1-1,52e936,,,
        "#);
    }

    #[test]
    fn an_axis_that_is_called_like_a_column_gets_a_name_of_its_own() {
        let mut ran = sample::ran();
        ran.plan.axes[1].name = "model".into();
        let text = render(&ran);
        assert!(text.starts_with("run_id,campaign,job,step,sku,axis_model,surface,take,"), "{}", text.lines().next().unwrap_or(""));
    }

    proptest! {
        #[test]
        fn hostile_cells_are_read_back_as_they_were(axis in "[=+@a,;'\"\n\r\t -]{0,10}", task in ".{0,10}", code in ".{0,10}") {
            let mut ran = sample::ran();
            ran.attempts.truncate(1);
            let row = &mut ran.attempts[0];
            row.card.axes[0].1 = axis.clone();
            row.task = Some(TaskId::new(&task));
            row.error_code = Some(code.clone());
            row.run = RunId::new("=run");
            let text = render(&ran);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let headings = reader.headers().expect("a heading").clone();
            let record = reader.records().next().expect("a row").expect("whole");
            let cell = |name: &str| headings.iter().position(|heading| heading == name).and_then(|place| record.get(place)).expect("a column");
            prop_assert_eq!(original(cell("sku")), axis);
            prop_assert_eq!(original(cell("task_id")), task);
            prop_assert_eq!(original(cell("error_code")), code);
            prop_assert_eq!(cell("run_id"), "'=run");
            for column in ["quoted", "refunded", "released", "unit_price"] {
                prop_assert!(cell(column).parse::<Micros>().is_ok(), "numbers stay numbers");
            }
        }
    }
}
