//! `manifest.json`: every file of the tree with all that made it.
//!
//! In: [`RunReport`]. Out: JSON, format [`MANIFEST_FORMAT`]; amounts are decimal text. Never: a float, an absolute path.

use std::collections::HashMap;
use std::io;

use serde::{Serialize, Serializer};

use super::run_report::RunReport;
use super::{ReportError, ReportWriter, rejects};
use crate::ledger::Artifact;
use crate::picks::AutoPick;
use crate::plan::{JobIx, Plan};
use crate::types::{Currency, Digest, Finding, ImageFormat, JobId, JobKey, Micros, MoneyError, Operation};

/// Version of the form; a reader refuses a higher one.
pub const MANIFEST_FORMAT: u32 = 1;

/// Name of the file.
const FILE: &str = "manifest.json";

/// Writes `manifest.json`.
#[derive(Debug, Clone, Copy)]
pub struct ManifestJson;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Manifest<'a> {
    callsheet_manifest: u32,
    campaign: &'a str,
    /// Whether the pictures were drawn by the simulator.
    rehearsal: bool,
    plan: Digest,
    files: Files<'a>,
    /// Pictures that were paid for and turned down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<RejectedEntry>,
}

/// A picture that was turned down.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct RejectedEntry {
    path: String,
    job: JobId,
    attempt: Option<u32>,
    digest: Digest,
    by: &'static str,
    why: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Finding>,
}

/// What a person, or a rule, chose.
#[derive(Serialize)]
struct PickedEntry<'a> {
    from: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    /// The rule that chose where nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    automatic: Option<AutoPick>,
}

/// The files of the tree, each made when its turn comes.
struct Files<'a> {
    report: &'a RunReport<'a>,
    costs: HashMap<JobKey, Cost>,
}

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, costs } = self;
        let done = report.plan.indices().filter_map(|ix| Some((ix, report.history.artifact(&report.plan.job(ix).key)?)));
        serializer.collect_seq(done.map(|(ix, artifact)| entry(report, ix, artifact, costs)))
    }
}

/// One file of the tree.
#[derive(Serialize)]
struct FileEntry<'a> {
    path: &'a str,
    job: JobId,
    step: &'a str,
    axes: Axes<'a>,
    take: Option<u32>,
    key: JobKey,
    digest: Digest,
    bytes: u64,
    width: u32,
    height: u32,
    format: ImageFormat,
    operation: &'a str,
    model: Option<&'a str>,
    prompt: Option<&'a str>,
    cost: Option<Cost>,
    parents: Vec<Parent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picked: Option<PickedEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Finding>,
}

/// What a picture cost with all its tries, by whichever campaign; shots that share a key share one cost.
#[derive(Serialize, Clone)]
struct Cost {
    currency: Currency,
    /// `None` when a try had no price and nobody knows what it cost.
    charged: Option<Micros>,
    attempts: usize,
}

/// A picture that went into another.
#[derive(Serialize)]
struct Parent {
    role: String,
    job: JobId,
    key: JobKey,
    digest: Option<Digest>,
}

/// Axis names and values, in the step's order.
struct Axes<'a>(Vec<(&'a str, &'a str)>);

impl Serialize for Axes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl ReportWriter for ManifestJson {
    fn path(&self) -> &'static str {
        FILE
    }

    fn write(&self, report: &RunReport<'_>, to: &mut dyn io::Write) -> Result<(), ReportError> {
        let plan = report.plan;
        let files = Files { report, costs: costs(report)? };
        let rejected = rejects(report).into_iter().map(|reject| RejectedEntry {
            path: reject.path,
            job: plan.id(reject.job),
            attempt: reject.of.map(|attempt| attempt.0),
            digest: reject.artifact.blob.digest,
            by: if reject.by_person { "person" } else { "checks" },
            why: reject.why,
            checks: reject.findings,
        });
        let (campaign, rehearsal, rejected) = (&*plan.campaign, report.is_rehearsal, rejected.collect());
        let manifest = Manifest { callsheet_manifest: MANIFEST_FORMAT, campaign, rehearsal, plan: plan.digest, files, rejected };
        serde_json::to_writer_pretty(&mut *to, &manifest).map_err(|source| ReportError::Json { file: FILE, source })?;
        to.write_all(b"\n").map_err(|source| ReportError::Io { file: FILE, source })
    }
}

/// Adds up what each key cost. A key whose tries were paid in two currencies shows the last one's.
fn costs(report: &RunReport<'_>) -> Result<HashMap<JobKey, Cost>, MoneyError> {
    let mut costs: HashMap<JobKey, Cost> = HashMap::new();
    for row in &report.rows {
        let attempt = row.attempt;
        let none = || Cost { currency: attempt.quoted.currency.clone(), charged: Some(Micros::ZERO), attempts: 0 };
        let cost = costs.entry(attempt.key).or_insert_with(none);
        if cost.currency != attempt.quoted.currency {
            *cost = none();
        }
        cost.attempts += 1;
        cost.charged = match (cost.charged, attempt.known_charge()) {
            (Some(sum), Some(charged)) => Some(sum.checked_add(charged)?),
            (_, None) if attempt.card.unpriced => None,
            (sum, _) => sum,
        };
    }
    Ok(costs)
}

