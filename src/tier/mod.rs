//! The `tier` module.
