//! A run as a whole, on ledgers and stores in memory.
