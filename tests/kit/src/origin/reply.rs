//! An answer before it is sent: what an honest server would say, open to change.

use super::request::Recorded;
use super::resource::Resource;
use super::script::Act;
use crate::content::{Content, wall_clock};
use crate::honest::{NOT_MODIFIED_FIELDS, Span, Verdict, if_range, judge, span};
use bytes::{Bytes, BytesMut};
use http::header::IF_RANGE;
use http::{HeaderMap, StatusCode};
use std::fmt::Write;
use std::ops::Range;

/// The answer that is about to be sent; [`Act::edit`] may say anything in it.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// In order; names as they will stand on the wire. Content-Length is added when the head is sent, unless it is here.
    pub fields: Vec<(String, String)>,
    content: Content,
    /// What of the content is the body.
    body: Range<u64>,
}

impl Reply {
    /// What is said to this request by one who has `resource` there, as far as these acts leave him honest.
    pub(super) fn decide(request: &Recorded, resource: Option<&Resource>, acts: &[Act]) -> Self {
        let mut headers = request.headers.clone();
        let mut reply = None;
        for act in acts {
            match act {
                Act::Ignore(name) => drop(headers.remove(name)),
                Act::Answer { status, fields, body } => reply = Some(Self::new(*status, fields.clone(), body.clone())),
                Act::Serve(range) => reply = resource.map(|resource| Self::part(resource, range.clone())),
                _ => {}
            }
        }
        let mut reply = reply.unwrap_or_else(|| match (request.method.as_str(), resource) {
            ("GET" | "HEAD", None) => Self::new(404, Vec::new(), "not found\n"),
            ("GET" | "HEAD", Some(resource)) => Self::read(request, &headers, resource),
            _ => Self::echo(request),
        });
        for act in acts {
            match act {
                Act::Multipart(ranges) if reply.status == 206 => reply.split(ranges),
                Act::Edit(edit) => (edit.0)(&mut reply),
                _ => {}
            }
        }
        reply
    }

    fn new(status: u16, fields: Vec<(String, String)>, body: impl Into<Bytes>) -> Self {
        let content = Content::Bytes(body.into());
        Self {
            status,
            fields,
            body: 0..content.size(),
            content,
        }
    }

    /// GET and HEAD of what is there: preconditions, then the range, which is GET's alone (9110 14.2).
    fn read(request: &Recorded, headers: &HeaderMap, resource: &Resource) -> Self {
        match judge(headers, resource.validators()) {
            Verdict::Failed(_) => return Self::new(412, Vec::new(), "precondition failed\n"),
            Verdict::NotModified => {
                let mut reply = Self::whole(resource);
                reply.status = 304;
                reply.fields.retain(|(name, _)| {
                    NOT_MODIFIED_FIELDS
                        .iter()
                        .any(|kept| name.eq_ignore_ascii_case(kept.as_str()))
                });
                return reply;
            }
            Verdict::Proceed => {}
        }
        let ranged =
            request.method == "GET" && (!headers.contains_key(IF_RANGE) || if_range(headers, resource.validators()));
        match if ranged {
            span(headers, resource.size())
        } else {
            Span::Whole
        } {
            Span::Whole => Self::whole(resource),
            Span::Part(range) => Self::part(resource, range),
            Span::Unsatisfiable => {
                let total = format!("bytes */{}", resource.size());
                Self::new(416, vec![("Content-Range".into(), total)], "range not satisfiable\n")
            }
        }
    }

    /// What other methods get: that it was received, and what.
    fn echo(request: &Recorded) -> Self {
        let mut reply = Self::new(201, Vec::new(), request.body.clone());
        reply.set(
            "Content-Type",
            request.field("content-type").unwrap_or("application/octet-stream"),
        );
        reply.set("X-Echo", &format!("{} {}", request.method, request.target));
        reply.set("X-Echo-Length", &request.body_length.to_string());
        reply
    }

    fn whole(resource: &Resource) -> Self {
        let content = resource.content.clone();
        let mut reply = Self {
            status: 200,
            fields: Vec::new(),
            body: 0..content.size(),
            content,
        };
        reply.set("Date", &httpdate::fmt_http_date(wall_clock()));
        reply.set("Content-Type", "application/octet-stream");
        reply.set("Accept-Ranges", "bytes");
        if let Some(etag) = &resource.etag {
            reply.set("ETag", etag);
        }
        if let Some(modified) = resource.modified {
            reply.set("Last-Modified", &httpdate::fmt_http_date(modified));
        }
        for (name, _) in &resource.fields {
            reply.remove(name);
        }
        // Appended, since a field may have several lines.
        reply.fields.extend(resource.fields.iter().cloned());
        reply
    }

    fn part(resource: &Resource, range: Range<u64>) -> Self {
        let mut reply = Self::whole(resource);
        let value = format!(
            "bytes {}-{}/{}",
            range.start,
            range.end.saturating_sub(1),
            resource.size()
        );
        reply.set("Content-Range", &value);
        (reply.status, reply.body) = (206, range.start.min(resource.size())..range.end.min(resource.size()));
        reply
    }

    /// 9110 14.6
    fn split(&mut self, ranges: &[Range<u64>]) {
        const BOUNDARY: &str = "kit-boundary";
        let (mut body, total) = (BytesMut::new(), self.total());
        for range in ranges {
            let (first, last) = (range.start, range.end.saturating_sub(1));
            let _ = write!(
                body,
                "--{BOUNDARY}\r\nContent-Range: bytes {first}-{last}/{total}\r\n\r\n"
            );
            body.extend_from_slice(&self.content.slice(range.clone()));
            body.extend_from_slice(b"\r\n");
        }
        let _ = write!(body, "--{BOUNDARY}--\r\n");
        self.remove("Content-Range");
        self.set("Content-Type", &format!("multipart/byteranges; boundary={BOUNDARY}"));
        self.content = Content::Bytes(body.freeze());
        self.body = 0..self.content.size();
    }

    /// Replaces a field, or adds it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(held, _)| !held.eq_ignore_ascii_case(name));
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The bytes of the content that a 206 sends.
    #[must_use]
    pub fn range(&self) -> Option<Range<u64>> {
        (self.status == 206).then(|| self.body.clone())
    }

    /// The length of the whole content.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.content.size()
    }

    pub(super) fn body(&self) -> (&Content, Range<u64>) {
        (&self.content, self.body.clone())
    }

    /// The head with these fields besides.
    pub(super) fn head(&self, more: &[(&str, String)]) -> String {
        let reason = StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason());
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason.unwrap_or_default());
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in fields.chain(more.iter().map(|(name, value)| (*name, value))) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head + "\r\n"
    }
}
