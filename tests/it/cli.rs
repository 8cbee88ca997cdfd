//! The program as a person meets it: words in, text, files and exit codes out.

use std::fs;

use crate::desk::{Desk, SIM, SPRING, said};

/// Takes out of a snapshot what differs from run to run.
fn redacted() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{8}T\d{6}Z-[0-9a-f]{4}", "<run>");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<moment>");
    settings.add_filter(r"sim-\d+-\d+-[0-9a-f]+", "<task>");
    settings.add_filter(r"\b[0-9a-f]{64}\b", "<digest>");
    settings.add_filter(r"; (\d+m \d+s|[\d.]+m?s)\n", "; <span>\n");
    settings.add_filter(r", \d+ bytes,", ", <bytes> bytes,");
    settings.bind_to_scope()
}

#[test]
fn every_command_helps_with_an_example() {
    let desk = Desk::new();
    let commands: &[&[&str]] = &[
        &[],
        &["init"],
        &["check"],
        &["plan"],
        &["run"],
        &["status"],
        &["why"],
        &["report"],
        &["review"],
        &["deliver"],
        &["graph"],
        &["cache"],
        &["cache", "size"],
        &["cache", "verify"],
        &["cache", "prune"],
        &["prices"],
        &["prices", "list"],
        &["prices", "show"],
        &["prices", "check"],
        &["prices", "diff"],
        &["providers"],
        &["providers", "list"],
        &["providers", "show"],
        &["schema"],
        &["completions"],
        &["man"],
    ];
    let mut pages = String::new();
    for command in commands {
        let words: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let help = desk.say(&words);
        assert_eq!((help.code, help.err.as_str()), (0, ""));
        assert!(help.out.contains("  callsheet "), "`{}` has no example", command.join(" "));
        pages.push_str(&format!("===== callsheet {}\n{}\n", command.join(" "), help.out));
    }
    insta::assert_snapshot!("help", pages);
}

