//! What a step's pictures must be like, settled: every name found, every check possible.
//!
//! In: a step as written, what stands before it. Out: its [`Check`]s and rerolls, or what is wrong with them. Never: a picture.

use super::names::unknown;
use super::{Axis, AxisSource, Step, StepSource};
use crate::spec::CampaignSpec;
use crate::steps::{CheckSpec, OneOrMany, SimilaritySpec, StepKind};
use crate::types::diagnostic::listed;
use crate::types::{Check, Diagnostic, Diagnostics, FieldPath, InputRole};

/// What a step's checks are settled against.
pub(super) struct Checked<'a> {
    /// What the author wrote.
    pub(super) spec: &'a CampaignSpec,
    /// The steps before it.
    pub(super) steps: &'a [Step],
    /// All axes so far.
    pub(super) all_axes: &'a [Axis],
    /// Its own axes, as places among them.
    pub(super) axes: &'a [usize],
    /// Whose pictures it takes.
    pub(super) sources: &'a [StepSource],
    /// Where the author wrote it.
    pub(super) at: &'a FieldPath,
}

/// Returns the checks and rerolls of a step.
pub(super) fn checks(kind: &dyn StepKind, about: &Checked<'_>, found: &mut Diagnostics) -> (Vec<Check>, u32) {
    let rerolls = kind.rerolls().unwrap_or(0);
    let Some(spec) = kind.check() else {
        if rerolls > 0 {
            let finding = Diagnostic::error(
                "rerolls-without-check",
                about.at.key("rerolls").at_key(),
                "`rerolls` are paid when a check fails, and the step has none",
            );
            found.push(finding.help("add `check:`, or ask for `takes` to have several tries to choose from"));
        }
        return (Vec::new(), 0);
    };
    let at = about.at.key("check");
    let checks = spec.checks();
    if checks.is_empty() && spec.similarity.is_none() {
        found.push(
            Diagnostic::error("empty-check", at.clone().at_key(), "the check asks for nothing")
                .help("name what a picture must be like, such as `not-blank: true`"),
        );
    }
    if let Some(similar) = &spec.similarity {
        similarity(similar, about, &at.key("similarity"), found);
    }
    drift(spec, about, &at, found);
    if let Some(OneOrMany(axes)) = &spec.not_duplicate {
        not_duplicate(axes, about, &at.key("not-duplicate"), found);
    }
    (checks, rerolls)
}

fn similarity(similar: &SimilaritySpec, about: &Checked<'_>, at: &FieldPath, found: &mut Diagnostics) {
    if similar.yardstick().is_none() {
        let finding = Diagnostic::error("no-yardstick", at.clone(), "`similarity` compares with one picture: that of a step, or a file");
        found.push(finding.help("name either `to: STEP` or `file: PATH`"));
        return;
    }
    let Some(name) = &similar.to else { return };
    if !about.spec.steps.contains_key(name) {
        found.push(unknown("unknown-step", at.key("to"), "step", name, about.spec.steps.keys().map(String::as_str)));
        return;
    }
    let mut behind: Vec<usize> = about.sources.iter().map(|source| source.step).collect();
    let mut place = 0;
    while let Some(step) = behind.get(place).copied() {
        let more = about.steps[step].sources.iter().map(|source| source.step).filter(|step| !behind.contains(step)).collect::<Vec<_>>();
        behind.extend(more);
        place += 1;
    }
    if !behind.iter().any(|step| *about.steps[*step].name == **name) {
        let message = format!("the step is not made from `{name}`, so its picture may not be there to compare with");
        let help = match behind.as_slice() {
            [] => "compare with a file of yours: `file: PATH`".to_owned(),
            behind => format!(
                "it is made from {}; or compare with a file of yours: `file: PATH`",
                listed(behind.iter().map(|step| &*about.steps[*step].name), 6)
            ),
        };
        found.push(Diagnostic::error("no-ancestor", at.key("to"), message).help(help));
    }
}

fn drift(spec: &CheckSpec, about: &Checked<'_>, at: &FieldPath, found: &mut Diagnostics) {
    let has_mask = about.sources.iter().any(|source| source.role == InputRole::Mask);
    if spec.drift.is_some() && !has_mask {
        let finding =
            Diagnostic::error("drift-without-mask", at.key("drift").at_key(), "`drift` measures what changes outside a mask, and the step has none");
        found.push(finding.help("give the edit a `mask:`, or compare the whole picture: `similarity: { to: STEP, least: 55 }`"));
    }
}

fn not_duplicate(axes: &[String], about: &Checked<'_>, at: &FieldPath, found: &mut Diagnostics) {
    let name = |axis: &usize| match about.all_axes[*axis].source {
        AxisSource::Take { .. } => "take",
        _ => &*about.all_axes[*axis].name,
    };
    for axis in axes {
        if !about.axes.iter().any(|own| name(own) == axis.as_str()) {
            found.push(unknown("unknown-axis", at.clone(), "axis of this step called", axis, about.axes.iter().map(name)));
        }
    }
}
