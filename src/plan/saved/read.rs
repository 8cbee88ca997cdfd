//! Text to [`SavedPlan`]: what is not one is refused with the place at which that shows.
//!
//! In: a text. Out: a plan whose shots have names, steps and inputs that are there. Never: belief in its sums; `run` makes them again.

use std::collections::HashSet;
use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{SAVED_PLAN_VERSION, SavedPlan};
use crate::types::{Diagnostic, Diagnostics, DocId, FieldPath, visible};

impl SavedPlan {
    /// Reads a saved plan.
    ///
    /// # Errors
    /// `plan-syntax`: no JSON, or nested too deeply. `plan-version`: of another version. `plan-content`: JSON, but no saved plan;
    /// shots that stand there twice, or name steps or inputs that do not.
    pub fn read(doc: DocId, text: &str) -> Result<Self, Diagnostics> {
        let plan = match serde_json::from_str::<Self>(text) {
            Ok(plan) if text.trim_start().starts_with('{') => plan,
            Ok(_) => return Err(not_an_object(doc, text).into()),
            Err(error) => return Err(misread(doc, text, &error).into()),
        };
        if plan.version != SAVED_PLAN_VERSION {
            return Err(of_version(doc, text, u64::from(plan.version)).into());
        }
        let found = plan.inconsistent(doc, text);
        if found.is_empty() { Ok(plan) } else { Err(found) }
    }

    /// Finds shots that cannot belong together.
    fn inconsistent(&self, doc: DocId, text: &str) -> Diagnostics {
        let steps: HashSet<&str> = self.steps.iter().map(|step| step.name.as_str()).collect();
        let mut seen = HashSet::with_capacity(self.jobs.len());
        let mut found = Diagnostics::new();
        for (place, job) in self.jobs.iter().enumerate() {
            let id = job.id.as_str();
            let at = || line_of(doc, text, place, self.jobs.len());
            if !steps.contains(job.step.as_str()) {
                let message = format!("shot `{}` belongs to step `{}`, which is not among `steps`", visible(id), visible(&job.step));
                found.push(Diagnostic::error(CONTENT, at(), message).help(AGAIN));
            }
            if let Some(input) = job.inputs.iter().find(|input| !seen.contains(input.as_str())) {
                let message = format!("shot `{}` takes the picture of `{}`, which does not stand before it", visible(id), visible(input.as_str()));
                found.push(Diagnostic::error(CONTENT, at(), message).help(AGAIN));
            }
            if !seen.insert(id) {
                found.push(Diagnostic::error(CONTENT, at(), format!("shot `{}` stands there twice", visible(id))).help(AGAIN));
            }
            if found.len() >= MOST {
                break;
            }
        }
        found
    }
}

/// Name of mistakes in what a plan says.
const CONTENT: &str = "plan-content";

/// How to mend most of them.
const AGAIN: &str = "save the plan again; it is not made to be edited";

/// How to mend the others.
const SAVE: &str = "save a plan with `callsheet plan CAMPAIGN --out plan.json`";

/// Most mistakes that are told: a file with more was made by something else.
const MOST: usize = 20;

/// What tells a saved plan from other JSON.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "callsheet-plan")]
    version: Option<serde_json::Value>,
    /// Only the plan that is printed for programs has it.
    #[serde(rename = "ceiling-by")]
    printed: Option<IgnoredAny>,
}

fn misread(doc: DocId, text: &str, error: &serde_json::Error) -> Diagnostic {
    if text.trim().is_empty() {
        return Diagnostic::error("plan-syntax", whole(doc, 0..0), "the file is empty").help(SAVE);
    }
    if !text.trim_start().starts_with('{') {
        return not_an_object(doc, text);
    }
    if let Ok(head) = serde_json::from_str::<Head>(text) {
        match (head.version.as_ref().map(serde_json::Value::as_u64), head.printed) {
            (Some(Some(version)), _) if version != u64::from(SAVED_PLAN_VERSION) => return of_version(doc, text, version),
            (None, _) => return Diagnostic::error(CONTENT, whole(doc, 0..1), "this is not a saved plan: it has no `callsheet-plan`").help(SAVE),
            (Some(_), Some(_)) => {
                return Diagnostic::error(CONTENT, whole(doc, 0..1), "this is a plan as `--format json` prints it, not a saved one").help(SAVE);
            }
            (Some(_), None) => {}
        }
    }
    let offset = offset(text, error.line(), error.column());
    let sentence = error.to_string();
    let reason = visible(sentence.split(" at line ").next().unwrap_or_default()).into_owned();
    let at = whole(doc, offset..offset + 1);
    if !error.is_data() {
        let cut = if error.is_eof() { "the file ends too early" } else { "this is not JSON" };
        return Diagnostic::error("plan-syntax", at, format!("{cut}: {reason}")).help(AGAIN);
    }
    let path = path_of_mistake(text);
    let label = if path.is_empty() || path == "." { String::new() } else { format!("at `{}`", visible(&path)) };
    Diagnostic::error(CONTENT, at, reason).label(label).help(AGAIN)
}

/// Lists of the right values in the right order would be taken for objects by `serde`.
fn not_an_object(doc: DocId, text: &str) -> Diagnostic {
    let start = text.len() - text.trim_start().len();
    Diagnostic::error("plan-syntax", whole(doc, start..start + 1), "this is not a saved plan: those begin with `{`").help(SAVE)
}

fn of_version(doc: DocId, text: &str, version: u64) -> Diagnostic {
    let start = text.find("\"callsheet-plan\"").unwrap_or(0);
    let at = whole(doc, start..start + "\"callsheet-plan\"".len());
    let message = format!("the saved plan has version {version}, this callsheet reads version {SAVED_PLAN_VERSION}");
    let newer = version > u64::from(SAVED_PLAN_VERSION);
    Diagnostic::error("plan-version", at, message).help(if newer {
        "install a newer callsheet, or save the plan again"
    } else {
        "save the plan again"
    })
}

/// Returns where in the plan a reading stops: `jobs[3].price`.
fn path_of_mistake(text: &str) -> String {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, SavedPlan>(&mut deserializer) {
        Ok(_) => String::new(),
        Err(error) => error.path().to_string(),
    }
}

fn whole(doc: DocId, bytes: Range<usize>) -> FieldPath {
    FieldPath::root(doc).inside(bytes)
}

/// Returns the byte that line and column, both from 1, mean; a column of 0 is the end of the line before.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start = if line <= 1 { 0 } else { text.match_indices('\n').nth(line - 2).map_or(text.len(), |(newline, _)| newline + 1) };
    (start + column).saturating_sub(1).min(text.len().saturating_sub(1))
}

/// Returns the line of a shot in a file as we write it, one shot a line up to the closing lines; else the beginning.
fn line_of(doc: DocId, text: &str, place: usize, count: usize) -> FieldPath {
    let mut before_end = text.trim_end().rmatch_indices('\n').map(|(newline, _)| newline);
    // The last two lines close the list and the file; above them stand the shots, the last one last.
    let start = before_end.nth(count - place + 1).map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    if line.trim_start().starts_with("{\"id\":") { whole(doc, start + indent..start + line.len()) } else { whole(doc, 0..1) }
}
