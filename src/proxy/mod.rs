//! The `proxy` module.