#[test]
fn check_shows_all_mistakes_at_once_and_counts_them() {
    let desk = Desk::new();
    assert_eq!(desk.say(&["check", "campaigns/spring-drop.yaml"]).out, "campaigns/spring-drop.yaml: no mistakes, 156 shots\n");
    desk.edit("aspect: \"4:5\"", "aspect: \"4:7\"");
    desk.edit("image: hero ", "image: heros ");
    insta::assert_snapshot!("check_mistakes", desk.say(&["check", "campaigns/spring-drop.yaml"]).all());
    let json = desk.say(&["check", "campaigns/spring-drop.yaml", "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&json.out).expect("stdout is JSON");
    assert_eq!((json.code, json.err.as_str()), (3, ""));
    assert!(read[0]["found"].as_array().is_some_and(|found| !found.is_empty() && found[0]["line"].is_u64()), "{read}");
}

#[test]
fn a_plan_says_what_it_costs_and_leaves_nothing_behind() {
    let desk = Desk::new();
    insta::assert_snapshot!("plan", desk.say(&["plan", "campaigns/spring-drop.yaml"]).all());
    assert_eq!(desk.say(&["plan", "campaigns/spring-drop.yaml", "--detailed-exit-code"]).code, 10);
    let dearer = desk.say(&["plan", "campaigns/spring-drop.yaml", "--prices", "kie", "--only", "hero[sku=teapot]", "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&dearer.out).expect("stdout is JSON");
    assert_eq!(read["totals"]["floor"]["amount"], "12", "two pictures at 6 credits");
    assert_eq!(desk.files("."), ["campaigns/data/spring-skus.csv", "campaigns/spring-drop.yaml"]);
}

#[test]
fn a_book_and_a_provider_of_ones_own_are_files_with_places_for_mistakes() {
    let desk = Desk::new();
    desk.write("mine.yaml", "book: mine\ncurrency: credits\nas-of: 2026-11-22\nsource: a page\nmodels:\n  gpt-image-2: { price: { flat: 7.5 } }\n");
    let plan = desk.say(&["plan", "campaigns/spring-drop.yaml", "--prices", "mine.yaml", "--only", "hero", "--format", "csv"]);
    assert!(plan.out.contains(",7.5,7.5,180,"), "{}", plan.out);
    desk.write("mine.yaml", "book: mine\ncurrency: credits\nmodels:\n  gpt-image-2: { price: { flt: 7.5 } }\n");
    insta::assert_snapshot!("own_book_mistake", desk.say(&["plan", "campaigns/spring-drop.yaml", "--prices", "mine.yaml"]).all());
    desk.edit("provider: kie ", "provider: ../maker.yaml ");
    desk.write("maker.yaml", "provider: maker\ntitle: Maker\nkey-env: MAKER_KEY\nhost: [example.com]\n");
    insta::assert_snapshot!("own_provider_mistake", desk.say(&["plan", "campaigns/spring-drop.yaml"]).all());
}

#[test]
fn a_rehearsal_leaves_a_tree_and_the_second_finds_nothing_to_do() {
    let _redacted = redacted();
    let desk = Desk::new();
    let run = ["run", "campaigns/spring-drop.yaml", "--rehearse", "--profile", "draft", "--sim", SIM];
    let first = desk.say(&run);
    assert_eq!((first.code, first.out.as_str()), (0, ""), "{}", first.err);
    let summary = first.err.split("\nmade ").nth(1).expect("a summary");
    insta::assert_snapshot!("rehearsal_summary", format!("made {summary}"));
    insta::assert_snapshot!("rehearsal_tree", desk.files("rehearsal").join("\n"));
    assert_eq!(fs::read_to_string(desk.path().join(".callsheet/.gitignore")).expect("it is written"), "*\n");

    let second = desk.say(&run);
    insta::assert_snapshot!("rehearsal_again", second.all());
    fs::remove_file(desk.path().join("rehearsal/spring-drop/teapot/front/hero.png")).expect("the file is there");
    assert_eq!(desk.say(&run).code, 0);
    assert!(desk.path().join("rehearsal/spring-drop/teapot/front/hero.png").is_file(), "the tree is mended from the store");

    let real = desk.say(&["plan", "campaigns/spring-drop.yaml", "--profile", "draft", "--format", "json"]);
    let read: serde_json::Value = serde_json::from_str(&real.out).expect("stdout is JSON");
    assert_eq!(read["totals"]["jobs"]["reused"], 0, "a real run reuses nothing of a rehearsal");

    let shot = "surface[sku=teapot,angle=front,surface=oak]";
    let why = ["why", "campaigns/spring-drop.yaml", shot, "--rehearse", "--profile", "draft"];
    insta::assert_snapshot!("why_done", desk.say(&why).all());
    desk.edit("pale oak", "dark walnut");
    insta::assert_snapshot!("why_changed", desk.say(&why).all());
    insta::assert_snapshot!("plan_changed", desk.say(&["plan", "campaigns/spring-drop.yaml", "--rehearse", "--profile", "draft"]).all());
    insta::assert_snapshot!("status", desk.say(&["status", "campaigns/spring-drop.yaml", "--rehearse", "--profile", "draft"]).all());
    let told = desk.say(&["status", "campaigns/spring-drop.yaml", "--rehearse", "--profile", "draft", "--json"]);
    let read: serde_json::Value = serde_json::from_str(&told.out).expect("stdout is JSON");
    let (shots, left) = (&read["shots"], &read["left"]["floor"]["amount"]);
    assert_eq!(
        (&shots["all"], &shots["done"], &shots["to-do"], &shots["left-out"], left),
        (&16.into(), &12.into(), &4.into(), &10.into(), &"48".into())
    );
    assert_eq!((&read["spending"][0]["charged"], &read["rehearsal"], &read["profile"]), (&"192".into(), &true.into(), &"draft".into()));
    let report = desk.say(&["report", "campaigns/spring-drop.yaml", "--rehearse", "--profile", "draft", "--out", "elsewhere"]);
    assert_eq!((report.code, report.out.as_str()), (0, "elsewhere\n"), "{}", report.err);
    assert!(desk.path().join("elsewhere/index.html").is_file());
}

#[test]
fn events_are_json_lines_on_stdout_and_failures_end_with_their_code() {
    let desk = Desk::new();
    let words = ["run", "campaigns/spring-drop.yaml", "--rehearse", "--only", "hero[sku=cup]", "--json", "-q", "--sim", "size=64x64,fail=1"];
    let failed = desk.say(&words);
    assert_eq!(failed.code, 5, "{}", failed.err);
    let events: Vec<serde_json::Value> = failed.out.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert_eq!((&events[0]["event"], &events[0]["v"]), (&"run-started".into(), &1.into()));
    assert!(failed.err.contains("failed"), "{}", failed.err);
    let lost = desk.say(&["run", "campaigns/spring-drop.yaml", "--rehearse", "--only", "hero[sku=cup]", "-q", "--sim", "size=64x64,lose=1"]);
    assert_eq!(lost.code, 7, "{}", lost.err);
    let again = desk.say(&["run", "campaigns/spring-drop.yaml", "--rehearse", "--only", "hero[sku=cup]", "-q"]);
    assert_eq!(again.code, 7, "doubt is held: {}", again.err);
}

#[test]
fn a_run_with_nothing_to_do_ends_its_events_as_one_that_buys() {
    let desk = Desk::new();
    let run = |sim: &str| {
        let said = desk.say(&["run", SPRING, "--rehearse", "--only", "hero[sku=cup]", "--json", "-q", "--sim", sim]);
        let events: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
        (said.code, events)
    };
    let of = |events: &[serde_json::Value]| events.iter().map(|event| event["event"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>();
    let keys = |value: &serde_json::Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());

    let (_, doubtful) = run("size=64x64,lose=1");
    let (held, again) = run(SIM);
    assert_eq!((held, of(&again)), (7, vec!["run-started".to_owned(), "run-finished".to_owned()]), "doubts are held");
    let stats = |events: &[serde_json::Value]| events.last().expect("it has ended")["stats"].clone();
    for told in ["total", "in_doubt", "doubted", "spent", "cap", "currency"] {
        assert_eq!(stats(&again)[told], stats(&doubtful)[told], "{told}");
    }
    assert_eq!(desk.say(&["reconcile", SPRING, "--rehearse", "--all", "--not-charged"]).code, 0);

    let (bought, first) = run(SIM);
    let (nothing, again) = run(SIM);
    assert_eq!((bought, nothing, of(&again)), (0, 0, vec!["run-started".to_owned(), "run-finished".to_owned()]));
    let (first_end, end) = (first.last().expect("it has ended"), again.last().expect("it has ended"));
    assert_eq!((keys(end), keys(&end["stats"])), (keys(first_end), keys(&first_end["stats"])), "the same shape");
    assert_eq!(keys(&again[0]), keys(&first[0]));
    let (was, is) = (stats(&first), stats(&again));
    assert_eq!((&is["done"], &is["reused"], &is["spent"]), (&0.into(), &was["done"], &"0".into()), "zero bought");
    assert_eq!((&is["total"], &is["spent_before"], &is["cap"], &is["currency"]), (&was["total"], &was["spent"], &was["cap"], &was["currency"]));
}

#[test]
fn nothing_is_sent_without_a_key_a_provider_or_a_budget() {
    let desk = Desk::new();
    let without_key = desk.say(&["run", "campaigns/spring-drop.yaml", "-q"]);
    insta::assert_snapshot!("run_without_key", without_key.all());
    let elsewhere = desk.with_key(&["run", "campaigns/spring-drop.yaml", "-q", "--base-url", "openai=http://127.0.0.1:1"]);
    insta::assert_snapshot!("run_elsewhere", elsewhere.all());
    insta::assert_snapshot!("run_over_cap", desk.say(&["run", "campaigns/spring-drop.yaml", "-q", "--rehearse", "--cap", "100"]).all());
    desk.edit("provider: kie ", "# no provider ");
    desk.edit(" aspect: \"4:5\",", "");
    insta::assert_snapshot!("run_without_provider", desk.with_key(&["run", "campaigns/spring-drop.yaml", "-q"]).all());
    assert_eq!(desk.say(&["run", "campaigns/spring-drop.yaml", "-q", "--rehearse", "--only", "hero[sku=cup]", "--sim", SIM]).code, 0);
}

#[test]
fn a_workspace_has_one_run_at_a_time() {
    let desk = Desk::new();
    let home = desk.path().join(".callsheet/rehearsal");
    let _held = callsheet::ledger::WorkspaceLock::acquire(&home, "run autumn", &callsheet::types::SystemClock).expect("nobody holds it");
    let second = desk.say(&["run", "campaigns/spring-drop.yaml", "--rehearse", "-q", "--sim", SIM]);
    assert_eq!(second.code, 9);
    assert!(second.err.contains("another run holds the workspace: `run autumn`"), "{}", second.err);
    let moved = said({
        let mut command = desk.command(&["run", "campaigns/spring-drop.yaml", "--rehearse", "-q", "--sim", SIM, "--only", "hero[sku=cup]"]);
        command.env("CALLSHEET_HOME", "elsewhere");
        command
    });
    assert_eq!(moved.code, 0, "{}", moved.err);
    assert!(desk.path().join("elsewhere/rehearsal/ledger.db").is_file());
}

#[test]
fn names_that_do_not_exist_are_met_with_what_was_meant() {
    let desk = Desk::new();
    let file = "campaigns/spring-drop.yaml";
    let slips: &[&[&str]] = &[
        &["plan", file, "--profile", "draff"],
        &["plan", file, "--provider", "kei"],
        &["plan", file, "--prices", "gptimage2-flt"],
        &["plan", file, "--until", "surfaces"],
        &["plan", file, "--only", "surface[skus=cup]"],
        &["plan", "campaigns/spring-drip.yaml"],
        &["why", file, "surface[sku=teapot,angle=front,surface=oat]"],
        &["prices", "show", "key"],
        &["providers", "show", "kie", "--model", "gpt-imge-2"],
        &["run", file, "--rehearse", "--sim", "fial=1"],
        &["status", file],
        &["plam", file],
    ];
    let mut pages = String::new();
    for words in slips {
        let slip = desk.say(words);
        assert!((2..=3).contains(&slip.code), "{words:?}: {}", slip.all());
        pages.push_str(&format!("$ callsheet {}\n{}\n", words.join(" "), slip.all()));
    }
    insta::assert_snapshot!("slips", pages);
}

#[test]
fn data_survives_a_closed_pipe_and_colour_only_comes_when_asked_for() {
    let desk = Desk::new();
    let plain = desk.say(&["prices", "show", "kie"]);
    assert!(plain.out.contains("gpt-image-2") && !plain.out.contains('\u{1b}'));
    assert!(desk.say(&["prices", "show", "kie", "--color", "always"]).out.contains('\u{1b}'));
    let mut schema = std::process::Command::new(assert_cmd::cargo::cargo_bin!("callsheet"))
        .arg("schema")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(schema.stdout.take());
    let ended = schema.wait_with_output().expect("the program ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = desk.say(&["completions", shell]);
        assert_eq!(said.code, 0, "{shell}: {}", said.err);
        assert!(["reconcile", "estimate", "on-doubt"].iter().all(|word| said.out.contains(word)), "{shell}");
    }
    assert!(desk.say(&["man"]).out.starts_with(".ie"));
    assert_eq!(desk.say(&["man", "--write", "pages"]).code, 0);
    let pages = desk.files("pages");
    for page in ["callsheet.1", "callsheet-run.1", "callsheet-cache-prune.1"] {
        assert!(pages.contains(&page.to_owned()), "{page} is not among {pages:?}");
    }
    let run = String::from_utf8(desk.read("pages/callsheet-run.1")).expect("a page is text");
    assert!(run.contains("\\-\\-rehearse") && run.contains("Exit codes"), "{run}");
}

#[test]
fn a_ci_reads_mistakes_as_notes_at_their_lines_and_shots_as_tests() {
    let desk = Desk::with_all_campaigns();
    desk.edit("{{ sku.title }}", "{{ sku.titel }}");
    let said = desk.say(&["check", SPRING, "--format", "github"]);
    assert_eq!(said.code, 3);
    insta::assert_snapshot!(said.out);
    desk.edit("{{ sku.titel }}", "{{ sku.title }}");

    // One failure of two shots is more than a tenth: the other may or may not have begun by then.
    desk.edit(", stop-after-failures: 10%", "");
    desk.rehearse(&[SPRING, "--only", "hero[sku=teapot]", "--sim", "size=64x64,refuse=0.5,seed=3"], 5);
    let words = ["report", SPRING, "--rehearse", "--format"];
    let junit = desk.say(&[&words[..], &["junit"]].concat()).out;
    let cases = junit.matches("<testcase ").count();
    assert_eq!(cases, 156, "one for each shot of the campaign");
    assert_eq!((junit.matches("<failure ").count(), junit.contains("timestamp=")), (1, false));
    assert!(junit.contains(r#"<property name="charged" value="12 credits"/>"#), "{junit}");
    let notes = desk.say(&[&words[..], &["github"]].concat()).out;
    assert!(notes.starts_with("::error file=campaigns/spring-drop.yaml,title=1 shot failed::"), "{notes}");
    assert!(notes.ends_with("12 credits charged so far\n"), "{notes}");
}
