//! Integration tests: one binary, a module per behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod ahead;
mod answers;
mod chain;
mod cluster;
mod command_line;
mod config;
mod crash;
mod cuts;
mod discovery;
mod divergence;
mod fallback;
mod following;
mod foresight;
mod forward;
mod grouping;
mod inspect;
mod integrity;
mod keys;
mod large;
mod lies;
mod limits;
mod memory;
mod narrow;
mod one_process;
mod oracle;
mod outage;
mod overwrites;
mod pass;
mod pins;
mod process;
mod resume;
mod s3_dialect;
mod s3_identity;
mod s3_parts;
mod scattered;
mod short;
mod shutdown;
mod sick;
mod stage;
mod standstill;
mod support;
mod tiers;
mod trust;
mod unstored;
mod versions;
mod whole;
