//! Ctrl-C and SIGTERM against the real program while it buys: nothing new is bought, nothing that is paid is lost.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::buying::Shop;
use crate::loopback::kie::Kie;
use crate::loopback::{KEY, LoopbackScript, Misdeed};
use crate::peak::program;

const CUPS: &str = "callsheet: 1\ncampaign: cups\nprovider: fast-kie.yaml\ndefaults: { model: gpt-image-2, aspect: \"1:1\", resolution: 1K }\n\
                    axes: { cup: [a, b, c, d, e, f, g, h] }\nsteps: { draft: { generate: { prompt: \"cup {{ cup }}\", over: [cup] } } }\n\
                    budget: { cap: 200 }\nrun: { concurrency: 2 }\n";

struct Buying {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Buying {
    fn start(shop: &Shop) -> Self {
        let base = format!("kie={}", shop.server.url);
        let mut command = program(&shop.desk, &["run", "campaigns/c.yaml", "--yes", "-q", "--json", "--base-url", &base]);
        let mut child = command.env("KIE_API_KEY", KEY).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let events = BufReader::new(child.stdout.take().expect("its stdout is a pipe"));
        Self { child, events }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).expect("a small number")), signal).expect("the program is there");
    }

    /// Reads the events to the end and returns exit code, how many shots were started after this, and what was said to people.
    fn end(mut self) -> (Option<i32>, usize, String) {
        let mut started = 0;
        let mut line = String::new();
        while self.events.read_line(&mut line).expect("events can be read") > 0 {
            started += usize::from(line.contains("job-started"));
            line.clear();
        }
        let code = self.child.wait().expect("it ends").code();
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("its stderr is a pipe");
        std::io::Read::read_to_string(&mut stderr, &mut said).expect("it can be read");
        (code, started, said)
    }
}

/// Waits until the server was asked so often.
fn until_asked(shop: &Shop, path: &str, count: usize) {
    let patience = Instant::now() + Duration::from_secs(20);
    while shop.server.asked(path) < count && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(shop.server.asked(path) >= count, "{path} was asked {} times", shop.server.asked(path));
}

fn kie(running: u32) -> LoopbackScript {
    LoopbackScript::of(Kie { running, ..Kie::default() })
}

#[test]
fn the_first_signal_finishes_what_is_paid_and_buys_nothing_more() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let shop = Shop::kie(CUPS, kie(30));
        let buying = Buying::start(&shop);
        until_asked(&shop, "recordInfo", 2);
        buying.signal(signal);
        let paid = shop.server.asked("createTask");
        let (code, started, said) = buying.end();
        assert_eq!(code, Some(130), "{signal}: {said}");
        // A request may have been on its way in the very moment.
        assert!(shop.server.asked("createTask") <= paid.max(2), "{signal}: {started} more");
        shop.agrees("cups");
        assert_eq!(shop.rows("cups").iter().filter(|row| row["status"] == "done").count(), shop.server.asked("createTask"), "{signal}");
        shop.run(&[], 0);
        shop.agrees("cups");
        assert_eq!(shop.server.asked("createTask"), 8, "{signal}: each shot was bought once");
    }
}

#[test]
fn the_second_signal_leaves_at_once_and_the_books_agree() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let shop = Shop::kie(CUPS, kie(u32::MAX - 10));
        let buying = Buying::start(&shop);
        until_asked(&shop, "recordInfo", 4);
        buying.signal(signal);
        std::thread::sleep(Duration::from_millis(100));
        let asked = Instant::now();
        buying.signal(signal);
        let (code, _, said) = buying.end();
        println!("{signal}: left {:.0} ms after the second", asked.elapsed().as_secs_f64() * 1e3);
        assert!(asked.elapsed() < Duration::from_millis(2500), "{signal}: {:?}", asked.elapsed());
        assert_eq!((code, shop.server.asked("createTask")), (Some(130), 2), "{signal}: {said}");
        let reserved = shop.committed("cups");
        assert_eq!(reserved, shop.server.charges(), "{signal}: what the server charged is reserved or spent here");
    }
}

#[test]
fn what_is_paid_is_not_waited_for_longer_than_stated() {
    // Tasks of this provider end within 3 seconds; its pictures never come.
    let shop = Shop::kie(CUPS, kie(1).always("/result/", Misdeed::Hang));
    let buying = Buying::start(&shop);
    until_asked(&shop, "/result/", 2);
    let asked = Instant::now();
    buying.signal(Signal::SIGINT);
    let (code, _, said) = buying.end();
    println!("left {:.1} s after the first signal", asked.elapsed().as_secs_f64());
    assert_eq!(code, Some(130), "{said}");
    assert!(asked.elapsed() >= Duration::from_secs(2) && asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    assert!(said.contains("stopped 3 s after the signal; tasks that are paid and not fetched are kept"), "{said}");
    shop.server.mend();
    shop.run(&[], 0);
    shop.agrees("cups");
    assert_eq!(shop.server.asked("createTask"), 8, "the two that hung were fetched, not bought again");
}
