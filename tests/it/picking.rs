//! Checks, rerolls and picks by the real program: what is turned down is kept, what is chosen is used, what waits says so.

use std::fs;

use callsheet::imaging::{Limits, decode};
use callsheet::picks::{Chosen, PicksFile, Rejected};
use callsheet::spec::Sources;
use callsheet::types::{Digest, JobId};

use crate::desk::{Desk, counted_by, micros};

const FILE: &str = "campaigns/draft-to-final.yaml";
const PICKS: &str = "picks/rehearsal/draft-to-final.yaml";
const NAME: &str = "draft-to-final";

/// One of the three candles: the rest is the same.
fn desk() -> Desk {
    let desk = Desk::with_all_campaigns();
    let text = String::from_utf8(desk.read(FILE)).expect("it is text");
    let without = |line: &&str| !line.contains("cedar:") && !line.contains("neroli:");
    desk.write(FILE, text.lines().filter(without).collect::<Vec<_>>().join("\n") + "\n");
    desk
}

fn rehearse(desk: &Desk, more: &[&str], code: i32) -> String {
    let said = desk.say(&[&["run", FILE, "--rehearse"], more].concat());
    assert_eq!(said.code, code, "{more:?}: {}", said.all());
    flat(&said.all())
}

/// What was said, however it was broken into lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn picks(desk: &Desk) -> PicksFile {
    PicksFile::read(&mut Sources::new(), PICKS, &desk.read(PICKS), NAME).expect("it is a picks file").1
}

fn save(desk: &Desk, picks: &PicksFile) {
    fs::create_dir_all(desk.path().join("picks/rehearsal")).expect("a folder can be made");
    desk.write(PICKS, picks.to_yaml());
}

/// The digest of the picture that a shot has now.
fn digest(desk: &Desk, job: &str) -> Digest {
    let manifest = desk.manifest(NAME);
    let file = manifest["files"].as_array().expect("files").iter().find(|file| file["job"] == job).unwrap_or_else(|| panic!("no {job}: {manifest}"));
    Digest::from_hex(file["digest"].as_str().expect("a digest")).expect("it is one")
}

fn choose(desk: &Desk, picks: &mut PicksFile, cell: &str, shot: &str) {
    picks
        .choose(JobId::new(cell), Chosen { shot: JobId::new(shot), picture: digest(desk, shot), note: Some("this one".to_owned()), automatic: None });
}

#[test]
fn a_campaign_with_checks_and_picks_is_rehearsed_to_the_end_without_anybody_looking() {
    let desk = Desk::with_all_campaigns();
    let floor = desk.plan(&[FILE, "--rehearse"]);
    assert_eq!(floor["totals"]["floor"]["amount"], "108", "nine drafts");
    assert_eq!(floor["totals"]["later"]["amount"], "72", "six scenes, once drafts are picked");
    let said = rehearse(&desk, &["--auto-pick", "first"], 0);
    assert!(said.contains("3 choices made by `--auto-pick first`"), "{said}");
    let manifest = desk.manifest(NAME);
    assert_eq!(manifest["files"].as_array().map(Vec::len), Some(9 + 3 + 6 + 3 + 3), "every shot has its picture");
    let picked: Vec<_> = manifest["files"].as_array().expect("files").iter().filter(|file| !file["picked"].is_null()).collect();
    assert_eq!(picked.len(), 6);
    assert!(picked.iter().all(|file| file["picked"]["automatic"] == "first"), "{picked:?}");
    let draft = &manifest["files"][0];
    assert_eq!(draft["checks"].as_array().map(Vec::len), Some(4), "{draft}");
    let again = rehearse(&desk, &["--auto-pick", "first"], 0);
    assert!(again.contains("nothing to do"), "{again}");
    rehearse(&desk, &[], 0);
}

#[test]
fn a_run_waits_for_picks_takes_the_chosen_picture_itself_and_names_a_stale_one() {
    let desk = desk();
    let said = rehearse(&desk, &[], 6);
    assert!(said.contains("callsheet review campaigns/draft-to-final.yaml --rehearse"), "{said}");
    assert!(said.contains("1 choice to make; 4 shots wait for that"), "{said}");
    let again = rehearse(&desk, &[], 6);
    assert!(again.contains("nothing to do before somebody chooses"), "{again}");

    let mut picks = PicksFile::new(NAME);
    choose(&desk, &mut picks, "best[scent=fig]", "draft[scent=fig]#2");
    save(&desk, &picks);
    rehearse(&desk, &[], 6);
    assert_eq!(digest(&desk, "best[scent=fig]"), digest(&desk, "draft[scent=fig]#2"), "the picture itself");
    choose(&desk, &mut picks, "final[scent=fig]", "scene[scent=fig,scene=bath]");
    save(&desk, &picks);
    rehearse(&desk, &[], 0);
    let (records, delivered) = (desk.records(), desk.read("rehearsal/draft-to-final/fig.jpg"));
    decode(&delivered, &Limits::default()).expect("a whole picture");

    // Another draft: what was made from the first stays, what is made from the second is new.
    choose(&desk, &mut picks, "best[scent=fig]", "draft[scent=fig]#3");
    save(&desk, &picks);
    let said = rehearse(&desk, &[], 6);
    assert!(said.contains("the choice for `final[scent=fig]` is of a picture that the shot does not have now"), "{said}");
    assert!(desk.records() > records);
    let stale = desk.say(&["plan", FILE, "--rehearse"]);
    assert_eq!(stale.code, 3, "{}", stale.all());
    assert!(stale.err.contains("picks/rehearsal/draft-to-final.yaml:"), "{}", stale.err);
    assert!(stale.err.contains("stale-pick") && stale.err.contains("`scene[scent=fig,scene=bath]` has another picture now"), "{}", stale.err);
    // Going back costs nothing.
    choose(&desk, &mut picks, "best[scent=fig]", "draft[scent=fig]#2");
    save(&desk, &picks);
    let said = rehearse(&desk, &[], 0);
    assert_eq!(desk.read("rehearsal/draft-to-final/fig.jpg"), delivered, "{said}");
}

