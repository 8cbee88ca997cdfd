//! Where a shot's picture comes from: models, the author's files, or both.
//!
//! In: a plan. Out: IPTC's word for it. Never: a look at a picture; what stands behind a shot says it.

use std::collections::BTreeSet;

use super::{JobIx, Plan};
use crate::campaign::Inserted;
use crate::types::{Credit, DigitalSource, LocalAction, Operation};

/// Returns the shots that a shot's picture is made from, itself included, in the plan's order.
pub fn ancestry(plan: &Plan, ix: JobIx) -> BTreeSet<JobIx> {
    let mut found = BTreeSet::from([ix]);
    let mut open = vec![ix];
    while let Some(next) = open.pop() {
        open.extend(plan.inputs(next).into_iter().map(|input| input.from).filter(|from| found.insert(*from)));
    }
    found
}

/// Returns what kind of picture a shot makes; `None` if no model had a part in it. In a rehearsal (`drawn`) none has.
pub fn digital_source(plan: &Plan, ix: JobIx, drawn: bool) -> Option<DigitalSource> {
    let (mut of_model, mut of_author) = (false, false);
    for ix in ancestry(plan, ix) {
        match &plan.job(ix).operation {
            Operation::Paid(_) => of_model = true,
            Operation::Local(LocalAction::Load { .. }) => of_author = true,
            Operation::Local(_) => {}
        }
    }
    match (of_model, of_author) {
        (false, _) => None,
        (true, _) if drawn => Some(DigitalSource::AlgorithmicMedia),
        (true, false) => Some(DigitalSource::TrainedAlgorithmicMedia),
        (true, true) => Some(DigitalSource::Composite),
    }
}

/// Returns what is written into the file that a local shot makes; nothing into pictures that only a model sees, and nothing where no model
/// had a part.
pub fn credit(plan: &Plan, ix: JobIx, drawn: bool) -> Option<Credit> {
    if matches!(plan.step_of(ix).inserted, Some(Inserted::Source(_))) {
        return None;
    }
    let source = digital_source(plan, ix, drawn)?;
    let subject = &plan.job(ix).subject;
    let description = if drawn { format!("A rehearsal, drawn without a model. {subject}") } else { subject.to_string() };
    Some(Credit { source, description: description.trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::sample;
    use crate::types::{Digest, PixelSize};

    #[test]
    fn what_stands_behind_a_shot_says_where_it_comes_from() {
        let mut plan = sample::plan(1);
        let last = JobIx(plan.jobs.len() as u32 - 1);
        assert_eq!(digital_source(&plan, last, false), Some(DigitalSource::TrainedAlgorithmicMedia));
        assert_eq!(digital_source(&plan, last, true), Some(DigitalSource::AlgorithmicMedia));
        assert!(credit(&plan, last, true).is_some_and(|credit| credit.description.starts_with("A rehearsal")));
        // The first shot was the author's own file all along: what is made from it is both.
        plan.jobs[0].operation =
            Operation::Local(LocalAction::Load { path: "pack.jpg".into(), digest: Digest::of(b"pack"), size: PixelSize::new(8, 8) });
        assert_eq!(digital_source(&plan, last, false), Some(DigitalSource::Composite));
        assert_eq!(digital_source(&plan, JobIx(0), false), None, "no model had a part in it");
        assert_eq!(credit(&plan, JobIx(0), false), None);
    }
}
