//! The classes of requests (`semantics.md`): one enum, decided once.

use http::{HeaderMap, Method as HttpMethod, header};

use super::conditional::{IfRange, Match, Unless};
use super::credentials::{has_credentials, signs_fields};
use super::query::{self, PartField, part_field};
use super::ranges::{RangeField, range_field};
use crate::object::{CacheControl, Method, PartNumber, RangeSpec, StrongETag, Target};

/// What of a route decides the class of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The authority is an S3 tier: what is not a read is refused, since there is nothing to pass it on to.
    pub s3_authority: bool,
    /// S3's dialect is spoken.
    pub s3_dialect: bool,
    /// `writes: deny`: other methods than GET and HEAD are refused.
    pub reads_only: bool,
    /// `auth: shared`: credentials do not keep a request from being shared.
    pub shared: bool,
    /// Nobody behind checks what SDKs sign, as is always so with an S3 authority, which is asked in our own name.
    pub drops_signatures: bool,
}

/// The class of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Answered with a 4xx or 501 before any tier is touched.
    Refuse(Refuse),
    /// CONNECT.
    Tunnel,
    /// Forwarded as it came, never stored.
    Pass(Pass),
    /// Answered by the decisions of [`crate::plan`].
    Read(Box<Read>),
}

/// A read that tiers answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// GET or HEAD.
    pub method: Method,
    /// What pins it, or what it is to find out.
    pub kind: Kind,
    /// Which bytes, as the client asked. Ranges of a HEAD are kept in S3's dialect only.
    pub target: Target,
    /// What turns a 200 or 206 into a 304.
    pub unless: Unless,
    /// The client's own Cache-Control.
    pub control: CacheControl,
}

/// The kinds of reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `If-Match` lists these strong tags; never empty.
    Pinned(Vec<StrongETag>),
    /// Range and a strong `If-Range`.
    Resume(StrongETag),
    /// A ranged or head-only read without a pin: it learns what later reads are pinned to.
    Discovery,
    /// Any other GET.
    Whole,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refuse {
    /// 405 with Allow: the tier only reads.
    MethodNotAllowed,
    /// 405 with Allow: a read of a shape that this tier cannot answer yet.
    ShapeNotAllowed(Pass),
    /// 501: a sub-resource or listing of a bucket.
    NotARead,
    /// 400: If-Match is no list of entity tags, or an endless one.
    MalformedIfMatch,
    /// 400: partNumber is not a number of 1..=10,000, or comes with a Range.
    MalformedPart,
}

/// Why a request is passed on. The variant is the `Cache-Status` detail and the log field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// A method other than GET and HEAD.
    Method,
    /// `If-Unmodified-Since` without `If-Match`.
    UnmodifiedSince,
    /// `If-Range` with a date.
    IfRangeDate,
    /// `If-Match` with only weak tags.
    WeakPin,
    /// Several ranges.
    MultiRange,
    /// Credentials, and the route says `auth: bypass`.
    Credentials,
    /// `Cache-Control: no-store`.
    NoStore,
    /// S3's `response-*` parameters or customer-provided keys, or a sub-resource.
    SubResource,
}

impl Kind {
    /// The name in metrics and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Pinned(_) => "pinned",
            Self::Resume(_) => "resume",
            Self::Discovery => "discovery",
            Self::Whole => "whole",
        }
    }
}

impl Pass {
    /// The name in metrics, logs and `Cache-Status`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::UnmodifiedSince => "unmodified-since",
            Self::IfRangeDate => "if-range-date",
            Self::WeakPin => "weak-pin",
            Self::MultiRange => "multi-range",
            Self::Credentials => "credentials",
            Self::NoStore => "no-store",
            Self::SubResource => "sub-resource",
        }
    }
}

