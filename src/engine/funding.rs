//! Which chains the money is spent on when it does not pay for all: as many whole ones as possible.
//!
//! In: what is left to buy of a plan and what is left under each cap. Out: the paid jobs to buy first, or that there is no need to choose.
//! Never: a moment, the ledger, a look at anything but the plan's order and prices: the same inputs choose the same jobs.
//!
//! A final is a job whose picture no other open job takes, contact sheets aside. Finals are chosen one by one, the one next that costs
//! least *on top of* what is chosen already (a hero is paid once for all its surfaces), the plan's order between equals. A final that does
//! not fit under some cap on its way is passed over, so no chain is begun for a later step that its cap, or that of its provider, cannot pay.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use crate::plan::{JobIx, Plan};
use crate::types::{LocalAction, Micros, Operation};

/// What a job still needs before its picture is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it is there, or paid for already.
    Nothing,
    /// Its inputs only: it is made here, or it shares the picture of another.
    Inputs,
    /// One try.
    Price {
        /// What it costs.
        quoted: Micros,
        /// What must fit under the caps for the moment in which it is asked for.
        reserved: Micros,
    },
    /// It will have no picture in this run.
    Never,
}

/// Which jobs a cap guards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guarded {
    /// All of them.
    All,
    /// Those of one step, by its place.
    Step(u32),
    /// Those that one provider is paid for.
    Provider(Arc<str>),
}

impl Guarded {
    /// Returns whether a job is paid under the cap.
    pub(super) fn holds(&self, plan: &Plan, ix: JobIx) -> bool {
        match (self, &plan.job(ix).operation) {
            (Self::All, _) => true,
            (Self::Step(step), _) => plan.job(ix).step == *step,
            (Self::Provider(name), Operation::Paid(paid)) => paid.provider == *name,
            (Self::Provider(_), Operation::Local(_)) => false,
        }
    }
}

/// What is left under one cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pot {
    /// What it guards.
    pub(super) guarded: Guarded,
    /// What may still be committed; below zero when a charge has passed the cap.
    pub(super) room: Micros,
}

/// Everything that a choice rests on.
pub(super) struct Funding<'a> {
    pub(super) plan: &'a Plan,
    /// What each job needs, by its place.
    pub(super) needs: &'a [Need],
    /// The job that makes the picture of another, which is paid there.
    pub(super) maker: &'a dyn Fn(JobIx) -> JobIx,
    /// The caps, all of which hold.
    pub(super) pots: &'a [Pot],
}

impl Funding<'_> {
    /// Returns whether each job is chosen, by its place; `None` when the money pays for everything.
    pub(super) fn choose(&self) -> Option<Vec<bool>> {
        let all = |ix: JobIx| matches!(self.needs[ix.index()], Need::Price { .. });
        let everything: Vec<JobIx> = self.plan.indices().filter(|ix| all(*ix)).collect();
        let mut purse = Purse::new(self.pots);
        if purse.take(self, &everything) {
            return None;
        }
        // Neither way is always the better one; between equals the plan's order stands.
        let [one_by_one, in_groups] = [Weight::Alone, Weight::Shared].map(|weight| Choice::new(self, weight).made());
        Some(if in_groups.1 > one_by_one.1 { in_groups.0 } else { one_by_one.0 })
    }

    fn price(&self, ix: JobIx) -> Option<(i128, i128)> {
        match self.needs[ix.index()] {
            Need::Price { quoted, reserved } => Some((i128::from(quoted.get()), i128::from(reserved.get()))),
            Need::Nothing | Need::Inputs | Need::Never => None,
        }
    }

    fn is_open(&self, ix: JobIx) -> bool {
        matches!(self.needs[ix.index()], Need::Price { .. } | Need::Inputs)
    }

    fn is_sheet(&self, ix: JobIx) -> bool {
        matches!(self.plan.job(ix).operation, Operation::Local(LocalAction::Sheet { .. }))
    }

    /// Returns the finals that still need something, in the plan's order.
    fn finals(&self) -> Vec<JobIx> {
        let goes_on = |ix: JobIx| self.plan.dependents(ix).any(|next| self.is_open(next) && !self.is_sheet(next));
        self.plan.indices().filter(|ix| self.is_open(*ix) && !self.is_sheet(*ix) && !goes_on(*ix)).collect()
    }

    /// Returns the paid jobs that a final still needs, itself included; `None` when one of its pictures will never be there.
    fn chain(&self, last: JobIx) -> Option<Vec<JobIx>> {
        let (mut chain, mut open, mut seen) = (Vec::new(), vec![(self.maker)(last)], BTreeSet::new());
        while let Some(ix) = open.pop() {
            if !seen.insert(ix) {
                continue;
            }
            match self.needs[ix.index()] {
                Need::Never => return None,
                Need::Nothing => continue,
                Need::Inputs => {}
                Need::Price { .. } => chain.push(ix),
            }
            open.extend(self.plan.inputs(ix).iter().map(|input| (self.maker)(input.from)));
        }
        Some(chain)
    }
}

