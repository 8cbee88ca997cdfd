//! Exit codes: what a script may rely on.
//!
//! In: how a command ended. Out: the number that the shell sees. Never: a second meaning for a number.

use std::process::ExitCode;

/// Done, or nothing to do.
pub const DONE: u8 = 0;
/// Something is broken on our side: disk, ledger, a bug.
pub const INTERNAL: u8 = 1;
/// The command line asks for something that does not exist.
pub const USAGE: u8 = 2;
/// The campaign, a table, a price book or a manifest has mistakes.
pub const CAMPAIGN: u8 = 3;
/// Over budget, unpriced, denied by the campaign's policy, or a saved plan that is stale or spent; what does not fit was not sent.
pub const BUDGET: u8 = 4;
/// Some shots have failed or were rejected by their checks, or were not tried because of that.
pub const FAILED: u8 = 5;
/// Waiting for a pick.
pub const PICK: u8 = 6;
/// The outcome of a paid try is in doubt.
pub const IN_DOUBT: u8 = 7;
/// The account was refused: no key, a bad key, no credits.
pub const ACCOUNT: u8 = 8;
/// Another run holds the workspace.
pub const LOCKED: u8 = 9;
/// The plan has work (`plan --detailed-exit-code`).
pub const HAS_WORK: u8 = 10;
/// Interrupted by Ctrl-C or SIGTERM.
pub const INTERRUPTED: u8 = 130;

/// How a command ended when nothing stood in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// `check` found mistakes and has shown them.
    Mistakes,
    /// A cap stopped the run before the end.
    OverCap,
    /// The campaign's policy denies the plan.
    Denied,
    /// Some shots have failed.
    SomeFailed,
    /// What is left waits for somebody's choice.
    Pick,
    /// The outcome of a paid try is in doubt.
    InDoubt,
    /// The account was refused while the run was under way.
    Account,
    /// The plan has work.
    HasWork,
    /// The user stopped it.
    Interrupted,
}

impl Exit {
    /// Returns the number for the shell.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => DONE,
            Self::Mistakes => CAMPAIGN,
            Self::OverCap | Self::Denied => BUDGET,
            Self::SomeFailed => FAILED,
            Self::Pick => PICK,
            Self::InDoubt => IN_DOUBT,
            Self::Account => ACCOUNT,
            Self::HasWork => HAS_WORK,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
