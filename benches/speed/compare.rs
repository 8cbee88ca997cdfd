//! Two large plans side by side, both in memory: what a pull request waits for besides planning, which has figures of its own.

use std::path::Path;
use std::time::Instant;

use callsheet::campaign::resolve;
use callsheet::catalog::{Catalog, builtin};
use callsheet::plan::{Assets, Plan, Selection, build, diff};
use callsheet::pricing::delta::CountedIn;
use callsheet::pricing::{Delta, LiveSide, Quotes, quotes};
use callsheet::provider::manifest;
use callsheet::spec::{DiskFiles, load};

use crate::campaign::FILE;

/// A plan with its prices.
pub struct Priced {
    plan: Plan,
    quotes: Quotes,
}

impl Priced {
    /// Plans the campaign in a folder.
    pub fn of(folder: &Path) -> Self {
        let loaded = load(&folder.join(FILE), &DiskFiles).result.expect("the campaign is right");
        let manifest = manifest::builtin("kie").expect("it is built in");
        let catalog = Catalog::new("kie", manifest.models, builtin::book("gptimage2-flat").expect("it is built in"));
        let today = jiff::civil::date(2026, 11, 22);
        let campaign = resolve(&loaded.spec, &loaded.tables, &catalog, None, today).expect("the campaign is right").campaign;
        let plan = build(&campaign, &catalog, &Assets::new()).expect("the campaign is right");
        let quotes = quotes(&plan, &catalog);
        Self { plan, quotes }
    }

    /// Compares with `base` and prices the difference; returns how many jobs differ, and how many milliseconds it took.
    pub fn against(&self, base: &Self) -> (usize, f64) {
        let counted = || CountedIn { currency: self.quotes.book().currency.clone(), usd_per_credit: None };
        let started = Instant::now();
        let all = Selection::all();
        let (before, after) = (LiveSide::new(&base.plan, &base.quotes, &all), LiveSide::new(&self.plan, &self.quotes, &all));
        let found = diff(&before, &after);
        let delta = Delta::of(&found, (&before, counted()), (&after, counted())).expect("the sums fit");
        let millis = started.elapsed().as_secs_f64() * 1e3;
        assert!(delta.has_one_currency());
        (found.count(|_| true), millis)
    }
}
