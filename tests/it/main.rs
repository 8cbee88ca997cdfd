//! All tests that go through more than one folder of the source: one binary, because linking costs more than testing.

mod after;
mod architecture;
mod campaigns;
mod catalog;
mod changes;
mod cli;
mod desk;
mod diagnostics;
mod failures;
mod kills;
mod price_vectors;
mod rehearsals;
mod schemas;
mod support;
