//! Errors as sentences and exit codes: what is wrong, where, how to mend it.
//!
//! In: every error that a layer below can return. Out: one sentence, hints, one number.
//! Never: a word of a file, a prompt or a vendor on the terminal unescaped.

use std::fmt;
use std::io;
use std::path::Path;

use super::exit;
use super::workspace::Stage;
use crate::engine::EngineError;
use crate::ledger::LedgerError;
use crate::plan::SelectionError;
use crate::pricing::Refusal;
use crate::report::{ReportError, TreeError};
use crate::spec::Sources;
use crate::store::StoreError;
use crate::types::{Diagnostics, Micros, MoneyError, visible};

/// Why a command could not do what it was asked for.
#[derive(Debug)]
pub enum CliError {
    /// The command line asks for something that does not exist or does not go together: the fact, and how to mend it.
    Usage(String, Option<String>),
    /// A file has mistakes; the sources show where.
    Mistakes(Box<(Diagnostics, Sources)>),
    /// The gate before the first request is shut.
    Refused(Vec<Refusal>, Stage),
    /// A saved plan no longer holds, or is spent: the fact, and how to go on.
    Stale(String, String),
    /// What is asked for has no price: the fact, and how to mend it.
    Unpriced(String, String),
    /// There is no key for the account: the fact, and how to mend it.
    Account(String, String),
    /// The ledger cannot be used.
    Ledger(LedgerError),
    /// The picture store cannot be used.
    Store(StoreError),
    /// A run broke on our side.
    Engine(Box<EngineError>),
    /// A sum of money cannot be made.
    Money(MoneyError),
    /// The system refused a file or a folder; the text says what was being done with which path.
    Io(String, io::Error),
    /// The output folder cannot be written.
    Tree(Box<TreeError>),
    /// A report cannot be made.
    Report(Box<ReportError>),
    /// Whoever read our output has gone: not an error.
    BrokenPipe,
}

/// What a command returns.
pub type Outcome<T> = Result<T, CliError>;

impl CliError {
    /// Returns an error of the command line: what is wrong, and how to mend it.
    pub fn usage(fact: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage(fact.into(), Some(help.into()))
    }

    /// Returns an error of the system about `path`.
    pub fn io(what: &str, path: &Path, error: io::Error) -> Self {
        Self::Io(format!("{what} `{}`", path.display()), error)
    }

    /// Returns the number for the shell.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(..) => exit::USAGE,
            Self::Mistakes(_) => exit::CAMPAIGN,
            Self::Refused(..) | Self::Stale(..) | Self::Unpriced(..) => exit::BUDGET,
            Self::Account(..) => exit::ACCOUNT,
            Self::Ledger(LedgerError::Locked { .. }) => exit::LOCKED,
            Self::Engine(error) => match &**error {
                EngineError::Ledger(LedgerError::Locked { .. }) => exit::LOCKED,
                EngineError::Unpriced { .. } => exit::BUDGET,
                EngineError::Ledger(_) | EngineError::Store(_) | EngineError::Panicked(_) => exit::INTERNAL,
            },
            Self::Ledger(_) | Self::Store(_) | Self::Money(_) | Self::Io(..) | Self::Report(_) => exit::INTERNAL,
            Self::Tree(error) => match **error {
                TreeError::Kind { .. } => exit::USAGE,
                _ => exit::INTERNAL,
            },
            Self::BrokenPipe => exit::DONE,
        }
    }

    /// Returns how to mend it, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Usage(_, help) => help.iter().cloned().collect(),
            Self::Account(_, help) | Self::Stale(_, help) | Self::Unpriced(_, help) => vec![help.clone()],
            Self::Refused(refusals, stage) => {
                let mut hints: Vec<String> = refusals.iter().map(|refusal| mend(refusal, *stage)).collect();
                hints.dedup();
                hints
            }
            Self::Ledger(error) => ledger_hint(error).into_iter().collect(),
            Self::Engine(error) => match &**error {
                EngineError::Ledger(error) => ledger_hint(error).into_iter().collect(),
                EngineError::Unpriced { .. } => vec!["name another book with `--prices`, or add the price to the book".to_owned()],
                EngineError::Store(_) => vec![MEND_DISK.to_owned()],
                EngineError::Panicked(_) => vec!["this is a bug in callsheet; what is paid is in the ledger: run the same command again".to_owned()],
            },
            Self::Io(..) => vec![MEND_PLACE.to_owned()],
            Self::Store(_) | Self::Tree(_) => vec![MEND_DISK.to_owned()],
            Self::Mistakes(_) | Self::Money(_) | Self::Report(_) | Self::BrokenPipe => Vec::new(),
        }
    }
}

