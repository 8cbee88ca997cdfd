//! `<file>.json` beside each picture: everything that made it, for whoever gets the file without the campaign.
//!
//! In: [`RunReport`]. Out: one small JSON a file, format [`SIDECAR_FORMAT`]; amounts are decimal text. Never: an absolute path, a key, a
//! float.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::prompts_jsonl::settings;
use super::run_report::RunReport;
use super::{ReportError, ReportFile, preparations};
use crate::ledger::{Artifact, AttemptRow, AttemptStatus};
use crate::plan::{JobIx, ancestry, digital_source};
use crate::types::{DigitalSource, JobKey, LocalAction, Operation};

/// Version of the form; a reader refuses a higher one.
pub const SIDECAR_FORMAT: u32 = 1;

/// What made one picture.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Sidecar {
    /// Version of the form.
    pub callsheet_sidecar: u32,
    /// The program that wrote it, with its version.
    pub tool: String,
    /// Where the file stands below the output folder.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub blake3: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `png`, `jpeg` or `webp`.
    pub format: String,
    /// Whether it was drawn by the simulator.
    pub rehearsal: bool,
    /// What kind of picture it is, in IPTC's words; absent if no model had a part in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digital_source_type: Option<DigitalSource>,
    /// Its campaign.
    pub campaign: String,
    /// Its address in the plan.
    pub job: String,
    /// Its key: everything that determines the picture.
    pub key: String,
    /// Its step.
    pub step: String,
    /// Axis names and values.
    pub axes: Map<String, Value>,
    /// Which of the author's equal tries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
    /// What was done to it here, where the author did not write the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What became of the C2PA manifest that came with it or with what it is made from: `there` or `dropped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c2pa: Option<String>,
    /// What the models were asked on the way to it, first to last; its own request is the last.
    pub requests: Vec<Request>,
    /// The author's files that went into it.
    pub files: Vec<SourceFile>,
    /// The pictures that it was made from directly.
    pub parents: Vec<Parent>,
}

/// One request to a model.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Request {
    /// Address of its shot.
    pub job: String,
    /// Key of its shot.
    pub key: String,
    /// Who was asked.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// For what.
    pub operation: String,
    /// How, setting by setting.
    pub settings: Map<String, Value>,
    /// In which words.
    pub prompt: String,
    /// BLAKE3 of the picture that came, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// The run that paid for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The provider's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What that try cost, as decimal text; null while nobody knows.
    pub charged: Option<String>,
    /// In which currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Tries that its shot took in all.
    pub attempts: usize,
}

/// A file of the author's.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SourceFile {
    /// As the campaign names it.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub blake3: String,
}

/// A picture that went into another.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Parent {
    /// What it was there.
    pub role: String,
    /// Address of its shot.
    pub job: String,
    /// BLAKE3 of its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

impl Sidecar {
    /// Returns the JSON Schema.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

/// Returns where the sidecars stand: one for each picture that is there.
pub fn sidecar_paths(report: &RunReport<'_>) -> Vec<(JobIx, String)> {
    let plan = report.plan;
    let done = plan.indices().filter(|ix| report.history.artifact(&plan.job(*ix).key).is_some());
    done.map(|ix| (ix, format!("{}.json", plan.job(ix).path))).collect()
}

/// Returns the sidecars at `paths`, as files of the report.
pub fn sidecars<'a>(report: &'a RunReport<'_>, paths: &'a [(JobIx, String)]) -> Vec<ReportFile<'a>> {
    let mut tries: HashMap<JobKey, Vec<&AttemptRow>> = HashMap::new();
    for row in &report.rows {
        tries.entry(row.attempt.key).or_default().push(row.attempt);
    }
    let tries = std::rc::Rc::new(tries);
    let file = |(ix, path): &'a (JobIx, String)| {
        let tries = std::rc::Rc::clone(&tries);
        ReportFile::new(path, move |to| {
            let Some(artifact) = report.history.artifact(&report.plan.job(*ix).key) else { return Ok(()) };
            let failed = |source| ReportError::Json { file: "sidecar", source };
            serde_json::to_writer_pretty(&mut *to, &sidecar(report, *ix, artifact, &tries)).map_err(failed)?;
            to.write_all(b"\n").map_err(|source| ReportError::Io { file: "sidecar", source })
        })
    };
    paths.iter().map(file).collect()
}

