//! Which jobs of a plan a run may touch: `--only`, `--until`, a profile's `until`.
//!
//! A selected job brings along all that it needs.

use std::fmt;

use super::{JobIx, Plan, PlannedStep};
use crate::campaign::Inserted;
use crate::types::diagnostic::{did_you_mean, listed};

/// One `--only STEP[axis=value,...]`: all jobs of the step on these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only {
    /// The step.
    pub step: String,
    /// Axis names and value keys that must all match; empty for the whole step.
    pub values: Vec<(String, String)>,
    /// The take that must match.
    pub take: Option<u32>,
}

impl fmt::Display for Only {
    /// Prints it as it is typed: `surface[sku=teapot,angle=front]#2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.step)?;
        if !self.values.is_empty() {
            let values: Vec<String> = self.values.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
            write!(f, "[{}]", values.join(","))?;
        }
        match self.take {
            Some(take) => write!(f, "#{take}"),
            None => Ok(()),
        }
    }
}

/// A selection that does not fit the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Not of the form `STEP[axis=value]`.
    #[error("`{0}` is not a selection like `surface[sku=teapot]`")]
    Form(String),
    /// No such step.
    #[error("there is no step `{step}`; {help}")]
    Step {
        /// The name asked for.
        step: String,
        /// What there is.
        help: String,
    },
    /// The step has no such axis.
    #[error("step `{step}` has no axis `{axis}`; it has {axes}")]
    Axis {
        /// The step.
        step: String,
        /// The name asked for.
        axis: String,
        /// What there is.
        axes: String,
    },
    /// No job matches.
    #[error("no shot of step `{step}` has {values}{help}")]
    Nothing {
        /// The step.
        step: String,
        /// The values asked for.
        values: String,
        /// What may be meant, as the end of the sentence.
        help: String,
    },
}

impl std::str::FromStr for Only {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || SelectionError::Form(text.to_owned());
        let (rest, take) = match text.rsplit_once('#') {
            Some((rest, take)) if take.bytes().all(|byte| byte.is_ascii_digit()) => (rest, Some(take.parse().map_err(|_| wrong())?)),
            _ => (text, None),
        };
        let Some((step, values)) = rest.split_once('[') else {
            return if rest.is_empty() { Err(wrong()) } else { Ok(Self { step: rest.to_owned(), values: Vec::new(), take }) };
        };
        let values = values.strip_suffix(']').ok_or_else(wrong)?;
        let pairs = values.split(',').map(|pair| {
            let (axis, value) = pair.split_once('=').ok_or_else(wrong)?;
            Ok((axis.trim().to_owned(), value.trim().to_owned()))
        });
        Ok(Self { step: step.to_owned(), values: pairs.collect::<Result<_, SelectionError>>()?, take })
    }
}

/// The selected jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// One flag a job; empty means all.
    included: Vec<bool>,
}

impl Selection {
    /// Selects everything.
    pub fn all() -> Self {
        Self { included: Vec::new() }
    }

    /// Returns whether the job is selected, itself or because a selected one needs it.
    pub fn includes(&self, ix: JobIx) -> bool {
        self.included.get(ix.index()).copied().unwrap_or(true)
    }

    /// Selects the jobs of `only` (all, when empty) up to the steps of `until` (all, when empty), and what they need.
    ///
    /// # Errors
    /// A step, axis or value that the plan does not have.
    pub fn new(plan: &Plan, only: &[Only], until: &[String]) -> Result<Self, SelectionError> {
        if only.is_empty() && until.is_empty() {
            return Ok(Self::all());
        }
        let mut included = vec![only.is_empty() && until.is_empty(); plan.jobs.len()];
        for name in until {
            let step = step_named(plan, name)?;
            for ix in plan.steps[step].jobs.clone().chain(shaped_by(plan, step).flat_map(|step| step.jobs.clone())) {
                included[ix as usize] = true;
            }
        }
        for one in only {
            select(plan, one, &mut included)?;
        }
        // Takers stand after makers, so one pass from the end brings in all that is needed.
        for ix in plan.indices().rev() {
            if included[ix.index()] {
                for input in plan.inputs(ix) {
                    included[input.from.index()] = true;
                }
            }
        }
        Ok(Self { included })
    }
}