/// The class of a well-formed request: the first row of the table that fits.
pub fn classify(method: &HttpMethod, query: Option<&str>, fields: &HeaderMap, rules: Rules) -> Class {
    if method == HttpMethod::CONNECT {
        return Class::Tunnel;
    }
    let method = match *method {
        HttpMethod::GET => Method::Get,
        HttpMethod::HEAD => Method::Head,
        _ if rules.reads_only => return Class::Refuse(Refuse::MethodNotAllowed),
        _ => return Class::Pass(Pass::Method),
    };
    match read(method, query, fields, rules) {
        Ok(read) => Class::Read(Box::new(read)),
        Err(Unread::Refuse(why)) => Class::Refuse(why),
        Err(Unread::Pass(why)) if rules.s3_authority => Class::Refuse(Refuse::ShapeNotAllowed(why)),
        Err(Unread::Pass(why)) => Class::Pass(why),
    }
}

/// Why a GET or HEAD is not a read.
enum Unread {
    Pass(Pass),
    Refuse(Refuse),
}

fn read(method: Method, query: Option<&str>, fields: &HeaderMap, rules: Rules) -> Result<Read, Unread> {
    let control = CacheControl::of(fields);
    if !rules.shared && has_credentials(fields, query) || !rules.drops_signatures && signs_fields(fields) {
        return Err(Unread::Pass(Pass::Credentials));
    }
    // S3 answers nothing that must not be stored but by our own identity; the directive is the origin's to honour.
    if control.no_store && !rules.s3_authority {
        return Err(Unread::Pass(Pass::NoStore));
    }
    let part = s3_part(query, fields, rules)?;
    let pins = match Match::of(fields) {
        Match::Malformed => return Err(Unread::Refuse(Refuse::MalformedIfMatch)),
        Match::OnlyWeak => return Err(Unread::Pass(Pass::WeakPin)),
        Match::Open if unmodified_since_counts(fields) => return Err(Unread::Pass(Pass::UnmodifiedSince)),
        Match::Open => None,
        Match::Strong(tags) => Some(tags),
    };
    let range = ranged(method, fields, rules)?;
    let if_range = if method == Method::Get {
        IfRange::of(fields)
    } else {
        IfRange::Absent
    };
    let target = match (part, range) {
        (Some(part), None) => Target::Part(part),
        (Some(_), Some(_)) => return Err(Unread::Refuse(Refuse::MalformedPart)),
        (None, Some(spec)) => Target::Range(spec),
        (None, None) => Target::Whole,
    };
    let (kind, target) = kind(method, pins, target, if_range)?;
    Ok(Read {
        method,
        kind,
        target,
        unless: Unless::of(fields),
        control,
    })
}

/// RFC 9110 13.1.4: ignored beside If-Match, even beside `*`.
fn unmodified_since_counts(fields: &HeaderMap) -> bool {
    fields.contains_key(header::IF_UNMODIFIED_SINCE) && !fields.contains_key(header::IF_MATCH)
}

/// The kind of a read, and the target after If-Range had its say.
fn kind(
    method: Method,
    pins: Option<Vec<StrongETag>>,
    target: Target,
    if_range: IfRange,
) -> Result<(Kind, Target), Unread> {
    let ranged = matches!(target, Target::Range(_));
    match (pins, if_range) {
        (_, IfRange::Date) if ranged => Err(Unread::Pass(Pass::IfRangeDate)),
        (Some(pins), IfRange::Weak) if ranged => Ok((Kind::Pinned(pins), Target::Whole)),
        // Which revision of several will be served is not known yet; ignoring Range is always right (14.2).
        (Some(pins), IfRange::Strong(tag)) if ranged && pins != [tag.clone()] => {
            Ok((Kind::Pinned(pins), Target::Whole))
        }
        (Some(pins), _) => Ok((Kind::Pinned(pins), target)),
        (None, IfRange::Weak) if ranged => Ok((Kind::Whole, Target::Whole)),
        (None, IfRange::Strong(tag)) if ranged => Ok((Kind::Resume(tag), target)),
        (None, _) if method == Method::Head || target != Target::Whole => Ok((Kind::Discovery, target)),
        (None, _) => Ok((Kind::Whole, target)),
    }
}

/// The single range, if there is one that counts. Range is defined for GET (14.2); S3 answers it on HEAD as well.
fn ranged(method: Method, fields: &HeaderMap, rules: Rules) -> Result<Option<RangeSpec>, Unread> {
    if method == Method::Head && !rules.s3_dialect {
        return Ok(None);
    }
    match range_field(fields) {
        RangeField::None => Ok(None),
        RangeField::Single(spec) => Ok(Some(spec)),
        RangeField::Multi => Err(Unread::Pass(Pass::MultiRange)),
    }
}

