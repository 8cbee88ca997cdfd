//! Runs the program under `ptrace` and kills it at one exact step.
//!
//! In: a command, and the number of a step. Out: how it ended, and every step that it took.
//! Never: a hook in the program. What is traced is the binary as it ships; a step is a system call that changes a file, asks or hears
//! the network, or brings something to the disk. The kernel holds all of the program's threads to our pace, one call at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What a step touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The ledger's files.
    Ledger,
    /// The store of pictures.
    Store,
    /// The output tree.
    Tree,
    /// A connection.
    Network,
    /// Anything else, such as the lock.
    Other,
}

impl Place {
    /// All places, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Ledger, Self::Network, Self::Store, Self::Tree, Self::Other];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Store => "store",
            Self::Tree => "tree",
            Self::Network => "network",
            Self::Other => "other files",
        }
    }

    fn of(path: &str) -> Self {
        let has = |part: &str| path.contains(part);
        match () {
            () if path.starts_with("socket:") => Self::Network,
            () if has("ledger.db") => Self::Ledger,
            () if has("/blobs") || has(".callsheet/blobs") => Self::Store,
            () if has("/out/") || path.starts_with("out") => Self::Tree,
            () => Self::Other,
        }
    }
}

/// One step: what it touches, by which call, and whether the kill falls before or after it.
#[derive(Debug, Clone)]
pub struct Step {
    pub place: Place,
    pub what: String,
}

/// How a traced run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Exit(i32),
    Killed,
}

/// A run that is over.
#[derive(Debug)]
pub struct Traced {
    pub ended: Ended,
    /// All steps; the last one is that at which it was killed.
    pub steps: Vec<Step>,
}

/// Runs a program to its end, or to its step `kill_at`, counted from 1.
///
/// # Errors
/// The system does not allow tracing.
pub fn run(program: &str, words: &[String], set_up: impl FnOnce(&mut Command), kill_at: Option<usize>) -> io::Result<Traced> {
    // The shell waits until it is traced, then becomes the program.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read go; exec \"$0\" \"$@\"", program]).args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    set_up(&mut command);
    let mut child = command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL;
    let begun = ptrace::seize(pid, options).and_then(|()| ptrace::interrupt(pid));
    if let Err(error) = begun {
        child.kill()?;
        child.wait()?;
        return Err(error.into());
    }
    let go = child.stdin.take();
    let traced = Tracer { pid, kill_at, is_program: false, steps: Vec::new() }.follow(go);
    // The tracer has taken its end already; this only lets go of the handle.
    let _ = child.wait();
    traced
}

struct Tracer {
    pid: Pid,
    kill_at: Option<usize>,
    is_program: bool,
    steps: Vec<Step>,
}

impl Tracer {
    fn follow(mut self, mut go: Option<impl io::Write>) -> io::Result<Traced> {
        loop {
            // Only what this thread has started or traces: others trace other runs.
            let status = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let resumed = match status {
                WaitStatus::PtraceSyscall(thread) => {
                    self.look(thread);
                    ptrace::syscall(thread, None)
                }
                WaitStatus::PtraceEvent(thread, _, event) => {
                    self.is_program |= event == libc::PTRACE_EVENT_EXEC;
                    let resumed = ptrace::syscall(thread, None);
                    if let Some(mut go) = go.take() {
                        go.write_all(b"\n")?;
                    }
                    resumed
                }
                WaitStatus::Stopped(thread, signal) => ptrace::syscall(thread, signal),
                WaitStatus::Exited(thread, code) if thread == self.pid => return Ok(Traced { ended: Ended::Exit(code), steps: self.steps }),
                WaitStatus::Signaled(thread, ..) if thread == self.pid => return Ok(Traced { ended: Ended::Killed, steps: self.steps }),
                _ => Ok(()),
            };
            // A thread that was killed meanwhile is told of next.
            if !matches!(resumed, Ok(()) | Err(Errno::ESRCH)) {
                resumed?;
            }
        }
    }

