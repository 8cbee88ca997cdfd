//! Which job of one side is which of the other: by address, then, for addresses that are gone, by key.

use std::cell::OnceCell;
use std::collections::{HashMap, VecDeque};

use crate::plan::Side;
use crate::types::JobKey;

/// Stands for no job.
const NONE: u32 = u32::MAX;

/// All addresses of a side in one text: a hundred thousand texts of their own would cost more than the whole comparison.
struct Addresses {
    text: String,
    ends: Vec<usize>,
}

impl Addresses {
    fn of(side: &dyn Side) -> Self {
        let mut addresses = Self { text: String::with_capacity(side.len() * 48), ends: Vec::with_capacity(side.len()) };
        for place in 0..side.len() {
            side.write_id(place, &mut addresses.text);
            addresses.ends.push(addresses.text.len());
        }
        addresses
    }

    fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end])
    }
}

/// Places of the same jobs on both sides.
pub(super) struct Matching {
    /// For each current job its place in the base, or [`NONE`].
    base: Vec<u32>,
    /// For each current job whether its address is another one.
    moved: Vec<bool>,
    /// For each job of the base whether it has become nothing.
    gone: Vec<bool>,
}

impl Matching {
    pub(super) fn of(base: &dyn Side, current: &dyn Side) -> Self {
        let mut matching = Self { base: vec![NONE; current.len()], moved: vec![false; current.len()], gone: vec![true; base.len()] };
        matching.by_address(base, current);
        matching.by_key(base, current);
        matching
    }

    fn by_address(&mut self, base: &dyn Side, current: &dyn Side) {
        let (was, is) = (Addresses::of(base), Addresses::of(current));
        // Most plans differ in few places, so the next job is nearly always the next one of the base, too; the map is made when it is not.
        let known: OnceCell<HashMap<&str, usize>> = OnceCell::new();
        let mut next = 0;
        for place in 0..current.len() {
            let address = is.get(place);
            let found = match address {
                Some(_) if was.get(next) == address => Some(next),
                Some(address) => {
                    let known = known.get_or_init(|| (0..base.len()).filter_map(|place| Some((was.get(place)?, place))).collect());
                    known.get(address).copied()
                }
                None => None,
            };
            if let Some(found) = found.filter(|found| self.gone[*found]) {
                self.gone[found] = false;
                self.base[place] = found as u32;
                next = found + 1;
            }
        }
    }

    fn by_key(&mut self, base: &dyn Side, current: &dyn Side) {
        let mut left: HashMap<JobKey, VecDeque<u32>> = HashMap::new();
        for place in (0..base.len()).filter(|place| self.gone[*place]) {
            left.entry(base.key(place)).or_default().push_back(place as u32);
        }
        if left.is_empty() {
            return;
        }
        for place in 0..current.len() {
            if self.base[place] != NONE {
                continue;
            }
            if let Some(was) = left.get_mut(&current.key(place)).and_then(VecDeque::pop_front) {
                self.base[place] = was;
                self.moved[place] = true;
                self.gone[was as usize] = false;
            }
        }
    }

    /// Returns the place in the base of the job at `place`.
    pub(super) fn base_of(&self, place: usize) -> Option<u32> {
        self.base.get(place).copied().filter(|base| *base != NONE)
    }

    /// Returns whether the job at `place` had another address.
    pub(super) fn is_moved(&self, place: usize) -> bool {
        self.moved.get(place).copied().unwrap_or(false)
    }

    /// Returns whether the job at `place` of the base has become nothing.
    pub(super) fn is_gone(&self, place: usize) -> bool {
        self.gone.get(place).copied().unwrap_or(true)
    }
}
