//! Requests that are refused before any tier is touched: the one table of their statuses and reasons.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};

use super::{Action, Decision, Piece, Reply, ReplyBody};
use crate::metrics::{RouteMetrics, Source};
use crate::request::Refuse;

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    /// The metric label and log field.
    outcome: &'static str,
    /// One line for the client.
    reason: &'static str,
    /// What S3 calls it.
    code: &'static str,
    /// Whether the body is S3's XML.
    s3_dialect: bool,
}

impl Refused {
    pub(super) const NO_ROUTE: Self = Self::new(
        StatusCode::NOT_FOUND,
        "no-route",
        "no route matches this path and host",
        "NoSuchBucket",
    );
    pub(super) const FORBIDDEN_HOST: Self = Self::new(
        StatusCode::FORBIDDEN,
        "forbidden-host",
        "no route names this host",
        "AccessDenied",
    );
    pub(super) const NOTHING_THERE: Self = Self::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        "this form of request target is not answered here",
        "MethodNotAllowed",
    );
    pub(super) const LOOP: Self = Self::new(
        StatusCode::LOOP_DETECTED,
        "loop",
        "this request has come through here before: a route leads back to this instance",
        "InternalError",
    );

    const fn new(status: StatusCode, outcome: &'static str, reason: &'static str, code: &'static str) -> Self {
        Self {
            status,
            outcome,
            reason,
            code,
            s3_dialect: false,
        }
    }

    /// The row of a refused class, told in the route's dialect.
    pub(super) const fn of(why: Refuse, s3_dialect: bool) -> Self {
        Self {
            s3_dialect,
            ..Self::row(why)
        }
    }

    const fn row(why: Refuse) -> Self {
        match why {
            Refuse::MethodNotAllowed => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "this route only reads",
                "MethodNotAllowed",
            ),
            Refuse::ShapeNotAllowed(_) => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "shape",
                "a read of this shape (several ranges, a date or weak tag as condition, response-* or SSE-C) is not \
                 answered on an S3 route",
                "MethodNotAllowed",
            ),
            Refuse::NotARead => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "not-a-read",
                "an S3 route reads objects: a key and no query but partNumber, versionId and x-id",
                "NotImplemented",
            ),
            Refuse::MalformedIfMatch => Self::new(
                StatusCode::BAD_REQUEST,
                "if-match",
                "If-Match is no list of at most 100 entity tags",
                "InvalidArgument",
            ),
            Refuse::MalformedPart => Self::new(
                StatusCode::BAD_REQUEST,
                "part-number",
                "partNumber must be a number from 1 to 10000, said once, without a Range",
                "InvalidArgument",
            ),
        }
    }

    /// As what becomes of the request.
    pub(super) fn decision(self, route: Option<Arc<RouteMetrics>>) -> Decision {
        Decision {
            route,
            class: "refuse",
            action: Action::Refuse(self.reply()),
        }
    }

    fn reply(self) -> Reply {
        let body = Bytes::from(if self.s3_dialect {
            self.xml()
        } else {
            format!("{}\n", self.reason)
        });
        let kind = if self.s3_dialect {
            "application/xml"
        } else {
            "text/plain; charset=utf-8"
        };
        let mut fields = HeaderMap::new();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            fields.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        let piece = Piece {
            bytes: body,
            source: Source::Generated,
        };
        Reply {
            status: self.status,
            fields,
            body: ReplyBody::Whole(piece),
            outcome: self.outcome,
            notable: false,
        }
    }

    fn xml(self) -> String {
        let Self { code, reason, .. } = self;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{reason}</Message></Error>"
        )
    }
}
