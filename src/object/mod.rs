//! The pure vocabulary that every other module speaks: what an object is, which revision of it is meant, which bytes.
//!
//! Owns: object keys, entity tags, ranges, blocks, the head of a revision, questions to upstreams and what was heard.
//! Never: I/O, clocks, randomness. All arithmetic on offsets lives here, checked.

mod block;
mod checksum;
mod etag;
mod fields;
mod freshness;
mod id;
mod meta;
mod named;
mod question;
mod range;
mod version;

pub use block::{BlockIndex, BlockSize, BlockSpan};
pub use checksum::{SumKind, WholeSum};
pub use etag::{ETag, StrongETag};
pub use fields::{hop_by_hop, is_hop_by_hop, own_bytes_only};
pub use freshness::{CacheControl, Freshness, StaleBar};
pub use id::{AuthorityId, ObjectHash, ObjectKey, Revision, RouteName, TargetOrigin};
pub use meta::{Current, Head, Parts, TakenFrom};
pub use named::Named;
pub use question::{Cause, Condition, Cut, Failure, Found, Heard, Lie, Method, PartNumber, Question, Target};
pub(crate) use range::parse_digits;
pub use range::{ByteRange, ContentRange, ObjectSize, RangeSpec};
pub use version::VersionId;
