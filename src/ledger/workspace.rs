//! One writer per workspace: an advisory lock that names its holder.
//!
//! In: the workspace's folder. Out: a lock for as long as the value lives.
//! Never: a lock broken by guess. The system drops a dead holder's lock with its process, and only then. On a network drive it may not know
//! the locks of other machines: there a note that another host has left stands until somebody deletes it.

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
            Ok(()) => stands_alone(&mut file, &path, is_network_drive(dir))?,
            Err(TryLockError::WouldBlock) => return Err(LedgerError::Locked { holder: holder(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(without_locks(&path, &error)),
        }
        let note = format!("`{purpose}`, process {} on {}, since {}\n", std::process::id(), host(), clock.now());
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(note.as_bytes())).and_then(|()| file.flush()).map_err(failed)?;
        Ok(Self { file })
    }
}

/// Without a lock two runs could pay for one shot: none is begun.
fn without_locks(path: &Path, error: &std::io::Error) -> LedgerError {
    LedgerError::Storage(format!(
        "`{}` cannot be locked ({error}), so a second run could not be kept out; put the workspace on a disk that can lock files, with CALLSHEET_HOME",
        path.display()
    ))
}

/// Refuses a lock that the system gave although a note of another host lies there, where the system may not know that host's locks.
fn stands_alone(file: &mut File, path: &Path, is_network_drive: bool) -> Result<(), LedgerError> {
    if !is_network_drive {
        return Ok(());
    }
    let note = read_note(file).unwrap_or_default();
    if note.is_empty() || note.contains(&format!(" on {}, since ", host())) {
        return Ok(());
    }
    let holder = format!("{note}; this is a network drive and cannot tell whether it still runs: if it does not, delete `{}`", path.display());
    Err(LedgerError::Locked { holder })
}

/// Says whether a folder lies on a drive that several machines may write to.
fn is_network_drive(folder: &Path) -> bool {
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return false };
    folder.canonicalize().is_ok_and(|folder| drive(&mounts, &folder).is_some_and(is_network))
}

/// Returns the kind of the drive that a folder lies on: that of the longest mount point above it, the last one that was put there.
fn drive<'m>(mounts: &'m str, folder: &Path) -> Option<&'m str> {
    let mount = |line: &'m str| {
        let (place, kind) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?.replace("\\040", " ");
        folder.starts_with(&point).then_some((point.len(), kind.split(' ').next()?))
    };
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

fn is_network(kind: &str) -> bool {
    const NETWORK: [&str; 14] =
        ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "lustre", "gfs2", "ocfs2", "afs", "beegfs", "gpfs"];
    NETWORK.contains(&kind) || kind.starts_with("fuse.")
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
        // Where locks are mandatory the note cannot be read; the refusal stands without it.
        if let Some(note) = read_note(file).filter(|note| !note.is_empty()) {
            return note;
        }
    }
    "another process, which has not said who it is".to_owned()
}

/// Returns the note, safe to print; nothing when it cannot be read.
fn read_note(file: &mut File) -> Option<String> {
    let mut note = Vec::new();
    file.rewind().and_then(|()| Read::by_ref(file).take(NOTE).read_to_end(&mut note)).ok()?;
    let note = String::from_utf8_lossy(&note);
    Some(note.trim().chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect())
}