/// In S3's dialect: the part, or why the query or the fields make it another operation than a read.
fn s3_part(query: Option<&str>, fields: &HeaderMap, rules: Rules) -> Result<Option<PartNumber>, Unread> {
    if !rules.s3_dialect {
        return Ok(None);
    }
    for name in query::names(query.unwrap_or("")) {
        let presigned = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        if name.starts_with("response-") {
            return Err(Unread::Pass(Pass::SubResource));
        }
        if !matches!(name, "partNumber" | "x-id" | "versionId") && !presigned {
            let refuse = Unread::Refuse(Refuse::NotARead);
            return Err(if rules.s3_authority {
                refuse
            } else {
                Unread::Pass(Pass::SubResource)
            });
        }
    }
    if fields
        .keys()
        .any(|name| name.as_str().starts_with("x-amz-server-side-encryption-customer-"))
    {
        return Err(Unread::Pass(Pass::SubResource));
    }
    match part_field(query) {
        PartField::Absent => Ok(None),
        PartField::Part(part) => Ok(Some(part)),
        PartField::Malformed => Err(Unread::Refuse(Refuse::MalformedPart)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{HeaderName, HeaderValue};

    const HTTP: Rules = Rules {
        s3_authority: false,
        s3_dialect: false,
        reads_only: false,
        shared: false,
        drops_signatures: false,
    };
    const SHARED: Rules = Rules { shared: true, ..HTTP };
    const DROPS: Rules = Rules {
        drops_signatures: true,
        ..SHARED
    };
    const S3: Rules = Rules {
        s3_authority: true,
        s3_dialect: true,
        reads_only: true,
        shared: true,
        drops_signatures: true,
    };
    const DIALECT: Rules = Rules {
        s3_dialect: true,
        shared: true,
        ..HTTP
    };

    /// `METHOD[?query] field:value; field:value` to a short name of the class.
    fn class(request: &str, rules: Rules) -> String {
        let (line, fields) = request.split_once(' ').unwrap_or((request, ""));
        let (method, query) = line.split_once('?').map_or((line, None), |(m, q)| (m, Some(q)));
        let mut map = HeaderMap::new();
        for field in fields.split(';').filter(|f| !f.trim().is_empty()) {
            let (name, value) = field.split_once(':').unwrap();
            map.append(
                name.trim().parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value.trim()).unwrap(),
            );
        }
        match classify(&method.parse().unwrap(), query, &map, rules) {
            Class::Refuse(why) => format!("refuse {why:?}"),
            Class::Tunnel => "tunnel".to_owned(),
            Class::Pass(why) => format!("pass {}", why.label()),
            Class::Read(read) => {
                let target = match read.target {
                    Target::Whole => "whole".to_owned(),
                    Target::Range(spec) => spec.to_string(),
                    Target::Part(part) => format!("part {}", part.get()),
                };
                format!("{} {target}", read.kind.label())
            }
        }
    }

    fn check(request: &str, rules: Rules, expected: &str) {
        assert_eq!(class(request, rules), expected, "{request}");
    }

    #[test]
    fn reads() {
        check("GET", HTTP, "whole whole");
        check("HEAD", HTTP, "discovery whole");
        check("HEAD range: bytes=0-1", HTTP, "discovery whole");
        check("HEAD range: bytes=0-1", S3, "discovery bytes=0-1");
        check("GET range: bytes=0-1", HTTP, "discovery bytes=0-1");
        check("GET range: bytes=5-1", HTTP, "whole whole");
        check("GET range: lines=5-1", HTTP, "whole whole");
        check("GET range: bytes=0-1; if-match: \"a\"", HTTP, "pinned bytes=0-1");
        check("GET range: bytes=0-1; if-match: *", HTTP, "discovery bytes=0-1");
        check("GET if-match: \"a\", W/\"b\"", HTTP, "pinned whole");
        check("HEAD if-match: a", HTTP, "pinned whole");
        check("GET range: bytes=0-1; if-range: \"a\"", HTTP, "resume bytes=0-1");
        check("GET range: bytes=0-1; if-range: W/\"a\"", HTTP, "whole whole");
        check("GET if-range: \"a\"", HTTP, "whole whole");
        check("HEAD if-range: \"a\"", HTTP, "discovery whole");
        check(
            "GET if-range: \"a\"; range: bytes=0-1; if-match: \"a\"",
            HTTP,
            "pinned bytes=0-1",
        );
        check(
            "GET if-range: \"b\"; range: bytes=0-1; if-match: \"a\"",
            HTTP,
            "pinned whole",
        );
        check(
            "GET if-range: \"b\"; range: bytes=0-1; if-match: \"a\", \"b\"",
            HTTP,
            "pinned whole",
        );
        check("GET if-unmodified-since: x; if-match: \"a\"", HTTP, "pinned whole");
        check("GET?partNumber=2", HTTP, "whole whole");
    }

    #[test]
    fn parts_belong_to_the_dialect() {
        check("GET?partNumber=2", S3, "discovery part 2");
        check("GET?partNumber=2 if-match: \"a\"", DIALECT, "pinned part 2");
        check("GET?partNumber=0", S3, "refuse MalformedPart");
        check("GET?partNumber=1 range: bytes=0-1", S3, "refuse MalformedPart");
        check("GET?x-id=GetObject", S3, "whole whole");
        check("GET?versionId=v", S3, "whole whole");
        check("GET?X-Amz-Signature=s&X-Amz-Expires=1", S3, "whole whole");
    }

    #[test]
    fn passes() {
        check("POST", HTTP, "pass method");
        check("GET if-unmodified-since: x", HTTP, "pass unmodified-since");
        check(
            "GET if-range: Sun, 06 Nov 1994 08:49:37 GMT; range: bytes=0-1",
            HTTP,
            "pass if-range-date",
        );
        check("GET if-range: Sun, 06 Nov 1994 08:49:37 GMT", HTTP, "whole whole");
        check("GET if-match: W/\"a\"", HTTP, "pass weak-pin");
        check("GET range: bytes=0-1,3-4", HTTP, "pass multi-range");
        check("GET cache-control: no-store", HTTP, "pass no-store");
        check("GET authorization: x", HTTP, "pass credentials");
        check("GET authorization: x", SHARED, "whole whole");
        check("GET authorization: AWS4-HMAC-SHA256 x", SHARED, "pass credentials");
        check("GET authorization: AWS4-HMAC-SHA256 x", S3, "whole whole");
        check("GET authorization: AWS4-HMAC-SHA256 x", DROPS, "whole whole");
        check(
            "GET authorization: AWS4-HMAC-SHA256 x; range: bytes=0-1; if-match: \"a\"",
            DROPS,
            "pinned bytes=0-1",
        );
        check("GET authorization: x", DROPS, "whole whole");
        check(
            "GET authorization: AWS4-HMAC-SHA256 x; range: bytes=0-1,3-4",
            DROPS,
            "pass multi-range",
        );
        check("GET cache-control: no-store", DROPS, "pass no-store");
        check("PUT authorization: AWS4-HMAC-SHA256 x", DROPS, "pass method");
        check("GET if-match: *; if-unmodified-since: x", HTTP, "whole whole");
        check("GET cookie: x", HTTP, "pass credentials");
        check("GET?X-Amz-Signature=x", HTTP, "pass credentials");
        check("GET?acl", DIALECT, "pass sub-resource");
        check("GET?response-content-type=a", DIALECT, "pass sub-resource");
    }

    #[test]
    fn refusals() {
        check("CONNECT", HTTP, "tunnel");
        check("PUT", S3, "refuse MethodNotAllowed");
        let reads_only = Rules {
            reads_only: true,
            ..HTTP
        };
        check("DELETE", reads_only, "refuse MethodNotAllowed");
        check("GET?acl", S3, "refuse NotARead");
        check("GET range: bytes=0-1,3-4", S3, "refuse ShapeNotAllowed(MultiRange)");
        check("GET if-match: \"a", HTTP, "refuse MalformedIfMatch");
        check("GET cache-control: no-store", S3, "whole whole");
    }
}
