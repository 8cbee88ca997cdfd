//! What a run leaves behind when it is over: reports in every form, and the pictures that the workspace keeps.

use std::fs;

use crate::desk::{Desk, SPRING, micros, sum};

const HERO: [&str; 3] = [SPRING, "--only", "hero[sku=teapot]"];

fn report(desk: &Desk, words: &[&str]) -> crate::desk::Said {
    let all: Vec<&str> = ["report", SPRING, "--rehearse"].iter().chain(words).copied().collect();
    desk.say(&all)
}

#[test]
fn a_second_run_is_told_apart_from_the_campaign_and_saves_nothing_twice() {
    let desk = Desk::new();
    let first = desk.rehearse(&HERO, 0).err;
    let said = first.split("\nmade ").nth(1).expect("a summary");
    assert!(said.contains("2 of 2 shots done, 154 more not asked for"), "{said}");
    assert!(said.contains("nothing spent; a real run would have been charged 24 credits, as quoted"), "{said}");
    assert!(!said.contains("so far ") && !said.contains("reused "), "one run is the campaign: {said}");

    let second = desk.rehearse(&[SPRING, "--only", "surface[sku=teapot,surface=oak]"], 0).err;
    let said = second.split("\nmade ").nth(1).expect("a summary").replace("\n           ", " ");
    assert!(said.contains("4 of 4 shots done"), "{said}");
    assert!(said.contains("2 pictures were there before this run; to make them again would cost 24 credits"), "{said}");
    assert!(said.contains("so far     as if paid: 48 credits charged for 4 tries in 2 runs; as quoted"), "{said}");

    let page = String::from_utf8(desk.read("rehearsal/spring-drop/summary.md")).expect("it is text");
    assert!(page.contains("| charged | **48 credits** for 4 tries in 2 runs |"), "{page}");
    assert!(!page.contains("saved by reuse"), "the campaign has paid for all it has: {page}");
    let again = report(&desk, &["--format", "markdown"]);
    assert_eq!((again.code, again.out), (0, page), "the same from plan and ledger");
}

#[test]
fn sums_of_every_form_agree() {
    let desk = Desk::new();
    desk.rehearse(&[SPRING, "--profile", "draft", "--sim", "size=64x64,fail=0.3,refund=yes,seed=3"], 5);
    let report = |desk: &Desk, words: &[&str]| report(desk, &[&["--profile", "draft"], words].concat());
    let rows = desk.costs("spring-drop");
    let json: serde_json::Value = serde_json::from_str(&report(&desk, &["--format", "json"]).out).expect("stdout is JSON");
    let spent = &json["spending"][0];
    for column in ["quoted", "charged", "refunded", "released"] {
        assert_eq!(Some(sum(&rows, column)), spent[column].as_str().map(micros), "{column}: {spent}");
    }
    assert_eq!((&json["callsheet-report"], spent["attempts"].as_u64()), (&2.into(), Some(rows.len() as u64)));
    assert_eq!(report(&desk, &["--format", "csv"]).out.into_bytes(), desk.read("rehearsal/spring-drop/costs.csv"));
    let table = report(&desk, &["--format", "table"]).out;
    assert!(table.starts_with("spring-drop, rehearsed: nothing was spent, amounts are as if paid\n"), "{table}");
    let summary = csv::Reader::from_reader(desk.read("rehearsal/spring-drop/costs-summary.csv").as_slice())
        .deserialize()
        .collect::<Result<Vec<crate::desk::Row>, _>>()
        .expect("whole rows");
    let total = summary.iter().find(|row| row["by"] == "total").expect("there is a total");
    assert_eq!(Some(micros(&total["charged"])), spent["charged"].as_str().map(micros));
}

#[test]
fn a_report_that_is_piped_is_the_file_to_the_byte_whatever_a_key_holds() {
    let desk = Desk::new();
    desk.write("campaigns/odd.csv", "id,title\n\u{1b}[31mred,Mug\n=1+1,Cup\n");
    let campaign = "callsheet: 1\ncampaign: odd\nprovider: kie\ndefaults: { model: gpt-image-2, aspect: \"1:1\", resolution: 1K }\n\
                    axes: { cup: { csv: odd.csv, key: id } }\n\
                    steps: { hero: { generate: { over: [cup], prompt: \"{{ cup.title }} on an oak table, light from the left\" } } }\n\
                    output: { path: \"{{ cup | slug }}/{{ step }}.{{ ext }}\" }\n";
    desk.write("campaigns/odd.yaml", campaign);
    desk.rehearse(&["campaigns/odd.yaml"], 0);
    let said = desk.say(&["report", "campaigns/odd.yaml", "--rehearse", "--format", "csv"]);
    assert!(said.out.contains("hero[cup=\u{1b}[31mred]"), "{:?}", said.out);
    assert_eq!(said.out.into_bytes(), desk.read("rehearsal/odd/costs.csv"));
}

