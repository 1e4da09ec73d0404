//! The `request` module.

pub mod strict;
pub mod target;

pub use strict::{Framing, Refusal, StrictHead, Version, strict};
pub use target::{HostPort, RequestTarget};
