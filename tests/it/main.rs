//! All tests that go through more than one folder of the source: one binary, because linking costs more than testing.

mod after;
mod architecture;
mod buying;
mod campaigns;
mod caps;
mod catalog;
mod changes;
mod cli;
mod desk;
mod diagnostics;
mod diffs;
mod doubts;
mod estimates;
mod failures;
mod hostile;
mod kills;
mod loopback;
mod market;
mod price_books;
mod price_vectors;
mod published_prices;
mod real;
mod rehearsals;
mod saved_plans;
mod schemas;
mod support;
