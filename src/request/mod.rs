//! What a client asked, parsed once at the door: later decisions use these types and never look at headers again.
//!
//! Owns: strictness, target forms, classes, conditionals, what is forwarded, routes.
//! Never: I/O, clocks, knowledge of what is stored.

pub mod chunk;
pub mod class;
pub mod conditional;
pub mod credentials;
pub mod forward;
pub mod query;
pub mod ranges;
pub mod refusal;
pub mod routes;
pub mod strict;
pub mod target;

pub use chunk::ChunkHead;
pub use class::{Class, Kind, Pass, Read, Refuse, Rules, classify};
pub use conditional::{NoneMatch, Unless};
pub use refusal::Refusal;
pub use strict::{Framing, StrictHead, Version, strict};
pub use target::{HostPort, RequestTarget};
