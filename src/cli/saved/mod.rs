//! Saved plans at the edge: `plan --out plan.json` writes one, `run plan.json` runs it as it was approved or not at all.
//!
//! ```text
//! plan --out:  opened x standing ─ describe ─▶ SavedPlan ─ write ─▶ plan.json
//! run:         plan.json ─ read ─▶ Approved ─ wanted ─▶ open, standing as ever ─ holds? ─▶ begin ─▶ run ─▶ end
//! ```
//!
//! In: what the command line says and what `plan` and `run` have made of it. Out: a file, or an approval that holds.
//! Never: a way of its own from campaign to plan: what is compared went through the same functions as any other run.

mod approved;
mod describe;
mod paths;
mod words;

use std::io::Write;
use std::path::Path;

pub use approved::{Approved, Typed, Wanted, is_saved_plan};
pub use describe::{Manner, describe};

use super::context::Opened;
use super::error::{CliError, Outcome};
use super::standing::Standing;
use super::words::typed;
use super::{console, workspace};
use crate::plan::SavedPlan;
use crate::types::diagnostic::counted;
use crate::types::visible;

/// Stands for stdout.
const STDOUT: &str = "-";

/// Returns whether the plan itself is to go to stdout, in the place of its table.
pub fn is_stdout(out: &Path) -> bool {
    out.as_os_str() == STDOUT
}

/// Saves a plan, and says what was saved and how to run it.
///
/// # Errors
/// What the disk says; a file of another kind is not overwritten.
pub fn save(out: &Path, opened: &Opened, standing: &Standing, manner: &Manner<'_>) -> Outcome<()> {
    let folder = if is_stdout(out) { Path::new("") } else { out.parent().unwrap_or(Path::new("")) };
    let plan = describe(opened, standing, manner.stage, manner.file(opened, folder), manner.asked(folder));
    let text = plan.to_text();
    if is_stdout(out) {
        console::data(&text)?;
        tell(&plan, standing, "the plan");
        return Ok(());
    }
    write(out, &text)?;
    tell(&plan, standing, &format!("`{}`", out.display()));
    console::talk(&format!("run it     callsheet run {}", visible(&typed(out))));
    Ok(())
}

fn tell(plan: &SavedPlan, standing: &Standing, what: &str) {
    let to_do = standing.work.count(|work| work.is_to_do());
    let (floor, ceiling) = (words::sum(plan, plan.totals.floor), words::sum(plan, plan.totals.ceiling));
    let stage = if plan.stage == crate::plan::saved::SavedStage::Rehearsal { "rehearsal, " } else { "" };
    console::talk(&format!("saved      {}: {stage}{} to make, floor {floor}, ceiling {ceiling}", visible(what), counted(to_do, "shot")));
    for refusal in &standing.verdict.refusals {
        console::warning(&visible(&format!("`run` will refuse it: {refusal}")));
    }
}

/// Writes the file whole or not at all.
fn write(out: &Path, text: &str) -> Outcome<()> {
    if out.is_dir() || (out.exists() && !is_saved_plan(out)) {
        let help = "name another file, or remove that one first";
        return Err(CliError::usage(format!("`{}` is there and is no saved plan: it is left as it is", out.display()), help));
    }
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let half = out.with_file_name(format!(".{name}.{:08x}.part", workspace::random() & 0xffff_ffff));
    let written = std::fs::File::create(&half).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&half, out)
    });
    written.map_err(|error| {
        // What is half-written is nobody's any more; the first error is the one to tell.
        let _ = std::fs::remove_file(&half);
        CliError::io("cannot write", out, error)
    })
}
