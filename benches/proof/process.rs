//! The sections in which the real program runs as a process of its own: `kills`, `faults`, `locks`.

use crate::real::faults::{self, Kind};
use crate::real::locks;
use crate::real::shop::{Findings, Shape};
use crate::table::{Row, thousands};

/// Kills at random moments.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const RANDOM: usize = 300;

/// Rows of the larger campaign: 150 shots, 100 of them paid.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const ROWS: usize = 50;

/// Mixes of faults.
const MIXES: u64 = 60;

fn told(found: &Findings) {
    found.trouble.iter().for_each(|trouble| println!("{trouble}"));
}

/// SIGKILL at each step and at random.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn kills(from: u64, seconds: Option<u64>, tell: &mut dyn FnMut(Row)) {
    use std::time::{Duration, Instant};

    use crate::real::kills::{self, Kills};
    use crate::real::trace::Place;
    let until = || seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut sum = |name: &str, kills: &Kills| {
        told(&kills.found);
        let killed = format!("{} kills", thousands(kills.killed as u64));
        tell(Row::none(format!("{name}: paid twice"), kills.killed, kills.found.duplicates));
        tell(Row::none(format!("{name}: sent again while in doubt"), kills.killed, kills.found.resent));
        tell(Row::none(format!("{name}: in doubt and not named, or no end"), kills.killed, kills.found.unnamed));
        tell(Row::none(format!("{name}: paid pictures lost"), kills.killed, kills.found.lost));
        tell(Row::none(format!("{name}: files that differ from an undisturbed run"), kills.killed, kills.found.wrong));
        tell(Row::none(format!("{name}: ledgers that differ from the provider's"), kills.killed, kills.found.differences));
        tell(Row::told(format!("{name}: shots left in doubt, by name"), killed.clone(), thousands(kills.found.in_doubt as u64)));
        tell(Row::told(format!("{name}: of these found by their task, for nothing"), killed.clone(), thousands(kills.found.found as u64)));
        tell(Row::told(format!("{name}: of these lost with the answer"), killed, thousands(kills.found.lost_in_window as u64)));
    };
    for shape in Shape::BOTH {
        match kills::at_every_step(shape, from, 1, until()) {
            Ok(kills) => {
                let steps: Vec<String> =
                    Place::ALL.iter().filter_map(|place| Some(format!("{} {}", kills.steps.get(place)?, place.word()))).collect();
                println!("kills, answer is a {}: 20 jobs, {} steps: {}", shape.word(), kills.steps.values().sum::<usize>(), steps.join(", "));
                sum(&format!("kills, {}", shape.word()), &kills);
            }
            Err(error) => println!("kills at every step: not tried, {error}"),
        }
    }
    let random = kills::at_random(from, RANDOM, ROWS, until());
    println!("kills at random: {} campaigns of {} jobs, up to {} kills in a row", random.campaigns, ROWS * 3, random.in_a_row);
    sum("kills at random", &random);
}

/// SIGKILL at each step and at random.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn kills(_: u64, _: Option<u64>, tell: &mut dyn FnMut(Row)) {
    tell(Row::skipped("kills", "needs Linux on x86-64"));
}

/// Each fault alone, and mixes.
pub fn faults(from: u64, tell: &mut dyn FnMut(Row)) {
    let wanted = Shape::BOTH.map(faults::undisturbed);
    let kinds = faults::kinds();
    let found = faults::at_once(&kinds, |kind: &Kind| kind.try_it(&wanted[usize::from(kind.shape == Shape::Picture)]));
    println!("{:<48} {:<8} {:>4} {:>9} {:>5} {:>6} {:>7} {:>7}", "fault", "answer", "runs", "in doubt", "twice", "lost", "wrong", "ledger");
    let line = |name: &str, shape: &str, found: &Findings| {
        let Findings { runs, in_doubt, duplicates, resent, lost, wrong, differences, .. } = found;
        println!("{name:<48} {shape:<8} {runs:>4} {in_doubt:>9} {:>5} {lost:>6} {wrong:>7} {differences:>7}", duplicates + resent);
    };
    let mut sum = Findings::default();
    for (kind, found) in kinds.iter().zip(found) {
        line(kind.name, kind.shape.word(), &found);
        told(&found);
        sum.add(found);
    }
    let seeds: Vec<u64> = (from..from + MIXES).collect();
    let mut mixed = Findings::default();
    faults::at_once(&seeds, |seed| faults::mixed(*seed, &wanted)).into_iter().for_each(|found| mixed.add(found));
    line(&format!("{MIXES} mixes"), "both", &mixed);
    told(&mixed);
    sum.add(mixed);
    let tried = kinds.len() + seeds.len();
    tell(Row::none("faults: paid twice", tried, sum.duplicates + sum.resent));
    tell(Row::none("faults: paid pictures lost", tried, sum.lost));
    tell(Row::none("faults: files that are not the picture of their request", tried, sum.wrong));
    tell(Row::none("faults: ledgers that differ from the provider's", tried, sum.differences));
    tell(Row::none("faults: in doubt and not named, or no end", tried, sum.unnamed));
    tell(Row::told("faults: shots left in doubt, by name", format!("{tried} faults"), thousands(sum.in_doubt as u64)));
}

/// Two runs at once.
pub fn locks(tell: &mut dyn FnMut(Row)) {
    let locks = locks::try_all(50, 20);
    locks.trouble.iter().for_each(|trouble| println!("{trouble}"));
    tell(Row::none("locks: wrong ends of runs", locks.refused + locks.after_the_dead + locks.races, locks.trouble.len()));
    let (middle, slowest) = locks.middle_and_slowest();
    tell(Row::at_most("locks: ms from start to end of half of the refusals", locks.refused, 100, middle.as_millis()));
    tell(Row::told("locks: ms of the slowest of them", thousands(locks.refused as u64), slowest.as_millis().to_string()));
}
