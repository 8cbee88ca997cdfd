//! Events as JSON lines, for programs.

use std::io::Write;

use super::{ReportError, Reporter};
use crate::event::Event;
use crate::event::wire::WireEvent;
use crate::types::escape::is_harmful;

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
        let line = serde_json::to_string(&WireEvent::from(event))?;
        writeln!(self.0, "{}", in_ascii_where_harmful(&line))?;
        self.0.flush()?;
        Ok(())
    }
}

/// Spells out what would drive a terminal, as JSON does for the lower control characters: such letters stand only inside strings.
fn in_ascii_where_harmful(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    let mut units = [0; 2];
    for letter in json.chars() {
        if is_harmful(letter) {
            safe.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            safe.push(letter);
        }
    }
    safe
}
