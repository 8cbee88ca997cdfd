//! What is to become of a job whose pictures are looked at: the thresholds of today against the figures of the ledger.
//!
//! In: what a picture must be like ([`Bar`]), the job's state, what is known of its pictures. Out: [`Ruling`].
//! Never: a picture. The same figures give the same ruling, so a threshold that is changed costs nothing to try.
//!
//! A job may be paid for once, and `rerolls` times more because its checks failed. Pictures are counted for good, over all runs, so no
//! run begins the count anew; one that was good and got lost is bought again for its loss, which is no reroll. What a *person* turns down is another matter: the refusal is part of the key, so the shot is another job.

use super::Plan;
use crate::ledger::{Artifact, History, JobState, Judgement};
use crate::types::{AttemptNo, BlobRef, Check, Finding};

/// What a picture of a job must pass.
#[derive(Debug, Clone, Copy)]
pub struct Bar<'a> {
    /// The step's checks.
    pub checks: &'a [Check],
    /// How often it may be paid again because a check failed.
    pub rerolls: u32,
    /// Whether another picture can be bought; local work would only make the same again.
    pub is_paid: bool,
}

/// A picture that a job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The try that brought it; absent for local work.
    pub of: Option<AttemptNo>,
    /// The picture.
    pub artifact: Artifact,
}

/// A picture that is in use and may be no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnedDown {
    /// Which.
    pub kept: Kept,
    /// The figures, held against the thresholds of today.
    pub findings: Vec<Finding>,
}

/// What is to become of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The picture in use, if it may be no longer: to be written down before anything else.
    pub down: Option<TurnedDown>,
    /// What comes then.
    pub fate: Fate,
}

/// What comes next for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its picture passes.
    Stands,
    /// This picture must be looked at: nobody has measured it, or it passes now.
    Look(Kept),
    /// All its pictures are turned down, and so many more may be bought.
    Again(u32),
    /// All its pictures are turned down, and no other may be bought.
    UsedUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opinion {
    Good,
    Bad,
    Unknown,
}

impl Bar<'_> {
    fn opinion(&self, artifact: &Artifact, findings: &[Finding]) -> Opinion {
        let mut opinion = Opinion::Good;
        for check in self.checks {
            match check.from_info(&artifact.info, artifact.blob.len).or_else(|| check.known(findings)) {
                Some(value) if !check.passes(value) => return Opinion::Bad,
                Some(_) => {}
                None => opinion = Opinion::Unknown,
            }
        }
        opinion
    }

    /// Returns whether a picture is gone from the store that the checks of today, as far as its figures are known, do not turn down.
    fn is_missed(&self, known: &Judgement, present: &dyn Fn(&BlobRef) -> bool) -> bool {
        !present(&known.artifact.blob) && self.opinion(&known.artifact, &known.findings) != Opinion::Bad
    }

    /// Returns how many of the pictures that may be bought there were: one that was good and got lost was bought again for its loss, and
    /// uses up no reroll.
    pub(super) fn brought(&self, judged: &[Judgement], present: &dyn Fn(&BlobRef) -> bool) -> u32 {
        let counts = |known: &&Judgement| !(known.accepted && self.is_missed(known, present));
        u32::try_from(judged.iter().filter(counts).count()).unwrap_or(u32::MAX)
    }

    /// Returns the figures that are known, held against the thresholds of today.
    pub fn findings(&self, artifact: &Artifact, known: &[Finding]) -> Vec<Finding> {
        let finding = |check: &Check| {
            let against = known.iter().find(|finding| finding.check == check.kind()).and_then(|finding| finding.against);
            let value = check.from_info(&artifact.info, artifact.blob.len).or_else(|| check.known(known))?;
            Some(check.finding(value, against))
        };
        self.checks.iter().filter_map(finding).collect()
    }
}

