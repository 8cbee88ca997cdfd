//! All tests that go through more than one folder of the source: one binary, because linking costs more than testing.

mod architecture;
mod buying;
mod campaigns;
mod catalog;
mod changes;
mod cli;
mod desk;
mod diagnostics;
mod failures;
mod hostile;
mod kills;
mod loopback;
mod price_vectors;
mod rehearsals;
mod schemas;
mod support;
