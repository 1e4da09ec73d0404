//! An upstream, the server that it talks to, and how an answer is checked.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use http::HeaderMap;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::{Object, S3Options, S3Server};

use crate::clock::Clock;
use crate::net::{ClientConfig, Guard};
use crate::object::{
    AuthorityId, ByteRange, Cause, Condition, Cut, Found, Heard, Method, ObjectKey, ObjectSize, Question, RangeSpec,
    RouteName, StrongETag, Target,
};
use crate::tier::http::{Base, HttpTier, HttpTierConfig};
use crate::tier::s3::{S3Tier, S3TierConfig, StaticKeys};
use crate::tier::upstream::{Answer, Upstream};

/// Long enough for the slowest machine, short enough for a test that waits for it to end.
pub(in crate::tier) const SHORT: Duration = Duration::from_millis(500);

const BUCKET: &str = "bucket";

pub(in crate::tier) struct Bench {
    pub(in crate::tier) upstream: Box<dyn Upstream>,
    pub(in crate::tier) server: Server,
    /// Whether If-Range is put as If-Match.
    pub(in crate::tier) is_s3: bool,
    /// Where the origin has the upstream's objects.
    root: &'static str,
}

pub(in crate::tier) enum Server {
    Origin(Origin),
    S3(S3Server),
}

/// Timeouts that a test waits out where it must, and a single permit where it counts them.
pub(in crate::tier) fn config(wait: Duration, connections: usize) -> ClientConfig {
    ClientConfig {
        connect: Duration::from_secs(20).min(wait.saturating_mul(4)),
        first_byte: wait,
        idle: wait,
        connections,
        head_limit: 16 << 10,
        ca_pem: None,
    }
}

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

pub(in crate::tier) fn http_tier(url: &str, client: ClientConfig) -> Box<dyn Upstream> {
    let tier = HttpTier::new(HttpTierConfig {
        base: Base::Fixed(url.parse().unwrap()),
        guard: Guard::Any,
        client,
        via: http::HeaderValue::from_static("1.1 pinstripe"),
        clock: Clock::fixed(at()),
    });
    Box::new(tier.unwrap())
}

pub(in crate::tier) async fn s3_tier(endpoint: String, client: ClientConfig) -> Box<dyn Upstream> {
    let keys = S3Options::default();
    let tier = S3Tier::new(S3TierConfig {
        bucket: BUCKET.to_owned(),
        prefix: "p/".to_owned(),
        region: None,
        endpoint: Some(endpoint),
        path_style: true,
        credentials: Some(StaticKeys {
            id: keys.access_key,
            secret: keys.secret_key,
        }),
        client,
        via: http::HeaderValue::from_static("1.1 pinstripe"),
        clock: Clock::fixed(at()),
    });
    Box::new(tier.await.unwrap())
}

impl Bench {
    pub(in crate::tier) async fn http() -> Self {
        let origin = Origin::start().await.unwrap();
        let upstream = http_tier(&format!("{}/base", origin.url()), config(Duration::from_secs(20), 16));
        Self::at_origin(upstream, origin, false)
    }

    pub(in crate::tier) async fn s3_at_origin() -> Self {
        let origin = Origin::start().await.unwrap();
        let upstream = s3_tier(origin.url(), config(Duration::from_secs(20), 16)).await;
        Self::at_origin(upstream, origin, true)
    }

    pub(in crate::tier) async fn http_at_s3() -> Self {
        let options = S3Options {
            public_reads: true,
            ..S3Options::default()
        };
        let server = S3Server::start_with(options).await.unwrap();
        let url = format!("{}/{BUCKET}/p/", server.url());
        let upstream = http_tier(&url, config(Duration::from_secs(20), 16));
        Self::at_s3(upstream, server, false)
    }

    pub(in crate::tier) async fn s3() -> Self {
        let server = S3Server::start().await.unwrap();
        let upstream = s3_tier(server.url(), config(Duration::from_secs(20), 16)).await;
        Self::at_s3(upstream, server, true)
    }

    fn at_origin(upstream: Box<dyn Upstream>, origin: Origin, is_s3: bool) -> Self {
        Self {
            upstream,
            server: Server::Origin(origin),
            is_s3,
            root: if is_s3 { "/bucket/p" } else { "/base" },
        }
    }

    fn at_s3(upstream: Box<dyn Upstream>, server: S3Server, is_s3: bool) -> Self {
        Self {
            upstream,
            server: Server::S3(server),
            is_s3,
            root: "",
        }
    }

    /// The same server, asked by an upstream with other timeouts and limits.
    pub(in crate::tier) async fn upstream_with(&self, client: ClientConfig) -> Box<dyn Upstream> {
        match &self.server {
            Server::Origin(origin) if self.is_s3 => s3_tier(origin.url(), client).await,
            Server::Origin(origin) => http_tier(&format!("{}/base", origin.url()), client),
            Server::S3(_) => unreachable!("only origins break"),
        }
    }

    /// The origin of a bench that has one.
    pub(in crate::tier) fn origin(&self) -> &Origin {
        match &self.server {
            Server::Origin(origin) => origin,
            Server::S3(_) => unreachable!("this case is for origins"),
        }
    }