/// Decides what is to become of a job; `None` when nothing about it is for a look: its state alone decides.
///
/// `present` says whether a picture is still in the store.
pub fn ruling(bar: &Bar<'_>, state: &JobState, judged: &[Judgement], present: &dyn Fn(&BlobRef) -> bool) -> Option<Ruling> {
    let plain = |fate| Some(Ruling { down: None, fate });
    match state {
        JobState::Done { .. } if bar.checks.is_empty() => None,
        JobState::Done { attempt, artifact } => {
            let same = || judged.iter().filter(|known| known.artifact == *artifact);
            // One that was turned down stands behind another try only if that one brought the same picture again, and nobody has looked since.
            let in_use = same().find(|known| known.of == *attempt).or_else(|| same().find(|known| known.accepted));
            let of = in_use.map_or(*attempt, |known| known.of);
            let known = in_use.or_else(|| same().next());
            let kept = Kept { of, artifact: *artifact };
            let findings = known.map_or(&[][..], |known| &known.findings);
            match bar.opinion(artifact, findings) {
                Opinion::Good => plain(Fate::Stands),
                Opinion::Unknown => plain(Fate::Look(kept)),
                Opinion::Bad => {
                    let findings = bar.findings(artifact, findings);
                    let mut then: Vec<Judgement> = judged.iter().filter(|known| known.of != kept.of).cloned().collect();
                    then.push(Judgement { of: kept.of, artifact: *artifact, accepted: false, findings: findings.clone() });
                    Some(Ruling { down: Some(TurnedDown { kept, findings }), fate: fate(bar, &then, present) })
                }
            }
        }
        // What is made here for nothing and is gone is made again, unless it is known not to pass.
        JobState::Rejected { .. } if !bar.is_paid && judged.iter().all(|known| bar.is_missed(known, present)) => None,
        JobState::Rejected { .. } => plain(fate(bar, judged, present)),
        // A reroll that failed: what is kept may be good enough by now.
        JobState::Failed { .. } if !judged.is_empty() => match fate(bar, judged, present) {
            Fate::Again(_) => None,
            other => plain(other),
        },
        _ => None,
    }
}

/// Looks through what is kept, the latest first, when none of it is in use.
fn fate(bar: &Bar<'_>, judged: &[Judgement], present: &dyn Fn(&BlobRef) -> bool) -> Fate {
    let kept = judged.iter().rev().filter(|known| present(&known.artifact.blob));
    let that_is = |wanted: Opinion| kept.clone().find(|known| bar.opinion(&known.artifact, &known.findings) == wanted);
    if let Some(known) = that_is(Opinion::Good).or_else(|| that_is(Opinion::Unknown)) {
        return Fate::Look(Kept { of: known.of, artifact: known.artifact });
    }
    match bar.rerolls.saturating_add(1).saturating_sub(bar.brought(judged, present)) {
        left if left > 0 && bar.is_paid => Fate::Again(left),
        _ => Fate::UsedUp,
    }
}

