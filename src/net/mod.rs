//! How upstreams are reached.
//!
//! Owns: the address guard, name resolution, connections and their pool, timeouts and limits of one exchange, and what
//! a failure is called.
//! Never: decides what is asked, of whom, or whether to ask again.

mod cause;
mod client;
mod connect;
mod dialled;
mod guard;
#[cfg(test)]
pub(crate) mod listener;
mod reach;
mod resolve;
mod roots;
mod transfer;

pub use client::{Client, ClientConfig};
pub use guard::Guard;
pub use reach::Reach;
pub use resolve::Resolver;
pub use roots::TlsFault;
pub use transfer::Transfer;

#[cfg(test)]
mod tests;