#[test]
fn names_that_the_campaign_does_not_have_are_found_by_check_with_what_was_meant() {
    let desk = desk();
    fs::create_dir_all(desk.path().join("picks")).expect("a folder can be made");
    let digest = "0".repeat(64);
    let picks = format!(
        "version: 1\ncampaign: draft-to-final\npicks:\n  \"best[scent=figs]\": {{ shot: \"draft[scent=fig]#2\", picture: \"{digest}\" }}\n  \
         \"final[scent=fig]\": {{ shot: \"scene[scent=fig,scene=bat]\", picture: \"{digest}\" }}\n"
    );
    desk.write("picks/draft-to-final.yaml", picks);
    let said = desk.say(&["check", FILE]);
    assert_eq!(said.code, 3, "{}", said.all());
    for word in [
        "unknown-cell",
        "did you mean `best[scent=fig]`?",
        "unknown-shot",
        "did you mean `scene[scent=fig,scene=bath]`?",
        "picks/draft-to-final.yaml:5:",
    ] {
        assert!(said.all().contains(word), "{word}: {}", said.all());
    }
}

#[test]
fn what_a_person_turns_down_is_bought_anew_with_all_that_is_made_from_it_and_is_kept() {
    let desk = desk();
    rehearse(&desk, &["--auto-pick", "first"], 0);
    let rejected = digest(&desk, "draft[scent=fig]#1");
    let mut picks = picks(&desk);
    picks.reject(JobId::new("draft[scent=fig]#1"), Rejected { picture: rejected, note: Some("the label is unreadable".to_owned()) });
    assert_eq!(picks.chosen.len(), 1, "its choice fell with it");
    save(&desk, &picks);
    let plan = desk.say(&["plan", FILE, "--rehearse"]);
    assert!(flat(&plan.all()).contains("draft[scent=fig]#1: rejected by you: the label is unreadable"), "{}", plan.all());
    rehearse(&desk, &["--auto-pick", "first"], 0);
    assert_ne!(digest(&desk, "draft[scent=fig]#1"), rejected);
    let manifest = desk.manifest(NAME);
    let kept = &manifest["rejected"][0];
    assert_eq!((&kept["by"], &kept["why"]), (&"person".into(), &"rejected by you: the label is unreadable".into()));
    let path = kept["path"].as_str().expect("a path");
    assert_eq!(Digest::of(&desk.read(&format!("rehearsal/draft-to-final/{path}"))), rejected, "it was paid for");
    let prune = desk.say(&["cache", "prune", "--rehearse", "--yes"]);
    assert!(prune.all().contains("nothing to remove"), "{}", prune.all());
    let rows = desk.costs(NAME);
    assert_eq!(counted_by(&rows, "status").get("rejected"), Some(&1));
    let why = desk.say(&["why", FILE, "draft[scent=fig]#1", "--rehearse"]);
    assert!(why.all().contains("by you: the label is unreadable"), "{}", why.all());
    // Taken back, the first picture is used again for nothing.
    let records = desk.records();
    let mut picks = self::picks(&desk);
    assert!(picks.unreject(&JobId::new("draft[scent=fig]#1"), rejected));
    picks.chosen.clear();
    save(&desk, &picks);
    rehearse(&desk, &["--auto-pick", "first"], 0);
    assert_eq!(digest(&desk, "draft[scent=fig]#1"), rejected);
    assert!(desk.records() >= records);
}

