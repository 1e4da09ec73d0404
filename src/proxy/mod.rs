//! The edge: connections, answers, pass-through, admin.
//!
//! Owns: everything that names Pingora.
//! Never: decides what is answered; a [`Service`] does.

mod chunks;
mod conn;
mod head;
mod inlet;
mod outlet;

pub use conn::Origin;
pub use head::Head;
