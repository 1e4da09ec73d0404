//! Integration tests: one binary, a module per behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod command_line;
mod config;
mod crash;
mod divergence;
mod following;
mod memory;
mod oracle;
mod outage;
mod overwrites;
mod process;
mod scattered;
mod shutdown;
mod support;