    /// The S3 server of a bench that has one.
    pub(in crate::tier) fn s3_server(&self) -> &S3Server {
        match &self.server {
            Server::S3(server) => server,
            Server::Origin(_) => unreachable!("this case is for S3"),
        }
    }

    /// Puts a pattern behind a key's path. Returns its tag.
    pub(in crate::tier) fn put(&self, path: &str, pattern: Pattern, size: u64) -> StrongETag {
        match &self.server {
            Server::Origin(origin) => {
                let resource = Resource::pattern(pattern, size).field("X-Amz-Meta-Kit", "yes");
                origin.put(format!("{}{path}", self.root), resource);
            }
            Server::S3(server) => {
                let object = Object::pattern(pattern, size);
                let object = object.field("x-amz-meta-kit".parse().unwrap(), "yes".parse().unwrap());
                server.store().put(BUCKET, &format!("p{path}"), object);
            }
        }
        tag(&pattern.etag())
    }

    pub(in crate::tier) async fn stop(&self) {
        match &self.server {
            Server::Origin(origin) => origin.stop().await,
            Server::S3(server) => server.stop().await,
        }
    }

    pub(in crate::tier) async fn ask(&self, question: &Question) -> Answer {
        self.upstream.ask(question).await
    }

    /// Asks, and checks what is heard and that the body is that range of the pattern, or empty.
    pub(in crate::tier) async fn check(
        &self,
        question: &Question,
        expected: &str,
        body: Option<(Pattern, Range<u64>)>,
    ) -> Found {
        let answer = self.ask(question).await;
        assert_eq!(summary(&answer.heard), expected, "{question:?}");
        let found = answer.heard.found().cloned();
        let (bytes, cut) = read(answer).await;
        assert_eq!(cut, None, "{question:?}");
        if let Some((pattern, range)) = body {
            assert_eq!(bytes.len() as u64, range.end - range.start, "{question:?}");
            pattern.verify(range.start, &bytes).unwrap();
        } else if question.method == Method::Head || expected == "not modified" {
            assert!(bytes.is_empty(), "{question:?}");
        }
        let found = found.unwrap();
        assert_eq!(found.received, at());
        found
    }
}

/// All bytes of an answer, and what cut them.
pub(in crate::tier) async fn read(answer: Answer) -> (Vec<u8>, Option<Cause>) {
    let (mut bytes, mut body) = (Vec::new(), answer.body);
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => {
                assert!(!chunk.is_empty(), "an empty chunk is no chunk");
                bytes.extend_from_slice(&chunk);
            }
            Err(Cut(cause)) => {
                assert!(body.next().await.is_none(), "nothing follows a cut");
                return (bytes, Some(cause));
            }
        }
    }
    (bytes, None)
}

/// A GET of the whole of an object, without a condition.
pub(in crate::tier) fn get(path: &str) -> Question {
    let authority = AuthorityId::new(["test"]);
    Question {
        method: Method::Get,
        key: ObjectKey::new(&RouteName::new("r"), &authority, None, path, None),
        query: None,
        target: Target::Whole,
        condition: Condition::Free,
        revalidate: false,
        fields: HeaderMap::new().into(),
    }
}

impl Question {
    pub(in crate::tier) fn head(mut self) -> Self {
        self.method = Method::Head;
        self
    }

    pub(in crate::tier) fn target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    pub(in crate::tier) fn span(self, first: u64, last: u64) -> Self {
        self.target(Target::Range(RangeSpec::Span(ByteRange::new(first, last).unwrap())))
    }

    pub(in crate::tier) fn condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    pub(in crate::tier) fn pinned(self, tags: &[&StrongETag]) -> Self {
        self.condition(Condition::Pinned(tags.iter().map(|tag| (*tag).clone()).collect()))
    }
}

pub(in crate::tier) fn tag(tag: &str) -> StrongETag {
    StrongETag::parse(tag.as_bytes()).unwrap()
}

/// The variant of what was heard, and what it carries besides a head.
pub(in crate::tier) fn summary(heard: &Heard) -> String {
    let size = |size: &Option<ObjectSize>| size.map_or("?".to_owned(), |size| size.bytes().to_string());
    match heard {
        Heard::Found(_, length) => format!("found {}", size(length)),
        Heard::Partial(_, range, total) => format!("partial {range:?}/{}", size(total)),
        Heard::NotModified(_) => "not modified".to_owned(),
        Heard::PreconditionFailed(_) => "precondition failed".to_owned(),
        Heard::NotFound(_) => "not found".to_owned(),
        Heard::Unsatisfiable(_, total) => format!("unsatisfiable {}", size(total)),
        Heard::Denied(_) => "denied".to_owned(),
        Heard::Other(found) => format!("other {}", found.status.as_u16()),
        Heard::Failed(failure) => {
            let answer = failure.answer.as_ref().map(|found| found.status.as_u16());
            format!("failed {:?} {answer:?}", failure.cause)
        }
    }
}
