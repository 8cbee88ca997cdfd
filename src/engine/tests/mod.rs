//! Runs as a whole: ledger and store in memory, a provider by script, time that only moves when everybody waits.

mod crashes;
mod looks;
mod money;
mod outages;
mod paces;
mod runs;
mod schedules;
pub(super) mod stage;
mod table;
