//! Pictures that are looked at: what they must be like, what the author changes about that, and what holds for them.
//!
//! It follows `Shift::ruling` and `Shift::judge` of `src/engine/advance.rs`. The ruling is the real one. Whether a picture passes is
//! decided by its digest; what is checked here goes by that, by the tries of the ledger and by what was deleted, not by the ruling.

use callsheet::engine::machine::JobEvent;
use callsheet::ledger::{AttemptStatus, JobState, Judgement, Ledger, Record};
use callsheet::plan::{Bar, Fate, Kept, Ruling, ruling};
use callsheet::types::{Amount, AttemptNo, Check, CheckKind, Digest, Failure, FailureClass, Finding, JobKey};

use super::campaign::Shot;
use super::dice::{Dice, mix};
use super::world::{Comes, What, World};
use super::{Broken, Mutation, checks};

/// What the pictures of a step must be like, and how often another is bought for one that is not.
#[derive(Debug, Clone, Default)]
pub struct Standards {
    /// The step's checks; empty: nobody looks.
    pub checks: Vec<Check>,
    /// How often a shot may be paid again because a check failed.
    pub rerolls: u32,
}

impl Standards {
    /// Makes up what a step asks for.
    pub fn of(dice: &mut Dice) -> Self {
        Self { checks: checks_of(dice), rerolls: dice.within(0..4) as u32 }
    }

    /// Lets the author ask for more, for less, for something else, or allow another number of rerolls.
    pub fn change(&mut self, dice: &mut Dice) {
        if dice.strikes(400) {
            self.rerolls = dice.within(0..4) as u32;
        } else if self.checks.is_empty() || dice.strikes(300) {
            self.checks = if dice.strikes(200) { Vec::new() } else { checks_of(dice) };
        } else {
            for check in &mut self.checks {
                *check = threshold(check.kind(), dice);
            }
        }
    }

    fn passes(&self, picture: Digest) -> bool {
        self.checks.iter().all(|check| check.passes(figure(picture, check.kind())))
    }
}

fn checks_of(dice: &mut Dice) -> Vec<Check> {
    let kinds = dice.pick(&[&[CheckKind::Sharpness][..], &[CheckKind::Drift], &[CheckKind::Sharpness, CheckKind::Drift]]);
    kinds.iter().map(|kind| threshold(*kind, dice)).collect()
}

fn threshold(kind: CheckKind, dice: &mut Dice) -> Check {
    let at = dice.pick(&[10, 30, 50, 80, 100]);
    if kind == CheckKind::Drift { Check::Drift(100 - at) } else { Check::Sharpness(at) }
}

/// What a check of this kind finds about a picture, from 0 to 99.
fn figure(picture: Digest, kind: CheckKind) -> i64 {
    let mut number = [0; 8];
    for (place, byte) in picture.as_bytes().iter().enumerate() {
        number[place % 8] ^= byte.rotate_left(place as u32 / 8);
    }
    (mix(u64::from_le_bytes(number) ^ u64::from(kind == CheckKind::Drift)) % 100) as i64
}

/// What the run has to do for the pictures of a shot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Its state alone decides.
    AsItStands,
    /// One is to be looked at.
    Look,
    /// Another is bought.
    Reroll,
    /// No other may be bought.
    Rejected,
}

impl World {
    /// Returns what the pictures of a shot must be like.
    pub fn standards(&self, shot: usize) -> &Standards {
        &self.campaign.standards[self.campaign.shots[shot].step]
    }

    fn judgements(&self, key: JobKey) -> Result<Vec<Judgement>, Broken> {
        self.ledger.judgements(key).map_err(|error| Broken(error.to_string()))
    }

    /// Decides what is to become of the pictures of a shot, by what the ledger knows of them.
    pub fn ruling(&self, shot: usize, state: &JobState) -> Result<Option<Ruling>, Broken> {
        let (about, standards) = (&self.campaign.shots[shot], self.standards(shot));
        let may_be_ruled = match state {
            JobState::Done { .. } => !standards.checks.is_empty(),
            JobState::Rejected { .. } | JobState::Failed { .. } => true,
            _ => false,
        };
        if !may_be_ruled {
            return Ok(None);
        }
        let judged = self.judgements(about.key)?;
        let rerolls = match self.mutation {
            Some(Mutation::CountNoReroll) => standards.rerolls.saturating_add(judged.len() as u32),
            Some(Mutation::RerollOnceMore) => standards.rerolls + 1,
            _ => standards.rerolls,
        };
        let stands = |known: &Judgement| known.accepted && matches!(state, JobState::Done { artifact, .. } if *artifact == known.artifact);
        if self.mutation == Some(Mutation::StandByTheOldWord) && judged.iter().any(stands) {
            return Ok(Some(Ruling { down: None, fate: Fate::Stands }));
        }
        let bar = Bar { checks: &standards.checks, rerolls, is_paid: about.price.is_some() };
        Ok(ruling(&bar, state, &judged, &|blob| self.store.contains(&blob.digest)))
    }

