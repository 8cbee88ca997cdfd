//! One file a command: its arguments, whose doc comments are the help, and one function that does it.

pub mod cache;
pub mod check;
pub mod deliver;
pub mod estimate;
pub mod graph;
pub mod init;
pub mod manual;
pub mod plan;
pub mod prices;
pub mod providers;
pub mod reconcile;
pub mod report;
pub mod review;
pub mod run;
pub mod schema;
pub mod status;
pub mod why;
