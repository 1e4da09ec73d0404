//! Why a client got what it got: the variant is the `Cache-Status` detail, the log field and the metric label.

use http::StatusCode;

use crate::object::Cause;

/// The reason for an answer; a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Local bytes, nobody was asked (rows 1, 19, 24).
    Disk,
    /// `discovery: nearest`: a local revision, nobody was asked.
    Nearest,
    /// Local bytes on the authority's word (rows 10, 20).
    Validated,
    /// Local bytes joined with fetched ones (rows 2, 22).
    Joined,
    /// Fetched (rows 3, 11, 12, 21, 25).
    Fetched,
    /// Fetched by its version, since the revision is current no more (rows 2, 3, 29).
    Versioned,
    /// A discovery answered locally, since the authority is in trouble or does not have it (rows 16, 17).
    DiscoveryFallback,
    /// A stale answer while the authority is in trouble (row 23).
    Stale,
    /// No tier has the revision that was asked for (rows 5, 6).
    PinMismatch,
    /// A tier ignored `If-Match` (row 4).
    PinIgnored,
    /// The authority's answer, handed on (rows 9, 13, 30).
    PassedOn,
    /// Nothing by that name (rows 7, 15).
    NotFound,
    /// A range outside of the representation (rows 5b, 14).
    Unsatisfiable,
    /// `only-if-cached`, and it is not.
    OnlyIfCached,
    /// A tier failed (rows 8, 18, 26, 27).
    Failed(Cause),
}

/// Why a request went forward (RFC 9211 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// Nothing was known of the object.
    UriMiss,
    /// What was known did not fit.
    Miss,
    /// What was known had to be validated.
    Stale,
    /// Some of the bytes were here.
    Partial,
    /// The request asked for it.
    Request,
}

/// What happened on the way to an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Why a tier was asked, if one was.
    pub forward: Option<Forward>,
    /// The status of the last answer.
    pub forward_status: Option<StatusCode>,
    /// Whether another request's question or block was shared.
    pub collapsed: bool,
    /// Whether bytes of this answer are being stored.
    pub stored: bool,
    /// Whether an answer was itself a fallback of another Pinstripe.
    pub fallback_behind: bool,
}

impl Detail {
    /// The name in `Cache-Status`, logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Nearest => "nearest",
            Self::Validated => "validated",
            Self::Joined => "joined",
            Self::Fetched => "fetched",
            Self::Versioned => "versioned",
            Self::DiscoveryFallback => "discovery-fallback",
            Self::Stale => "stale",
            Self::PinMismatch => "pin-mismatch",
            Self::PinIgnored => "pin-ignored",
            Self::PassedOn => "passed-on",
            Self::NotFound => "not-found",
            Self::Unsatisfiable => "unsatisfiable",
            Self::OnlyIfCached => "only-if-cached",
            Self::Failed(cause) => cause.label(),
        }
    }

    /// Whether operators want to see it in a log of trouble.
    pub const fn is_trouble(self) -> bool {
        matches!(
            self,
            Self::DiscoveryFallback | Self::Stale | Self::PinMismatch | Self::PinIgnored | Self::Failed(_)
        )
    }
}

impl Forward {
    /// The value of the `fwd` parameter.
    pub const fn label(self) -> &'static str {
        match self {
            Self::UriMiss => "uri-miss",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Partial => "partial",
            Self::Request => "request",
        }
    }
}
