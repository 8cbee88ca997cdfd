//! The pace of real runs by the server's own clock: several limits at once, a rate below the manifest's, a service that is not there.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::buying::{ONE, Shop, fast};
use crate::loopback::kie::Kie;
use crate::loopback::{KEY, LoopbackScript};

/// As many shots as there are takes.
fn many(takes: usize) -> String {
    ONE.replace("campaign: one", "campaign: many")
        .replace("prompt: \"a red cup\"", &format!("prompt: \"a red cup\", takes: {takes}"))
        .replace("cap: 200", "cap: 2000")
        .replace("attempts: 1", "attempts: 1, concurrency: 100")
}

/// A provider whose windows last a second instead of ten: the same limits, ten times as fast.
fn by_the_second(count: usize) -> String {
    let told = fast("kie").replace("[{ count: 20, span: 10s }]", &format!("[{{ count: {count}, span: 1s }}, {{ count: 60, span: 4s }}]"));
    assert!(told.contains("span: 4s"), "the windows stand in the manifest");
    told
}

fn shop(takes: usize, told: usize, rate: usize) -> Shop {
    let api = Kie { rate: Some((rate, Duration::from_secs(1))), ..Kie::default() };
    let shop = Shop::kie(&many(takes), LoopbackScript::of(api));
    shop.desk.write("campaigns/fast-kie.yaml", by_the_second(told));
    shop
}

#[test]
fn windows_and_places_are_never_exceeded_by_the_servers_own_clock() {
    let shop = shop(100, 20, 20);
    shop.run(&["-q"], 0);
    shop.agrees("many");
    let books = shop.server.books();
    let most = |span: Duration| {
        let within = |first: &Instant| books.taken.iter().filter(|at| **at >= *first && at.duration_since(*first) < span).count();
        books.taken.iter().map(within).max().unwrap_or(0)
    };
    let (short, long) = (most(Duration::from_secs(1)), most(Duration::from_secs(4)));
    println!("most in 1 s: {short} of 20; in 4 s: {long} of 60; refused: {}", books.refused.len());
    assert_eq!(books.refused.len(), 0, "nothing is refused for its rate");
    assert!(short <= 20 && long <= 60, "{short} {long}");
}

#[test]
fn a_rate_below_the_manifests_is_learned_after_the_first_window() {
    let shop = shop(100, 20, 10);
    let told = shop.run(&[], 0);
    shop.agrees("many");
    let books = shop.server.books();
    let begin = *books.taken.first().expect("something was taken");
    let later = |moments: &[Instant]| moments.iter().filter(|at| at.duration_since(begin) >= Duration::from_secs(1)).count();
    let (taken, refused) = (later(&books.taken), later(&books.refused));
    println!("refused after the first window: {refused} for {taken} accepted; in all {} for {}", books.refused.len(), books.taken.len());
    // One in fifty; and one more, since a busy machine may hold a request up until it falls into the next one's second.
    assert!(refused <= taken / 50 + 1, "{refused} refusals for {taken} accepted after the first window");
    let lines = told.err.matches("the provider asks to slow down").count();
    assert!((1..=3).contains(&lines), "told once, not for each shot: {}", told.err);
}

#[cfg(unix)]
#[test]
fn an_interrupt_while_nobody_answers_leaves_the_shots_undone_and_none_failed() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    let shop = Shop::kie(ONE, LoopbackScript::of(Kie::default()));
    let base = format!("kie=http://{free}");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"));
    command.current_dir(shop.desk.path()).env_clear().env("KIE_API_KEY", KEY);
    command.args(["run", "campaigns/c.yaml", "--yes", "--base-url", &base]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    std::thread::sleep(Duration::from_secs(3));
    let pid = i32::try_from(child.id()).expect("a process id is small");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT).expect("the program is still there");
    let output = child.wait_with_output().expect("the program ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("1 left undone") && !told.contains("failed"), "{told}");
    let status = shop.desk.say(&["status", "campaigns/c.yaml"]);
    assert!(!status.all().contains("failed"), "{}", status.all());
}
