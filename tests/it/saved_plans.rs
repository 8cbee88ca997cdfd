//! A plan is saved, approved and run: as it was saved or not at all, and once.

use std::fs;

use callsheet::ledger::{Ledger, Scope};
use callsheet::plan::SavedPlan;
use callsheet::types::{DocId, Micros};

use crate::desk::{Desk, SIM, SPRING, Said, counted_by, sum};

/// Two products, up to the surfaces: 16 paid shots at 12 credits.
const DRAFT: [&str; 3] = [SPRING, "--profile", "draft"];

/// Saves the draft's plan for a rehearsal.
fn save(desk: &Desk, out: &str) -> Said {
    let said = desk.say(&[&["plan"], &DRAFT[..], &["--rehearse", "--out", out]].concat());
    assert_eq!(said.code, 0, "{}", said.all());
    said
}

fn run(desk: &Desk, plan: &str, code: i32) -> Said {
    let said = desk.say(&["run", plan, "--rehearse", "--sim", SIM]);
    assert_eq!(said.code, code, "{}", said.all());
    said
}

fn text(desk: &Desk, file: &str) -> String {
    String::from_utf8(desk.read(file)).expect("a plan is text")
}

#[test]
fn the_same_inputs_give_the_same_bytes_on_every_desk() {
    let (one, other) = (Desk::with_all_campaigns(), Desk::with_all_campaigns());
    let said = save(&one, "plan.json");
    assert!(said.err.contains("saved      `plan.json`: rehearsal, 16 shots to make, floor 192 credits, ceiling 260 credits"), "{}", said.err);
    assert!(said.err.contains("run it     callsheet run plan.json"), "{}", said.err);
    // What another campaign did in the workspace is no part of it.
    other.rehearse(&["campaigns/ugc-hooks.yaml", "-q"], 0);
    let absolute = other.path().join(SPRING);
    let words = ["plan", absolute.to_str().expect("a temporary folder has a plain name"), "--profile", "draft", "--rehearse", "--out", "-"];
    let printed = other.say(&words);
    assert_eq!(printed.out, text(&one, "plan.json"), "{}", printed.err);
    assert!(!printed.out.contains(other.path().to_str().expect("a plain name")));
    let plan = SavedPlan::read(DocId::CAMPAIGN, &printed.out).expect("it is a saved plan");
    assert_eq!((plan.jobs.len(), plan.totals.floor.amount), (26, Micros::units(192)));
    let schema: serde_json::Value = serde_json::from_slice(&fs::read("schemas/saved-plan.schema.json").expect("it ships")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&serde_json::from_str(&printed.out).expect("JSON")));
}

#[test]
fn what_was_saved_is_what_is_run_and_only_once() {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("plans")).expect("a folder");
    save(&desk, "plans/draft.json");
    assert!(!desk.path().join(".callsheet").exists(), "a plan leaves nothing but its file");
    fs::copy(desk.path().join("plans/draft.json"), desk.path().join("plans/copy.json")).expect("copied");
    run(&desk, "plans/draft.json", 0);
    let rows = desk.costs("spring-drop");
    assert_eq!((rows.len(), sum(&rows, "charged")), (16, 192_000_000));
    let plan = SavedPlan::read(DocId::CAMPAIGN, &text(&desk, "plans/draft.json")).expect("it is a saved plan");
    let scope = Scope(format!("campaign:spring-drop/plan:{}", plan.name()));
    let totals = desk.ledger().totals(&scope).expect("totals can be read").pop().expect("the plan has a cap of its own");
    assert_eq!(totals.spent, Micros::units(192));

    let records = desk.records();
    for spent in ["plans/draft.json", "plans/copy.json"] {
        let again = run(&desk, spent, 4);
        assert!(again.err.contains(&format!("nothing was sent: `{spent}` is spent: run {}", rows[0]["run_id"])), "{}", again.err);
        assert!(again.err.contains("hint: plan again and look at it: callsheet plan campaigns/spring-drop.yaml --profile draft --rehearse"));
    }
    assert_eq!(desk.records(), records);
    // A plan of what is left now is another plan: it has nothing to do, and may say so as often as one likes.
    save(&desk, "plans/draft.json");
    for _ in 0..2 {
        assert!(run(&desk, "plans/draft.json", 0).err.contains("nothing to do: 16 shots done"));
    }
}

