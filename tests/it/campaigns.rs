//! Every campaign that ships is planned and priced, so that none of them can rot.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet::ledger::History;
use callsheet::plan::{Selection, worklist};
use callsheet::pricing::{Estimate, Gate, estimate, gate, quotes};
use callsheet::report::plan_table::{PlanView, plan_table};
use callsheet::types::{Currency, Micros};

use crate::support::{Planned, planned};

/// All campaign files that ship, in order.
pub fn shipped() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir("campaigns")
        .expect("the campaigns are there")
        .map(|entry| entry.expect("their folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    paths
}

fn priced(name: &str, book: Option<&str>) -> (Planned, Estimate) {
    let planned = planned(&Path::new("campaigns").join(format!("{name}.yaml")), book).unwrap_or_else(|text| panic!("{name}:\n{text}"));
    let everything = worklist(&planned.plan, &History::default(), &Selection::all(), &|_| true);
    let quotes = quotes(&planned.plan, &planned.catalog);
    let estimate = estimate(&planned.plan, &everything, &quotes, &planned.campaign.budget, planned.campaign.run.attempts, &Default::default());
    let estimate = estimate.expect("the sums fit");
    (planned, estimate)
}

fn floor(name: &str) -> (Currency, Micros) {
    let (_, estimate) = priced(name, None);
    assert!(estimate.unpriced.is_empty(), "{name} has shots without a price");
    (estimate.book.currency.clone(), estimate.totals.floor.micros)
}

#[test]
fn the_four_published_projects_cost_what_their_page_says() {
    for (name, credits) in [("social-campaign", 26), ("website-redesign", 34), ("print-suite", 34), ("product-launch", 85)] {
        assert_eq!(floor(name), (Currency::credits("bestphoto-hd"), Micros::units(credits)), "{name}");
    }
}

#[test]
fn a_chain_of_four_steps_costs_48_credits_at_12_a_picture() {
    assert_eq!(floor("character-chain"), (Currency::credits("gptimage2-flat"), Micros::units(48)));
}

#[test]
fn what_a_planner_reads_about_each_campaign() {
    for path in shipped() {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("campaigns have plain names").to_owned();
        let (planned, estimate) = priced(&name, None);
        let verdict = gate(&estimate, Gate::default());
        let view = PlanView {
            campaign: &planned.campaign.name,
            provider: planned.campaign.provider.as_deref(),
            profile: None,
            plan: &planned.plan,
            estimate: &estimate,
            verdict: &verdict,
            changed: &[],
            notes: &[],
        };
        insta::with_settings!({ snapshot_path => "plans", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, plan_table(&view, 80, false));
        });
    }
}

#[test]
fn a_plan_is_the_same_bytes_every_time() {
    for path in shipped() {
        let digest = || planned(&path, None).unwrap_or_else(|text| panic!("{text}")).plan.digest;
        assert_eq!(digest(), digest(), "{}", path.display());
    }
}

#[test]
fn another_price_book_changes_no_key() {
    let path = Path::new("campaigns/spring-drop.yaml");
    let flat = planned(path, Some("gptimage2-flat")).unwrap_or_else(|text| panic!("{text}"));
    let kie = planned(path, Some("kie")).unwrap_or_else(|text| panic!("{text}"));
    assert_eq!(flat.plan.digest, kie.plan.digest);
}
