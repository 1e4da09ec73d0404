//! The mirror of the YAML, key by key.
//!
//! Owns the keys, their documentation and the schema that is made of it. Everything is optional here, so that one
//! missing key hides no other fault: what is required and what goes together, `validate` knows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bounds::{self, number, text};
use super::choice::{AccessLog, Auth, Dialect, Discovery, Role, Signatures, Writes};
use super::pattern::{HostPattern, PathPrefix};
use super::quantity::{Count, Size, Timespan};
use super::text::{Address, Bucket, Cidr, FilePath, Instance, KeyPrefix, Region, RouteLabel, TierName};
use super::url::{BaseUrl, HttpTarget};
use super::value::{Flag, Section};

/// The configuration of Pinstripe.
///
/// Any value may hold variables: `${NAME}`, or `${NAME:-default}` for when it is unset or empty; `$${` is a plain
/// `${`. Unknown keys are errors.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Pinstripe")]
pub(super) struct File {
    /// The name of this instance in `Via` and `Cache-Status`. A request that carries it in `Via` is a loop.
    #[schemars(extend("default" = "pinstripe"))]
    pub(super) instance: Option<Instance>,
    /// Where clients connect.
    #[schemars(required, with = "Option<Vec<Section<Listen>>>", length(min = 1))]
    pub(super) listen: Option<Vec<Option<Section<Listen>>>>,
    /// Metrics and health; never on the listeners of clients.
    pub(super) admin: Option<Section<Admin>>,
    /// Which requests leave a line in the log.
    #[schemars(extend("default" = "errors"))]
    pub(super) access_log: Option<AccessLog>,
    /// Of how many other requests `access_log: sample` logs one.
    #[schemars(extend("default" = number(bounds::ACCESS_LOG_SAMPLE.default), "maximum" = number(bounds::ACCESS_LOG_SAMPLE.max)))]
    pub(super) access_log_sample: Option<Count>,
    /// How long a request takes that counts as slow in the log.
    #[schemars(extend("default" = text(bounds::SLOW_REQUEST.default)))]
    pub(super) slow_request: Option<Timespan>,
    /// How long requests in flight may take to end when the process is told to; then they are cut.
    #[schemars(extend("default" = text(bounds::SHUTDOWN.default)))]
    pub(super) shutdown: Option<Timespan>,
    /// Bounds of the whole process.
    pub(super) limits: Option<Section<Limits>>,
    /// Where objects come from and are kept, by name. Routes put them in order; each must be in use.
    #[schemars(required, with = "Option<BTreeMap<String, Section<Tier>>>", extend("propertyNames" = { "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$" }))]
    pub(super) tiers: Option<BTreeMap<String, Option<Section<Tier>>>>,
    /// Which requests go to which tiers. The first match wins; without one, the answer is 404, to a client of the
    /// forward proxy 403.
    #[schemars(required, with = "Option<Vec<Section<Route>>>", length(min = 1))]
    pub(super) routes: Option<Vec<Option<Section<Route>>>>,
}

/// A listener for clients.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    /// Where it listens.
    #[schemars(required)]
    pub(super) address: Option<Address>,
    /// Whether it is also a proxy for clients that have it as `HTTP_PROXY` or `HTTPS_PROXY`.
    #[schemars(extend("default" = false))]
    pub(super) forward: Option<Flag>,
    /// How many connections it has open at once; one more is told 503 and closed.
    #[schemars(extend("default" = number(bounds::MAX_CONNECTIONS.default), "maximum" = number(bounds::MAX_CONNECTIONS.max)))]
    pub(super) max_connections: Option<Count>,
    /// After how many requests it closes a connection.
    #[schemars(extend("default" = number(bounds::MAX_REQUESTS_PER_CONNECTION.default), "maximum" = number(bounds::MAX_REQUESTS_PER_CONNECTION.max)))]
    pub(super) max_requests_per_connection: Option<Count>,
    /// How long it waits for a client.
    pub(super) timeouts: Option<Section<ListenTimeouts>>,
}

/// How long a listener waits for a client.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenTimeouts {
    /// For a whole head, from its first byte or from the opening of the connection.
    #[schemars(extend("default" = text(bounds::HEAD_TIMEOUT.default)))]
    pub(super) head: Option<Timespan>,
    /// For the next request on a connection.
    #[schemars(extend("default" = text(bounds::KEEP_ALIVE.default)))]
    pub(super) keep_alive: Option<Timespan>,
    /// For the next bytes of a request's body.
    #[schemars(extend("default" = text(bounds::BODY_TIMEOUT.default)))]
    pub(super) read: Option<Timespan>,
    /// For the client to take the next bytes of an answer.
    #[schemars(extend("default" = text(bounds::BODY_TIMEOUT.default)))]
    pub(super) write: Option<Timespan>,
}

/// The listener for operators.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    /// Where it listens.
    #[schemars(extend("default" = "127.0.0.1:9180"))]
    pub(super) address: Option<Address>,
}

