//! Rules about what is made from what: how deep a chain of paid edits is, how small the sources are.

use super::Remark;
use crate::campaign::{Campaign, Step};
use crate::plan::{JobIx, Plan};
use crate::types::diagnostic::counted;
use crate::types::{Action, InputRole, LocalAction, Operation, PixelSize, Rule};

/// Paid edits in a row that need no second thought.
const MOST_EDITS: u32 = 2;

/// A source's longer side must have at least this share of the picture's: one half.
const SMALLEST_SHARE: (u32, u32) = (1, 2);

/// Judges what a step takes.
pub(super) fn judge(campaign: &Campaign, plan: &Plan, index: usize, remarks: &mut Vec<Remark>) {
    let step = &campaign.steps[index];
    if !is_edit(step) {
        return;
    }
    chain(campaign, index, remarks);
    source(campaign, plan, step, remarks);
}

fn is_edit(step: &Step) -> bool {
    step.inserted.is_none() && step.paid.as_ref().is_some_and(|paid| matches!(paid.action, Action::Edit | Action::Inpaint))
}

/// Returns how many paid edits stand on the way to a step's pictures, its own included.
fn edits(campaign: &Campaign, index: usize) -> u32 {
    let mut count = 0;
    let mut current = index;
    loop {
        let step = &campaign.steps[current];
        count += u32::from(is_edit(step));
        // Steps stand behind those whose pictures they take, so that this ends.
        match step.sources.iter().find(|source| matches!(source.role, InputRole::Image | InputRole::Candidate(_))) {
            Some(source) => current = source.step,
            None => return count,
        }
    }
}

fn chain(campaign: &Campaign, index: usize, remarks: &mut Vec<Remark>) {
    // Only the step that goes too far is told, not those behind it.
    if edits(campaign, index) != MOST_EDITS + 1 {
        return;
    }
    let label = format!("the {} paid edits before it are on this picture already", MOST_EDITS);
    let help = "say several changes in one edit of an earlier step; or measure the loss with `check: { drift: … }` and allow it here";
    remarks.push(Remark::new(Rule::ChainTooDeep, campaign.steps[index].at.key("image"), label, help));
}

fn source(campaign: &Campaign, plan: &Plan, step: &Step, remarks: &mut Vec<Remark>) {
    let Some(planned) = plan.steps.iter().find(|planned| planned.name == step.name) else { return };
    let mut smallest: Option<(PixelSize, PixelSize, u32)> = None;
    let mut count = 0;
    for ix in planned.jobs.clone().map(JobIx) {
        let Some((loaded, maker)) = file_of(plan, ix) else { continue };
        let asked = plan.job(ix).size;
        let (share, of) = SMALLEST_SHARE;
        if longer(loaded) == 0 || longer(loaded).saturating_mul(of) >= longer(asked).saturating_mul(share) {
            continue;
        }
        count += 1;
        if smallest.is_none_or(|(known, ..)| longer(loaded) < longer(known)) {
            smallest = Some((loaded, asked, maker));
        }
    }
    let Some((loaded, asked, maker)) = smallest else { return };
    let maker = &plan.steps[maker as usize].name;
    let Some(load) = campaign.steps.iter().find(|step| step.name == *maker) else { return };
    let label = format!("{} of {} too small; the smallest is {}x{}", counted(count, "source"), planned.jobs.len(), loaded.width, loaded.height);
    let help = format!(
        "step `{}` asks for {}x{}: use files of at least {} pixels on the longer side, or a smaller `resolution`",
        step.name,
        asked.width,
        asked.height,
        longer(asked).div_ceil(SMALLEST_SHARE.1)
    );
    let mut remark = Remark::new(Rule::UpscaledInput, load.at.key("file"), label, help);
    remark.also_at.push(step.at.key("image"));
    remark.said = remark.said.related(step.at.key("image"), "taken here");
    remarks.push(remark);
}

fn longer(size: PixelSize) -> u32 {
    size.width.max(size.height)
}

/// Returns the size of the author's file that a job's picture comes from by free work alone, and the step that loads it.
fn file_of(plan: &Plan, ix: JobIx) -> Option<(PixelSize, u32)> {
    let mut current = ix;
    loop {
        current = plan.inputs(current).into_iter().find(|input| matches!(input.role, InputRole::Image | InputRole::Candidate(_)))?.from;
        let job = plan.job(current);
        match &job.operation {
            Operation::Paid(_) => return None,
            Operation::Local(LocalAction::Load { .. }) => return Some((job.size, job.step)),
            Operation::Local(_) => {}
        }
    }
}
