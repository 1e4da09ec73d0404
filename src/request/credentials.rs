//! Whether a request proves who sent it: such requests are shared only where the route says so.

use http::HeaderMap;
use http::header::{self, HeaderValue};

/// Query parameters that are signatures: S3 v4 and v2, CloudFront, Google, Azure.
const SIGNATURES: [&str; 4] = ["x-amz-signature", "signature", "x-goog-signature", "sig"];

/// Whether a request carries `Authorization`, `Cookie` or a signed query.
pub fn has_credentials(fields: &HeaderMap, query: Option<&str>) -> bool {
    fields.contains_key(header::AUTHORIZATION) || fields.contains_key(header::COOKIE) || query.is_some_and(is_signed)
}

/// Whether a signature covers header fields (SigV4): a question with another Range would be refused upstream, so such a
/// request can only be passed on as it came.
pub fn signs_fields(fields: &HeaderMap) -> bool {
    fields.get_all(header::AUTHORIZATION).iter().any(is_signature)
}

/// Whether a value of `Authorization` is such a signature.
pub fn is_signature(value: &HeaderValue) -> bool {
    value.as_bytes().starts_with(b"AWS4-")
}

fn is_signed(query: &str) -> bool {
    super::query::names(query).any(|name| SIGNATURES.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_queries_are_credentials() {
        let check = |query: &str, expected: bool| {
            assert_eq!(has_credentials(&HeaderMap::new(), Some(query)), expected, "{query}");
        };
        check("X-Amz-Signature=0a&X-Amz-Date=1", true);
        check("x-id=GetObject&sig=abc", true);
        check("design=abc", false);
        check("", false);
    }
}