const MINI: &str = "\
callsheet: 1
campaign: mini
provider: kie
prices: ./book.yaml
defaults: { model: gpt-image-2, aspect: \"1:1\", resolution: 1K }
axes: { sku: { csv: data/mini.csv, key: sku } }
steps:
  packshot: { load: { file: \"{{ sku.file }}\", over: [sku] } }
  hero: { edit: { image: packshot, prompt: \"The {{ sku.title }} on oak\" } }
budget: { cap: 100 }
";

/// A desk with a campaign that has rows, pictures and a book of its own.
fn mini() -> Desk {
    let desk = Desk::new();
    desk.write("campaigns/mini.yaml", MINI);
    desk.write("campaigns/data/mini.csv", "sku,title,file\npot,Teapot,data/pot.png\ncup,Cup,data/cup.png\n");
    desk.write("campaigns/book.yaml", book(6));
    for (name, shade) in [("pot", 40), ("cup", 90)] {
        picture(&desk, name, shade);
    }
    desk
}

fn book(price: u32) -> String {
    format!("book: mine\ncurrency: credits\nas-of: 2026-11-01\nsource: a page\nmodels: {{ gpt-image-2: {{ price: {{ flat: {price} }} }} }}\n")
}

fn picture(desk: &Desk, name: &str, shade: u8) {
    let path = desk.path().join(format!("campaigns/data/{name}.png"));
    image::RgbImage::from_pixel(64, 64, image::Rgb([shade; 3])).save(path).expect("a picture can be written");
}

#[test]
fn everything_that_has_moved_is_told_at_once_and_nothing_is_sent() {
    let desk = mini();
    let saved = desk.say(&["plan", "campaigns/mini.yaml", "--rehearse", "--out", "plan.json"]);
    assert_eq!(saved.code, 0, "{}", saved.all());
    desk.edit_file("campaigns/mini.yaml", "on oak", "on walnut");
    desk.edit_file("campaigns/data/mini.csv", "cup,Cup,data/cup.png", "mug,Mug,data/cup.png");
    desk.write("campaigns/book.yaml", book(10));
    picture(&desk, "pot", 200);
    let refused = run(&desk, "plan.json", 4);
    insta::assert_snapshot!(refused.err, @"
    campaign   `mini.yaml` has changed
    rows       `data/mini.csv` has changed
    asset      `data/pot.png` has changed
    price book `mine` has changed
    shots      2 changed, first `packshot[sku=pot]`
               file: [abd4669d754f386b59774762abc5ff40a51d2e5f2eba130bca1179bad42bc247 -> 611cf58db018be6293c05b8ac184fbe796d61b2ede01bcee57c829565ffdae33]
    shots      2 new, first `packshot[sku=mug]`
    shots      2 gone, first `packshot[sku=cup]`
    prices     1 shot: 6 credits -> 10 credits, `hero[sku=pot]`
    money      all shots once: 12 credits -> 20 credits
    money      floor: 12 credits -> 20 credits
    money      expected: 12 credits -> 20 credits
    money      ceiling: 24 credits -> 40 credits
    error: nothing was sent: `plan.json` no longer holds: campaign, rows, asset and price book moved
    hint: plan again and look at it: callsheet plan campaigns/mini.yaml --rehearse --out plan.json
    ");
    assert!(!desk.path().join(".callsheet").exists() && !desk.path().join("rehearsal").exists());
}

#[test]
fn each_thing_that_moves_alone_is_found() {
    type Move = (&'static str, fn(&Desk));
    let moves: [Move; 5] = [
        ("campaign   `mini.yaml` has changed", |desk| desk.edit_file("campaigns/mini.yaml", "budget:", "# looked at\nbudget:")),
        ("rows       `data/mini.csv` has changed", |desk| desk.edit_file("campaigns/data/mini.csv", "cup,Cup", "cup,Mug")),
        ("asset      `data/pot.png` has changed", |desk| picture(desk, "pot", 200)),
        ("price book `mine` has changed", |desk| desk.write("campaigns/book.yaml", book(7))),
        ("file       nothing that it was made from has moved", |desk| desk.edit_file("plan.json", "\"price\":\"6\"", "\"price\":\"5\"")),
    ];
    for (told, shift) in moves {
        let desk = mini();
        assert_eq!(desk.say(&["plan", "campaigns/mini.yaml", "--rehearse", "--out", "plan.json"]).code, 0);
        shift(&desk);
        let refused = run(&desk, "plan.json", 4);
        assert!(refused.err.contains(told), "{told}: {}", refused.err);
        assert!(refused.err.contains("nothing was sent: `plan.json` no longer holds"), "{}", refused.err);
    }
}

#[test]
fn shots_that_were_bought_meanwhile_make_a_plan_stale_and_those_of_others_do_not() {
    let desk = Desk::with_all_campaigns();
    save(&desk, "plan.json");
    desk.rehearse(&["campaigns/ugc-hooks.yaml", "-q"], 0);
    desk.rehearse(&[SPRING, "--profile", "draft", "--only", "hero", "-q"], 0);
    let bought = desk.records();
    let refused = run(&desk, "plan.json", 4);
    let run_id = &desk.costs("spring-drop")[0]["run_id"];
    assert!(refused.err.contains(&format!("history    4 shots were new, now reused, by run {run_id} at ")), "{}", refused.err);
    assert!(refused.err.contains("money      floor: 192 credits -> 144 credits"), "{}", refused.err);
    assert!(refused.err.contains("no longer holds: history moved"), "{}", refused.err);
    assert_eq!(desk.records(), bought);

    save(&desk, "plan.json");
    desk.rehearse(&["campaigns/character-chain.yaml", "-q"], 0);
    run(&desk, "plan.json", 0);
    assert_eq!(counted_by(&desk.costs("spring-drop"), "status"), [("done".to_owned(), 16)].into());
}

#[test]
fn a_picture_that_is_gone_from_the_store_makes_a_plan_stale() {
    let desk = Desk::new();
    desk.rehearse(&[SPRING, "--profile", "draft", "--only", "hero", "-q"], 0);
    save(&desk, "plan.json");
    let manifest = desk.manifest("spring-drop");
    let digest = manifest["files"][0]["digest"].as_str().expect("a file has a digest");
    fs::remove_file(desk.blob(digest)).expect("the picture is there");
    let refused = run(&desk, "plan.json", 4);
    assert!(refused.err.contains("history    1 shot was reused, now lost"), "{}", refused.err);
}

#[test]
fn flags_that_say_something_else_are_refused_by_name() {
    let desk = Desk::new();
    let words = ["--only", "hero[sku=teapot]", "--cap", "500", "--out", "plan.json"];
    let saved = desk.say(&[&["plan"], &DRAFT[..], &words].concat());
    assert_eq!(saved.code, 0, "{}", saved.all());
    let others =
        ["--profile", "final", "--cap", "600", "--only", "hero[sku=cup]", "--until", "hero", "--on-doubt", "resend", "--prices", "kie", "--rehearse"];
    let refused = desk.say(&[&["run", "plan.json"], &others[..]].concat());
    assert_eq!(refused.code, 2);
    insta::assert_snapshot!(refused.err, @r"
    error: nothing was sent: `plan.json` says what is run: `--profile final`, the plan says `draft`; `--prices kie`, the plan says none; `--cap 600`, the plan says `500`; `--on-doubt resend`, the plan says `hold`; `--only` `hero[sku=cup]`, the plan says `hero[sku=teapot]`; `--until` `hero`, the plan says none; `--rehearse`, the plan is for money
    hint: leave the flag out, or save a plan that has it: callsheet plan campaigns/spring-drop.yaml --profile draft --cap 500 --only 'hero[sku=teapot]' --out plan.json
    ");
    // Saying the same again is fine: it gets as far as any real run without a key.
    let same = ["--profile", "draft", "--cap", "500", "--only", "hero[sku=teapot]", "--on-doubt", "hold"];
    let agreed = desk.say(&[&["run", "plan.json"], &same[..]].concat());
    assert_eq!(agreed.code, 8, "{}", agreed.all());
}

#[test]
fn a_plan_over_its_cap_can_be_saved_and_says_that_it_will_be_refused() {
    let desk = Desk::new();
    let saved = desk.say(&["plan", SPRING, "--rehearse", "--cap", "10", "--out", "plan.json"]);
    assert_eq!(saved.code, 0, "{}", saved.all());
    assert!(
        saved.err.contains("warning: `run` will refuse it: the floor of 1440 credits is above the campaign's cap of 10 credits"),
        "{}",
        saved.err
    );
    let refused = run(&desk, "plan.json", 4);
    assert!(refused.err.contains("nothing was sent: the floor of 1440 credits"), "{}", refused.err);
}

#[test]
fn a_plan_may_be_carried_to_another_folder() {
    let desk = Desk::new();
    save(&desk, "plan.json");
    fs::create_dir_all(desk.path().join("artifacts/of/the/pull-request")).expect("folders");
    fs::rename(desk.path().join("plan.json"), desk.path().join("artifacts/of/the/pull-request/plan.json")).expect("moved");
    run(&desk, "artifacts/of/the/pull-request/plan.json", 0);
}

#[test]
fn a_file_that_is_no_saved_plan_is_neither_overwritten_nor_run() {
    let desk = Desk::new();
    let campaign = desk.read(SPRING);
    let refused = desk.say(&["plan", SPRING, "--out", SPRING]);
    assert_eq!((refused.code, desk.read(SPRING)), (2, campaign), "{}", refused.err);
    save(&desk, "plan.json");
    save(&desk, "plan.json");
    let planned = desk.say(&["plan", "plan.json"]);
    assert_eq!(planned.code, 2);
    assert!(planned.err.contains("`plan.json` is a saved plan"), "{}", planned.err);
}

#[test]
fn malformed_plans_are_refused_with_their_place() {
    let desk = Desk::new();
    save(&desk, "good.json");
    let good = text(&desk, "good.json");
    let broken: [(&str, Vec<u8>); 8] = [
        ("1:1", Vec::new()),
        ("1:1", b"steps: {}".to_vec()),
        ("2:3", good.replacen("\"callsheet-plan\": 1", "\"callsheet-plan\": 7", 1).into_bytes()),
        ("5:", good.replacen("\"stage\": \"rehearsal\",", "\"stage\": \"rehearsal\",\"stage\": \"real\",", 1).into_bytes()),
        ("17:", good.replacen("\"limit\":\"2000\"", "\"limit\":true", 1).into_bytes()),
        ("1:", [&good.as_bytes()[..1], b"\xff\xfe", &good.as_bytes()[1..]].concat()),
        ("1:", format!("{{\"callsheet-plan\": {}", "[".repeat(200_000)).into_bytes()),
        ("30:", good.lines().take(30).collect::<Vec<_>>().join("\n").into_bytes()),
    ];
    for (place, bytes) in broken {
        desk.write("plan.json", &bytes);
        let refused = run(&desk, "plan.json", 3);
        assert!(refused.err.contains(&format!("--> plan.json:{place}")), "{place}: {}", refused.err);
    }
    let bomb = fs::File::create(desk.path().join("plan.json")).expect("a file");
    bomb.set_len(300_000_000).expect("a file with a hole");
    let refused = run(&desk, "plan.json", 3);
    assert!(refused.err.contains("larger than 256 MB"), "{}", refused.err);
    assert!(!desk.path().join(".callsheet").exists());
}

#[cfg(unix)]
mod killed {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Starts to run a plan and waits until so many shots are done.
    fn started(desk: &Desk, sim: &str, done: usize) -> Child {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"));
        command.current_dir(desk.path()).env_clear().args(["run", "plan.json", "-q", "--json", "--rehearse", "--sim", sim]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let events = BufReader::new(child.stdout.take().expect("its stdout is a pipe")).lines().map_while(Result::ok);
        let is_done = |line: &String| line.contains("\"job-done\"");
        let wanted = if done == 0 { 1 } else { done };
        let seen = events.filter(|line| done == 0 || is_done(line)).take(wanted).count();
        assert_eq!(seen, wanted, "it ended too early");
        child
    }

    #[test]
    fn a_plan_that_was_cut_short_is_taken_up_and_then_it_is_spent() {
        for done in [0, 1, 5, 11] {
            let desk = Desk::new();
            desk.edit("budget: { cap: 260 }", "budget: { cap: 2000 }");
            save(&desk, "plan.json");
            let mut running = started(&desk, "size=64x64,latency=100ms", done);
            let held = desk.say(&["run", "plan.json", "--rehearse", "--sim", SIM]);
            // The first may have come to its end just before.
            assert!([9, 0, 4].contains(&held.code), "{}", held.all());
            running.kill().expect("it is ours");
            let was_cut = running.wait().expect("it ends").code().is_none();

            let next = desk.say(&["run", "plan.json", "--rehearse", "--sim", SIM]);
            let in_doubt = counted_by(&desk.costs("spring-drop"), "status").remove("in-doubt").unwrap_or(0);
            // It may have come to its end, with only the tree left to write.
            let was_over = next.code == 4 && next.err.contains("is spent");
            if was_cut && held.code == 9 && !was_over {
                assert_eq!(next.code, if in_doubt > 0 { 7 } else { 0 }, "{done}: {}", next.all());
                // All shots may have been made before it was cut.
                assert!(next.err.contains("taken up: run ") || next.err.contains("nothing to do"), "{done}: {}", next.err);
            }
            let rows = desk.costs("spring-drop");
            let paid = counted_by(&rows, "job");
            assert!(paid.values().all(|tries| *tries == 1), "{done}: {paid:?}");
            assert!(rows.len() <= 16 && (in_doubt > 0 || rows.len() == 16), "{done}: {} rows", rows.len());

            let records = desk.records();
            assert!(run(&desk, "plan.json", 4).err.contains("is spent"), "{done}");
            assert_eq!(desk.records(), records);
        }
    }

    #[test]
    fn a_plan_that_was_cut_short_is_not_taken_up_when_the_campaign_has_moved() {
        let desk = Desk::new();
        save(&desk, "plan.json");
        let mut running = started(&desk, "size=64x64,latency=50ms", 3);
        running.kill().expect("it is ours");
        running.wait().expect("it ends");
        desk.edit("pale oak tabletop", "dark walnut tabletop");
        let refused = run(&desk, "plan.json", 4);
        assert!(refused.err.contains("no longer holds: campaign moved"), "{}", refused.err);
        desk.edit("dark walnut tabletop", "pale oak tabletop");
        let code = desk.say(&["run", "plan.json", "--rehearse", "--sim", SIM]).code;
        assert!([0, 7].contains(&code), "it holds again: exit {code}");
    }
}
