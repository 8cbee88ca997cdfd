//! What differs between two plans, job by job, told in groups that a person can read.
//!
//! ```text
//! two sides ─ match by address, then by key ─▶ added · removed · moved · changed ─ alike ones together ─▶ Diff
//! ```
//!
//! In: two [`Side`]s. Out: a [`Diff`]. Never: money, history, a view.
//!
//! A job whose address is gone while its key stands at a new address is *moved*: the same picture, nothing to buy. A job whose
//! ingredients are the same except for the pictures that it takes *follows* from their makers, and is not told as a change of its own.

mod matching;
mod recipes;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use indexmap::IndexMap;

use super::Side;
use super::word_diff::{Stretch, stretches, words};
use crate::types::JobId;
use matching::Matching;
use recipes::{Comparison, Difference};

/// What has become of the jobs of a group. The order is that in which groups are told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// Something that determines the picture differs.
    Changed {
        /// Names of the ingredients of its own that differ; empty when it only follows.
        own: Vec<String>,
        /// Steps whose changed pictures it takes.
        follows: Vec<String>,
    },
    /// The base has neither the address nor, at an address that is gone, the picture.
    Added,
    /// The address is gone, and its picture with it.
    Removed,
    /// The same picture under another address: a step, an axis or a value was renamed.
    Moved {
        /// The step that had it.
        from: String,
    },
    /// The same picture under the same address, at another path.
    Refiled,
}

impl Change {
    /// Returns whether nothing of its own has changed: all that differs are pictures of other steps.
    pub fn only_follows(&self) -> bool {
        matches!(self, Self::Changed { own, follows } if own.is_empty() && !follows.is_empty())
    }

    /// Returns the word for tables.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Moved { .. } | Self::Refiled => "moved",
        }
    }
}

/// One job on both sides, by its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Where it stands in the base; `None` when it was added.
    pub base: Option<u32>,
    /// Where it stands now; `None` when it was removed.
    pub current: Option<u32>,
}

/// A value of an ingredient.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// A text as it is.
    Text(String),
    /// The picture of this job.
    Picture(JobId),
}

/// One ingredient that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name: `prompt`, `model`, `image`.
    pub name: String,
    /// What it was; `None` when it was not there.
    pub was: Option<Value>,
    /// What it is; `None` when it is gone.
    pub is: Option<Value>,
}

/// Jobs of a group with one and the same change of their texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Place of the first of them in [`Group::pairs`].
    pub first: usize,
    /// How many there are.
    pub jobs: usize,
    /// What differs in the first of them, at most [`MOST_FIELDS`] fields.
    pub fields: Vec<FieldChange>,
}

/// Most fields that a variant holds: a contact sheet may have hundreds.
pub const MOST_FIELDS: usize = 12;

/// Most pairs of different texts of a group that are compared word by word.
const MOST_COMPARED: usize = 4_000;

/// Jobs of one step that have changed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The step: the current one, for removed jobs that of the base.
    pub step: String,
    /// What has become of them.
    pub change: Change,
    /// All of them, in the order of the plan.
    pub pairs: Vec<Pair>,
    /// Address of the first.
    pub first: JobId,
    /// What its changes of texts look like, the most frequent first. Empty unless something of their own has changed.
    pub variants: Vec<Variant>,
    /// Jobs whose texts were too many to be compared word by word: changed like the others by name, but in none of the variants.
    pub uncompared: usize,
}

/// Jobs of one step on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepDiff {
    /// Name.
    pub name: String,
    /// Jobs before.
    pub before: usize,
    /// Jobs after.
    pub after: usize,
    /// Added.
    pub added: usize,
    /// Changed, by themselves or because they follow.
    pub changed: usize,
    /// Moved to another address or path.
    pub moved: usize,
    /// Removed.
    pub removed: usize,
}

/// What differs between two plans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    /// Jobs that differ: changed ones first, then added, removed and moved ones, each in the order of the plan.
    pub groups: Vec<Group>,
    /// Steps in the order of the plan; those that are gone stand last.
    pub steps: Vec<StepDiff>,
    /// Jobs that are what they were.
    pub unchanged: usize,
}

impl Diff {
    /// Returns how many jobs have a change for which `wanted` is true.
    pub fn count(&self, wanted: impl Fn(&Change) -> bool) -> usize {
        self.groups.iter().filter(|group| wanted(&group.change)).map(|group| group.pairs.len()).sum()
    }
}

