//! Batches when answers get lost and the program is killed between two steps: no shot is paid twice, what is in doubt is named and found again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::batches::{LEVELS, THREE, created, reconcile, shop, together};
use crate::buying::Shop;
use crate::loopback::{KEY, Misdeed};

const WAIT: [&str; 3] = ["--batch", "--wait", "60s"];

/// Starts a run with `--batch` and returns it once the server has been asked for this.
fn begun_until(shop: &Shop, method: &str, path: &str) -> Child {
    let base = format!("openai={}/v1", shop.server.url);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"));
    command.current_dir(shop.desk.path()).env_clear().env("OPENAI_API_KEY", KEY);
    command.args(["run", "campaigns/c.yaml", "--yes", "--quiet", "--base-url", &base]).args(WAIT);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let ends = Instant::now() + Duration::from_secs(60);
    let is_there = || shop.server.requests().iter().any(|request| request.method == method && request.path.contains(path));
    while !is_there() {
        assert!(Instant::now() < ends, "{method} {path} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Kills a run with `--batch` once the server has been asked for this.
fn killed_at(shop: &Shop, method: &str, path: &str) {
    let mut child = begun_until(shop, method, path);
    child.kill().expect("it is still there");
    child.wait().expect("it ends");
}

#[test]
fn a_batch_whose_answer_is_lost_is_found_by_its_name_and_not_asked_for_again() {
    for misdeed in [Misdeed::DropAfter, Misdeed::Garble, Misdeed::Truncate(20)] {
        let shop = shop(LEVELS, together(|_| {}).fault("/v1/batches", 1, misdeed.clone()));
        shop.run(&WAIT, 0);
        shop.agrees("levels");
        assert_eq!(created(&shop), 2, "{misdeed:?}");
    }
}

#[test]
fn a_batch_that_never_came_is_in_doubt_until_the_list_says_so() {
    let shop = shop(THREE, together(|_| {}).fault("/v1/batches", 1, Misdeed::DropBefore));
    let told = shop.run(&WAIT, 7);
    assert!(told.err.contains("draft[cup=two]") && told.err.contains("reconcile"), "{}", told.err);
    assert_eq!((created(&shop), shop.server.charges()), (1, 0));
    let still = shop.run(&WAIT, 7);
    assert_eq!(created(&shop), 1, "never sent again by itself: {}", still.err);
    let listed = reconcile(&shop, &[]);
    assert!(listed.code == 7 && listed.out.contains("ask the provider"), "{}", listed.all());
    let settled = reconcile(&shop, &["--lookup"]);
    assert!(settled.code == 0 && settled.out.contains("not charged"), "{}", settled.all());
    shop.run(&WAIT, 0);
    shop.agrees("three");
}

#[test]
fn a_batch_that_is_not_seen_at_once_is_found_later() {
    let shop = shop(THREE, together(|api| api.hides = true).fault("/v1/batches", 1, Misdeed::DropAfter));
    let told = shop.run(&WAIT, 7);
    assert_eq!((created(&shop), shop.server.charges()), (1, 0), "{}", told.err);
    shop.server.mend();
    let found = reconcile(&shop, &["--lookup"]);
    assert!(found.code == 0 && found.out.contains("accepted as task batch_1"), "{}", found.all());
    shop.run(&WAIT, 0);
    shop.agrees("three");
    assert_eq!(created(&shop), 1);
}

#[test]
fn an_answer_that_says_no_leaves_nothing_behind() {
    use crate::loopback::openai::error;
    for (reply, code) in [
        (error(429, "insufficient_quota", Some("insufficient_quota"), "You exceeded your current quota"), 8),
        (error(400, "invalid_request_error", Some("invalid_value"), "no"), 5),
    ] {
        let shop = shop(THREE, together(|_| {}).fault("/v1/batches", 1, Misdeed::Answer(reply)));
        shop.run(&WAIT, code);
        assert_eq!((shop.committed("three"), shop.server.charges(), created(&shop)), (0, 0, 1));
        shop.server.mend();
        shop.run(&WAIT, 0);
        shop.agrees("three");
    }
}

#[test]
fn killed_while_the_file_goes_up_nothing_was_sent_and_nothing_is_in_doubt() {
    let shop = shop(THREE, together(|_| {}).fault("/v1/files", 1, Misdeed::Hang));
    killed_at(&shop, "POST", "/v1/files");
    shop.server.mend();
    let told = shop.run(&WAIT, 0);
    assert!(told.err.contains("3 shots of a run that was cut off were never sent"), "{}", told.err);
    shop.agrees("three");
    assert_eq!(created(&shop), 1);
}

#[test]
fn killed_between_the_batch_and_its_id_it_is_in_doubt_and_found_again() {
    let shop = shop(THREE, together(|_| {}).fault("/v1/batches", 1, Misdeed::Hang));
    killed_at(&shop, "POST", "/v1/batches");
    shop.server.mend();
    let told = shop.run(&WAIT, 7);
    assert_eq!(created(&shop), 1, "{}", told.err);
    assert!(told.err.contains("draft[cup=one]"), "{}", told.err);
    let found = reconcile(&shop, &["--lookup"]);
    assert!(found.code == 0 && found.out.contains("accepted as task batch_1"), "{}", found.all());
    shop.run(&WAIT, 0);
    shop.agrees("three");
    assert_eq!(created(&shop), 1);
}

#[test]
fn killed_while_it_waits_a_later_run_goes_on_with_the_batch() {
    let shop = shop(THREE, together(|_| {}).fault("/v1/batches/batch_1", 1, Misdeed::Hang));
    killed_at(&shop, "GET", "/v1/batches/batch_1");
    shop.server.mend();
    shop.run(&WAIT, 0);
    shop.agrees("three");
    assert_eq!(created(&shop), 1);
}

#[test]
fn files_of_answers_that_break_off_are_read_again_for_nothing() {
    for misdeed in [Misdeed::Truncate(2000), Misdeed::Reset(2000), Misdeed::DropAfter, Misdeed::Drip(5, Duration::from_millis(50))] {
        let shop = shop(THREE, together(|_| {}).fault("/content", 1, misdeed.clone()));
        shop.run(&WAIT, 0);
        shop.agrees("three");
        assert_eq!(created(&shop), 1, "{misdeed:?}");
    }
}

#[test]
fn a_lost_upload_is_sent_again_and_one_batch_is_made() {
    let shop = shop(THREE, together(|_| {}).fault("/v1/files", 1, Misdeed::DropAfter));
    shop.run(&WAIT, 0);
    shop.agrees("three");
    let uploads = shop.server.requests().iter().filter(|request| request.method == "POST" && request.path == "/v1/files").count();
    assert_eq!((uploads, created(&shop)), (2, 1), "the file goes twice, as it is, and its shots wait");
}

#[cfg(unix)]
#[test]
fn who_does_not_want_to_wait_any_more_leaves_and_the_batch_is_kept() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let shop = shop(THREE, together(|api| api.polls = 1000));
    let mut child = begun_until(&shop, "GET", "/v1/batches/batch_1");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id is small"));
    for _ in 0..2 {
        kill(pid, Signal::SIGINT).expect("it is still there");
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!((created(&shop), shop.server.charges()), (1, 0));
    let told = shop.run(&["--batch"], 11);
    assert!(told.err.contains("batch_1: in progress"), "{}", told.err);
    assert_eq!(created(&shop), 1);
}

#[test]
fn a_file_of_answers_that_never_ends_is_given_up_and_the_batch_is_kept() {
    let flood = Misdeed::endless("application/jsonl", vec![b'A'; 64 << 10]);
    let shop = shop(THREE, together(|api| api.polls = 0).always("/content", flood));
    let told = shop.run(&["--batch"], 11);
    assert!(told.err.contains("batch_1: completed"), "{}", told.err);
    shop.server.mend();
    shop.run(&["--batch"], 0);
    shop.agrees("three");
    assert_eq!(created(&shop), 1);
}
