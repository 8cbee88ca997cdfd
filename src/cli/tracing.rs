//! `--debug`: each exchange with a provider, on stderr or in a file that only its owner reads.
//!
//! In: where to. Out: lines as they happen. Never: a key, a picture; who writes the lines leaves them out.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::console;
use super::error::{CliError, Outcome};
use crate::provider::http::trace;
use crate::types::{Clock as _, SystemClock};

/// Stands for stderr.
const STDERR: &str = "-";

/// Begins to tell.
///
/// # Errors
/// A file that cannot be made.
pub fn begin(to: &Path) -> Outcome<()> {
    if to.as_os_str() == STDERR {
        trace::install(Box::new(|line| console::talk(&format!("debug {} {line}", SystemClock.now()))));
        return Ok(());
    }
    let file = Mutex::new(private(to).map_err(|error| CliError::io("cannot write the trace to", to, error))?);
    trace::install(Box::new(move |line| {
        // A disk that is full ends the trace, not the run.
        let _ = writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{} {line}", SystemClock.now());
    }));
    Ok(())
}

/// Makes a file that holds prompts and what providers say of an account: it is its owner's alone.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