fn host() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "an unnamed host".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::types::{ManualClock, Timestamp};

    fn clock() -> ManualClock {
        ManualClock::new(Timestamp::from_millis(1_795_340_700_000))
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder can be made")
    }

    #[test]
    fn the_second_is_told_at_once_who_the_first_is() {
        let folder = folder();
        let held = WorkspaceLock::acquire(folder.path(), "run spring-drop", &clock()).expect("the first takes it");
        let started = Instant::now();
        let refused = WorkspaceLock::acquire(folder.path(), "run autumn", &clock()).expect_err("it is held");
        assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
        let told = refused.to_string().replace(&std::process::id().to_string(), "<pid>").replace(&host(), "<host>");
        insta::assert_snapshot!(told, @"another run holds the workspace: `run spring-drop`, process <pid> on <host>, since 2026-11-22T09:45:00.000Z");
        drop(held);
        WorkspaceLock::acquire(folder.path(), "run autumn", &clock()).expect("released on drop");
    }

    #[test]
    fn the_note_of_a_dead_holder_locks_nobody_out() {
        let folder = folder();
        std::fs::write(folder.path().join("lock"), "`run spring-drop`, process 1 on elsewhere, since 1970").expect("a note is left");
        let held = WorkspaceLock::acquire(folder.path(), "run autumn", &clock()).expect("nobody holds it");
        let note = std::fs::read_to_string(folder.path().join("lock")).expect("the note can be read");
        assert!(note.starts_with("`run autumn`, process ") && !note.contains("elsewhere"), "{note}");
        drop(held);
        assert_eq!(std::fs::read_to_string(folder.path().join("lock")).expect("the note can be read"), "");
    }

    #[test]
    fn the_number_of_a_living_process_in_an_old_note_locks_nobody_out() {
        let folder = folder();
        let note = format!("`run spring-drop`, process {} on {}, since 1970", std::process::id(), host());
        std::fs::write(folder.path().join("lock"), note).expect("a note is left");
        WorkspaceLock::acquire(folder.path(), "run autumn", &clock()).expect("the number was given anew, the lock was not");
    }

    #[test]
    fn a_disk_without_locks_is_named_and_nothing_is_begun() {
        let unable = std::io::Error::from(std::io::ErrorKind::Unsupported);
        insta::assert_snapshot!(without_locks(Path::new("share/lock"), &unable), @"the ledger cannot be used: `share/lock` cannot be locked (unsupported), so a second run could not be kept out; put the workspace on a disk that can lock files, with CALLSHEET_HOME");
    }

    #[test]
    fn a_holder_that_says_nothing_is_refused_all_the_same_and_in_time() {
        let folder = folder();
        let silent = File::create(folder.path().join("lock")).expect("the file can be made");
        silent.lock().expect("the lock is free");
        let started = Instant::now();
        let refused = WorkspaceLock::acquire(folder.path(), "run autumn", &clock()).expect_err("it is held");
        assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
        assert!(matches!(&refused, LedgerError::Locked { holder } if holder.contains("has not said")), "{refused}");
    }

    #[test]
    fn on_a_network_drive_the_note_of_another_host_stands() {
        let folder = folder();
        let path = folder.path().join("lock");
        let look = |note: &str, is_network_drive: bool| {
            std::fs::write(&path, note).expect("a note is left");
            let mut file = File::options().read(true).write(true).open(&path).expect("the note is there");
            stands_alone(&mut file, &path, is_network_drive)
        };
        let foreign = "`run spring-drop`, process 1 on elsewhere, since 2026-11-22T09:45:00.000Z";
        let own = format!("`run spring-drop`, process 1 on {}, since 2026-11-22T09:45:00.000Z", host());
        for (note, is_network_drive, free) in [(foreign, true, false), (foreign, false, true), (&own, true, true), ("", true, true)] {
            assert_eq!(look(note, is_network_drive).is_ok(), free, "{note} {is_network_drive}");
        }
        let refused = look(foreign, true).expect_err("it may live").to_string();
        assert!(refused.contains("process 1 on elsewhere") && refused.contains("delete `"), "{refused}");
    }

    #[test]
    fn the_drive_of_a_folder_is_the_nearest_one_above_it() {
        let mounts = "22 1 0:20 / / rw - overlay overlay rw\n30 22 0:31 / /mnt/team\\040share rw,relatime shared:1 - nfs4 server:/x rw\n\
                      31 30 0:32 / /mnt/team\\040share/local rw - ext4 /dev/sda rw\n32 22 0:33 / /home/me/cloud rw - fuse.sshfs host: rw\n";
        let kind = |folder: &str| drive(mounts, Path::new(folder)).map(|kind| (kind, is_network(kind)));
        assert_eq!(kind("/mnt/team share/spring"), Some(("nfs4", true)));
        assert_eq!(kind("/mnt/team share/local/x"), Some(("ext4", false)));
        assert_eq!(kind("/home/me/cloud"), Some(("fuse.sshfs", true)));
        assert_eq!(kind("/home/me"), Some(("overlay", false)));
        assert_eq!(drive("", Path::new("/")), None);
    }

    #[test]
    fn a_hostile_note_reaches_no_terminal_as_it_is() {
        let folder = folder();
        let mut file = File::create(folder.path().join("lock")).expect("the file can be made");
        file.lock().expect("the lock is free");
        file.write_all(b"\x1b[2Jgone\x07").expect("a note is left");
        let refused = WorkspaceLock::acquire(folder.path(), "run autumn", &clock()).expect_err("it is held");
        assert_eq!(refused.to_string(), "another run holds the workspace: \u{fffd}[2Jgone\u{fffd}");
    }
}