/// What is left of each pot, as jobs are taken from it.
struct Purse<'a> {
    pots: &'a [Pot],
    taken: Vec<i128>,
    /// The most by which a reservation in the pot passes its quote: the last try must still fit.
    margin: Vec<i128>,
}

impl<'a> Purse<'a> {
    fn new(pots: &'a [Pot]) -> Self {
        Self { pots, taken: vec![0; pots.len()], margin: vec![0; pots.len()] }
    }

    /// Takes the prices of `jobs` out of every pot, or nothing at all; returns whether they fitted.
    fn take(&mut self, funding: &Funding<'_>, jobs: &[JobIx]) -> bool {
        let before = (self.taken.clone(), self.margin.clone());
        for ix in jobs {
            let Some((quoted, reserved)) = funding.price(*ix) else { continue };
            for (place, _) in self.pots.iter().enumerate().filter(|(_, pot)| pot.guarded.holds(funding.plan, *ix)) {
                self.taken[place] += quoted;
                self.margin[place] = self.margin[place].max(reserved - quoted);
            }
        }
        let fits = |(place, pot): (usize, &Pot)| {
            let idle = self.taken[place] == before.0[place] && self.margin[place] == before.1[place];
            idle || self.taken[place] + self.margin[place] <= i128::from(pot.room.get())
        };
        let fits = self.pots.iter().enumerate().all(fits);
        if !fits {
            (self.taken, self.margin) = before;
        }
        fits
    }
}

/// What makes one final cheaper than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// What it costs on top of what is chosen.
    Alone,
    /// The same, but a job that others need too weighs on each of them alike: a hero with many surfaces comes before one with few.
    Shared,
}

/// Parts of a millionth in which shared weights are counted.
const SHARES: i128 = 1_000;

/// A choice in the making.
struct Choice<'a> {
    funding: &'a Funding<'a>,
    weight: Weight,
    purse: Purse<'a>,
    chosen: Vec<bool>,
    /// Finals with what they still need; those decided upon are empty.
    finals: Vec<(JobIx, Vec<JobIx>)>,
    /// For each job the finals that need it, as places in `finals`.
    wanted_by: Vec<Vec<u32>>,
}

impl<'a> Choice<'a> {
    fn new(funding: &'a Funding<'a>, weight: Weight) -> Self {
        let mut wanted_by = vec![Vec::new(); funding.plan.jobs.len()];
        let mut finals = Vec::new();
        for last in funding.finals() {
            let Some(chain) = funding.chain(last).filter(|chain| !chain.is_empty()) else { continue };
            for ix in &chain {
                wanted_by[ix.index()].push(u32::try_from(finals.len()).unwrap_or(u32::MAX));
            }
            finals.push((last, chain));
        }
        Self { funding, weight, purse: Purse::new(funding.pots), chosen: vec![false; funding.plan.jobs.len()], finals, wanted_by }
    }

    /// Returns what a final weighs on top of what is chosen.
    fn cost(&self, place: u32) -> i128 {
        let (_, chain) = &self.finals[place as usize];
        let weight = |ix: &JobIx| {
            let (quoted, _) = self.funding.price(*ix)?;
            let among = if self.weight == Weight::Shared { self.wanted_by[ix.index()].len() as i128 } else { 1 };
            Some(quoted * SHARES / among.max(1))
        };
        chain.iter().filter(|ix| !self.chosen[ix.index()]).filter_map(weight).sum()
    }

