//! What a child process costs, as the system counts it.
//!
//! ```text
//! bench ─▶ itself, as a helper: measure COMMAND… ─▶ the command
//!                    └── waits, asks the system for the costs of its children, prints them
//! ```
//!
//! The helper stands between because the system keeps one sum for all children that a process ever had, and because a child
//! begins with the peak memory of the process that it was split from: the helper is small, the bench is not.
//!
//! In: a command. Out: its [`Cost`]. Never: output of the command on the bench's own.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// First argument of the helper.
pub const HELPER: &str = "--measure-command";

/// What one run of a command cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Processor time, own and the system's on its behalf: what a loaded machine distorts least.
    pub cpu: Duration,
    /// From start to end.
    pub wall: Duration,
    /// Most memory held at once, in bytes.
    pub peak: u64,
    /// How it ended.
    pub code: i32,
}

impl Cost {
    /// Returns the costs of both, one after the other.
    pub fn then(self, next: Self) -> Self {
        Self { cpu: self.cpu + next.cpu, wall: self.wall + next.wall, peak: self.peak.max(next.peak), code: self.code.max(next.code) }
    }
}

/// Runs a command in `folder` and returns what it cost.
///
/// # Panics
/// When it cannot be run, or ends with another code than `wanted`: a figure of a failed command means nothing.
pub fn measure<A: AsRef<OsStr>>(folder: &Path, wanted: i32, program: &str, args: &[A]) -> Cost {
    measure_with(folder, wanted, program, args, &[])
}

/// The same, with more in the command's environment.
///
/// # Panics
/// As [`measure`].
pub fn measure_with<A: AsRef<OsStr>>(folder: &Path, wanted: i32, program: &str, args: &[A], environment: &[(&str, &str)]) -> Cost {
    let helper = std::env::current_exe().expect("the bench knows where it stands");
    let told = Command::new(helper)
        .arg(HELPER)
        .arg(program)
        .args(args)
        .current_dir(folder)
        // Its own, also when a folder above has one.
        .env("CALLSHEET_HOME", ".callsheet")
        .envs(environment.iter().copied())
        .stderr(Stdio::inherit())
        .output()
        .expect("the helper runs");
    let cost = String::from_utf8(told.stdout).ok().and_then(|text| parsed(&text));
    let cost = cost.unwrap_or_else(|| panic!("`{program}` could not be measured"));
    let words: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
    assert_eq!(cost.code, wanted, "`{program} {}` ended with code {} in {}", words.join(" "), cost.code, folder.display());
    cost
}

/// Is the helper: runs the command that its arguments name and prints what it cost.
pub fn help(args: &[String]) -> ExitCode {
    let Some((program, args)) = args.split_first() else { return ExitCode::from(2) };
    let started = Instant::now();
    let ended = Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let wall = started.elapsed();
    let (Ok(ended), Ok(usage)) = (ended, getrusage(UsageWho::RUSAGE_CHILDREN)) else { return ExitCode::FAILURE };
    let cpu = span(usage.user_time()) + span(usage.system_time());
    println!("{} {} {} {}", cpu.as_micros(), wall.as_micros(), peak_bytes(usage.max_rss()), ended.code().unwrap_or(-1));
    ExitCode::SUCCESS
}

fn span(time: TimeVal) -> Duration {
    let micros = time.tv_sec().unsigned_abs() * 1_000_000 + time.tv_usec().unsigned_abs();
    Duration::from_micros(micros)
}

/// Linux counts the peak in KiB, macOS in bytes.
fn peak_bytes(counted: i64) -> u64 {
    counted.unsigned_abs() * if cfg!(target_os = "macos") { 1 } else { 1024 }
}

fn parsed(line: &str) -> Option<Cost> {
    let mut words = line.split_whitespace();
    let mut number = || words.next()?.parse::<u64>().ok();
    let (cpu, wall, peak) = (number()?, number()?, number()?);
    let code = words.next()?.parse().ok()?;
    Some(Cost { cpu: Duration::from_micros(cpu), wall: Duration::from_micros(wall), peak, code })
}
