//! One event for many reporters; one that fails is dropped and noted, the others and the run go on.

use super::{ReportError, Reporter};
use crate::event::Event;

/// Hands each event to every reporter that still works.
#[derive(Default)]
pub struct Fanout {
    reporters: Vec<(String, Box<dyn Reporter>)>,
    dropped: Vec<(String, ReportError)>,
}

impl Fanout {
    /// Adds a reporter under a name for the note about its failure.
    #[must_use]
    pub fn with(mut self, name: &str, reporter: Box<dyn Reporter>) -> Self {
        self.reporters.push((name.to_owned(), reporter));
        self
    }

    /// Hands on an event. Never fails: whatever becomes of the talk, paid work goes on.
    pub fn tell(&mut self, event: &Event) {
        let mut place = 0;
        while let Some((_, reporter)) = self.reporters.get_mut(place) {
            match reporter.report(event) {
                Ok(()) => place += 1,
                Err(error) => {
                    let (name, _) = self.reporters.remove(place);
                    self.dropped.push((name, error));
                }
            }
        }
    }

    /// Returns the reporters that failed, and why.
    pub fn dropped(&self) -> &[(String, ReportError)] {
        &self.dropped
    }
}
