//! From a question to the request that puts it to an HTTP server.
//!
//! Owns: the target URI, the one condition, and the fields that are Pinstripe's own. Never: decodes, sorts or drops
//! anything of the path and query that a client sent.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri};
use http_body_util::Full;

use crate::net::{Endpoint, Endpoints};
use crate::object::{Condition, Method, Question, StrongETag, Target, TargetOrigin, is_hop_by_hop};

/// Where a tier's objects live.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Below one URL.
    Fixed(Root),
    /// At several servers.
    Several(Arc<Endpoints>),
    /// Where the key says: a forward proxy.
    Target,
}

/// Scheme, authority and path prefix of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    prefix: String,
}

/// Fields that frame a message or belong to one connection: a forwarded one would corrupt ours.
const FRAMING: [HeaderName; 3] = [header::CONTENT_LENGTH, header::EXPECT, header::UPGRADE];

const CONDITIONS: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
];

impl Root {
    /// `None` unless an absolute `http` or `https` URL with nothing but an authority and a path. Credentials in it
    /// would leave in Host, and a query would have to be merged.
    pub(super) fn new(url: &Uri) -> Option<Self> {
        let scheme = url
            .scheme()
            .filter(|scheme| matches!(scheme.as_str(), "http" | "https"))?;
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@'))?;
        if url.query().is_some() {
            return None;
        }
        Some(Self {
            scheme: scheme.clone(),
            authority: authority.clone(),
            host: HeaderValue::from_str(authority.as_str()).ok()?,
            prefix: url.path().strip_suffix('/').unwrap_or(url.path()).to_owned(),
        })
    }

    /// One of several servers.
    pub(super) fn of_endpoint(endpoint: &Endpoint) -> Self {
        let base = endpoint.base();
        Self {
            scheme: scheme(base.is_tls()),
            authority: endpoint.authority().clone(),
            host: endpoint.host_field().clone(),
            prefix: base.path().to_owned(),
        }
    }

    /// Where the request itself says.
    pub(super) fn of_target(target: &TargetOrigin) -> Option<Self> {
        let host = target.host_field();
        Some(Self {
            scheme: scheme(target.secure),
            authority: host.parse().ok()?,
            host: HeaderValue::from_str(&host).ok()?,
            prefix: String::new(),
        })
    }

    /// One slash joins prefix and path, whether the path has its first one or not; all others stay.
    fn uri(&self, path: &str, query: Option<&str>) -> Option<Uri> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut joined = format!("{}/{path}", self.prefix);
        if let Some(query) = query {
            joined.push('?');
            joined.push_str(query);
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(joined).ok()?);
        Uri::from_parts(parts).ok()
    }
}

fn scheme(secure: bool) -> Scheme {
    if secure { Scheme::HTTPS } else { Scheme::HTTP }
}

/// The request for a question; `None` if there is none, because the path is not one that a URI can hold, or because it
/// is pinned to nothing.
pub(super) fn build(root: Root, via: &HeaderValue, question: &Question) -> Option<Request<Full<Bytes>>> {
    if matches!(&question.condition, Condition::Pinned(tags) if tags.is_empty()) {
        return None;
    }
    let query = query(question);
    let uri = root.uri(question.key.path(), query.as_deref())?;
    let mut request = Request::new(Full::default());
    *request.method_mut() = match question.method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
    };
    *request.uri_mut() = uri;
    *request.headers_mut() = fields(question, root.host, via);
    Some(request)
}

/// The query as sent, but for the part that is asked for.
fn query(question: &Question) -> Option<String> {
    let sent = question.query.as_deref();
    let Target::Part(part) = question.target else {
        return sent.map(str::to_owned);
    };
    let others = sent.unwrap_or_default().split('&');
    let others = others.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("partNumber"));
    let mut query = others.fold(String::new(), |query, pair| query + pair + "&");
    query.push_str(&format!("partNumber={}", part.get()));
    Some(query)
}

fn fields(question: &Question, host: HeaderValue, via: &HeaderValue) -> HeaderMap {
    let mut fields = forwarded(question);
    fields.insert(header::HOST, host);
    fields.append(header::VIA, via.clone());
    // Bytes of one coding only: those that the tag names (RFC 9110 8.8.3.3).
    fields.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if question.revalidate {
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    if let (Target::Range(range), Method::Get) = (question.target, question.method) {
        // RFC 9110 14.2: a Range is of GET; on HEAD it is ignored, so the whole is asked for.
        insert(&mut fields, header::RANGE, range.to_string().as_bytes());
    }
    match &question.condition {
        Condition::Free => {}
        Condition::Pinned(tags) => insert(&mut fields, header::IF_MATCH, &join(tags)),
        Condition::Unless(tag) => insert(&mut fields, header::IF_NONE_MATCH, &tag.as_sent()),
        Condition::OrWhole(tag) => insert(&mut fields, header::IF_RANGE, &tag.as_sent()),
        // It has no versions to ask for.
        Condition::Version(tag, _) => insert(&mut fields, header::IF_MATCH, &tag.as_sent()),
    }
    fields
}

/// What the caller forwards of the client's fields. Its conditions go up only where Pinstripe has none of its own.
fn forwarded(question: &Question) -> HeaderMap {
    let mut fields = question.fields.as_ref().clone();
    let ours = |name: &HeaderName| {
        let condition = CONDITIONS.contains(name) && question.condition != Condition::Free;
        is_hop_by_hop(name) || FRAMING.contains(name) || condition || name == header::RANGE
    };
    let dropped: Vec<HeaderName> = fields.keys().filter(|name| ours(name)).cloned().collect();
    for name in dropped {
        fields.remove(name);
    }
    fields
}

fn join(tags: &[StrongETag]) -> Vec<u8> {
    let tags: Vec<_> = tags.iter().map(StrongETag::as_sent).collect();
    tags.join(&b", "[..])
}

/// Tags and ranges are field values by their grammar, so nothing is lost here.
fn insert(fields: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        fields.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
