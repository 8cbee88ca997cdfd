//! The real program, watched: how much memory it took at its peak, and how long it ran.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::desk::{Desk, Said};

/// What was seen.
pub struct Watched {
    pub said: Said,
    /// Peak of resident memory in MB; nothing where the system does not say.
    pub peak: Option<u64>,
    pub span: Duration,
}

impl Watched {
    /// Prints the figures, and asserts the limit where the system says what was used.
    pub fn within(&self, what: &str, limit: u64) {
        match self.peak {
            Some(peak) => {
                println!("{what}: peak {peak} MB of {limit}, {:.2} s", self.span.as_secs_f64());
                assert!(peak <= limit, "{what}: {peak} MB\n{}", self.said.all());
            }
            None => println!("{what}: skipped, this system does not tell the peak of a process; {:.2} s", self.span.as_secs_f64()),
        }
        // A wide margin: the machine may be busy, and this is the build for tests.
        assert!(self.span < Duration::from_secs(180), "{what}: {:?}", self.span);
    }
}

/// Returns the program, with nothing in its environment.
pub fn program(desk: &Desk, words: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"));
    command.current_dir(desk.path()).env_clear().args(words);
    command
}

/// Runs a command to its end.
pub fn watch(mut command: Command) -> Watched {
    let begun = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let watcher = std::thread::spawn(move || {
        // The system keeps the peak for as long as the process lives; the last look has it.
        let mut peak = None;
        while let Some(now) = std::fs::read_to_string(&status).ok().and_then(|text| high_water(&text)) {
            peak = peak.max(Some(now));
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    });
    let output = child.wait_with_output().expect("the program ends");
    let span = begun.elapsed();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
    let said = Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    Watched { said, peak: watcher.join().expect("the watcher ends"), span }
}

/// Reads `VmHWM:     12345 kB`, in MB.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes.div_ceil(1024))
}
