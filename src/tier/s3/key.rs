//! From the path that a client sent to the key that S3 knows.

/// The key of an object: the prefix, and the path without its first slash, decoded once.
///
/// S3's own API takes the key and encodes it again, so `%2F` and `/`, `+` and `%2B` meet in one key here, as they do in
/// S3; the keys of the cache stay as sent and merely hold such an object twice. `None` if there is no such key:
/// a broken escape, bytes that are not UTF-8 (S3: keys are UTF-8), or nothing at all, which would name the bucket.
pub(super) fn key(prefix: &str, path: &str) -> Option<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let key = format!("{prefix}{}", decode(path)?);
    (!key.is_empty()).then_some(key)
}

/// The version that a query names.
pub(super) fn version(query: Option<&str>) -> Option<String> {
    let mut pairs = query?.split('&');
    let value = pairs.find_map(|pair| pair.strip_prefix("versionId="))?;
    decode(value)
}

/// Percent-decodes; a plus sign is a plus sign (RFC 3986).
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => out.push(digit(bytes.next()?)? << 4 | digit(bytes.next()?)?),
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once() {
        let check = |prefix: &str, path: &str, expected: Option<&str>| {
            assert_eq!(key(prefix, path).as_deref(), expected, "{prefix} {path}");
        };
        check("", "/a/b", Some("a/b"));
        check("", "a/b", Some("a/b"));
        check("p/", "/a", Some("p/a"));
        check("", "//a//b/", Some("/a//b/"));
        check("", "/a%20b%C3%A9", Some("a bé"));
        check("", "/a+b%2Bc", Some("a+b+c"));
        check("", "/a%2Fb%3Fc%23", Some("a/b?c#"));
        check("", "/%2561", Some("%61"));
        check("", "/%zz", None);
        check("", "/a%2", None);
        check("", "/%ff", None);
        check("", "/", None);
        check("p/", "/", Some("p/"));
    }

    #[test]
    fn a_version_is_taken_from_the_query() {
        assert_eq!(version(Some("versionId=a%2Bb")).as_deref(), Some("a+b"));
        assert_eq!(version(Some("x=1&versionId=3")).as_deref(), Some("3"));
        assert_eq!(version(Some("xversionId=3")), None);
        assert_eq!(version(None), None);
    }
}
