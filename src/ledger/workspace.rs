//! One writer per workspace: an advisory lock that names its holder.
//!
//! In: the workspace's folder. Out: a lock for as long as the value lives.
//! Never: a lock broken by guess. The system drops a dead holder's lock with its process, and only then.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use super::LedgerError;
use crate::types::Clock;

/// Longest note about a holder that is read, 1 KiB: ours are a line.
const NOTE: u64 = 1024;

/// How often and how long apart the note is looked for: a holder writes it within microseconds of taking the lock.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The right to write in a workspace; released on drop. Readers (`plan`, `status`) take none.
#[derive(Debug)]
pub struct WorkspaceLock {
    file: File,
}

impl WorkspaceLock {
    /// Takes the lock `dir/lock`, or names who has it. `purpose` is what the holder does: `run spring-drop`.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] within 100 ms when another process holds it; [`LedgerError::Storage`] when the disk says no.
    pub fn acquire(dir: &Path, purpose: &str, clock: &dyn Clock) -> Result<Self, LedgerError> {
        let path = dir.join("lock");
        let failed = |error: std::io::Error| LedgerError::Storage(format!("`{}`: {error}", path.display()));
        std::fs::create_dir_all(dir).map_err(failed)?;
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::Locked { holder: holder(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let note = format!("`{purpose}`, process {} on {}, since {}\n", std::process::id(), host(), clock.now());
        file.set_len(0).and_then(|()| file.write_all(note.as_bytes())).and_then(|()| file.flush()).map_err(failed)?;
        Ok(Self { file })
    }
}

impl Drop for WorkspaceLock {
    fn drop(&mut self) {
        // Both only tidy up: the lock ends with the file handle in any case.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Returns what the holder wrote about itself, safe to print.
fn holder(file: &mut File) -> String {
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let mut note = Vec::new();
        // Where locks are mandatory the note cannot be read; the refusal stands without it.
        let read = file.rewind().and_then(|()| Read::by_ref(file).take(NOTE).read_to_end(&mut note));
        let note = String::from_utf8_lossy(&note);
        let note: String = note.trim().chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
        if read.is_ok() && !note.is_empty() {
            return note;
        }
    }
    "another process, which has not said who it is".to_owned()
}

fn host() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "an unnamed host".to_owned())
}