fn entry<'a>(report: &RunReport<'a>, ix: JobIx, artifact: &Artifact, costs: &HashMap<JobKey, Cost>) -> FileEntry<'a> {
    let plan: &'a Plan = report.plan;
    let job = plan.job(ix);
    let (operation, model) = match &job.operation {
        Operation::Paid(paid) => (paid.action.as_str(), Some(&*paid.model)),
        Operation::Local(_) => (plan.step_of(ix).kind, None),
    };
    let parents = plan.inputs(ix).into_iter().map(|input| {
        let key = plan.job(input.from).key;
        let digest = report.history.artifact(&key).map(|artifact| artifact.blob.digest);
        Parent { role: input.role.label(), job: plan.id(input.from), key, digest }
    });
    FileEntry {
        path: &job.path,
        job: plan.id(ix),
        step: &plan.step_of(ix).name,
        axes: Axes(plan.axes_of(ix).into_iter().map(|(axis, value)| (&**axis, &**value)).collect()),
        take: plan.take_of(ix),
        key: job.key,
        digest: artifact.blob.digest,
        bytes: artifact.blob.len,
        width: artifact.info.size.width,
        height: artifact.info.size.height,
        format: artifact.info.format,
        operation,
        model,
        prompt: (!job.prompt.is_empty()).then_some(&*job.prompt),
        cost: costs.get(&job.key).cloned(),
        parents: parents.collect(),
        picked: picked(plan, ix),
        checks: checks(report, ix, artifact),
    }
}

fn picked(plan: &Plan, ix: JobIx) -> Option<PickedEntry<'_>> {
    let picked = plan.picks.get(&ix)?.chosen.as_ref()?;
    Some(PickedEntry { from: plan.id(picked.from), note: picked.note.as_deref(), automatic: picked.automatic })
}

/// Returns what was measured of a picture, held against the thresholds of today.
fn checks(report: &RunReport<'_>, ix: JobIx, artifact: &Artifact) -> Vec<Finding> {
    let judged = report.history.judged(&report.plan.job(ix).key);
    let known = judged.iter().find(|known| known.artifact == *artifact);
    known.map(|known| report.plan.bar(ix).findings(artifact, &known.findings)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_manifest_tells_what_made_each_file() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let manifest: serde_json::Value = serde_json::from_str(&sample::text_of(&ManifestJson, &report)).expect("JSON");
        assert_eq!((&manifest["callsheet-manifest"], manifest["files"].as_array().map(Vec::len)), (&serde_json::json!(1), Some(5)));
        let mut settings = insta::Settings::clone_current();
        settings.add_filter("[0-9a-f]{64}", "[digest]");
        settings.bind(|| {
            insta::assert_snapshot!(serde_json::to_string_pretty(&manifest["files"][1]).expect("JSON"), @r#"
        {
          "axes": {
            "sku": "teapot",
            "surface": "travertine"
          },
          "bytes": 49,
          "cost": {
            "attempts": 1,
            "charged": "6",
            "currency": "credits:kie"
          },
          "digest": "[digest]",
          "format": "png",
          "height": 1280,
          "job": "surface[sku=teapot,surface=travertine]",
          "key": "[digest]",
          "model": "gpt-image-2",
          "operation": "edit",
          "parents": [
            {
              "digest": "[digest]",
              "job": "hero[sku=teapot]",
              "key": "[digest]",
              "role": "image"
            }
          ],
          "path": "teapot/travertine/surface.png",
          "prompt": "replace only the background",
          "step": "surface",
          "take": null,
          "width": 1024
        }
        "#)
        });
        let delivered = &manifest["files"][3];
        assert_eq!(
            (&delivered["cost"], &delivered["model"], &delivered["prompt"]),
            (&serde_json::Value::Null, &serde_json::Value::Null, &serde_json::Value::Null)
        );
        assert_eq!(delivered["parents"][0]["digest"], manifest["files"][1]["digest"], "the chain can be followed");
    }

    #[test]
    fn the_fields_stand_in_one_order() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let text = sample::text_of(&ManifestJson, &report);
        let places: Vec<usize> = ["\"path\"", "\"job\"", "\"axes\"", "\"key\"", "\"prompt\"", "\"cost\"", "\"parents\""]
            .iter()
            .filter_map(|name| text.find(name))
            .collect();
        assert!(places.len() == 7 && places.is_sorted(), "{places:?}");
    }
}
