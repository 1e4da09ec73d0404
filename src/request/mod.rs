//! The `request` module.
