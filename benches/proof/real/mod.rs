//! The real program as a process of its own, against a provider on this machine that keeps books of its own.
//!
//! `kills`: SIGKILL at every step, and at random. `faults`: everything that a provider or a network can do wrong.
//! `locks`: two runs at once.

pub mod dice;
pub mod faults;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod kills;
pub mod locks;
pub mod shop;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod trace;
