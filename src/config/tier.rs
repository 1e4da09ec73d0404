//! Tiers, valid by construction: where objects come from and are kept.
//!
//! Owns the description of a tier. Never opens or dials one: that is the module `tier`.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::choice::{Role, Signatures};
use super::quantity::Size;
use super::text::{Bucket, KeyPrefix, Region, TierName};
use super::url::BaseUrl;
use crate::object::{AuthorityId, BlockSize};

/// A directory on a local disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub name: TierName,
    /// Absolute, without `.` and `..`; no two tiers have the same.
    pub path: PathBuf,
    /// Four blocks at least.
    pub capacity: Size,
    pub block_size: BlockSize,
    /// How many files.
    pub entries: NonZeroUsize,
    /// How much of its volume is left to others; `None`: a hundredth, at most 1 GiB.
    pub min_free: Option<Size>,
}

/// A tier that is asked over the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    Http(Http),
    S3(S3),
}

/// What all upstreams have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    pub name: TierName,
    pub role: Role,
    /// CA certificates in PEM, trusted besides the public ones.
    pub ca_file: Option<PathBuf>,
    pub timeouts: TierTimeouts,
    pub limits: TierLimits,
    /// Whether it is asked with care: twice what is slow, again what broke.
    pub steady: bool,
}

/// An HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    pub common: Common,
    pub target: Target,
    /// [`Signatures::Pass`] where the client names the server.
    pub signatures: Signatures,
}

/// Where an HTTP tier is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Named by the operator, who may name any address.
    Url(BaseUrl),
    /// Several servers with the same objects: one at least, of one scheme and path, in an order that is theirs and not the
    /// file's.
    Urls(Vec<BaseUrl>),
    /// Every address that this name has, each a server with the same objects.
    Spread(BaseUrl),
    /// Named by the client of a forward proxy, who may not: public addresses and what is listed here.
    Request { allow: Vec<IpNet> },
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    pub common: Common,
    pub bucket: Bucket,
    pub prefix: KeyPrefix,
    /// `None`: what the SDK finds.
    pub region: Option<Region>,
    /// `None`: AWS.
    pub endpoint: Option<BaseUrl>,
    pub path_style: bool,
}

/// How long a tier may keep us waiting; none is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierTimeouts {
    pub connect: Duration,
    pub first_byte: Duration,
    pub idle: Duration,
}

/// How much of a tier is in use at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierLimits {
    /// Requests.
    pub connections: NonZeroUsize,
    /// Bytes of an answer's head.
    pub head: Size,
}

impl Upstream {
    #[must_use]
    pub const fn common(&self) -> &Common {
        match self {
            Self::Http(http) => &http.common,
            Self::S3(s3) => &s3.common,
        }
    }

    #[must_use]
    pub const fn name(&self) -> &TierName {
        &self.common().name
    }

    #[must_use]
    pub const fn role(&self) -> Role {
        self.common().role
    }

    /// Whether it is where the client of a forward proxy says.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(
            self,
            Self::Http(Http {
                target: Target::Request { .. },
                ..
            })
        )
    }

    /// Whether what SDKs sign in a read is nobody's to check: S3 is asked in our own name, of others the operator says it.
    #[must_use]
    pub const fn drops_signatures(&self) -> bool {
        match self {
            Self::Http(http) => matches!(http.signatures, Signatures::Drop),
            Self::S3(_) => true,
        }
    }

    /// Which storage this is, as a part of keys: not how it is reached, but whose bytes they are. A name that has many
    /// addresses is what one with a single address is; of a list, all URLs in their own order, so that a list of one is
    /// that URL, and a list with another server is another storage.
    #[must_use]
    pub fn authority_id(&self) -> AuthorityId {
        match self {
            Self::Http(Http {
                target: Target::Request { .. },
                ..
            }) => AuthorityId::new(["request"]),
            Self::Http(Http {
                target: Target::Url(url) | Target::Spread(url),
                ..
            }) => AuthorityId::new(["http", &url.to_string()]),
            Self::Http(Http {
                target: Target::Urls(urls),
                ..
            }) => {
                let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
                AuthorityId::new(["http"].into_iter().chain(urls.iter().map(String::as_str)))
            }
            Self::S3(s3) => {
                let endpoint = s3.endpoint.as_ref().map(ToString::to_string).unwrap_or_default();
                AuthorityId::new(["s3", &endpoint, s3.bucket.as_str(), s3.prefix.as_str()])
            }
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.name())?;
        match self {
            Self::Http(Http {
                target: Target::Url(url) | Target::Spread(url),
                ..
            }) => write!(f, "{url}")?,
            Self::Http(Http {
                target: Target::Urls(urls),
                ..
            }) => {
                let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
                f.write_str(&urls.join(", "))?;
            }
            Self::Http(Http {
                target: Target::Request { .. },
                ..
            }) => f.write_str("as requested")?,
            Self::S3(s3) => write!(f, "s3://{}/{}", s3.bucket, s3.prefix)?,
        }
        f.write_str(")")
    }
}