    /// Looks at a thread that stands before or after a system call, and kills the program if this is the step.
    fn look(&mut self, thread: Pid) {
        if !self.is_program || self.kill_at.is_some_and(|last| self.steps.len() >= last) {
            return;
        }
        let Some(step) = step(thread) else { return };
        self.steps.push(step);
        if self.kill_at == Some(self.steps.len()) {
            let _ = kill(self.pid, Signal::SIGKILL);
        }
    }
}

/// Says which step a stopped thread is about to take, or has just taken.
fn step(thread: Pid) -> Option<Step> {
    let regs = ptrace::getregs(thread).ok()?;
    let call = i64::try_from(regs.orig_rax).ok()?;
    let answer = regs.rax.cast_signed();
    // The kernel puts this error where the answer will stand.
    let is_before = answer == -i64::from(libc::ENOSYS);
    let (name, target) = match call {
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev | libc::SYS_sendto | libc::SYS_sendmsg => {
            let target = opened(thread, regs.rdi)?;
            let sends = target.starts_with("socket:");
            // After a request has left, and before it does; what a file holds is seen after the next step anyway.
            if !(is_before || sends && answer > 0) {
                return None;
            }
            (if sends { "send" } else { "write" }, target)
        }
        libc::SYS_read | libc::SYS_readv | libc::SYS_recvfrom | libc::SYS_recvmsg => {
            if is_before || answer <= 0 {
                return None;
            }
            ("receive", opened(thread, regs.rdi).filter(|target| target.starts_with("socket:"))?)
        }
        libc::SYS_fsync | libc::SYS_fdatasync => ("sync", opened(thread, regs.rdi)?),
        libc::SYS_ftruncate if is_before => ("truncate", opened(thread, regs.rdi)?),
        libc::SYS_copy_file_range if is_before => ("copy", opened(thread, regs.rdx)?),
        libc::SYS_sendfile if is_before => ("copy", opened(thread, regs.rdi)?),
        libc::SYS_rename => ("rename", text(thread, regs.rsi)?),
        libc::SYS_renameat | libc::SYS_renameat2 => ("rename", text(thread, regs.r10)?),
        libc::SYS_linkat if is_before => ("link", text(thread, regs.r10)?),
        libc::SYS_unlink | libc::SYS_mkdir | libc::SYS_rmdir if is_before => ("name", text(thread, regs.rdi)?),
        libc::SYS_unlinkat | libc::SYS_mkdirat if is_before => ("name", text(thread, regs.rsi)?),
        libc::SYS_openat if is_before && i32::try_from(regs.rdx).is_ok_and(|flags| flags & libc::O_CREAT != 0) => ("create", text(thread, regs.rsi)?),
        _ => return None,
    };
    let place = Place::of(&target);
    if !["/", "socket:", ".", "out"].iter().any(|start| target.starts_with(start)) {
        return None;
    }
    let moment = if is_before { "before" } else { "after" };
    Some(Step { place, what: format!("{moment} {} {name} {}", place.word(), short(&target)) })
}

/// Returns what a descriptor stands for, unless it is one of the first three or a pipe.
fn opened(thread: Pid, descriptor: u64) -> Option<String> {
    let target = fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).ok()?.to_string_lossy().into_owned();
    (descriptor > 2 && (target.starts_with("socket:") || target.starts_with('/') && !target.starts_with("/dev/"))).then_some(target)
}

/// Returns the text at an address of the program.
fn text(thread: Pid, address: u64) -> Option<String> {
    let mut bytes = [0; 256];
    let read = fs::File::open(format!("/proc/{thread}/mem")).and_then(|memory| memory.read_at(&mut bytes, address)).ok()?;
    let end = bytes[..read].iter().position(|byte| *byte == 0).unwrap_or(read);
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

fn short(target: &str) -> &str {
    match target.strip_prefix("socket:") {
        Some(_) => "",
        None => target.rsplit('/').next().unwrap_or(target),
    }
}

/// Counts steps by what they touch.
pub fn by_place(steps: &[Step]) -> BTreeMap<Place, usize> {
    let mut counts = BTreeMap::new();
    for step in steps {
        *counts.entry(step.place).or_default() += 1;
    }
    counts
}
