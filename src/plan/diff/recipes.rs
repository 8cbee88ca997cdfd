//! Which ingredients of two jobs differ, and which of them only follow from jobs before.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::matching::Matching;
use super::{FieldChange, Value};
use crate::plan::Side;
use crate::types::{Digest, JobId, JobKey};

/// The named ingredients of one job in one text, to be filled again for the next.
#[derive(Default)]
struct Ingredients {
    text: String,
    /// Where each name and each value ends.
    ends: Vec<(usize, usize)>,
}

impl Ingredients {
    fn read(&mut self, side: &dyn Side, place: usize) {
        let Self { text, ends } = self;
        text.clear();
        ends.clear();
        side.each_field(place, &mut |name, value| {
            text.push_str(name);
            let end = text.len();
            text.push_str(value);
            ends.push((end, text.len()));
        });
    }

    fn get(&self, place: usize) -> (&str, &str) {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before].1);
        let (name, value) = self.ends[place];
        (&self.text[start..name], &self.text[name..value])
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..self.ends.len()).map(|place| self.get(place))
    }

    /// Returns the places of all ingredients by name, and by how many of that name stand before.
    fn by_name(&self) -> HashMap<(&str, u32), usize> {
        let mut seen: HashMap<&str, u32> = HashMap::new();
        let mut places = HashMap::with_capacity(self.ends.len());
        for (place, (name, _)) in self.iter().enumerate() {
            let before = seen.entry(name).or_default();
            places.insert((name, *before), place);
            *before += 1;
        }
        places
    }
}

/// A job whose picture is an ingredient.
#[derive(Clone, Copy)]
struct Maker<'a> {
    side: &'a dyn Side,
    place: u32,
    /// Whether others have the same key, so that it may be one of those.
    has_twins: bool,
}

impl<'a> Maker<'a> {
    fn id(&self) -> JobId {
        self.side.id(self.place as usize)
    }

    fn step(&self) -> &'a str {
        self.side.step(self.place as usize)
    }
}

/// One ingredient that differs and is the job's own.
pub(super) struct Difference<'a> {
    name: &'a str,
    /// Old value.
    pub(super) was: Option<&'a str>,
    /// New value.
    pub(super) is: Option<&'a str>,
    was_maker: Option<Maker<'a>>,
    is_maker: Option<Maker<'a>>,
}

impl Hash for Difference<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.label().hash(state);
        self.makers_or_texts().hash(state);
    }
}

impl<'a> Difference<'a> {
    /// Returns its name; those of pictures without their number: which cell of a sheet it is does not matter.
    pub(super) fn label(&self) -> &str {
        match self.name.rsplit_once(' ') {
            Some((label, number)) if self.is_about_pictures() && number.bytes().all(|byte| byte.is_ascii_digit()) => label,
            _ => self.name,
        }
    }

    /// Returns whether it is another job's picture.
    pub(super) fn is_about_pictures(&self) -> bool {
        self.was_maker.is_some() || self.is_maker.is_some()
    }

    /// Returns what it was and is, pictures as the steps that make them.
    pub(super) fn makers_or_texts(&self) -> (Option<&'a str>, Option<&'a str>) {
        let step = |maker: &Option<Maker<'a>>| maker.as_ref().map(Maker::step);
        (step(&self.was_maker).or(self.was), step(&self.is_maker).or(self.is))
    }

    /// Returns it on its own.
    pub(super) fn told(&self) -> FieldChange {
        let value = |maker: &Option<Maker<'_>>, text: Option<&str>| match maker {
            Some(maker) => Some(Value::Picture(maker.id())),
            None => text.map(|text| Value::Text(text.to_owned())),
        };
        FieldChange { name: self.name.to_owned(), was: value(&self.was_maker, self.was), is: value(&self.is_maker, self.is) }
    }
}

/// What differs between two jobs.
#[derive(Default)]
pub(super) struct Differences<'a> {
    /// Ingredients of its own.
    pub(super) own: Vec<Difference<'a>>,
    /// Steps whose changed pictures it takes, each once.
    pub(super) follows: Vec<String>,
}

