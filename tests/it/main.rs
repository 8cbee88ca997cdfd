//! All tests that go through more than one folder of the source: one binary, because linking costs more than testing.

mod architecture;
mod catalog;
mod diagnostics;
mod price_vectors;
mod support;
