//! Text that must never be printed.

use std::fmt;

/// An API key: `Debug` and `Display` print `[redacted]`, and there is no `Serialize`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of the secret text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text itself; call it only where a header is built.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
