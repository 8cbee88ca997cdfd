//! Two plans side by side: revisions of a real repository, other files, and what a campaign's policy says to them.

use crate::desk::{Desk, SPRING};
use crate::repository::{commit, git, redacted, repository};

const POLICY: &str = "cap: 2000\n  policy:\n    - deny: { total: 1450, because: \"finance signs above this\" }\n    - warn: { percent: 5% }\n    - warn: { delta: 500 }\n #";

/// Another rung, a slot of the baseline, a product more and one less.
fn edit(desk: &Desk) {
    desk.edit("pale oak", "dark walnut");
    let csv = "campaigns/data/spring-skus.csv";
    let text = String::from_utf8(desk.read(csv)).expect("CSV is text");
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("teapot,")).collect();
    lines.extend(["samovar,Ivo samovar,brushed brass,ready,240.00", "bowl-xl,Ivo bowl,brushed brass,ready,90.00"]);
    desk.write(csv, lines.join("\n") + "\n");
}

#[test]
fn a_pull_request_is_told_what_it_changes_and_costs() {
    let Some(desk) = repository() else { return };
    let _redacted = redacted();
    edit(&desk);
    let status = git(&desk, &["status", "--porcelain"]);
    let comment = desk.say(&["plan", SPRING, "--base", "main", "--format", "github"]);
    insta::assert_snapshot!("diff_github", comment.all());
    insta::assert_snapshot!("diff_table", desk.say(&["plan", SPRING, "--base", "HEAD"]).all());
    assert_eq!(git(&desk, &["status", "--porcelain"]), status, "the working tree is as it was");
    let json = desk.say(&["plan", SPRING, "--base", "HEAD", "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&json.out).expect("stdout is JSON");
    assert_eq!((&read["totals"]["before"]["amount"], &read["totals"]["after"]["amount"]), (&"1440".into(), &"1560".into()), "{read}");
    assert_eq!(read["totals"]["delta"]["amount"], "120");
    let rows = desk.say(&["plan", SPRING, "--base", "HEAD", "--format", "csv"]).out;
    assert_eq!(rows.lines().filter(|row| row.starts_with("spring-drop,removed,")).count(), 13, "all of the teapot");
    assert_eq!(desk.say(&["plan", SPRING, "--base", "HEAD", "--detailed-exit-code"]).code, 10);
}

#[test]
fn nothing_is_said_to_a_pull_request_that_changes_nothing() {
    let Some(desk) = repository() else { return };
    desk.edit("concurrency: 16", "concurrency: 4");
    for format in ["github", "markdown"] {
        let said = desk.say(&["plan", SPRING, "--base", "main", "--format", format]);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""), "{format}");
    }
    let said = desk.say(&["plan", SPRING, "--base", "main"]);
    assert!(said.out.contains("nothing changed: 156 shots, 1440 credits"), "{}", said.all());
}

#[test]
fn what_the_ledger_has_is_reused_and_a_renamed_step_buys_nothing() {
    let Some(desk) = repository() else { return };
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    desk.edit("  hero:\n", "  master:\n");
    desk.edit("image: hero ", "image: master ");
    let said = desk.say(&["plan", SPRING, "--profile", "draft", "--base", "main", "--rehearse"]);
    assert!(said.out.contains("moved      4 shots of `hero` to `master`"), "{}", said.all());
    assert!(said.out.contains("0 credits now in this workspace: 16 pictures reused"), "{}", said.all());
    assert!(said.out.contains("192 credits -> 192 credits: the same"), "{}", said.all());
}

