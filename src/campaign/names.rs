//! Names that are declared and used, and what to say of those that are not.

use std::collections::BTreeSet;

use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, FieldPath};

/// What the steps used of what is declared.
#[derive(Debug, Default)]
pub struct Used {
    /// Baselines, by name.
    pub baselines: BTreeSet<String>,
    /// Ladders, by name.
    pub ladders: BTreeSet<String>,
    /// Axes, by name.
    pub axes: BTreeSet<String>,
    /// Names under `vars`.
    pub vars: BTreeSet<String>,
    /// Whether a mistake hid part of the steps: nothing is called unused then.
    pub incomplete: bool,
}

/// Says that `name` is not among `known`, and what was probably meant.
pub fn unknown<'a>(code: &'static str, at: FieldPath, what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    let finding = Diagnostic::error(code, at, format!("there is no {what} `{name}`"));
    match did_you_mean(name, known.clone()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None if known.clone().next().is_none() => finding.help("there is none at all"),
        None => finding.help(format!("there is {}", listed(known, 12))),
    }
}
