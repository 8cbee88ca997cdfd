//! Two runs at once.
