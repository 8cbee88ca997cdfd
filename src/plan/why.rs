//! Why a job is done again: the ingredients that differ, old and new.

use super::{JobIx, Plan, Work, recipe};
use crate::ledger::Recipe;

/// One ingredient that differs between two keys of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, for example `prompt` or `image`.
    pub field: String,
    /// What it was; `None` when it was not there.
    pub was: Option<String>,
    /// What it is; `None` when it is gone.
    pub is: Option<String>,
    /// For an input picture: the job that makes it now.
    pub input: Option<JobIx>,
}

/// Why a job has the work that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its work speaks for itself: new, reused, again, in doubt ...
    Plain(Work),
    /// Ingredients have changed; the first is what `why` leads with.
    Changed(Vec<Difference>),
    /// Another key stood at the address, but the ledger kept no recipe of it.
    ChangedUnknown,
}

/// Explains the work of a job; `was` is the recipe of the key that stood at its address.
pub fn why(plan: &Plan, ix: JobIx, work: Work, was: Option<Recipe>) -> Reason {
    let Work::Changed { .. } = work else {
        return Reason::Plain(work);
    };
    let Some(was) = was else {
        return Reason::ChangedUnknown;
    };
    Reason::Changed(differences(plan, ix, &was, &recipe(plan, ix)))
}

fn differences(plan: &Plan, ix: JobIx, was: &Recipe, is: &Recipe) -> Vec<Difference> {
    let inputs = plan.inputs(ix);
    let input_of = |field: &str| inputs.iter().find(|input| input.role.label() == field).map(|input| input.from);
    let occurrence = |recipe: &Recipe, place: usize| recipe[..place].iter().filter(|(name, _)| *name == recipe[place].0).count();
    let nth = |recipe: &Recipe, name: &str, nth: usize| recipe.iter().filter(|(field, _)| field == name).nth(nth).map(|(_, value)| value.clone());
    let mut found = Vec::new();
    for (place, (name, value)) in is.iter().enumerate() {
        let before = nth(was, name, occurrence(is, place));
        if before.as_ref() != Some(value) {
            found.push(Difference { field: name.clone(), was: before, is: Some(value.clone()), input: input_of(name) });
        }
    }
    for (place, (name, value)) in was.iter().enumerate() {
        if nth(is, name, occurrence(was, place)).is_none() {
            found.push(Difference { field: name.clone(), was: Some(value.clone()), is: None, input: None });
        }
    }
    found
}
