//! Servers and clients to test and measure a cache of artifacts with. It knows nothing of pinstripe.
//!
//! | module | what it is | what it never does |
//! | --- | --- | --- |
//! | [`pattern`] | bodies whose every 16 bytes say object, revision and offset, and their verification | I/O |
//! | [`gate`] | a barrier that a test opens, and that tells how many wait: no test sleeps | wait for time |
//! | [`s3`] | an S3 server: SigV4, conditions, ranges, parts, versions, uploads; counts everything | lie |
//! | [`origin`] | an HTTP/1.1 origin: honest, and by script wrong in every way that we know of | keep what is put |
//! | [`client`] | a parallel download: discovery, pinned chunks, restart on 412; verifies as it streams | hide a failure |
//! | [`shaper`] | a TCP proxy that makes a near server a far one | look into what it carries |
//! | [`raw`] | one connection, byte by byte, for tables of requests and malformed heads | mend, retry, follow |
//!
//! Inside: `content` (what an object consists of), `honest` (what RFC 9110 says to preconditions and ranges, pure, for both
//! servers), `wire` (a socket and the framing of bodies), `serve` (a listener and its connections).
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use pinstripe_kit::{client::Download, origin::{Act, Origin, Resource, Rule}, pattern::Pattern};
//!
//! let origin = Origin::start().await?;
//! origin.put("/a.tar", Resource::pattern(Pattern::new(7, 1), 100 << 20));
//! origin.script(Rule::on("/a.tar").with("If-Match").times(1).act(Act::status(503)));
//! let outcome = Download::new([origin.addr()], "/a.tar", 7).run().await;
//! assert!(outcome.verified.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! Everything listens on loopback, port 0, and is gone when its handle is dropped. Nothing is held that is large: contents
//! are made while they are sent and verified while they come.

mod content;
mod honest;
mod serve;
mod wire;

pub mod client;
pub mod gate;
pub mod origin;
pub mod pattern;
pub mod raw;
pub mod s3;
pub mod shaper;

pub use content::Content;