/// How to go on where nothing is known to be paid: a folder that cannot be written, a file that cannot be read.
const MEND_PLACE: &str = "mend it and run the same command again";

/// How to go on after the disk, the folder or its rights have failed.
const MEND_DISK: &str = "what is paid is kept: mend it and run the same command again";

/// How to go on when a cap and money under it are in currencies that no rate compares.
const NO_RATE: &str =
    "go on with the book of before, or give the campaign another name: its caps begin anew; rates are known of built-in books and of the one in use";

fn mend(refusal: &Refusal, stage: Stage) -> String {
    match refusal {
        Refusal::OverCap { committed, .. } if stage == Stage::Rehearsal && committed.micros > Micros::ZERO => {
            "rehearsals count under the caps as real runs would; to rehearse from the start, remove `.callsheet/rehearsal`".to_owned()
        }
        Refusal::OverCap { .. } => "raise the cap in the campaign's `budget`, or make less: `--only`, `--until`, `--profile`".to_owned(),
        Refusal::NoRate { .. } => NO_RATE.to_owned(),
        Refusal::Unpriced { .. } => {
            "name a book that has the price with `--prices`, or write one (`callsheet prices show kie` shows how they look); `--allow-unpriced` lets them pass".to_owned()
        }
        Refusal::Policy(_) => "make less, or change the line in the campaign's `budget.policy`".to_owned(),
        Refusal::Balance { .. } => "top up the account, or make less: `--only`, `--until`, `--profile`".to_owned(),
    }
}

fn ledger_hint(error: &LedgerError) -> Option<String> {
    match error {
        LedgerError::Locked { .. } => Some("wait until it is done, or give this run its own workspace with CALLSHEET_HOME".to_owned()),
        LedgerError::NewerFormat { .. } => Some("install a newer callsheet".to_owned()),
        LedgerError::NoRate { .. } => Some(NO_RATE.to_owned()),
        LedgerError::Corrupt { .. } => Some("put back a copy of the ledger; `.callsheet` is safe to copy at any time".to_owned()),
        LedgerError::Illegal(_) | LedgerError::Amount { .. } | LedgerError::Currency { .. } => {
            Some("this is a bug in callsheet; the ledger was not changed".to_owned())
        }
        LedgerError::Storage(_) => Some(MEND_DISK.to_owned()),
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self {
            Self::Usage(fact, _) | Self::Account(fact, _) | Self::Stale(fact, _) | Self::Unpriced(fact, _) => fact.clone(),
            Self::Mistakes(found) => super::diagnostics::counted_words(&found.0),
            Self::Refused(refusals, _) => {
                let all: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                format!("nothing was sent: {}", all.join("; "))
            }
            Self::Ledger(error) => error.to_string(),
            Self::Store(error) => error.to_string(),
            Self::Engine(error) => error.to_string(),
            Self::Money(error) => error.to_string(),
            Self::Tree(error) => error.to_string(),
            Self::Report(error) => error.to_string(),
            Self::Io(what, error) => format!("{what}: {error}"),
            Self::BrokenPipe => "nobody reads the output any more".to_owned(),
        };
        f.write_str(&visible(&said))
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        Self::Engine(Box::new(error))
    }
}

impl From<MoneyError> for CliError {
    fn from(error: MoneyError) -> Self {
        Self::Money(error)
    }
}

impl From<TreeError> for CliError {
    fn from(error: TreeError) -> Self {
        Self::Tree(Box::new(error))
    }
}

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        Self::Report(Box::new(error))
    }
}

impl From<SelectionError> for CliError {
    fn from(error: SelectionError) -> Self {
        Self::Usage(error.to_string(), None)
    }
}
