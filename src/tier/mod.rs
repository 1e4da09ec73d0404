//! Places that hold objects. Upstreams answer questions; block stores keep verified blocks. A disk has no status codes
//! and a server has no blocks, so they are two traits.
//!
//! Owns: talking to S3 and HTTP servers, the on-disk format, capacity and eviction.
//! Never: knows of clients, routes or decisions.

#[cfg(test)]
mod contract;
pub mod disk;
mod hearing;
pub mod http;
pub mod memory;
pub mod s3;
pub mod steady;
pub mod store;
pub mod upstream;
pub mod void;