    /// Returns what the run has to do for the pictures of a shot.
    pub fn task(&self, shot: usize, state: &JobState) -> Result<Task, Broken> {
        Ok(match self.ruling(shot, state)?.map(|ruling| ruling.fate) {
            Some(Fate::Look(kept)) if self.store.contains(&kept.artifact.blob.digest) => Task::Look,
            Some(Fate::Again(_)) => Task::Reroll,
            Some(Fate::UsedUp) => Task::Rejected,
            Some(Fate::Look(_) | Fate::Stands) | None => Task::AsItStands,
        })
    }

    /// Begins to look at a picture.
    pub fn look(&mut self, process: usize, shot: usize, kept: Kept, charged: Option<Amount>) {
        let (turn, at) = (self.next_turn(process, shot), self.now + self.dice.within(1_000..300_000));
        self.at(at, What::Answer { process, shot, turn, comes: Comes::Seen { kept, charged } });
    }

    /// Returns what was seen; nothing if the picture could not be read.
    pub fn seen(&mut self, shot: usize, kept: Kept, charged: Option<Amount>) -> Result<JobEvent, Broken> {
        if !self.store.contains(&kept.artifact.blob.digest) {
            return Err(Broken(format!("{}: a picture is looked at that is not in the store", self.campaign.shots[shot].id)));
        }
        if self.dice.strikes(self.faults.unreadable) {
            return Ok(JobEvent::NotJudged(Failure::new(FailureClass::Local, "check", "simulated")));
        }
        let found = |check: &Check| check.finding(figure(kept.artifact.blob.digest, check.kind()), None);
        let findings: Vec<Finding> = self.standards(shot).checks.iter().map(found).collect();
        Ok(JobEvent::Judged { kept, findings, charged })
    }

    /// Lets the author think again, and somebody delete pictures that were turned down.
    pub fn between_looks(&mut self) {
        for step in 0..self.campaign.standards.len() {
            let is_looked_at = !self.campaign.standards[step].checks.is_empty();
            if self.dice.strikes(self.faults.change_checks) && (is_looked_at || self.dice.strikes(100)) {
                let Self { campaign, dice, .. } = self;
                campaign.standards[step].change(dice);
                self.note(|world| format!("the author asks of step{step} for {:?}", world.campaign.standards[step]));
            }
        }
        for shot in 0..self.campaign.shots.len() {
            let Ok(JobState::Rejected { artifact, .. }) = self.load(self.campaign.shots[shot].key) else { continue };
            if self.dice.strikes(self.faults.lose_picture) && self.store.remove(&artifact.blob.digest) {
                *self.deleted.entry(artifact.blob.digest).or_default() += 1;
                self.note(|world| format!("the picture of {} that was turned down is deleted", world.campaign.shots[shot].id));
            }
        }
        self.note_rerolls();
    }

    /// Notes the largest number of rerolls that each shot was ever allowed.
    pub fn note_rerolls(&mut self) {
        for about in &self.campaign.shots {
            let rerolls = self.campaign.standards[about.step].rerolls;
            let most = self.most_rerolls.entry(about.key).or_default();
            *most = rerolls.max(*most);
        }
    }
}

// --- what must hold -------------------------------------------------------------------------------------------------------------------

/// The whole pictures that were paid for under a key.
fn whole(world: &World, key: JobKey) -> Result<Vec<(AttemptNo, Digest)>, Broken> {
    let rows = world.ledger.attempts("", &[key]).map_err(|error| Broken(error.to_string()))?;
    let done = rows.iter().filter(|row| row.status == AttemptStatus::Done);
    Ok(done.filter_map(|row| Some((row.attempt, row.artifact?.blob.digest))).collect())
}

fn broken(about: &Shot, what: &str) -> Result<(), Broken> {
    Err(Broken(format!("{}: {what}", about.id)))
}

/// Before a record about a look is written: it is about a picture of the shot, and says the truth about it.
pub fn judged(world: &World, shot: usize, record: &Record) -> Result<(), Broken> {
    let Record::Judged { of, artifact, accepted, .. } = record else { return Ok(()) };
    let (about, picture) = (&world.campaign.shots[shot], artifact.blob.digest);
    if of.is_some_and(|attempt| !world.provider.made((about.key, attempt), picture)) {
        return broken(about, "a picture is judged that was not made for it");
    }
    if *accepted && !world.store.contains(&picture) {
        return broken(about, "a picture is taken for good that is not in the store");
    }
    if *accepted != world.standards(shot).passes(picture) {
        return broken(about, "a picture is judged otherwise than it is");
    }
    Ok(())
}