/// Bounds of the whole process.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// Requests in flight; one more is told 503 at once.
    #[schemars(extend("default" = number(bounds::REQUESTS.default), "maximum" = number(bounds::REQUESTS.max)))]
    pub(super) requests: Option<Count>,
    /// Memory for reading blocks from disk, over all requests; who finds none waits for it.
    #[schemars(extend("default" = text(bounds::READ_BUFFERS.default)))]
    pub(super) read_buffers: Option<Size>,
    /// Memory for each block that is being fetched: how far its slowest reader may stay behind before it has to read
    /// the disk, or ask anew.
    #[schemars(extend("default" = text(bounds::WINDOW.default)))]
    pub(super) window: Option<Size>,
    /// Memory for bytes on their way to disk, over all blocks. Beyond it a block is not stored; no download waits.
    #[schemars(extend("default" = text(bounds::FILLS.default)))]
    pub(super) fills: Option<Size>,
}

/// One place of objects: exactly one of the keys says which kind it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct Tier {
    /// A directory on a local disk.
    pub(super) disk: Option<Section<Disk>>,
    /// A bucket of S3 or its likes.
    pub(super) s3: Option<Section<S3>>,
    /// An HTTP server.
    pub(super) http: Option<Section<Http>>,
}

/// A directory on a local disk, which nothing else uses.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Disk {
    /// The directory. It is made if it is not there; what others put into it may be deleted.
    #[schemars(required)]
    pub(super) path: Option<FilePath>,
    /// How much it holds at most, at least four blocks.
    #[schemars(required)]
    pub(super) capacity: Option<Size>,
    /// How large the pieces are in which objects are stored: a power of two from 64KiB to 64MiB. After a change,
    /// what was stored before is fetched again.
    #[schemars(extend("default" = text(bounds::BLOCK_SIZE)))]
    pub(super) block_size: Option<Size>,
    /// How many blocks and records of objects it holds at most, whatever their size. Each takes up to 128 bytes of
    /// memory.
    #[schemars(extend("default" = number(bounds::ENTRIES.default), "maximum" = number(bounds::ENTRIES.max)))]
    pub(super) entries: Option<Count>,
    /// How much of the volume is left to others. With less free, blocks are evicted and none are stored. Left out, a
    /// hundredth of the volume, at most 1GiB.
    pub(super) min_free: Option<Size>,
}

/// An HTTP server, or several with the same objects: exactly one of `url` and `urls`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["url"] }, { "required": ["urls"] }]))]
pub(super) struct Http {
    /// The server, perhaps with a path that goes before every key. `request` is the server that a client of the
    /// forward proxy names; such a tier is the last of its route, and the route has a `host`.
    pub(super) url: Option<HttpTarget>,
    /// Several servers with the same objects, of one scheme and path. Each object belongs to one of them, and to another
    /// only while that one cannot be reached. Where this tier is the last of a route, what was stored is found only with
    /// the very same list, in whatever order.
    #[schemars(with = "Option<Vec<BaseUrl>>", length(min = 1, max = 256))]
    pub(super) urls: Option<Vec<Option<BaseUrl>>>,
    /// Whether each address that the name in `url` has is such a server. It is looked up every few seconds.
    #[schemars(extend("default" = false))]
    pub(super) spread: Option<Flag>,
    /// What a 404 of this server means, where it is the last tier of a route.
    #[schemars(extend("default" = "origin"))]
    pub(super) role: Option<Role>,
    /// What becomes of reads that AWS SDKs sign, where this tier is the last of a route. `drop` is for servers that do not
    /// check signatures, such as Pinstripes before S3; the route needs `auth: shared` then.
    #[schemars(extend("default" = "pass"))]
    pub(super) signatures: Option<Signatures>,
    /// With `url: request` only: addresses besides public ones that may be dialled. Loopback, link-local, private and
    /// reserved ones are not without this.
    #[schemars(with = "Option<Vec<Cidr>>", extend("default" = []))]
    pub(super) allow: Option<Vec<Option<Cidr>>>,
    /// A file of CA certificates in PEM that are trusted besides the public ones.
    pub(super) ca_file: Option<FilePath>,
    /// How long it may keep us waiting.
    pub(super) timeouts: Option<Section<TierTimeouts>>,
    /// Whether a pinned read that takes long is asked a second time (5 % of them at most), and one that failed again (10 %
    /// at most). Never with `url: request`, which is many
    /// servers.
    #[schemars(extend("default" = true))]
    pub(super) steady: Option<Flag>,
    /// How much of it is in use at once.
    pub(super) limits: Option<Section<TierLimits>>,
}

