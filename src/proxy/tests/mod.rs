//! The edge over real sockets, with a service that is a closure.

mod closing;
mod failing;
mod harness;
mod passing;
mod refusing;
mod serving;