/// After an intent, with the state before it: the shot has not had all the pictures that it may have, and none that it has would do.
pub fn paid_again(world: &World, shot: usize, before: &JobState) -> Result<(), Broken> {
    let (about, standards) = (&world.campaign.shots[shot], world.standards(shot));
    let whole = whole(world, about.key)?;
    let lost = world.lost.get(&about.key).copied().unwrap_or(0) as usize;
    // The one in use was deleted: it is replaced, which is no reroll.
    if matches!(before, JobState::Done { .. }) {
        let is_allowed = is_allowed(world, about.key, whole.len() as u32 + 1);
        return if is_allowed { Ok(()) } else { broken(about, &format!("replaced after {} pictures, {lost} of them deleted", whole.len())) };
    }
    if whole.len() > standards.rerolls as usize + lost {
        return broken(about, &format!("bought again after {} pictures, {lost} of them deleted, with {} rerolls", whole.len(), standards.rerolls));
    }
    // One that was deleted may be there again by a try whose answer was lost: the ledger knows of no picture of that try.
    let is_known = |wanted: &Digest| whole.iter().filter(|(_, picture)| picture == wanted).count() > world.deleted.get(wanted).copied().unwrap_or(0);
    match whole.iter().find(|(_, picture)| world.store.contains(picture) && is_known(picture) && standards.passes(*picture)) {
        None => Ok(()),
        Some((attempt, _)) => broken(about, &format!("bought again, and the kept picture of attempt {attempt} passes")),
    }
}

/// Before a paid request leaves: what is sent along was looked at and passes.
pub fn given(world: &World, process: usize, input: usize) -> Result<(), Broken> {
    let (about, standards) = (&world.campaign.shots[input], world.standards(input));
    if standards.checks.is_empty() {
        return Ok(());
    }
    let Some(picture) = world.picture_of(process, input) else { return broken(about, "given to a paid request without a picture") };
    let seen = world.judgements(about.key)?.iter().any(|known| known.accepted && known.artifact.blob.digest == picture);
    if !seen && !standards.passes(picture) {
        return broken(about, "given to a paid request before it was looked at, and it does not pass");
    }
    if !standards.passes(picture) {
        return broken(about, "given to a paid request, and it does not pass");
    }
    Ok(())
}

/// When a run has ended: what it counts as pictures of shots passes, and nobody has paid for more than was ever allowed.
pub fn run(world: &World) -> Result<(), Broken> {
    for (shot, about) in world.campaign.shots.iter().enumerate() {
        let counted = (0..world.processes.len()).filter_map(|process| world.picture_of(process, shot));
        if counted.into_iter().any(|picture| !world.standards(shot).passes(picture)) {
            return broken(about, "counted as done with a picture that does not pass");
        }
    }
    Ok(())
}

/// Returns whether so many pictures are no more than a shot may have been paid for.
pub fn is_allowed(world: &World, key: JobKey, pictures: u32) -> bool {
    let known = |counts: &std::collections::HashMap<JobKey, u32>| counts.get(&key).copied().unwrap_or(0);
    pictures <= 1 + known(&world.most_rerolls) + known(&world.lost)
}

/// Returns whether a shot stands on a picture that is in the store, that was looked at as far as that is wanted, and that passes.
pub fn stands(world: &World, shot: usize) -> Result<bool, Broken> {
    let (about, standards) = (&world.campaign.shots[shot], world.standards(shot));
    let Some(picture) = checks::artifact(world, shot) else { return Ok(false) };
    if standards.checks.is_empty() {
        return Ok(true);
    }
    let judged = world.judgements(about.key)?;
    let measured = judged.iter().filter(|known| known.artifact.blob.digest == picture);
    let is_seen = measured.into_iter().any(|known| standards.checks.iter().all(|check| check.known(&known.findings).is_some()));
    Ok(is_seen && standards.passes(picture))
}

/// Returns whether a shot without a picture in use has one in the store that passes: it should stand on that.
pub fn has_better(world: &World, shot: usize, state: &JobState) -> Result<bool, Broken> {
    let would_do = |picture: Digest| world.store.contains(&picture) && world.standards(shot).passes(picture);
    let last = if let JobState::Rejected { artifact, .. } = state { Some(artifact.blob.digest) } else { None };
    Ok(last.is_some_and(would_do) || whole(world, world.campaign.shots[shot].key)?.into_iter().any(|(_, picture)| would_do(picture)))
}

/// Returns whether a shot whose pictures do not pass has had all that it may have.
pub fn is_used_up(world: &World, shot: usize, state: &JobState) -> Result<bool, Broken> {
    let (about, standards) = (&world.campaign.shots[shot], world.standards(shot));
    if about.price.is_none() {
        return Ok(matches!(state, JobState::Rejected { artifact, .. } if !standards.passes(artifact.blob.digest)));
    }
    let judged = world.judgements(about.key)?;
    let turned_down = |attempt: AttemptNo| judged.iter().any(|known| known.of == Some(attempt) && !known.accepted);
    let whole = whole(world, about.key)?;
    let bad = whole.iter().filter(|(attempt, picture)| turned_down(*attempt) || !standards.passes(*picture)).count();
    Ok(bad > standards.rerolls as usize)
}
