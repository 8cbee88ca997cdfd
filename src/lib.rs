//! Runs AI image campaigns: plans them as a DAG, prices them before a credit is spent, buys each shot exactly once.
//!
//! Data flows one way: text -> spec -> campaign -> plan -> worklist -> estimate -> run -> ledger -> reports.
//! Each folder may import only what stands left of it; `tests/it/architecture.rs` holds the table.

pub mod campaign;
pub mod catalog;
pub mod cli;
pub mod engine;
pub mod event;
pub mod imaging;
pub mod ledger;
pub mod lint;
pub mod picks;
pub mod plan;
pub mod pricing;
pub mod provider;
pub mod report;
pub mod reporter;
pub mod scaffold;
pub mod spec;
pub mod steps;
pub mod store;
pub mod types;