fn sidecar(report: &RunReport<'_>, ix: JobIx, artifact: &Artifact, tries: &HashMap<JobKey, Vec<&AttemptRow>>) -> Sidecar {
    let plan = report.plan;
    let job = plan.job(ix);
    let behind = ancestry(plan, ix);
    let file = |ix: &JobIx| match &plan.job(*ix).operation {
        Operation::Local(LocalAction::Load { path, digest, .. }) => Some(SourceFile { path: path.to_string(), blake3: digest.to_string() }),
        _ => None,
    };
    let digest = |ix: JobIx| report.history.artifact(&plan.job(ix).key).map(|artifact| artifact.blob.digest.to_string());
    let parent = |input: crate::plan::Input| Parent { role: input.role.label(), job: plan.id(input.from).to_string(), blake3: digest(input.from) };
    Sidecar {
        callsheet_sidecar: SIDECAR_FORMAT,
        tool: format!("callsheet {}", env!("CARGO_PKG_VERSION")),
        path: job.path.to_string(),
        blake3: artifact.blob.digest.to_string(),
        bytes: artifact.blob.len,
        width: artifact.info.size.width,
        height: artifact.info.size.height,
        format: artifact.info.format.as_str().to_owned(),
        rehearsal: report.is_rehearsal,
        digital_source_type: digital_source(plan, ix, report.is_rehearsal),
        campaign: plan.campaign.to_string(),
        job: plan.id(ix).to_string(),
        key: job.key.to_string(),
        step: plan.step_of(ix).name.to_string(),
        axes: plan.axes_of(ix).into_iter().map(|(axis, value)| (axis.to_string(), Value::String(value.to_string()))).collect(),
        take: plan.take_of(ix),
        note: preparations::note(plan, ix),
        c2pa: preparations::manifest_word(report, ix).map(str::to_owned),
        requests: behind.iter().filter_map(|ix| request(report, *ix, tries, digest(*ix))).collect(),
        files: behind.iter().filter_map(file).collect(),
        parents: plan.inputs(ix).into_iter().map(parent).collect(),
    }
}

fn request(report: &RunReport<'_>, ix: JobIx, tries: &HashMap<JobKey, Vec<&AttemptRow>>, blake3: Option<String>) -> Option<Request> {
    let job = report.plan.job(ix);
    let Operation::Paid(paid) = &job.operation else { return None };
    let tries = tries.get(&job.key).map_or(&[][..], Vec::as_slice);
    let bought = tries.iter().rev().find(|row| row.status == AttemptStatus::Done);
    Some(Request {
        job: report.plan.id(ix).to_string(),
        key: job.key.to_string(),
        provider: paid.provider.to_string(),
        model: paid.model.to_string(),
        operation: paid.action.as_str().to_owned(),
        settings: settings(&paid.settings),
        prompt: job.prompt.to_string(),
        blake3,
        run: bought.map(|row| row.run.to_string()),
        task: bought.and_then(|row| row.task.as_ref().map(ToString::to_string)),
        charged: bought.and_then(|row| row.known_charge()).map(|micros| micros.to_string()),
        currency: bought.map(|row| row.quoted.currency.to_string()),
        attempts: tries.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_file_tells_all_that_made_it_from_the_first_request_on() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let paths = sidecar_paths(&report);
        assert_eq!(paths.len(), 5, "one for each picture that is there");
        let last = sidecars(&report, &paths).pop().expect("a sidecar");
        let mut bytes = Vec::new();
        last.write(&mut bytes).expect("it can be written");
        let told: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(format!("{}.json", told["path"].as_str().expect("a path")), last.path);
        assert_eq!(told["digital-source-type"], "trainedAlgorithmicMedia");
        let asked: Vec<&str> = told["requests"].as_array().expect("requests").iter().filter_map(|asked| asked["operation"].as_str()).collect();
        assert_eq!(asked, ["generate", "edit"], "{told:#}");
        assert_eq!((&told["requests"][1]["charged"], &told["requests"][1]["currency"]), (&"6".into(), &"credits:kie".into()));
        assert_eq!(told["parents"][0]["blake3"], told["requests"][1]["blake3"], "the chain can be followed");
        let validator = jsonschema::validator_for(&Sidecar::schema().to_value()).expect("the schema is one");
        let mistakes: Vec<String> = validator.iter_errors(&told).map(|error| error.to_string()).collect();
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }
}
