//! All tests that go through more than one folder of the source: one binary, because linking costs more than testing.

mod architecture;
mod campaigns;
mod catalog;
mod cli;
mod diagnostics;
mod price_vectors;
mod schemas;
mod support;
