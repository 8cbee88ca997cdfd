//! How fast callsheet is, and how much memory it takes, beside its peers.
//!
//! ```text
//! cargo bench --bench speed                    everything, some minutes
//! cargo bench --bench speed -- --quick         smaller campaigns, fewer rounds: a first look, the figures decide nothing
//! cargo bench --bench speed -- plan idle       only the measurements with these words in their names
//! cargo bench --bench speed -- --binary=PATH   another build of callsheet than the one just made
//! ```
//!
//! Measures the release binary from outside, on campaigns that are generated on the spot, and prints one table. Processor time
//! counts where that is possible, because other work on the machine hardly moves it. A peer runs in turns with us, and the ratio
//! is taken pair by pair: what disturbs the machine disturbs both. Every figure is the median of its rounds. What is not
//! installed is skipped by name. Ends with code 1 when something that is wanted was missed, except for `--quick`.

#[cfg(unix)]
mod campaign;
#[cfg(unix)]
mod cases;
#[cfg(unix)]
mod child;
// The browser that the tests speak to.
#[cfg(unix)]
#[allow(dead_code)]
#[path = "../../tests/it/browser/chromium.rs"]
mod chromium;
#[cfg(unix)]
mod compare;
#[cfg(unix)]
mod estimates;
#[cfg(unix)]
mod execution;
#[cfg(unix)]
mod gallery;
#[cfg(unix)]
mod ninja;
#[cfg(unix)]
mod photo;
#[cfg(unix)]
mod pictures;
#[cfg(unix)]
mod schedule;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod table;
#[cfg(unix)]
mod yardstick;

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(child::HELPER) => return child::help(&args[1..]),
        Some(server::SERVER) => return server::serve(&args[1..]),
        Some(yardstick::YARDSTICK) => return yardstick::buy(&args[1..]),
        Some(pictures::HELPER) => return pictures::help(&args[1..]),
        _ => {}
    }
    let other = args.iter().find_map(|arg| arg.strip_prefix("--binary="));
    let quick = args.iter().any(|arg| arg == "--quick");
    let setup = cases::Setup::new(other.unwrap_or(env!("CARGO_BIN_EXE_callsheet")), quick);
    // Cargo adds `--bench` of its own.
    let names: Vec<&str> = args.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    let chosen = |case: &&cases::Case| names.is_empty() || names.iter().any(|name| case.name.contains(name));

    println!("{}", machine());
    table::head();
    let mut missed = 0;
    for case in cases::ALL.iter().filter(chosen) {
        for row in (case.measure)(&setup) {
            row.print();
            missed += usize::from(row.verdict() == table::Verdict::Missed);
        }
    }
    println!("{}", machine());
    if missed > 0 && !setup.is_quick() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    println!("skipped: costs of child processes are measured on Unix only");
    ExitCode::SUCCESS
}

/// Says how busy the machine is: figures in wall time mean little on one that is.
#[cfg(unix)]
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next().map(str::to_owned));
    format!("callsheet {} on {cores} cores, load {}", env!("CARGO_PKG_VERSION"), load.as_deref().unwrap_or("unknown"))
}
