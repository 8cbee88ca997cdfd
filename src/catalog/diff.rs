//! Two price books side by side: what is dearer, cheaper, new and gone.
//!
//! In: two books. Out: [`BookDiff`]. Never: two currencies subtracted: where neither is the other's and one has no rate to USD, both prices
//! stand there and nothing is reckoned.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::book::{BookModel, PriceBook};
use super::price::{Certainty, PriceEntry, PriceKind};
use super::rows::{EVERY_PICTURE, PriceRow, REFERENCE};
use crate::types::{Action, Amount, Currency, Micros};

/// In what the prices of two books can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CountedIn {
    /// Both count in the same.
    Same(Currency),
    /// Both state what they are worth in USD.
    Usd,
    /// In nothing: the two currencies have no rate to each other.
    Apart,
}

impl CountedIn {
    /// Returns in what `old` and `new` can be compared.
    pub fn of(old: &PriceBook, new: &PriceBook) -> Self {
        let has_rate = |book: &PriceBook| book.currency == Currency::Usd || book.usd_per_credit.is_some();
        if old.currency == new.currency {
            Self::Same(old.currency.clone())
        } else if has_rate(old) && has_rate(new) {
            Self::Usd
        } else {
            Self::Apart
        }
    }

    /// Returns `price` of `book` in this; `None` where the rate makes it too large.
    fn of_book(&self, book: &PriceBook, price: Micros) -> Option<Micros> {
        match self {
            Self::Same(_) | Self::Apart => Some(price),
            Self::Usd => book.usd(&Amount::new(book.currency.clone(), price)).map(|usd| usd.micros),
        }
    }
}

/// One price in one of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// The price, in what the two are compared in, else in the book's own; `None` where the book gives none.
    pub price: Option<Micros>,
    /// How sure it is.
    pub certainty: Certainty,
}

/// What has become of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Nothing.
    Same,
    /// It is higher.
    Dearer,
    /// It is lower.
    Cheaper,
    /// The number is the same, and it is surer or less sure.
    Certainty,
    /// It was not known.
    NowKnown,
    /// It is no longer known.
    NowUnknown,
    /// The old book has no such row.
    Added,
    /// The new book has no such row.
    Removed,
    /// The currencies cannot be compared.
    Apart,
}

impl Turn {
    /// Returns the word for tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Dearer => "dearer",
            Self::Cheaper => "cheaper",
            Self::Certainty => "certainty",
            Self::NowKnown => "now known",
            Self::NowUnknown => "now unknown",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Apart => "apart",
        }
    }
}

/// One row of both books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffRow {
    /// The model's name in the new book, else in the old.
    pub model: Arc<str>,
    /// What is asked of it; `None` for a price of all actions that have none of their own.
    pub action: Option<Action>,
    /// What it is the price of.
    pub row: String,
    /// The old price.
    pub old: Option<Side>,
    /// The new price.
    pub new: Option<Side>,
    /// What has become of it.
    pub turn: Turn,
}

impl DiffRow {
    /// Returns how much dearer it is; `None` where there are not two numbers of one currency.
    pub fn delta(&self) -> Option<Micros> {
        if self.turn == Turn::Apart {
            return None;
        }
        self.new?.price?.checked_sub(self.old?.price?).ok()
    }

    /// Returns [`DiffRow::delta`] in tenths of a percent of the old price, rounded to the nearest; `None` also for an old price of 0.
    pub fn permille(&self) -> Option<i64> {
        permille(self.old?.price?, self.delta()?)
    }
}

/// Returns `delta` in tenths of a percent of `old`, rounded to the nearest, halves away from 0; `None` for an `old` of 0.
pub fn permille(old: Micros, delta: Micros) -> Option<i64> {
    let (old, delta) = (i128::from(old.get()), i128::from(delta.get()));
    if old == 0 {
        return None;
    }
    let (old, delta) = (old.abs(), delta * old.signum());
    let rounded = (delta.abs() * 1000 + old / 2) / old * delta.signum();
    i64::try_from(rounded).ok()
}

/// Two books side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookDiff {
    /// In what they are compared.
    pub counted_in: CountedIn,
    /// Every row of both, in the old book's order; new models last.
    pub rows: Vec<DiffRow>,
    /// Models of the new book only.
    pub added: Vec<Arc<str>>,
    /// Models of the old book only.
    pub removed: Vec<Arc<str>>,
}

impl BookDiff {
    /// Compares two books. A model that one of them knows under another name is the same model.
    pub fn of(old: &PriceBook, new: &PriceBook) -> Self {
        let mut diff = Self { counted_in: CountedIn::of(old, new), rows: Vec::new(), added: Vec::new(), removed: Vec::new() };
        let mut met: BTreeSet<&str> = BTreeSet::new();
        for (name, before) in &old.models {
            match counterpart(old, name, before, new).filter(|theirs| !met.contains(*theirs)) {
                Some(theirs) => {
                    met.insert(theirs);
                    diff.model(theirs, (old, Some(before)), (new, new.model(theirs)));
                }
                None => {
                    diff.removed.push(Arc::clone(name));
                    diff.model(name, (old, Some(before)), (new, None));
                }
            }
        }
        for (name, after) in new.models.iter().filter(|(name, _)| !met.contains(&***name)) {
            diff.added.push(Arc::clone(name));
            diff.model(name, (old, None), (new, Some(after)));
        }
        diff
    }

