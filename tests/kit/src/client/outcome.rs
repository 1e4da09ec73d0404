//! What a download reports.

use crate::pattern::Mismatch;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How a download went.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub size: Option<u64>,
    pub etag: Option<String>,
    pub restarts: u32,
    /// 412s, of all attempts.
    pub precondition_failed: u64,
    pub statuses: BTreeMap<u16, u64>,
    /// Body bytes received, of all attempts.
    pub bytes: u64,
    /// Chunks whose answer named another tag than the pin.
    pub foreign_tags: u64,
    /// The revision that every byte is of; `None` if there were too few bytes to tell.
    pub verified: Result<Option<u32>, Failure>,
    /// Bytes of two revisions came together.
    pub spliced: bool,
    pub elapsed: Duration,
}

/// Why a download gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A 412 more than may start it again.
    Changed,
    Mismatch(Mismatch),
    /// A status that this request cannot go on with.
    Status(u16),
    /// The head contradicts the request, or lacks what a download needs.
    Head(String),
    /// The body or the connection ended early.
    Cut(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the object changed too often"),
            Self::Mismatch(mismatch) => mismatch.fmt(f),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Head(why) => write!(f, "head: {why}"),
            Self::Cut(why) => write!(f, "cut: {why}"),
        }
    }
}

impl std::error::Error for Failure {}
