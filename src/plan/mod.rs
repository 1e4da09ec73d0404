//! The `plan` module.
