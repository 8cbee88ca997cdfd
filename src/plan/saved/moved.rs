//! What no longer holds of a saved plan, all at once.
//!
//! In: the plan as it was saved and as it is now. Out: [`Moves`]; nothing when it holds. Never: a guess which of several files did it.

use std::collections::BTreeMap;

use super::{InputKind, SavedCap, SavedInput, SavedJob, SavedPlan, SavedPrice, SavedSum, SavedWork};
use crate::types::JobId;

/// From where a plan is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standpoint {
    /// No run of it has begun: history must stand where it stood.
    Untouched,
    /// A run of it has begun, and has moved history itself: only shots that the plan was not going to make must not be made.
    Begun,
}

/// Some shots with one thing in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: JobId,
}

impl Count {
    fn add(counts: &mut Option<Self>, id: &JobId) {
        match counts {
            Some(count) => count.count += 1,
            None => *counts = Some(Self { count: 1, first: id.clone() }),
        }
    }
}

/// How an input has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Other contents under the same name.
    Changed,
    /// Used now, not then.
    Added,
    /// Used then, not now.
    Gone,
}

/// Everything that no longer holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moves {
    /// Files and books.
    pub inputs: Vec<(InputKind, String, Moved)>,
    /// Shots that would be another picture, with the name, the old and the new value of what differs first in the first of them.
    pub changed: Option<(Count, Option<FieldMove>)>,
    /// Shots that there were not.
    pub added: Option<Count>,
    /// Shots that there are no longer.
    pub gone: Option<Count>,
    /// Shots whose file stands elsewhere.
    pub renamed: Option<Count>,
    /// Shots with another price, by old and new price.
    pub repriced: Vec<(SavedPrice, SavedPrice, Count)>,
    /// Shots with other work to do, by old and new work.
    pub work: Vec<(SavedWork, SavedWork, Count)>,
    /// Whether the ledger knows more of the shots than it did.
    pub history: bool,
    /// Caps, as they were and are.
    pub caps: Vec<(Option<SavedCap>, Option<SavedCap>)>,
    /// Totals that differ: name, then, now.
    pub totals: Vec<(&'static str, SavedSum, SavedSum)>,
    /// Whether the file says what its inputs never said: edited, or saved by another version of the program.
    pub edited: bool,
}

/// One ingredient of a shot that differs: its name, what it was, what it is.
pub type FieldMove = (String, Option<String>, Option<String>);

impl SavedPlan {
    /// Compares the plan with the same plan made `now`; `None` when it holds.
    pub fn moves(&self, now: &Self, from: Standpoint) -> Option<Moves> {
        if self == now {
            return None;
        }
        let mut moves = Moves { inputs: inputs(&self.inputs, &now.inputs), ..Moves::default() };
        let mut odd = self.compare_shots(now, from, &mut moves);
        odd |= self.campaign != now.campaign || self.digest != now.digest || self.steps != now.steps;
        odd |= self.totals.currency != now.totals.currency;
        moves.caps = caps(&self.caps, &now.caps, from);
        if from == Standpoint::Untouched {
            // Other shots have another history; of the same ones it is the ledger that has moved.
            let same_shots = moves.changed.is_none() && moves.added.is_none() && moves.gone.is_none();
            moves.history = self.history != now.history && (same_shots || !moves.work.is_empty());
            let (was, is) = (&self.totals, &now.totals);
            let totals = [("floor", was.floor, is.floor), ("expected", was.expected, is.expected), ("ceiling", was.ceiling, is.ceiling)];
            moves.totals = totals.into_iter().filter(|(_, was, is)| was != is).collect();
            // The ledger's part of the sums: what is to do, and what is committed already.
            let is_explained = moves.history || moves.caps.iter().any(|(was, is)| committed(was) != committed(is));
            odd |= !is_explained && (!moves.totals.is_empty() || !moves.work.is_empty());
            odd |= moves.is_empty();
        }
        moves.edited = odd && moves.inputs.is_empty();
        (odd || !moves.is_empty()).then_some(moves)
    }

