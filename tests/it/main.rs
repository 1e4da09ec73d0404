//! Integration tests: one binary, a module per behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod command_line;
mod config;
mod divergence;
mod following;
mod overwrites;
mod support;
