//! Events as JSON lines, for programs.

use std::io::Write;

use super::{ReportError, Reporter};
use crate::event::Event;
use crate::event::wire::WireEvent;

/// Writes one JSON object a line and flushes each, so that whoever reads is never behind.
pub struct JsonLines<W>(W);

impl<W: Write> JsonLines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self(out)
    }
}

impl<W: Write + Send> Reporter for JsonLines<W> {
    fn report(&mut self, event: &Event) -> Result<(), ReportError> {
        let mut line = serde_json::to_vec(&WireEvent::from(event))?;
        line.push(b'\n');
        self.0.write_all(&line)?;
        self.0.flush()?;
        Ok(())
    }
}