    /// Compares shot by shot; returns whether there is something that only the inputs can have done.
    fn compare_shots(&self, now: &Self, from: Standpoint, moves: &mut Moves) -> bool {
        let places = now.places();
        let mut seen = vec![false; now.jobs.len()];
        let mut renamed = None;
        let mut changed: Option<Count> = None;
        let mut first_field = None;
        let mut gone = None;
        let mut odd = false;
        let mut repriced: BTreeMap<String, (SavedPrice, SavedPrice, Option<Count>)> = BTreeMap::new();
        let mut work: BTreeMap<(SavedWork, SavedWork), Option<Count>> = BTreeMap::new();
        for was in &self.jobs {
            let Some(place) = places.get(&was.id).copied() else {
                Count::add(&mut gone, &was.id);
                continue;
            };
            seen[place] = true;
            let is = &now.jobs[place];
            if was.key != is.key {
                if changed.is_none() {
                    first_field = first_difference(was, is);
                }
                Count::add(&mut changed, &was.id);
            } else if was.fields != is.fields || was.inputs != is.inputs || was.step != is.step {
                odd = true;
            }
            if was.path != is.path {
                Count::add(&mut renamed, &was.id);
            }
            if was.price != is.price {
                let of = repriced.entry(format!("{} {}", was.price, is.price)).or_insert((was.price, is.price, None));
                Count::add(&mut of.2, &was.id);
            }
            let has_moved = match from {
                Standpoint::Untouched => was.work != is.work,
                Standpoint::Begun => is.work.is_outstanding() && !was.work.is_to_do(),
            };
            if has_moved && was.key == is.key {
                Count::add(work.entry((was.work, is.work)).or_default(), &was.id);
            }
        }
        let mut added = None;
        for (job, _) in now.jobs.iter().zip(&seen).filter(|(_, seen)| !**seen) {
            Count::add(&mut added, &job.id);
        }
        moves.changed = changed.map(|count| (count, first_field));
        (moves.added, moves.gone, moves.renamed) = (added, gone, renamed);
        moves.repriced = repriced.into_values().filter_map(|(was, is, count)| Some((was, is, count?))).collect();
        moves.work = work.into_iter().filter_map(|((was, is), count)| Some((was, is, count?))).collect();
        odd || moves.has_shots()
    }
}

impl Moves {
    /// Returns whether shots, their files or their prices differ.
    pub fn has_shots(&self) -> bool {
        let any = [&self.added, &self.gone, &self.renamed].into_iter().any(Option::is_some);
        any || self.changed.is_some() || !self.repriced.is_empty()
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn inputs(was: &[SavedInput], is: &[SavedInput]) -> Vec<(InputKind, String, Moved)> {
    let same = |one: &SavedInput, other: &SavedInput| one.kind == other.kind && one.name == other.name;
    let then = was.iter().filter_map(|input| match is.iter().find(|other| same(input, other)) {
        Some(other) if other == input => None,
        Some(_) => Some((input.kind, input.name.clone(), Moved::Changed)),
        None => Some((input.kind, input.name.clone(), Moved::Gone)),
    });
    let new = is.iter().filter(|input| !was.iter().any(|other| same(input, other)));
    then.chain(new.map(|input| (input.kind, input.name.clone(), Moved::Added))).collect()
}

fn caps(was: &[SavedCap], is: &[SavedCap], from: Standpoint) -> Vec<(Option<SavedCap>, Option<SavedCap>)> {
    let same = |one: &SavedCap, other: &SavedCap| match from {
        Standpoint::Untouched => one == other,
        Standpoint::Begun => one.limit == other.limit,
    };
    let then = was.iter().filter_map(|cap| match is.iter().find(|other| other.of == cap.of) {
        Some(other) if same(cap, other) => None,
        other => Some((Some(cap.clone()), other.cloned())),
    });
    let new = is.iter().filter(|cap| !was.iter().any(|other| other.of == cap.of));
    then.chain(new.map(|cap| (None, Some(cap.clone())))).collect()
}

fn committed(cap: &Option<SavedCap>) -> Option<crate::types::Micros> {
    cap.as_ref().map(|cap| cap.committed)
}

/// Returns the first ingredient that differs.
fn first_difference(was: &SavedJob, is: &SavedJob) -> Option<FieldMove> {
    let value = |job: &SavedJob, name: &str| job.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    let names = was.fields.iter().chain(&is.fields).map(|(name, _)| name);
    let differs = |name: &&String| value(was, name) != value(is, name);
    names.into_iter().find(differs).map(|name| (name.clone(), value(was, name), value(is, name)))
}