    /// Returns how many rows have taken this turn.
    pub fn count(&self, turn: Turn) -> usize {
        self.rows.iter().filter(|row| row.turn == turn).count()
    }

    fn model(&mut self, name: &str, old: (&PriceBook, Option<&BookModel>), new: (&PriceBook, Option<&BookModel>)) {
        let name: Arc<str> = Arc::from(name);
        let named = |model: Option<&BookModel>| model.map(|model| model.prices.keys().copied().collect::<Vec<_>>()).unwrap_or_default();
        let actions: BTreeSet<Action> = named(old.1).into_iter().chain(named(new.1)).collect();
        for action in actions.into_iter().map(Some).chain([None]) {
            let of = |model: Option<&'_ BookModel>| -> Option<PriceEntry> {
                match action {
                    Some(action) => model?.entry(action).cloned(),
                    None => model?.price.clone(),
                }
            };
            let entry = (of(old.1), of(new.1));
            let (before, after) = spread(entry.0.as_ref().map(|entry| (old.0, entry)), entry.1.as_ref().map(|entry| (new.0, entry)));
            self.entry(&name, action, (old.0, before), (new.0, after));
        }
    }

    fn entry(&mut self, model: &Arc<str>, action: Option<Action>, old: (&PriceBook, Vec<PriceRow>), new: (&PriceBook, Vec<PriceRow>)) {
        let gone = old.1.iter().map(|row| &row.name);
        let come = new.1.iter().map(|row| &row.name).filter(|name| old.1.iter().all(|row| row.name != **name));
        for name in gone.chain(come) {
            let side = |(book, rows): &(&PriceBook, Vec<PriceRow>)| {
                let row = rows.iter().find(|row| row.name == *name)?;
                Some(Side { price: row.price.and_then(|price| self.counted_in.of_book(book, price)), certainty: row.certainty })
            };
            let (old, new) = (side(&old), side(&new));
            let turn = self.turn(old, new);
            self.rows.push(DiffRow { model: Arc::clone(model), action, row: name.clone(), old, new, turn });
        }
    }

    fn turn(&self, old: Option<Side>, new: Option<Side>) -> Turn {
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) => (old, new),
            (None, _) => return Turn::Added,
            (_, None) => return Turn::Removed,
        };
        match (old.price, new.price) {
            (None, None) => Turn::Same,
            (None, Some(_)) => Turn::NowKnown,
            (Some(_), None) => Turn::NowUnknown,
            _ if self.counted_in == CountedIn::Apart => Turn::Apart,
            (Some(before), Some(after)) if after > before => Turn::Dearer,
            (Some(before), Some(after)) if after < before => Turn::Cheaper,
            _ if old.certainty != new.certainty => Turn::Certainty,
            _ => Turn::Same,
        }
    }
}

/// Returns the new book's name of a model of the old one.
fn counterpart<'a>(old: &PriceBook, name: &str, model: &BookModel, new: &'a PriceBook) -> Option<&'a str> {
    let by_theirs = || model.aliases.iter().find_map(|alias| new.own_name(alias)).filter(|theirs| old.models.get(*theirs).is_none());
    new.own_name(name).or_else(by_theirs)
}

/// Returns the rows of both entries; a price of every picture stands against each row of a table.
fn spread(old: Option<(&PriceBook, &PriceEntry)>, new: Option<(&PriceBook, &PriceEntry)>) -> (Vec<PriceRow>, Vec<PriceRow>) {
    let rows = |of: Option<(&PriceBook, &PriceEntry)>| of.map(|(book, entry)| entry.rows(book.certainty)).unwrap_or_default();
    let is_one = |of: Option<(&PriceBook, &PriceEntry)>| of.is_some_and(|(_, entry)| matches!(entry.kind, PriceKind::Flat(_) | PriceKind::Unknown));
    let is_table =
        |of: Option<(&PriceBook, &PriceEntry)>| of.is_some_and(|(_, entry)| !matches!(entry.kind, PriceKind::Flat(_) | PriceKind::Unknown));
    let against = |one: Vec<PriceRow>, table: &[PriceRow], by_picture: bool| -> Vec<PriceRow> {
        let Some(place) = one.iter().position(|row| row.name == EVERY_PICTURE).filter(|_| by_picture) else { return one };
        let every = one[place].clone();
        let spread = table.iter().filter(|row| !row.name.starts_with(REFERENCE)).map(|row| PriceRow { name: row.name.clone(), ..every.clone() });
        spread.chain(one.into_iter().filter(|row| row.name != EVERY_PICTURE)).collect()
    };
    let (before, after) = (rows(old), rows(new));
    // Only rows of a table are prices of a picture too; a megapixel or a million tokens are something else.
    let by_picture = |of: Option<(&PriceBook, &PriceEntry)>, other: &[PriceRow]| {
        of.is_some_and(|(_, entry)| matches!(entry.kind, PriceKind::Table(_))) || other.iter().all(|row| row.price.is_none())
    };
    match (is_one(old) && is_table(new), is_table(old) && is_one(new)) {
        (true, _) => (against(before.clone(), &after, by_picture(new, &before)), after),
        (_, true) => (before.clone(), against(after.clone(), &before, by_picture(old, &after))),
        _ => (before, after),
    }
}

#[cfg(test)]
mod tests;