#[test]
fn a_campaign_that_was_not_there_is_all_added() {
    let Some(desk) = repository() else { return };
    std::fs::copy(desk.path().join(SPRING), desk.path().join("campaigns/summer.yaml")).expect("copied");
    let said = desk.say(&["plan", "campaigns/summer.yaml", "--base", "main"]);
    assert_eq!(said.code, 0);
    assert!(said.out.contains("there is no `campaigns/summer.yaml` at `main`: everything is added"), "{}", said.all());
    assert!(said.out.contains("0 credits -> 1440 credits: +1440 credits"), "{}", said.all());
    let said = desk.say(&["plan", "campaigns/summer.yaml", "--base", SPRING, "--format", "github"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "another file with the same shots");
}

#[test]
fn mistakes_of_a_revision_are_shown_as_of_that_revision() {
    let Some(desk) = repository() else { return };
    desk.edit("{{ sku.title }}", "{{ sku.titel }}");
    commit(&desk);
    desk.edit("{{ sku.titel }}", "{{ sku.title }}");
    let said = desk.say(&["plan", SPRING, "--base", "HEAD"]);
    assert_eq!((said.code, said.out.as_str()), (3, ""));
    assert!(said.err.contains("the campaign at HEAD ("), "{}", said.err);
    assert!(said.err.contains("--> HEAD:campaigns/spring-drop.yaml:") && said.err.contains("did you mean `title`?"), "{}", said.err);
    assert_eq!(desk.say(&["plan", SPRING, "--base", "HEAD~1", "--format", "github"]).out, "", "the one before is right");
}

#[test]
fn a_base_that_is_none_is_refused_by_a_sentence() {
    let Some(desk) = repository() else { return };
    desk.write("broken.json", "{\n  \"callsheet-plan\": 1,\n  oops\n}\n");
    for (base, code, fact) in [
        ("nowhere", 2, "git knows no revision `nowhere`"),
        ("--help-me", 2, "is not a git revision"),
        ("gone.yaml", 2, "there is no file `gone.yaml` to compare with"),
        ("gone.json", 2, "the saved plan `gone.json` cannot be read"),
        ("broken.json", 3, "broken.json:3:"),
    ] {
        let said = desk.say(&["plan", SPRING, &format!("--base={base}")]);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{base}: {}", said.err);
        assert!(said.err.contains(fact), "{base}: {}", said.err);
    }
    let elsewhere = Desk::new();
    let said = elsewhere.say(&["plan", SPRING, "--base", "main"]);
    assert!(said.code == 2 && said.err.contains("is not in a git repository"), "{}", said.err);
}

#[test]
fn books_and_rows_are_those_of_the_revision() {
    let Some(desk) = repository() else { return };
    desk.write("campaigns/mine.yaml", "book: mine\ncurrency: credits\nmodels: { gpt-image-2: { price: { flat: 10 } } }\n");
    desk.edit("prices: gptimage2-flat ", "prices: ./mine.yaml ");
    commit(&desk);
    desk.edit_file("campaigns/mine.yaml", "flat: 10", "flat: 11");
    let said = desk.say(&["plan", SPRING, "--base", "HEAD", "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.all()));
    let totals = &read["totals"];
    assert_eq!((&totals["before"]["amount"], &totals["after"]["amount"]), (&"1200".into(), &"1320".into()), "{totals}");
    assert_eq!((&read["groups"], &totals["unchanged"], &read["is-changed"]), (&serde_json::json!([]), &156.into(), &true.into()));
}

#[test]
fn a_policy_denies_with_its_own_exit_code_and_a_run_sends_nothing() {
    let Some(desk) = repository() else { return };
    desk.edit("cap: 2000 ", POLICY);
    commit(&desk);
    let said = desk.say(&["plan", SPRING]);
    assert_eq!(said.code, 0, "1440 credits are not above 1450: {}", said.all());
    assert!(said.out.contains("`delta` and `percent` lines were not judged"), "{}", said.out);

    edit(&desk);
    let said = desk.say(&["plan", SPRING, "--base", "main"]);
    assert_eq!(said.code, 4, "{}", said.all());
    assert!(said.out.contains("denied     the total is 1560 credits: above 1450 credits"), "{}", said.out);
    assert!(said.out.contains("warning    the total changes by +8.33%: above +5%"), "{}", said.out);
    assert!(said.out.contains("the total changes by +120 credits, not above +500 credits"), "{}", said.out);
    assert_eq!(desk.say(&["plan", SPRING]).code, 4);

    let said = desk.rehearse(&[SPRING], 4);
    assert!(said.err.contains("nothing was sent: the campaign's policy denies this plan: the total is 1560 credits"), "{}", said.err);
    assert!(!desk.path().join(".callsheet").exists(), "nothing was done");
    desk.edit("deny: { total", "warn: { total");
    assert_eq!(desk.say(&["plan", SPRING, "--base", "main"]).code, 0, "a warning changes nothing");
}

#[test]
fn a_saved_plan_is_compared_without_git() {
    let desk = Desk::new();
    assert_eq!(desk.say(&["plan", SPRING, "--out", "plan.json", "--profile", "draft"]).code, 0);
    let against = ["plan", SPRING, "--profile", "draft", "--base", "plan.json"];
    let same = desk.say(&[&against[..], &["--format", "github"]].concat());
    assert_eq!((same.code, same.out.as_str()), (0, ""), "what the profile leaves out is left out on both sides: {}", same.all());
    desk.edit("pale oak", "dark walnut");
    let said = desk.say(&against);
    assert!(said.out.contains("spring-drop, profile draft against plan.json"), "{}", said.all());
    assert!(said.out.contains("changed    4 shots of `surface` in `prompt`"), "{}", said.all());
    assert!(said.out.contains("[-pale oak-]{+dark walnut+}"), "{}", said.all());
}

#[test]
fn a_comment_without_a_base_tells_the_estimate() {
    let desk = Desk::new();
    let said = desk.say(&["plan", SPRING, "--format", "github"]);
    assert!(said.out.starts_with("<!-- callsheet plan spring-drop -->\n### spring-drop\n"), "{}", said.out);
    assert!(said.out.contains("Floor **1440 credits**"), "{}", said.out);
}
