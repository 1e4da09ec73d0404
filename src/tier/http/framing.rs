//! How an answer says that its body is delimited (RFC 9112 6.3), where hyper lets more pass than may be sent on.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};

use crate::tier::hearing::digits;

/// Leaves at most one Content-Length, where it says something. `false` if it cannot be told what is meant: lengths that are
/// none or differ (hyper does not look at those of a HEAD), or a coding that was not asked for and that nobody here undoes.
pub(super) fn settle(fields: &mut HeaderMap) -> bool {
    if fields.contains_key(TRANSFER_ENCODING) {
        fields.remove(CONTENT_LENGTH);
        let mut codings = fields.get_all(TRANSFER_ENCODING).into_iter();
        return codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
    }
    let values = fields.get_all(CONTENT_LENGTH).into_iter();
    let mut lengths = values
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(|length| digits(length.trim_ascii()));
    match lengths.next() {
        None => true,
        Some(Some(length)) if lengths.all(|other| other == Some(length)) => {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
            true
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderName;

    fn settled(lines: &[(HeaderName, &'static str)]) -> Option<Option<String>> {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(name, HeaderValue::from_static(value));
        }
        let sound = settle(&mut fields);
        let mut lengths = fields.get_all(CONTENT_LENGTH).into_iter();
        let length = lengths.next().map(|length| length.to_str().unwrap().to_owned());
        assert!(!sound || lengths.next().is_none());
        sound.then_some(length)
    }

    #[test]
    fn one_length_or_chunks() {
        let length = |value| (CONTENT_LENGTH, value);
        let coding = |value| (TRANSFER_ENCODING, value);
        assert_eq!(settled(&[]), Some(None));
        for same in [
            &[length("200")][..],
            &[length("200, 200")],
            &[length("200"), length("200")],
        ] {
            assert_eq!(settled(same), Some(Some("200".to_owned())), "{same:?}");
        }
        for none in ["+200", "", "200,", "2e2", "10000000000000000000000000", "200, 100"] {
            assert_eq!(settled(&[length(none)]), None, "{none}");
        }
        assert_eq!(settled(&[length("200"), length("100")]), None);
        assert_eq!(settled(&[length("5"), coding("Chunked")]), Some(None));
        assert_eq!(settled(&[coding("gzip, chunked")]), None);
        assert_eq!(settled(&[coding("gzip"), coding("chunked")]), None);
    }
}
