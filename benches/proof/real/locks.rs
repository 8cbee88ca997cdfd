//! Two runs at once in one folder: one spends, the other is turned away at once and told by whom.
//!
//! Out: [`Locks`]. Never: a lock that is broken by guess.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::faults;
use super::shop::{Said, Shape, Shop};
use crate::loopback::LoopbackScript;
use crate::loopback::kie::{Fate, Kie};

/// What trying it showed.
#[derive(Debug, Default)]
pub struct Locks {
    /// Second runs that met a living holder.
    pub refused: usize,
    /// How long each of them took from its start to its end.
    pub spans: Vec<Duration>,
    /// Runs after a holder that was killed, or whose number another program has now.
    pub after_the_dead: usize,
    /// Pairs of runs that were started at the same moment.
    pub races: usize,
    /// What went wrong, in words.
    pub trouble: Vec<String>,
}

fn shop(script: LoopbackScript) -> Shop {
    Shop::open(Shape::Task, "faults", &faults::campaign(Shape::Task), script.steady())
}

fn spawn(shop: &Shop) -> Child {
    shop.command(&shop.words()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

/// Tries so many second runs and so many races.
pub fn try_all(seconds: usize, races: usize) -> Locks {
    let mut locks = Locks::default();
    locks.second_runs(seconds);
    locks.number_of_another_program();
    locks.holder_on_another_host();
    for _ in 0..races {
        locks.race();
    }
    locks
}

impl Locks {
    /// Returns what half of the refusals took at most, and what the slowest took.
    pub fn middle_and_slowest(&self) -> (Duration, Duration) {
        let mut spans = self.spans.clone();
        spans.sort();
        (spans.get(spans.len() / 2).copied().unwrap_or_default(), spans.last().copied().unwrap_or_default())
    }

    fn want(&mut self, is_right: bool, what: &str, said: &Said) {
        if !is_right {
            self.trouble.push(format!("{what}: exit {}: {}", said.code, said.err.trim_end()));
        }
    }

    fn refusal(&mut self, shop: &Shop, words: &[&str]) {
        let said = shop.say(&shop.words());
        self.refused += 1;
        self.spans.push(said.took);
        let names_it = words.iter().all(|word| said.err.contains(word));
        self.want(said.code == 9 && names_it, "a second run", &said);
    }

    fn second_runs(&mut self, count: usize) {
        let shop = shop(LoopbackScript::of(Kie { fates: vec![Fate::Never; PAID], ..Kie::default() }));
        shop.asks_for_long();
        let mut holder = spawn(&shop);
        let patience = Instant::now() + Duration::from_secs(20);
        while shop.server.asked("recordInfo") == 0 && Instant::now() < patience {
            thread::sleep(Duration::from_millis(5));
        }
        let process = format!("process {} on {}, since 20", holder.id(), host());
        for _ in 0..count {
            self.refusal(&shop, &["`run faults`", &process]);
        }
        let _ = holder.kill();
        let _ = holder.wait();
        shop.server.mend();
        let said = shop.say(&shop.words());
        self.after_the_dead += 1;
        self.want([0, 7].contains(&said.code), "a run after its holder was killed", &said);
    }

    /// The note names a process that lives, but is not callsheet: this one.
    fn number_of_another_program(&mut self) {
        let shop = shop(LoopbackScript::of(Kie::default()));
        let note = format!("`run faults`, process {} on {}, since 2026-11-22T09:45:00.000Z\n", std::process::id(), host());
        fs::create_dir_all(shop.path().join(".callsheet"))
            .and_then(|()| fs::write(shop.path().join(".callsheet/lock"), note))
            .expect("a file can be written");
        let said = shop.say(&shop.words());
        self.after_the_dead += 1;
        self.want(said.code == 0, "a run after one whose number another program has", &said);
    }

    /// Somebody holds the lock and says that it is elsewhere: nobody here can look for its process.
    fn holder_on_another_host(&mut self) {
        let shop = shop(LoopbackScript::of(Kie::default()));
        let path = shop.path().join(".callsheet/lock");
        let note = "`run faults`, process 1 on elsewhere, since 1970-01-01T00:00:00.000Z\n";
        fs::create_dir_all(shop.path().join(".callsheet")).and_then(|()| fs::write(&path, note)).expect("a file can be written");
        let file = File::options().read(true).write(true).open(&path).expect("the file is there");
        file.lock().expect("the lock is free");
        self.refusal(&shop, &["process 1 on elsewhere"]);
        if fs::read_to_string(&path).ok().as_deref() != Some(note) || shop.server.asked("createTask") > 0 {
            self.trouble.push("the lock of another host was broken".to_owned());
        }
    }

    fn race(&mut self) {
        let shop = shop(LoopbackScript::of(Kie::default()));
        let ends: Vec<Option<i32>> = [spawn(&shop), spawn(&shop)].into_iter().map(|mut run| run.wait().ok().and_then(|end| end.code())).collect();
        self.races += 1;
        let accepted = shop.server.books().accepted.len();
        // The second one may also have come when the first was through: then there was nothing left to do.
        if accepted != PAID || !ends.contains(&Some(0)) || ends.iter().any(|end| ![Some(0), Some(9)].contains(end)) {
            self.trouble.push(format!("two runs at once: ends {ends:?}, {accepted} paid requests for {PAID} shots"));
        }
    }
}

/// Paid shots of the campaign.
const PAID: usize = 4;

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}
