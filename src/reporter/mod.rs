//! Tells people and programs what happens in a run.
//!
//! In: [`Event`]s. Out: lines on a writer that the caller chose.
//! Never: the plan, the engine, a decision. A reporter that fails is dropped; paid work goes on.

mod bars;
pub mod escape;
mod fanout;
mod json;
mod plain;
#[cfg(test)]
mod tests;

pub use bars::{Bars, StepShots};
pub use escape::{Line, escaped};
pub use fanout::Fanout;
pub use json::JsonLines;
pub use plain::{Detail, Plain};

use crate::event::Event;

/// Why a reporter cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Its writer said no, for example a closed pipe.
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
    /// The event cannot be written as JSON.
    #[error("cannot write the event as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// One consumer of events. Slow output is back-pressure: the run waits for it.
pub trait Reporter: Send {
    /// Takes the next event.
    ///
    /// # Errors
    /// [`ReportError`] ends this reporter, not the run.
    fn report(&mut self, event: &Event) -> Result<(), ReportError>;
}
