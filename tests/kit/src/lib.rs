//! Test servers and clients; knows nothing of pinstripe.

mod honest;
mod serve;

pub mod client;
pub mod gate;
pub mod pattern;
pub mod raw;
pub mod s3;
