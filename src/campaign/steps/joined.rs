//! The axes of one step: those that its pictures bring, joined with its own, without those that it gathers; and the cells that it leaves out.
//!
//! In: what the step takes and names. Out: places of axes, takes last. Never: an axis twice, takes of two steps in one.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::super::axes::takes;
use super::super::names::unknown;
use super::super::{AxisSource, StepSource};
use super::Steps;
use crate::steps::{OneOrMany, StepKind};
use crate::types::diagnostic::listed;
use crate::types::{Diagnostic, Diagnostics, FieldPath};

impl Steps<'_> {
    /// Joins the axes of the inputs with the step's own; takes away those that it gathers.
    pub(super) fn join(
        &mut self,
        name: &Arc<str>,
        kind: &dyn StepKind,
        sources: &[StepSource],
        ladder: Option<usize>,
        at: &FieldPath,
        found: &mut Diagnostics,
    ) -> Option<(Vec<usize>, Vec<usize>)> {
        let mut joined: Vec<usize> = Vec::new();
        for axis in sources.iter().flat_map(|source| self.steps[source.step].axes.iter().copied()) {
            if !joined.contains(&axis) {
                joined.push(axis);
            }
        }
        let mut sound = true;
        for (index, axis_name) in kind.over().iter().enumerate() {
            let at = at.key("over").index(index);
            let Some(axis) = self.axes.iter().position(|axis| *axis.name == **axis_name && !matches!(axis.source, AxisSource::Take { .. })) else {
                // An axis whose table was refused is declared all the same; its own mistake is already said.
                if !self.table.spec.axes.contains_key(axis_name) {
                    let known = self.table.spec.axes.keys().chain(self.table.spec.ladders.keys()).map(String::as_str);
                    found.push(unknown("unknown-axis", at, "axis", axis_name, known));
                }
                sound = false;
                continue;
            };
            self.used.axes.insert(axis_name.clone());
            if self.axes[axis].source == AxisSource::Ladder && ladder != Some(axis) {
                found.push(
                    Diagnostic::error("ladder-as-axis", at, format!("`{axis_name}` is a ladder"))
                        .help(format!("write `ladder: {axis_name}` instead of naming it under `over`")),
                );
                sound = false;
            } else if joined.contains(&axis) {
                let finding = Diagnostic::error("axis-clash", at, format!("the step has the axis `{axis_name}` already"));
                found.push(finding.help("its picture brings it along; name only further axes"));
                sound = false;
            } else {
                joined.push(axis);
            }
        }
        if let Some(axis) = ladder.filter(|axis| !joined.contains(axis)) {
            joined.push(axis);
        }
        sound &= self.check_clash(&joined, at, found);
        let across = self.across(kind, &joined, at, found)?;
        joined.retain(|axis| !across.contains(axis));
        sound &= self.own_takes(name, kind, &mut joined, at, found);
        joined.sort_by_key(|axis| matches!(self.axes[*axis].source, AxisSource::Take { .. }));
        sound.then_some((joined, across))
    }

    /// Two axes of one name meet only when both are takes, each of another step.
    fn check_clash(&self, joined: &[usize], at: &FieldPath, found: &mut Diagnostics) -> bool {
        let takes: Vec<&Arc<str>> = joined
            .iter()
            .filter_map(|axis| match &self.axes[*axis].source {
                AxisSource::Take { step } => Some(step),
                _ => None,
            })
            .collect();
        if takes.len() < 2 {
            return true;
        }
        let message = format!("the takes of {} meet in one step", listed(takes, 4));
        found.push(
            Diagnostic::error("takes-clash", at.clone().at_key(), message)
                .help("gather the takes of one of them first, for example on a `sheet` across `take`"),
        );
        false
    }

    fn own_takes(&mut self, name: &Arc<str>, kind: &dyn StepKind, joined: &mut Vec<usize>, at: &FieldPath, found: &mut Diagnostics) -> bool {
        let Some(count) = kind.takes().filter(|count| *count > 1) else { return true };
        if let Some(inherited) = joined.iter().find_map(|axis| match &self.axes[*axis].source {
            AxisSource::Take { step } => Some(step),
            _ => None,
        }) {
            let message = format!("the step inherits the takes of `{inherited}` and asks for takes of its own");
            found.push(Diagnostic::error("takes-clash", at.key("takes"), message).help("keep the takes of one of them"));
            return false;
        }
        self.axes.push(takes(name, count, at.key("takes")));
        joined.push(self.axes.len() - 1);
        true
    }

    fn across(&self, kind: &dyn StepKind, joined: &[usize], at: &FieldPath, found: &mut Diagnostics) -> Option<Vec<usize>> {
        let mut across = Vec::new();
        let mut sound = true;
        for (index, name) in kind.across().iter().enumerate() {
            match joined.iter().find(|axis| *self.axes[**axis].name == **name) {
                Some(axis) => across.push(*axis),
                None => {
                    sound = false;
                    let known = joined.iter().map(|axis| &*self.axes[*axis].name);
                    found.push(unknown("unknown-axis", at.key("across").index(index), "axis on that picture called", name, known));
                }
            }
        }
        sound.then_some(across)
    }

    pub(super) fn exclude(&self, kind: &dyn StepKind, at: &FieldPath, axes: &[usize], found: &mut Diagnostics) -> Vec<Vec<(usize, Vec<u32>)>> {
        let lines = kind.exclude().iter().enumerate();
        lines.map(|(index, line)| self.exclude_line(line, &at.key("exclude").index(index), axes, found)).collect()
    }

    fn exclude_line(&self, line: &IndexMap<String, OneOrMany>, at: &FieldPath, axes: &[usize], found: &mut Diagnostics) -> Vec<(usize, Vec<u32>)> {
        let mut conditions = Vec::new();
        for (name, OneOrMany(keys)) in line {
            let at = at.key(name);
            let Some(position) = axes.iter().position(|axis| *self.axes[*axis].name == **name) else {
                let known = axes.iter().map(|axis| &*self.axes[*axis].name);
                found.push(unknown("unknown-axis", at.at_key(), "axis of this step called", name, known));
                continue;
            };
            let values = &self.axes[axes[position]].values;
            let by_key: BTreeMap<&str, u32> = (0u32..).zip(values).map(|(place, value)| (&*value.key, place)).collect();
            let mut places = Vec::new();
            for key in keys {
                match by_key.get(key.as_str()) {
                    Some(place) => places.push(*place),
                    None => found.push(unknown("unknown-value", at.clone(), &format!("value of `{name}` called"), key, by_key.keys().copied())),
                }
            }
            conditions.push((position, places));
        }
        conditions
    }
}