#[test]
fn blank_pictures_are_turned_down_rerolled_within_the_ceiling_and_kept() {
    let desk = desk();
    let ceiling = micros(desk.plan(&[FILE, "--rehearse"])["totals"]["ceiling"]["amount"].as_str().expect("a ceiling"));
    let said = rehearse(&desk, &["--sim", "blank=1", "--only", "draft"], 5);
    assert!(said.contains("rejected") && said.contains("not-blank spread 0, wanted at least spread 3"), "{said}");
    assert!(said.contains("2 pictures looked at, no reroll left"), "{said}");
    let rows = desk.costs(NAME);
    assert_eq!((rows.len(), counted_by(&rows, "status")), (6, [("rejected".to_owned(), 6)].into()), "three drafts, each with one reroll");
    let charged: u64 = rows.iter().map(|row| micros(&row["charged"])).sum();
    assert!(charged <= ceiling, "{charged} of {ceiling}");
    assert_eq!(desk.files("rehearsal/draft-to-final/rejected").len(), 6);
    let again = rehearse(&desk, &["--only", "draft"], 5);
    assert!(again.contains("nothing to do") && again.contains("no reroll left"), "{again}");
    assert_eq!(desk.costs(NAME).len(), 6, "no run begins the count anew");
    let status = desk.say(&["status", FILE, "--rehearse"]);
    assert!(flat(&status.all()).contains("rejected draft[scent=fig]#1"), "{}", status.all());

    // A threshold that is lowered is tried on what is kept, for nothing.
    desk.edit_file(FILE, "        not-blank: true\n        sharpness: 20\n", "");
    let plan = desk.plan(&[FILE, "--rehearse", "--only", "draft"]);
    assert_eq!((&plan["totals"]["floor"]["amount"], &plan["totals"]["jobs"]["look"]), (&"0".into(), &3.into()));
    rehearse(&desk, &["--only", "draft"], 0);
    assert_eq!(desk.costs(NAME).len(), 6, "nothing was bought");
    assert_eq!(desk.manifest(NAME)["files"].as_array().map(Vec::len), Some(3));
    assert_eq!(counted_by(&desk.costs(NAME), "status"), [("done".to_owned(), 3), ("rejected".to_owned(), 3)].into());
}

#[test]
fn a_delivered_picture_that_fails_its_check_is_named_and_not_delivered() {
    let desk = desk();
    desk.edit_file(FILE, "max-bytes: 3000000", "max-bytes: 1000");
    let said = rehearse(&desk, &["--auto-pick", "sharpest"], 5);
    assert!(said.contains("deliver[scent=fig]: max-bytes") && said.contains("wanted at most 1 kB"), "{said}");
    assert!(!desk.path().join("rehearsal/draft-to-final/fig.jpg").exists());
    assert_eq!(desk.files("rehearsal/draft-to-final/rejected").len(), 1);
    desk.edit_file(FILE, "max-bytes: 1000", "max-bytes: 3000000");
    rehearse(&desk, &["--auto-pick", "sharpest"], 0);
    assert!(desk.path().join("rehearsal/draft-to-final/fig.jpg").exists());
}

#[test]
fn what_a_picks_file_names_is_not_pruned_even_when_the_ledger_knows_nothing_of_it() {
    let desk = desk();
    rehearse(&desk, &["--only", "draft"], 0);
    let mut picks = PicksFile::new(NAME);
    choose(&desk, &mut picks, "best[scent=fig]", "draft[scent=fig]#2");
    let picture = digest(&desk, "draft[scent=fig]#2");
    save(&desk, &picks);
    // The ledger is lost, the pictures are not.
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(desk.path().join(".callsheet/rehearsal").join(file));
    }
    let said = desk.say(&["cache", "prune", "--rehearse", "--yes"]);
    assert!(said.all().contains("2 pictures that nobody names"), "{}", said.all());
    assert!(desk.blob(&picture.to_string()).is_file());
}

#[test]
fn a_plan_prices_all_that_stands_behind_choices_as_a_run_that_chooses_buys_it() {
    let desk = desk();
    let plan = |more: &[&str]| desk.plan(&[&[FILE, "--rehearse"], more].concat());
    let waits = plan(&[]);
    let picked = plan(&["--auto-pick", "first"]);
    assert_eq!((&waits["totals"]["floor"]["amount"], &waits["totals"]["later"]["amount"]), (&"36".into(), &"24".into()));
    assert_eq!(picked["totals"]["floor"]["amount"], "60", "both, and nothing later: {}", picked["totals"]);
    let said = desk.say(&["plan", FILE, "--rehearse", "--auto-pick", "sharpest"]);
    assert!(flat(&said.out).contains("2 open choices are taken as `--auto-pick sharpest` would make them"), "{}", said.all());
    assert!(!desk.path().join("picks").exists(), "a plan chooses nothing");
    rehearse(&desk, &["--until", "draft"], 0);
    assert_eq!(plan(&["--auto-pick", "first"])["totals"]["floor"]["amount"], "24", "the drafts are there");
    rehearse(&desk, &["--auto-pick", "first"], 0);
    let charged: u64 = desk.costs(NAME).iter().map(|row| micros(&row["charged"])).sum();
    assert_eq!(charged, 60_000_000);

    // With the file gone the same choices lead to what is there already.
    fs::remove_file(desk.path().join(PICKS)).expect("it was there");
    assert_eq!(plan(&[])["totals"]["later"]["amount"], "24", "nobody has chosen");
    let again = plan(&["--auto-pick", "first"]);
    assert_eq!(again["totals"]["floor"]["amount"], "0", "{}", again["totals"]);
}
