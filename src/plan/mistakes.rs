//! Mistakes that show shot by shot: the first few of each kind are told, the rest counted.

use std::collections::HashMap;

use super::texts::Scene;
use crate::campaign::{AxisSource, TemplateProblem};
use crate::types::{Code, Diagnostic, Diagnostics, FieldPath, Severity};

/// How many mistakes of one kind at one place are told one by one.
const MOST_TOLD: usize = 5;

/// Mistakes so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Diagnostics,
    counts: HashMap<(Code, FieldPath), usize>,
}

impl Mistakes {
    /// Returns whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Notes one; past the first few of its kind at its place it is only counted.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let mut place = diagnostic.at.clone();
        place.inside = None;
        let count = self.counts.entry((diagnostic.code, place)).or_default();
        *count += 1;
        if *count <= MOST_TOLD {
            self.found.push(diagnostic);
        }
    }

    /// Notes that a text could not be rendered at these coordinates.
    pub(super) fn template(&mut self, scene: &Scene<'_>, coordinates: &[u32], at: &FieldPath, problem: &TemplateProblem) {
        let at = match &problem.range {
            Some(range) => at.clone().inside(range.clone()),
            None => at.clone(),
        };
        let address = self.address(scene, coordinates);
        let mut finding = Diagnostic::error(problem.code, at, problem.message.clone()).label(format!("for `{address}`"));
        // The row is where an undefined column is mended.
        for (axis, place) in scene.axes.iter().zip(coordinates) {
            let axis = &scene.campaign.axes[*axis];
            if axis.fields.is_some() && axis.source == AxisSource::Values {
                finding = finding.related(axis.values[*place as usize].at.clone(), format!("this value of `{}`", axis.name));
            }
        }
        if problem.code == "undefined-variable" {
            finding = finding.help("fill it in there, or say what to write instead: `{{ sku.material | default('glass') }}`");
        }
        self.push(finding);
    }

    /// Returns the address of the shot at these coordinates.
    pub(super) fn address(&self, scene: &Scene<'_>, coordinates: &[u32]) -> String {
        let mut values = Vec::new();
        let mut take = String::new();
        for (axis, place) in scene.axes.iter().zip(coordinates) {
            let axis = &scene.campaign.axes[*axis];
            let key = &axis.values[*place as usize].key;
            match axis.source {
                AxisSource::Take { .. } => take = format!("#{key}"),
                _ => values.push(format!("{}={key}", axis.name)),
            }
        }
        if values.is_empty() { format!("{}{take}", scene.step.name) } else { format!("{}[{}]{take}", scene.step.name, values.join(",")) }
    }

    /// Returns all mistakes, with a line for those that were only counted.
    pub(super) fn finish(mut self) -> Diagnostics {
        let mut more: Vec<_> = self.counts.into_iter().filter(|(_, count)| *count > MOST_TOLD).collect();
        more.sort();
        for ((code, at), count) in more {
            let message = format!("{} more shots have this mistake", count - MOST_TOLD);
            self.found.push(Diagnostic { severity: Severity::Error, code, ..Diagnostic::error(code.0, at, message) });
        }
        self.found
    }
}