#[test]
fn finance_gets_dollars_where_the_book_states_a_rate_and_a_sentence_where_it_does_not() {
    let desk = Desk::new();
    desk.rehearse(&HERO, 0);
    let refused = report(&desk, &["--format", "focus"]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{}", refused.err);
    assert!(refused.err.contains("states no rate from `credits:gptimage2-flat` to USD"), "{}", refused.err);

    desk.edit("prices: gptimage2-flat", "prices: kie");
    desk.edit("campaign: spring-drop", "campaign: in-dollars");
    fs::remove_dir_all(desk.path().join(".callsheet")).expect("the workspace can be removed");
    desk.rehearse(&HERO, 0);
    let said = report(&desk, &["--format", "focus", "--out", "focus.csv", "--billing-account", "4711"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(said.err.contains("nobody was billed") && said.err.contains("focus.csv written"), "{}", said.err);
    let bytes = desk.read("focus.csv");
    let rows: Vec<crate::desk::Row> = csv::Reader::from_reader(bytes.as_slice()).deserialize().collect::<Result<_, _>>().expect("whole rows");
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!((row["BilledCost"].as_str(), row["BillingCurrency"].as_str(), row["PricingCurrency"].as_str()), ("0.03", "USD", "credits:kie"));
        assert_eq!((row["BillingAccountId"].as_str(), row["x_Rehearsal"].as_str()), ("4711", "true"));
        assert!(row["BillingPeriodStart"].ends_with("-01T00:00:00Z"), "{row:?}");
    }
}

#[test]
fn a_cap_that_stops_a_run_is_named_with_what_to_do() {
    let desk = Desk::new();
    desk.edit("budget: { cap: 260 }", "budget: { cap: 2000 }");
    desk.edit("stop-after-failures: 10%", "attempts: 8");
    desk.edit("cap: 2000  ", "cap: 192  ");
    // The floor just fits; failures that are charged all the same use up what was meant for others.
    let said = desk.rehearse(&[SPRING, "--profile", "draft", "--sim", "size=64x64,fail=0.3,refund=no,seed=4"], 4).err.replace("\n           ", " ");
    assert!(said.contains("\ncap        the campaign's cap of 192 credits does not pay for the rest: "), "{said}");
    assert!(said.contains("\nnext       callsheet run campaigns/spring-drop.yaml --profile draft --rehearse --cap "), "{said}");
}

#[test]
fn the_cache_tells_what_it_holds_finds_rot_and_never_removes_what_is_named() {
    let desk = Desk::new();
    let nothing = desk.say(&["cache", "size", "--rehearse"]);
    assert_eq!(nothing.code, 2, "{}", nothing.all());
    assert!(!desk.path().join(".callsheet").exists(), "looking makes no folder");

    desk.rehearse(&HERO, 0);
    let size = desk.say(&["cache", "size", "--rehearse"]);
    assert!(size.out.contains("spring-drop"), "{}", size.all());
    let whole = desk.say(&["cache", "verify", "--rehearse"]);
    assert_eq!(whole.code, 0, "{}", whole.all());

    // A picture that nobody names goes; those that are named stay.
    let stranger = blake3::hash(b"stranger").to_hex().to_string();
    fs::create_dir_all(desk.blob(&stranger).parent().expect("a shelf")).expect("a folder");
    fs::write(desk.blob(&stranger), b"stranger").expect("a file");
    let named: Vec<String> = desk.costs("spring-drop").iter().map(|row| row["blake3"].clone()).collect();
    let would = desk.say(&["cache", "prune", "--rehearse"]);
    assert!(would.err.contains("would remove 1 picture that nobody names, 8 B"), "{}", would.all());
    assert!(desk.blob(&stranger).is_file());
    let held = callsheet::ledger::WorkspaceLock::acquire(&desk.path().join(".callsheet/rehearsal"), "run", &callsheet::types::SystemClock);
    assert_eq!(desk.say(&["cache", "prune", "--rehearse", "--yes"]).code, 9, "a run may be putting pictures there");
    drop(held);
    let did = desk.say(&["cache", "prune", "--rehearse", "--yes"]);
    assert_eq!(did.code, 0, "{}", did.all());
    assert!(!desk.blob(&stranger).exists() && named.iter().all(|digest| desk.blob(digest).is_file()));
    assert!(desk.say(&["cache", "prune", "--rehearse"]).err.contains("nothing to remove"));

    // Rot and loss are found and named by the shot they belong to.
    fs::write(desk.blob(&named[0]), b"rot").expect("a file");
    fs::remove_file(desk.blob(&named[1])).expect("a file");
    let wrong = desk.say(&["cache", "verify", "--rehearse"]);
    assert_eq!(wrong.code, 5, "{}", wrong.all());
    for part in
        ["damaged", "missing", "hero[sku=teapot,angle=front] of spring-drop", "hero[sku=teapot,angle=quarter] of spring-drop", "0 of 2 pictures"]
    {
        assert!(wrong.out.contains(part), "{part}: {}", wrong.all());
    }
}

#[test]
fn a_picture_that_no_campaign_shows_any_more_is_still_kept() {
    let desk = Desk::new();
    desk.rehearse(&HERO, 0);
    desk.edit("seamless off-white sweep", "seamless grey sweep");
    desk.rehearse(&HERO, 0);
    let size = desk.say(&["cache", "size", "--rehearse"]);
    assert!(size.out.contains("(shown by no campaign now)"), "{}", size.all());
    assert!(desk.say(&["cache", "prune", "--rehearse", "--yes"]).err.contains("nothing to remove: the ledger names all of 4 pictures"));
}