    /// Returns whether each job is chosen, and how many finals are whole then.
    fn made(mut self) -> (Vec<bool>, usize) {
        let mut cheapest: BinaryHeap<Reverse<(i128, u32)>> = (0..self.finals.len() as u32).map(|place| Reverse((self.cost(place), place))).collect();
        while let Some(Reverse((cost, place))) = cheapest.pop() {
            // What was chosen meanwhile has made it cheaper, and then it stands here a second time.
            if cost != self.cost(place) || cost == 0 {
                continue;
            }
            let missing: Vec<JobIx> = self.finals[place as usize].1.iter().copied().filter(|ix| !self.chosen[ix.index()]).collect();
            if !self.purse.take(self.funding, &missing) {
                continue;
            }
            missing.iter().for_each(|ix| self.chosen[ix.index()] = true);
            let mut cheaper: Vec<u32> = missing.iter().flat_map(|ix| &self.wanted_by[ix.index()]).copied().collect();
            cheaper.sort_unstable();
            cheaper.dedup();
            cheapest.extend(cheaper.into_iter().filter(|other| *other != place).map(|other| Reverse((self.cost(other), other))));
        }
        let whole = self.finals.iter().filter(|(_, chain)| chain.iter().all(|ix| self.chosen[ix.index()])).count();
        (self.chosen, whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::tests::stage::fans;

    const PRICE: Need = Need::Price { quoted: Micros::units(1), reserved: Micros::units(1) };

    fn pot(step: Option<u32>, room: i64) -> Pot {
        Pot { guarded: step.map_or(Guarded::All, Guarded::Step), room: Micros::units(room) }
    }

    /// Returns the addresses that are chosen; `everything` when there is nothing to choose.
    fn chosen(plan: &Plan, needs: &[Need], pots: &[Pot]) -> String {
        let chosen = Funding { plan, needs, maker: &|ix| ix, pots }.choose();
        let Some(chosen) = chosen else { return "everything".to_owned() };
        plan.indices().filter(|ix| chosen[ix.index()]).map(|ix| plan.id(ix).to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn surfaces_of_a_hero_that_is_paid_come_before_a_second_hero() {
        let plan = fans(&[3, 3]);
        let needs = vec![PRICE; plan.jobs.len()];
        let told: Vec<String> = [8, 7, 6, 5, 4, 1].map(|room| format!("{room}: {}", chosen(&plan, &needs, &[pot(None, room)]))).into();
        insta::assert_snapshot!(told.join("\n"), @r"
        8: everything
        7: hero[row=0] hero[row=1] surface[row=0] surface[row=1] surface[row=2] surface[row=3] surface[row=4]
        6: hero[row=0] hero[row=1] surface[row=0] surface[row=1] surface[row=2] surface[row=3]
        5: hero[row=0] surface[row=0] surface[row=1] surface[row=2]
        4: hero[row=0] surface[row=0] surface[row=1] surface[row=2]
        1:
        ");
    }

    #[test]
    fn a_hero_with_many_surfaces_comes_before_one_with_few_if_that_makes_more_whole() {
        let plan = fans(&[1, 3]);
        let needs = vec![PRICE; plan.jobs.len()];
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 4)]), @"hero[row=1] surface[row=1] surface[row=2] surface[row=3]");
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 2)]), @"hero[row=0] surface[row=0]");
    }

    #[test]
    fn what_is_there_already_makes_a_chain_cheap_and_what_never_comes_makes_it_void() {
        let plan = fans(&[2, 2]);
        let mut needs = vec![PRICE; plan.jobs.len()];
        (needs[0], needs[1]) = (Need::Never, Need::Nothing);
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 1)]), @"surface[row=2]");
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 3)]), @"surface[row=2] surface[row=3]");
    }

    #[test]
    fn every_cap_on_the_way_of_a_chain_must_have_room() {
        let plan = fans(&[1, 1, 1]);
        let needs = vec![PRICE; plan.jobs.len()];
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 9), pot(Some(1), 2)]), @"hero[row=0] hero[row=1] surface[row=0] surface[row=1]");
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 9), pot(Some(1), 0)]), @"");
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, -3)]), @"");
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 6), pot(Some(1), 3)]), @"everything");
    }

    #[test]
    fn the_last_try_must_still_fit_with_what_is_held_for_it() {
        let plan = fans(&[1, 1]);
        let needs = vec![Need::Price { quoted: Micros::units(10), reserved: Micros::units(12) }; plan.jobs.len()];
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 42)]), @"everything");
        insta::assert_snapshot!(chosen(&plan, &needs, &[pot(None, 41)]), @"hero[row=0] surface[row=0]");
    }

    /// The simplest that could be done: chain by chain in the plan's order, while they fit.
    fn whole_in_order(fans: &[u8], room: i64) -> i64 {
        let (mut left, mut whole) = (room, 0);
        for fan in fans.iter().filter(|fan| **fan > 0) {
            if left >= 2 {
                let made = (left - 1).min(i64::from(*fan));
                (left, whole) = (left - 1 - made, whole + made);
            }
        }
        whole
    }

    proptest! {
        #[test]
        fn a_choice_fits_and_makes_no_less_whole_than_the_plain_order(sizes in prop::collection::vec(1_u8..5, 1..7), room in 0_i64..40) {
            let plan = fans(&sizes);
            let needs = vec![PRICE; plan.jobs.len()];
            let choice = Funding { plan: &plan, needs: &needs, maker: &|ix| ix, pots: &[pot(None, room)] }.choose();
            prop_assert_eq!(choice.is_none(), plan.jobs.len() as i64 <= room);
            if let Some(choice) = choice {
                prop_assert!(choice.iter().filter(|chosen| **chosen).count() as i64 <= room);
                let heroes = sizes.len();
                let whole = plan.indices().skip(heroes).filter(|ix| choice[ix.index()]).count() as i64;
                prop_assert!(whole >= whole_in_order(&sizes, room), "{} whole of {:?} for {}", whole, sizes, room);
                let half = plan.indices().take(heroes).filter(|ix| choice[ix.index()] && !plan.dependents(*ix).any(|next| choice[next.index()]));
                prop_assert_eq!(half.count(), 0, "no hero is chosen for its own sake");
            }
        }
    }
}