/// Returns the history as the thresholds of today see it: a picture that passes no longer is no picture.
///
/// Nothing is written; a run writes it down when it comes to the shot. `present` says whether a picture is still in the store.
pub fn ruled(plan: &Plan, mut history: History, present: &dyn Fn(&BlobRef) -> bool) -> History {
    if plan.steps.iter().all(|step| step.checks.is_empty()) {
        return history;
    }
    for ix in plan.indices() {
        let key = plan.job(ix).key;
        let Some(Ruling { down: Some(down), .. }) = ruling(&plan.bar(ix), history.state(&key), history.judged(&key), present) else { continue };
        if let Some(known) = history.jobs.get_mut(&key) {
            let attempt = Some(known.state.last_attempt()).filter(|attempt| attempt.0 > 0);
            known.state = JobState::Rejected { attempt, artifact: down.kept.artifact };
        }
        let judged = history.judged.entry(key).or_default();
        judged.retain(|known| known.of != down.kept.of);
        judged.push(Judgement { of: down.kept.of, artifact: down.kept.artifact, accepted: false, findings: down.findings });
        judged.sort_by_key(|known| known.of);
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Digest, Failure, FailureClass, ImageFormat, ImageInfo, PixelSize};

    fn artifact(n: u64) -> Artifact {
        let info = ImageInfo { format: ImageFormat::Png, size: PixelSize::new(1024, 1280), alpha: false };
        Artifact { blob: BlobRef { digest: Digest::of(&n.to_le_bytes()), len: 9 }, info }
    }

    fn judged(attempt: u32, sharpness: i64) -> Judgement {
        let findings = vec![Check::Sharpness(20).finding(sharpness, None)];
        Judgement { of: Some(AttemptNo(attempt)), artifact: artifact(attempt.into()), accepted: sharpness >= 20, findings }
    }

    /// Tells what becomes of a job, in a few words.
    fn told(least: u32, rerolls: u32, state: &JobState, judged: &[Judgement]) -> String {
        let checks = [Check::Sharpness(least), Check::MinSide(1024)];
        let ruling = ruling(&Bar { checks: &checks, rerolls, is_paid: true }, state, judged, &|_| true);
        let Some(Ruling { down, fate }) = ruling else { return "by its state".to_owned() };
        let fate = match fate {
            Fate::Look(kept) => format!("look at {}", kept.of.map_or(0, |attempt| attempt.0)),
            other => format!("{other:?}").to_lowercase(),
        };
        down.map_or(String::new(), |down| format!("down with {}, ", down.kept.of.map_or(0, |attempt| attempt.0))) + &fate
    }

    #[test]
    fn thresholds_of_today_rule_over_what_was_measured_then() {
        let done = |attempt: u32, picture: u64| JobState::Done { attempt: Some(AttemptNo(attempt)), artifact: artifact(picture) };
        let rejected = |attempt: u32| JobState::Rejected { attempt: Some(AttemptNo(attempt)), artifact: artifact(attempt.into()) };
        let failed = JobState::Failed { attempt: AttemptNo(2), failure: Failure::new(FailureClass::Failed, "501", "") };
        let both = [judged(1, 12), judged(2, 8)];
        let cases = [
            ("nothing measured", told(20, 1, &done(1, 1), &[])),
            ("good", told(20, 1, &done(1, 1), &[judged(1, 40)])),
            ("raised", told(50, 1, &done(1, 1), &[judged(1, 40)])),
            ("raised, no rerolls", told(50, 0, &done(1, 1), &[judged(1, 40)])),
            ("raised, an earlier one is better", told(10, 1, &done(2, 2), &both)),
            ("turned down", told(20, 1, &rejected(1), &[judged(1, 12)])),
            ("turned down twice", told(20, 1, &rejected(2), &both)),
            ("lowered", told(10, 1, &rejected(2), &both)),
            ("lowered further: the later one", told(5, 1, &rejected(2), &both)),
            ("more rerolls", told(20, 4, &rejected(2), &both)),
            ("a reroll failed", told(20, 1, &failed, &[judged(1, 12)])),
            ("a reroll failed, lowered", told(10, 1, &failed, &[judged(1, 12)])),
            ("failed, never a picture", told(20, 1, &failed, &[])),
            ("never tried", told(20, 1, &JobState::Untried, &[])),
        ];
        let lines: Vec<String> = cases.iter().map(|(what, told)| format!("{what}: {told}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        nothing measured: look at 1
        good: stands
        raised: down with 1, again(1)
        raised, no rerolls: down with 1, usedup
        raised, an earlier one is better: down with 2, look at 1
        turned down: again(1)
        turned down twice: usedup
        lowered: look at 1
        lowered further: the later one: look at 2
        more rerolls: again(3)
        a reroll failed: by its state
        a reroll failed, lowered: look at 1
        failed, never a picture: by its state
        never tried: by its state
        ");
    }

    #[test]
    fn a_good_picture_that_was_lost_uses_up_no_reroll() {
        let bar = |rerolls| Bar { checks: &[Check::Sharpness(20)], rerolls, is_paid: true };
        let failed = JobState::Failed { attempt: AttemptNo(2), failure: Failure::new(FailureClass::Failed, "501", "") };
        assert_eq!(ruling(&bar(0), &failed, &[judged(1, 40)], &|_| false), None, "its replacement is still to be bought");
        let rejected = JobState::Rejected { attempt: Some(AttemptNo(2)), artifact: artifact(2) };
        let fate = |rerolls| ruling(&bar(rerolls), &rejected, &[judged(1, 40), judged(2, 12)], &|blob| *blob == artifact(2).blob).map(|it| it.fate);
        assert_eq!((fate(0), fate(1)), (Some(Fate::UsedUp), Some(Fate::Again(1))), "one picture was turned down");
        let raised = ruling(&Bar { checks: &[Check::Sharpness(50)], ..bar(0) }, &failed, &[judged(1, 40)], &|_| false);
        assert_eq!(raised.map(|it| it.fate), Some(Fate::UsedUp), "lost or not, it is not good enough now");
    }

    #[test]
    fn the_same_picture_once_more_is_another_picture_that_was_paid_for() {
        let bar = Bar { checks: &[Check::Sharpness(20)], rerolls: 1, is_paid: true };
        // As a death before the look leaves it: the second try brought what the first one did.
        let state = JobState::Done { attempt: Some(AttemptNo(2)), artifact: artifact(1) };
        let Some(Ruling { down: Some(down), fate }) = ruling(&bar, &state, &[judged(1, 12)], &|_| true) else { panic!("it is turned down") };
        assert_eq!((down.kept.of, fate), (Some(AttemptNo(2)), Fate::UsedUp));
        // A picture of the first try that was taken back after the second is the first one's still.
        let Some(Ruling { down: Some(down), .. }) = ruling(&Bar { checks: &[Check::Sharpness(50)], ..bar }, &state, &[judged(1, 40)], &|_| true)
        else {
            panic!("it is turned down")
        };
        assert_eq!(down.kept.of, Some(AttemptNo(1)));
    }

    #[test]
    fn no_try_is_paid_for_while_what_is_kept_decides_even_if_the_price_of_the_last_one_is_open() {
        let open = Failure { billed: crate::types::Billed::Maybe, ..Failure::new(FailureClass::Failed, "501", "") };
        let failed = JobState::Failed { attempt: AttemptNo(2), failure: open };
        assert_eq!(told(10, 1, &failed, &[judged(1, 12)]), "look at 1", "a threshold that was lowered takes what is kept");
        assert_eq!(told(20, 0, &failed, &[judged(1, 12)]), "usedup", "rerolls that were taken back are not bought");
        assert_eq!(told(20, 1, &failed, &[judged(1, 12)]), "by its state");
    }

    #[test]
    fn local_work_that_is_gone_is_made_again_unless_it_is_known_not_to_pass() {
        let known = Judgement { of: None, ..judged(1, 12) };
        let state = JobState::Rejected { attempt: None, artifact: artifact(1) };
        let ruled = |least: u32| {
            ruling(&Bar { checks: &[Check::Sharpness(least)], rerolls: 0, is_paid: false }, &state, std::slice::from_ref(&known), &|_| false)
        };
        assert_eq!(ruled(10), None);
        assert_eq!(ruled(20).map(|it| it.fate), Some(Fate::UsedUp));
    }

    #[test]
    fn a_step_without_checks_takes_whatever_was_turned_down() {
        let state = JobState::Rejected { attempt: Some(AttemptNo(1)), artifact: artifact(1) };
        let bar = Bar { checks: &[], rerolls: 0, is_paid: true };
        let fate = |present: bool| ruling(&bar, &state, &[judged(1, 3)], &|_| present).expect("it is rejected").fate;
        assert_eq!(fate(true), Fate::Look(Kept { of: Some(AttemptNo(1)), artifact: artifact(1) }));
        assert_eq!(fate(false), Fate::UsedUp, "what is gone from the store cannot be taken");
    }

    #[test]
    fn local_work_is_never_made_again_to_please_a_check() {
        let known = Judgement { of: None, ..judged(1, 3) };
        let state = JobState::Rejected { attempt: None, artifact: artifact(1) };
        let bar = Bar { checks: &[Check::Sharpness(20)], rerolls: 3, is_paid: false };
        assert_eq!(ruling(&bar, &state, &[known], &|_| true).expect("it is rejected").fate, Fate::UsedUp);
    }
}
