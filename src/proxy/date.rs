//! The Date of an answer: when its origin made it (RFC 9110 6.6.1), and not when it was written here.
//!
//! Owns: undoing Pingora's Date, which it puts over every other, so that an old answer would look new to caches
//! behind us that reckon with Expires.
//! Never: changes the length of a head. Both dates have the one form that may be sent, of 29 bytes.

use http::HeaderValue;

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const LENGTH: usize = 29;

/// The head with the origin's date; `None` if it stays as it is.
pub(super) fn restored(head: &[u8], date: &HeaderValue) -> Option<Vec<u8>> {
    let name = b"\r\ndate: ";
    let at = head
        .windows(name.len())
        .position(|window| window.eq_ignore_ascii_case(name))?;
    let start = at + name.len();
    let mut restored = head.to_vec();
    let slot = restored.get_mut(start..start + LENGTH)?;
    if date.len() != LENGTH || head.get(start + LENGTH..start + LENGTH + 2) != Some(b"\r\n") {
        return None;
    }
    slot.copy_from_slice(date.as_bytes());
    Some(restored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_date_changes() {
        let check = |head: &str, date: &'static str, expected: Option<&str>| {
            let restored = restored(head.as_bytes(), &HeaderValue::from_static(date));
            assert_eq!(restored.as_deref(), expected.map(str::as_bytes), "{head:?}");
        };
        let (old, new) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT");
        let head = |date: &str| format!("HTTP/1.1 200 OK\r\nX-Date: {new}\r\nDate: {date}\r\nX: y\r\n\r\n");
        check(&head(new), old, Some(&head(old)));
        check(&head(new), "yesterday", None);
        check(&head("now"), old, None);
        check("HTTP/1.1 200 OK\r\n\r\n", old, None);
        check(&format!("HTTP/1.1 200 OK\r\nDate: {}", &new[..20]), old, None);
    }
}