impl Differences<'_> {
    /// Returns the names of what is its own, each once.
    pub(super) fn own_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for difference in &self.own {
            if !names.iter().any(|name| name == difference.label()) {
                names.push(difference.label().to_owned());
            }
        }
        names
    }
}

/// Compares recipes, pair by pair.
pub(super) struct Comparison<'a> {
    base: &'a dyn Side,
    current: &'a dyn Side,
    matching: &'a Matching,
    was: Ingredients,
    is: Ingredients,
    base_makers: Makers<'a>,
    current_makers: Makers<'a>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(base: &'a dyn Side, current: &'a dyn Side, matching: &'a Matching) -> Self {
        Self {
            base,
            current,
            matching,
            was: Ingredients::default(),
            is: Ingredients::default(),
            base_makers: Makers { side: base, known: OnceCell::new() },
            current_makers: Makers { side: current, known: OnceCell::new() },
        }
    }

    /// Compares the job at `was` of the base with the one at `is` now.
    pub(super) fn of(&mut self, was: usize, is: usize) -> Differences<'_> {
        self.was.read(self.base, was);
        self.is.read(self.current, is);
        let mut found = Differences::default();
        let names_agree = self.was.ends.len() == self.is.ends.len() && self.was.iter().zip(self.is.iter()).all(|(was, is)| was.0 == is.0);
        if names_agree {
            for ((name, was), (_, is)) in self.was.iter().zip(self.is.iter()) {
                self.note(&mut found, name, Some(was), Some(is));
            }
            return found;
        }
        let (known_was, known_is) = (self.was.by_name(), self.is.by_name());
        let mut now: Vec<_> = known_is.iter().map(|(name, place)| (*place, *name)).collect();
        now.sort_unstable();
        for (place, name) in now {
            let before = known_was.get(&name).map(|place| self.was.get(*place).1);
            self.note(&mut found, name.0, before, Some(self.is.get(place).1));
        }
        let mut gone: Vec<_> = known_was.iter().filter(|(name, _)| !known_is.contains_key(name)).map(|(name, place)| (*place, *name)).collect();
        gone.sort_unstable();
        for (place, name) in gone {
            self.note(&mut found, name.0, Some(self.was.get(place).1), None);
        }
        found
    }

    fn note<'b>(&'b self, found: &mut Differences<'b>, name: &'b str, was: Option<&'b str>, is: Option<&'b str>) {
        if was == is {
            return;
        }
        let was_maker = was.and_then(|value| self.base_makers.of(value));
        let is_maker = is.and_then(|value| self.current_makers.of(value));
        if let (Some(before), Some(now)) = (&was_maker, &is_maker) {
            let is_same_job = self.matching.base_of(now.place as usize) == Some(before.place) || before.has_twins || now.has_twins;
            if is_same_job {
                if !found.follows.iter().any(|step| step == now.step()) {
                    found.follows.push(now.step().to_owned());
                }
                return;
            }
        }
        found.own.push(Difference { name, was, is, was_maker, is_maker });
    }
}

/// Jobs of a side by key; made when the first picture differs.
struct Makers<'a> {
    side: &'a dyn Side,
    known: OnceCell<HashMap<JobKey, (u32, bool)>>,
}

impl<'a> Makers<'a> {
    /// Returns the job whose key the value of an ingredient is.
    fn of(&self, value: &str) -> Option<Maker<'a>> {
        let key = (value.len() == 64).then(|| Digest::from_hex(value)).flatten().map(JobKey)?;
        let (place, has_twins) = *self.known().get(&key)?;
        Some(Maker { side: self.side, place, has_twins })
    }

    fn known(&self) -> &HashMap<JobKey, (u32, bool)> {
        self.known.get_or_init(|| {
            let mut known: HashMap<JobKey, (u32, bool)> = HashMap::with_capacity(self.side.len());
            for place in 0..self.side.len() {
                known.entry(self.side.key(place)).and_modify(|(_, has_twins)| *has_twins = true).or_insert((place as u32, false));
            }
            known
        })
    }
}
