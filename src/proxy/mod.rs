//! The edge: connections, answers, pass-through, admin.
//!
//! Owns: everything that names Pingora.
//! Never: decides what is answered; a [`Service`] does.

mod access;
mod admin;
mod chunks;
mod conn;
mod ctx;
mod date;
mod door;
mod edge;
mod errors;
mod head;
mod hooks;
mod inlet;
mod listen;
mod outlet;
mod pass;
mod refused;
mod roots;
mod serve;
mod service;
mod short;
mod socket;
mod through;
mod visit;

#[cfg(test)]
mod tests;

pub use admin::{Admin, AskReady, Readiness};
pub use conn::Origin;
pub use door::{Door, Gate};
pub use head::Head;
pub use listen::{Bound, Front};
pub use roots::Roots;
pub use service::{
    Abort, Action, Answered, Decision, Download, Hop, PassTo, Piece, Reply, ReplyBody, Request, Service, Tls,
};
pub use through::{Servers, Through};
