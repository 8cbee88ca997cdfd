//! Every lint rule, one campaign that it speaks of and one that it leaves alone, and what a person reads.
//!
//! `lint/RULE.yaml` makes the rule speak, with the snapshot beside it; `lint/RULE.silent.yaml` comes close and stays silent.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use callsheet::cli::diagnostics::render;
use callsheet::lint::{allow, lint};
use callsheet::spec::{DiskFiles, load};
use callsheet::types::{Diagnostics, Rule};

use crate::campaigns::shipped;
use crate::support::planned;

/// Returns what the rules say of a campaign, and the same as a person reads it.
fn linted(path: &Path) -> (Diagnostics, String) {
    let planned = planned(path, None).unwrap_or_else(|text| panic!("{text}"));
    let sources = load(path, &DiskFiles).sources;
    let found = allow::heard(lint(&planned.campaign, &planned.plan), &planned.campaign.allowed, true, &sources);
    let text = render(&found, &sources, false, Some(100));
    (found, text)
}

fn fixtures() -> Vec<String> {
    let entries = fs::read_dir("tests/it/lint").expect("the fixtures are there");
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".yaml").map(str::to_owned)).collect();
    names.sort();
    names
}

fn is_silent(name: &str) -> bool {
    name.ends_with(".silent")
}

fn rule(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[test]
fn every_rule_speaks_of_its_campaign_and_of_nothing_else() {
    for name in fixtures().into_iter().filter(|name| !is_silent(name)) {
        let (found, text) = linted(&Path::new("tests/it/lint").join(format!("{name}.yaml")));
        let codes: BTreeSet<&str> = found.iter().map(|finding| finding.code.0).collect();
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), [rule(&name)], "{name}:\n{text}");
        assert!(!found.has_errors(), "{name} is a mistake:\n{text}");
        assert!(found.iter().all(|finding| finding.help.is_some()), "{name} suggests nothing:\n{text}");
        insta::with_settings!({ snapshot_path => "lint", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn every_rule_stays_silent_where_it_only_seems_broken() {
    for name in fixtures().into_iter().filter(|name| is_silent(name)) {
        let (found, text) = linted(&Path::new("tests/it/lint").join(format!("{name}.yaml")));
        assert!(found.is_empty(), "{name}:\n{text}");
    }
}

#[test]
fn every_rule_has_a_campaign_of_both_kinds() {
    let names = fixtures();
    for rule in Rule::ALL.map(Rule::name) {
        assert!(names.iter().any(|name| name == rule), "{rule} has no campaign that it speaks of");
        assert!(names.iter().any(|name| *name == format!("{rule}.silent")), "{rule} has no campaign that it leaves alone");
    }
}

#[test]
fn no_campaign_that_ships_has_anything_left_to_say() {
    for path in shipped() {
        let (found, text) = linted(&path);
        assert!(found.is_empty(), "{}:\n{text}", path.display());
    }
}

#[test]
fn a_rung_that_comes_in_through_a_filter_changes_one_thing_only() {
    let folder = std::env::temp_dir().join(format!("callsheet-rungs-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the test");
    let text = fs::read_to_string("tests/it/invalid/rung-changes-the-prompt.yaml").expect("the fixture is there");
    for placed in ["{{ surface | upper }}", "{{ surface.key }}", "{{ surface.text }}"] {
        let start = text.find("{{ surface }}").expect("the rung is placed");
        let end = text.find("{% endif %}").expect("the condition ends") + "{% endif %}".len();
        let path = folder.join("rungs.yaml");
        fs::write(&path, format!("{}{placed}{}", &text[..start], &text[end..])).expect("the campaign is written");
        assert!(planned(&path, None).is_ok(), "{placed}: {}", planned(&path, None).err().unwrap_or_default());
    }
    fs::remove_dir_all(&folder).expect("the folder is removed");
}
