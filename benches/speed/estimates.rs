//! What one plan costs on several price books, after planning: within the process, because the command plans as well.

use std::time::Instant;

use callsheet::campaign::resolve;
use callsheet::catalog::{Catalog, builtin};
use callsheet::ledger::History;
use callsheet::plan::{Selection, asset_paths, build, worklist};
use callsheet::pricing::{Asked, Factors, offer};
use callsheet::provider::manifest;
use callsheet::spec::{DiskFiles, load};

use crate::campaign::{FILE, Matrix};
use crate::cases::{Setup, thousands};
use crate::table::{Row, Wanted, median};

/// The books: one flat, one by table, one by tokens, where the length of every prompt counts.
const BOOKS: [&str; 3] = ["gptimage2-flat", "kie", "openai"];

/// Prices the largest campaign that needs no leave on three books.
pub fn estimate(setup: &Setup) -> Vec<Row> {
    let place = setup.folder();
    let matrix = Matrix { rows: setup.rows(1_000), rungs: 49 };
    matrix.write(&place, 100_000);
    let loaded = load(&place.join(FILE), &DiskFiles).result.expect("the campaign is sound");
    let provider = manifest::builtin("kie").expect("it is built in");
    let catalog = Catalog::new("kie", provider.models.clone(), builtin::book("gptimage2-flat").expect("it is built in"));
    let campaign = resolve(&loaded.spec, &loaded.tables, &catalog, None, jiff::civil::date(2026, 11, 22)).expect("the campaign is sound").campaign;
    assert!(asset_paths(&campaign).expect("no path is a template").is_empty(), "the campaign has no files of its own");
    let plan = build(&campaign, &catalog, &Default::default()).expect("the campaign is sound");
    let work = worklist(&plan, &History::default(), &Selection::all(), &|_| true);

    let sellers: Vec<Catalog> = BOOKS
        .iter()
        .map(|name| {
            let book = builtin::book(name).expect("it is built in");
            let cards = manifest::builtin(name).map_or_else(|| book.cards(), |manifest| manifest.models);
            Catalog { others: Default::default(), said_as: Vec::new(), common: None, provider: (*name).into(), cards, book }
        })
        .collect();
    let factors = Factors::of(&campaign.budget);
    let asked = Asked { plan: &plan, work: &work, factors: &factors, attempts: campaign.run.attempts, what_if: None };
    let seconds = median((0..setup.rounds(9)).map(|_| {
        let start = Instant::now();
        let offers: Vec<_> = sellers.iter().map(|seller| offer(&asked, seller, None).expect("the sums fit")).collect();
        let spent = start.elapsed().as_secs_f64();
        assert!(offers.iter().all(|offer| offer.estimate.unpriced.is_empty()), "every book prices every shot");
        spent
    }));
    let what = format!("estimating {} jobs on {} books after planning, wall", thousands(matrix.jobs()), BOOKS.len());
    vec![Row::alone(what, seconds * 1e3, " ms", Wanted::AtMost(300.0, None))]
}
