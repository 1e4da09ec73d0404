//! Why a request is refused before anybody asks what it is about.
//!
//! Owns: the list of malformed and forbidden heads, each with its status, its label and one line of reason.

use http::StatusCode;

/// Why a head is refused. The variant is the log field and the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    #[error("the head did not arrive in time")]
    Slow,
    #[error("the head is larger than 64 KiB")]
    HeadSize,
    #[error("the head has more than 128 fields")]
    FieldCount,
    #[error("the head does not end with an empty line")]
    Incomplete,
    #[error("a line ends with a bare LF")]
    BareLf,
    #[error("a CR is not followed by LF")]
    BareCr,
    #[error("the first line is not: method, space, target, space, version")]
    RequestLine,
    #[error("the method is not a token")]
    Method,
    #[error("only HTTP/1.0 and HTTP/1.1 are spoken here")]
    Version,
    #[error("a space or control byte in the request target must be percent-encoded")]
    TargetByte,
    #[error("the request target is neither a path nor an http URL")]
    TargetForm,
    #[error("the scheme of the request target is neither http nor https")]
    Scheme,
    #[error("the host or port in the request target is invalid")]
    TargetAuthority,
    #[error("user information in the request target")]
    UserInfo,
    #[error("a fragment in the request target")]
    Fragment,
    #[error("a dot segment in the path")]
    DotSegment,
    #[error("a malformed percent-escape in the path")]
    Escape,
    #[error("a percent-encoded control byte in the request target")]
    EscapedControl,
    #[error("a field line is folded")]
    Fold,
    #[error("a field line without a colon")]
    NoColon,
    #[error("a space before the colon of a field")]
    SpaceBeforeColon,
    #[error("a field name is not a token")]
    FieldName,
    #[error("an underscore in a field name")]
    Underscore,
    #[error("a control byte in a field value")]
    FieldValue,
    #[error("the Host field is missing")]
    NoHost,
    #[error("more than one Host field")]
    TwoHosts,
    #[error("the value of the Host field is invalid")]
    Host,
    #[error("more than one Content-Length field")]
    TwoLengths,
    #[error("the value of Content-Length is not a number")]
    Length,
    #[error("Content-Length beside Transfer-Encoding")]
    LengthAndEncoding,
    #[error("Transfer-Encoding is not exactly chunked")]
    Encoding,
    #[error("a transfer coding other than chunked is not implemented")]
    UnknownCoding,
    #[error("more than one Range field")]
    TwoRanges,
}

impl Refusal {
    /// The status that tells it.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::HeadSize | Self::FieldCount => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            // RFC 9112 6.1: a coding that is not understood.
            Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Incomplete
            | Self::BareLf
            | Self::BareCr
            | Self::RequestLine
            | Self::Method
            | Self::TargetByte
            | Self::TargetForm
            | Self::Scheme
            | Self::TargetAuthority
            | Self::UserInfo
            | Self::Fragment
            | Self::DotSegment
            | Self::Escape
            | Self::EscapedControl
            | Self::Fold
            | Self::NoColon
            | Self::SpaceBeforeColon
            | Self::FieldName
            | Self::Underscore
            | Self::FieldValue
            | Self::NoHost
            | Self::TwoHosts
            | Self::Host
            | Self::TwoLengths
            | Self::Length
            | Self::LengthAndEncoding
            | Self::Encoding
            | Self::TwoRanges => StatusCode::BAD_REQUEST,
        }
    }

    /// The name in metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::HeadSize => "head-size",
            Self::FieldCount => "field-count",
            Self::Incomplete => "incomplete",
            Self::BareLf => "bare-lf",
            Self::BareCr => "bare-cr",
            Self::RequestLine => "request-line",
            Self::Method => "method",
            Self::Version => "version",
            Self::TargetByte => "target-byte",
            Self::TargetForm => "target-form",
            Self::Scheme => "scheme",
            Self::TargetAuthority => "target-authority",
            Self::UserInfo => "user-info",
            Self::Fragment => "fragment",
            Self::DotSegment => "dot-segment",
            Self::Escape => "escape",
            Self::EscapedControl => "escaped-control",
            Self::Fold => "fold",
            Self::NoColon => "no-colon",
            Self::SpaceBeforeColon => "space-before-colon",
            Self::FieldName => "field-name",
            Self::Underscore => "underscore",
            Self::FieldValue => "field-value",
            Self::NoHost => "no-host",
            Self::TwoHosts => "two-hosts",
            Self::Host => "host",
            Self::TwoLengths => "two-lengths",
            Self::Length => "length",
            Self::LengthAndEncoding => "length-and-encoding",
            Self::Encoding => "encoding",
            Self::UnknownCoding => "unknown-coding",
            Self::TwoRanges => "two-ranges",
        }
    }
}