fn step_named(plan: &Plan, name: &str) -> Result<usize, SelectionError> {
    plan.steps.iter().position(|step| &*step.name == name).ok_or_else(|| {
        let names: Vec<&str> = plan.steps.iter().map(|step| &*step.name).collect();
        let help = match did_you_mean(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("steps are {}", listed(names, 12)),
        };
        SelectionError::Step { step: name.to_owned(), help }
    })
}

/// Returns the step that brings another's pictures into the author's shape: who asks for the one means its pictures.
fn shaped_by(plan: &Plan, place: usize) -> impl Iterator<Item = &PlannedStep> {
    let shapes = move |step: &&PlannedStep| matches!(&step.inserted, Some(Inserted::Result(work)) if work.serves == plan.steps[place].name);
    plan.steps.iter().filter(shapes)
}

fn select(plan: &Plan, only: &Only, included: &mut [bool]) -> Result<(), SelectionError> {
    let place = step_named(plan, &only.step)?;
    let step = &plan.steps[place];
    for (axis, _) in &only.values {
        if !step.axes.iter().any(|ix| *plan.axes[*ix].name == **axis) {
            let axes = listed(step.axes.iter().map(|ix| &plan.axes[*ix].name), 12);
            return Err(SelectionError::Axis { step: only.step.clone(), axis: axis.clone(), axes });
        }
    }
    let matches = |ix: JobIx| {
        let axes = plan.axes_of(ix);
        let on_values = only.values.iter().all(|(axis, value)| {
            axes.iter().any(|(name, key)| ***name == **axis && ***key == **value)
                || (axis == "take" && plan.take_of(ix).is_some_and(|take| take.to_string() == *value))
        });
        on_values && only.take.is_none_or(|take| plan.take_of(ix) == Some(take))
    };
    let mut found = false;
    let shaped = shaped_by(plan, place).flat_map(|step| step.jobs.clone());
    for ix in step.jobs.clone().chain(shaped).map(JobIx).filter(|ix| matches(*ix)) {
        included[ix.index()] = true;
        found = true;
    }
    if found {
        return Ok(());
    }
    let values = only.values.iter().map(|(axis, value)| format!("{axis}={value}"));
    Err(SelectionError::Nothing { step: only.step.clone(), values: listed(values, 8), help: nearest(plan, step, only) })
}

/// Returns what may be meant by a value that no axis has, as the end of a sentence.
fn nearest(plan: &Plan, step: &PlannedStep, only: &Only) -> String {
    for (name, value) in &only.values {
        let Some(axis) = step.axes.iter().map(|ix| &plan.axes[*ix]).find(|axis| *axis.name == **name) else { continue };
        let keys = || axis.keys.iter().map(|key| &**key);
        if axis.is_take || keys().any(|key| key == value) {
            continue;
        }
        return match did_you_mean(value, keys()) {
            Some(near) => format!("; did you mean `{name}={near}`?"),
            None => format!("; `{name}` is {}", listed(keys(), 8)),
        };
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_reads_like_an_address() {
        let only: Only = "surface[sku=teapot,angle=front]#2".parse().expect("an address");
        assert_eq!(only.step, "surface");
        assert_eq!(only.values, [("sku".to_owned(), "teapot".to_owned()), ("angle".to_owned(), "front".to_owned())]);
        assert_eq!(only.take, Some(2));
        for text in ["surface[sku=teapot,angle=front]#2", "surface#1", "surface", "surface[sku=teapot]"] {
            assert_eq!(text.parse::<Only>().map(|only| only.to_string()), Ok(text.to_owned()));
        }
        assert!("surface[sku]".parse::<Only>().is_err());
        assert!("".parse::<Only>().is_err());
    }
}