/// A bucket of S3 or its likes. Credentials come from the usual chain of the AWS SDK: environment, web identity,
/// instance role.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct S3 {
    /// The bucket.
    #[schemars(required)]
    pub(super) bucket: Option<Bucket>,
    /// What is put before every key, without anything between; often it ends with `/`.
    #[schemars(extend("default" = ""))]
    pub(super) prefix: Option<KeyPrefix>,
    /// The region. Left out: what the AWS SDK finds in its environment.
    pub(super) region: Option<Region>,
    /// The service. Left out: AWS.
    pub(super) endpoint: Option<BaseUrl>,
    /// Whether the bucket goes into the path and not into the host. Services other than AWS mostly want it.
    #[schemars(extend("default" = false))]
    pub(super) path_style: Option<Flag>,
    /// What a 404 of this bucket means, where it is the last tier of a route.
    #[schemars(extend("default" = "origin"))]
    pub(super) role: Option<Role>,
    /// A file of CA certificates in PEM that are trusted besides the public ones.
    pub(super) ca_file: Option<FilePath>,
    /// How long it may keep us waiting.
    pub(super) timeouts: Option<Section<TierTimeouts>>,
    /// Whether a pinned read that takes long is asked a second time (5 % of them at most), and one that failed again (10 %
    /// at most).
    #[schemars(extend("default" = true))]
    pub(super) steady: Option<Flag>,
    /// How much of it is in use at once.
    pub(super) limits: Option<Section<TierLimits>>,
}

/// How long a tier may keep us waiting; then that is an error of this tier, as it is counted and told.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TierTimeouts {
    /// For a connection, with its TLS.
    #[schemars(extend("default" = text(bounds::CONNECT_TIMEOUT.default)))]
    pub(super) connect: Option<Timespan>,
    /// For the head of an answer.
    #[schemars(extend("default" = text(bounds::FIRST_BYTE_TIMEOUT.default)))]
    pub(super) first_byte: Option<Timespan>,
    /// For the next bytes of a body.
    #[schemars(extend("default" = text(bounds::IDLE_TIMEOUT.default)))]
    pub(super) idle: Option<Timespan>,
}

/// How much of a tier is in use at once.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TierLimits {
    /// Requests to it at once: so many reads, and as many that are passed on. Others wait for their turn.
    #[schemars(extend("default" = number(bounds::TIER_CONNECTIONS.default), "maximum" = number(bounds::TIER_CONNECTIONS.max)))]
    pub(super) connections: Option<Count>,
    /// The head of an answer; a longer one is an error of the tier.
    #[schemars(extend("default" = text(bounds::TIER_HEAD.default)))]
    pub(super) head: Option<Size>,
}

/// Which requests go to which tiers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    /// Its name in logs and metrics. It is part of every key: what was stored under another name is not found.
    #[schemars(required)]
    pub(super) name: Option<RouteLabel>,
    /// Which requests take it. Left out: every request but those of a forward proxy, which need a `host`.
    #[serde(rename = "match")]
    pub(super) matcher: Option<Section<Match>>,
    /// Names of tiers, the nearest first: at most one disk, which comes first, then at least one other. The last is
    /// the authority, whose word on what is current counts.
    #[schemars(required, with = "Option<Vec<TierName>>", length(min = 1))]
    pub(super) tiers: Option<Vec<Option<TierName>>>,
    /// Who answers the first read of an object, the one that learns its size and ETag.
    #[schemars(extend("default" = "authority"))]
    pub(super) discovery: Option<Discovery>,
    /// Who may read what was stored for a request with credentials. An S3 authority needs `shared` here,
    /// and so does an HTTP one with `signatures: drop`.
    #[schemars(extend("default" = "bypass"))]
    pub(super) auth: Option<Auth>,
    /// How long a yes of `auth: check` holds.
    #[schemars(extend("default" = text(bounds::AUTH_TTL.default)))]
    pub(super) auth_ttl: Option<Timespan>,
    /// How long a revision that is not current any more goes on answering downloads that began with it.
    #[schemars(extend("default" = text(bounds::GRACE.default)))]
    pub(super) grace: Option<Timespan>,
    /// How many pieces of a large object are fetched from its tier at once, ahead of a client that reads it from start to
    /// end, or of those who read it in ranges. 1: only what is asked for. Needs a disk; where that is small, they are fewer.
    #[schemars(extend("default" = number(bounds::PARALLEL.default), "maximum" = number(bounds::PARALLEL.max)))]
    pub(super) parallel: Option<Count>,
    /// How much of its disk it may have where other routes need space: what it holds beyond that is evicted before
    /// theirs. Left out, it is like all others without one.
    pub(super) quota: Option<Size>,
    /// Whose habits clients expect.
    #[schemars(extend("default" = "auto"))]
    pub(super) dialect: Option<Dialect>,
    /// Whether anything but reads is sent on or refused (405). Left out, it is refused where the authority is S3 and
    /// sent on where it is HTTP.
    #[schemars(extend("default" = "deny"))]
    pub(super) writes: Option<Writes>,
}

/// Which requests take a route: those that fit everything that is said here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Match {
    /// How the path begins, in whole segments.
    pub(super) path: Option<PathPrefix>,
    /// The host: of an absolute-form request or CONNECT the target's, else that of `Host`. Requests of a forward proxy
    /// take only routes that have it.
    pub(super) host: Option<HostPattern>,
    /// Whether the tiers see the path without the prefix of `path`.
    #[schemars(extend("default" = true))]
    pub(super) strip: Option<Flag>,
}
