//! `prompts.jsonl`: the prompt log, one line a paid shot.
//!
//! In: [`RunReport`]. Out: JSON lines. Never: a line break inside of a line; JSON writes them out.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value};

use super::run_report::RunReport;
use super::{ReportError, ReportWriter};
use crate::types::{Fields, JobId, JobKey, Operation, Settings};

/// Name of the file.
const FILE: &str = "prompts.jsonl";

/// Writes `prompts.jsonl`.
#[derive(Debug, Clone, Copy)]
pub struct PromptsJsonl;

#[derive(Serialize)]
struct Line<'a> {
    job: JobId,
    step: &'a str,
    provider: &'a str,
    model: &'a str,
    operation: &'a str,
    prompt: &'a str,
    settings: Map<String, Value>,
    key: JobKey,
}

impl ReportWriter for PromptsJsonl {
    fn path(&self) -> &'static str {
        FILE
    }

    fn write(&self, report: &RunReport<'_>, to: &mut dyn io::Write) -> Result<(), ReportError> {
        for ix in report.plan.indices() {
            let job = report.plan.job(ix);
            let Operation::Paid(paid) = &job.operation else { continue };
            let line = Line {
                job: report.plan.id(ix),
                step: &report.plan.step_of(ix).name,
                provider: &paid.provider,
                model: &paid.model,
                operation: paid.action.as_str(),
                prompt: &job.prompt,
                settings: settings(&paid.settings),
                key: job.key,
            };
            serde_json::to_writer(&mut *to, &line).map_err(|source| ReportError::Json { file: FILE, source })?;
            to.write_all(b"\n").map_err(|source| ReportError::Io { file: FILE, source })?;
        }
        Ok(())
    }
}

/// Returns the settings that are present, as text.
pub(super) fn settings(settings: &Settings) -> Map<String, Value> {
    struct Listed(Map<String, Value>);

    impl Fields for Listed {
        fn field(&mut self, name: &str, value: &[u8]) {
            self.0.insert(name.to_owned(), Value::String(String::from_utf8_lossy(value).into_owned()));
        }
    }

    let mut listed = Listed(Map::new());
    settings.describe(&mut listed);
    listed.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_paid_shot_is_one_line_whatever_its_prompt_holds() {
        let mut ran = sample::ran();
        ran.plan.jobs[0].prompt = "line one\nline \"two\"\u{2028}{\"json\": true}".into();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let text = sample::text_of(&PromptsJsonl, &report);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 8);
        assert_eq!(lines[0]["prompt"], serde_json::json!(&*ran.plan.jobs[0].prompt));
        assert_eq!(lines[0]["settings"], serde_json::json!({ "aspect": "4:5", "resolution": "1K" }));
        assert_eq!((&lines[1]["job"], &lines[1]["operation"]), (&serde_json::json!("hero[sku=mug]"), &serde_json::json!("generate")));
    }
}
