//! How upstreams are reached.
//!
//! Owns: the address guard, name resolution, connections and their pool, timeouts and limits of one exchange, what a
//! failure is called, which of a tier's servers has which share of the objects, and, without a clock, how much is done
//! against trouble: a budget, a quantile, and a breaker.
//! Never: decides what is asked, of which tier, or whether to ask again.

mod breaker;
mod budget;
mod cause;
mod client;
mod connect;
mod dialled;
mod endpoint;
mod endpoints;
mod guard;
mod health;
mod latency;
#[cfg(test)]
pub(crate) mod listener;
mod reach;
mod resolve;
mod ring;
mod roots;
mod transfer;
mod turns;

pub use breaker::{Asked, Breaker};
pub use budget::Budget;
pub use client::{Client, ClientConfig, Unanswered};
pub use endpoint::{Endpoint, OnLeftOut};
pub use endpoints::{Candidates, Endpoints};
pub use guard::Guard;
pub use health::LeftOut;
pub use latency::Latency;
pub use reach::Reach;
pub use resolve::Resolver;
pub use roots::{TlsFault, other_than_machines};
pub use transfer::Transfer;
pub use turns::{Turn, Turns};

#[cfg(test)]
mod tests;