/// Compares two plans.
pub fn diff(base: &dyn Side, current: &dyn Side) -> Diff {
    let matching = Matching::of(base, current);
    let mut comparison = Comparison::new(base, current, &matching);
    let mut found = Found { base, current, groups: IndexMap::new(), steps: IndexMap::new(), unchanged: 0 };
    for place in 0..current.len() {
        let step = current.step(place);
        found.counts(step).after += 1;
        let pair = Pair { base: matching.base_of(place), current: Some(place as u32) };
        let Some(was) = matching.base_of(place).map(|was| was as usize) else {
            found.counts(step).added += 1;
            found.group(step, Change::Added, pair);
            continue;
        };
        if base.key(was) != current.key(place) {
            found.counts(step).changed += 1;
            let differences = comparison.of(was, place);
            let change = Change::Changed { own: differences.own_names(), follows: differences.follows.clone() };
            let own = &differences.own;
            found.group(step, change, pair).sort(pair, own, |own| own.iter().take(MOST_FIELDS).map(Difference::told).collect());
        } else if matching.is_moved(place) {
            found.counts(step).moved += 1;
            found.group(step, Change::Moved { from: base.step(was).to_owned() }, pair);
        } else if base.path(was) != current.path(place) {
            found.counts(step).moved += 1;
            found.group(step, Change::Refiled, pair);
        } else {
            found.unchanged += 1;
        }
    }
    for place in 0..base.len() {
        let step = base.step(place);
        found.counts(step).before += 1;
        if matching.is_gone(place) {
            found.counts(step).removed += 1;
            found.group(step, Change::Removed, Pair { base: Some(place as u32), current: None });
        }
    }
    found.finish()
}

/// Groups and counts so far.
struct Found<'a> {
    base: &'a dyn Side,
    current: &'a dyn Side,
    groups: IndexMap<(String, Change), Grouping>,
    steps: IndexMap<String, StepDiff>,
    unchanged: usize,
}

impl Found<'_> {
    fn counts(&mut self, step: &str) -> &mut StepDiff {
        if !self.steps.contains_key(step) {
            self.steps.insert(step.to_owned(), StepDiff { name: step.to_owned(), ..StepDiff::default() });
        }
        &mut self.steps[step]
    }

    fn group(&mut self, step: &str, change: Change, pair: Pair) -> &mut Grouping {
        let grouping = self.groups.entry((step.to_owned(), change)).or_default();
        grouping.pairs.push(pair);
        grouping
    }

    fn finish(self) -> Diff {
        let (base, current) = (self.base, self.current);
        let address = |pair: &Pair| match (pair.current, pair.base) {
            (Some(place), _) => current.id(place as usize),
            (None, Some(place)) => base.id(place as usize),
            (None, None) => JobId::new(""),
        };
        let mut groups: Vec<Group> = Vec::with_capacity(self.groups.len());
        for ((step, change), grouping) in self.groups {
            let first = grouping.pairs.first().map(address).unwrap_or_else(|| JobId::new(""));
            let Grouping { pairs, mut variants, uncompared, .. } = grouping;
            variants.sort_by_key(|variant| std::cmp::Reverse(variant.jobs));
            groups.push(Group { step, change, pairs, first, variants, uncompared });
        }
        // What has changed by itself explains what follows, so it stands first; steps keep their order.
        groups.sort_by_key(|group| match &group.change {
            change if change.only_follows() => 1,
            Change::Changed { .. } => 0,
            Change::Added => 2,
            Change::Removed => 3,
            Change::Moved { .. } | Change::Refiled => 4,
        });
        Diff { groups, steps: self.steps.into_values().collect(), unchanged: self.unchanged }
    }
}

/// A group while it grows.
#[derive(Default)]
struct Grouping {
    pairs: Vec<Pair>,
    variants: Vec<Variant>,
    uncompared: usize,
    /// By the old and the new texts: to a variant, or to none when there were too many.
    by_texts: HashMap<u64, Option<usize>>,
    /// By what differs in the texts.
    by_content: HashMap<u64, usize>,
}

impl Grouping {
    /// Adds the latest pair to the variant that its texts belong to; `told` makes the fields of a new one.
    fn sort(&mut self, pair: Pair, own: &[Difference<'_>], told: impl Fn(&[Difference<'_>]) -> Vec<FieldChange>) {
        debug_assert_eq!(self.pairs.last(), Some(&pair));
        if own.is_empty() {
            return;
        }
        let texts = hash(own);
        let variant = match self.by_texts.get(&texts) {
            Some(known) => *known,
            None => {
                let variant = (self.by_texts.len() < MOST_COMPARED).then(|| self.variant(own, told));
                self.by_texts.insert(texts, variant);
                variant
            }
        };
        match variant {
            Some(variant) => self.variants[variant].jobs += 1,
            None => self.uncompared += 1,
        }
    }

    fn variant(&mut self, own: &[Difference<'_>], told: impl Fn(&[Difference<'_>]) -> Vec<FieldChange>) -> usize {
        let first = self.pairs.len() - 1;
        let variants = &mut self.variants;
        *self.by_content.entry(content(own)).or_insert_with(|| {
            variants.push(Variant { first, jobs: 0, fields: told(own) });
            variants.len() - 1
        })
    }
}

fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns a number for what differs: the words of texts that are not shared, the steps of pictures.
fn content(own: &[Difference<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for difference in own {
        difference.label().hash(&mut hasher);
        match (difference.was, difference.is) {
            (Some(was), Some(is)) if !difference.is_about_pictures() => {
                let (was, is) = (words(was), words(is));
                let mut differs = false;
                for stretch in stretches(&was, &is) {
                    if let Stretch::Other { was, is } = stretch {
                        (was, is).hash(&mut hasher);
                        differs = true;
                    }
                }
                differs.hash(&mut hasher);
            }
            _ => difference.makers_or_texts().hash(&mut hasher),
        }
    }
    hasher.finish()
}
