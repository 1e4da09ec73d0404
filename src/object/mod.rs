//! The `object` module.
