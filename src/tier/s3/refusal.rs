//! What S3 says in the bodies of its errors: codes that mean our own signature or token, and the length beside a 416.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::StatusCode;

use super::super::hearing;
use super::super::upstream::{Answer, Body};
use crate::object::{Cause, Cut, Heard, ObjectSize};

/// The most of an error's body that is read ahead; S3's are below 1 KiB.
const READ_AHEAD: usize = 64 << 10;

/// Codes of 400 and 403 that speak of us and not of the object. `AccessDenied` does not: whoever may read is told so.
const OWN_CREDENTIALS: [&str; 8] = [
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// Reads the body of an error where it decides what the error is. The answer keeps its body.
pub(super) async fn read(answer: Answer, within: Duration) -> Answer {
    let Answer { heard, body } = answer;
    match heard {
        Heard::Unsatisfiable(found, None) => {
            let (text, body) = peek(body, within).await;
            let total = element(&text, "ActualObjectSize").and_then(|size| hearing::digits(size.as_bytes()));
            let heard = Heard::Unsatisfiable(found, total.map(ObjectSize::new));
            Answer { heard, body }
        }
        Heard::Denied(found) => {
            let (text, body) = peek(body, within).await;
            let heard = if is_own(&text) {
                hearing::failed(Cause::OwnCredentials, found)
            } else {
                Heard::Denied(found)
            };
            Answer { heard, body }
        }
        Heard::Other(found) if found.status == StatusCode::BAD_REQUEST => {
            let (text, body) = peek(body, within).await;
            let heard = if is_own(&text) {
                hearing::failed(Cause::OwnCredentials, found)
            } else {
                Heard::Other(found)
            };
            Answer { heard, body }
        }
        heard => Answer { heard, body },
    }
}

fn is_own(text: &str) -> bool {
    element(text, "Code").is_some_and(|code| OWN_CREDENTIALS.contains(&code))
}

/// The start of a body as text, and the body as if nothing had been read of it.
async fn peek(mut body: Body, within: Duration) -> (String, Body) {
    let mut read: Vec<Result<Bytes, Cut>> = Vec::new();
    let mut text = Vec::new();
    let reading = async {
        while text.len() < READ_AHEAD {
            let Some(chunk) = body.next().await else { break };
            if let Ok(bytes) = &chunk {
                text.extend_from_slice(bytes);
            }
            read.push(chunk);
        }
    };
    // A body that drips is as good as none; what came of it is passed on.
    let _ = tokio::time::timeout(within, reading).await;
    let body = Box::pin(stream::iter(read).chain(body));
    (String::from_utf8_lossy(&text).into_owned(), body)
}

/// The text of the first element of that name. S3's elements have no attributes, and these values no entities.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Found;
    use http::HeaderMap;
    use std::time::SystemTime;

    async fn check(status: u16, chunks: &[&'static str], expected: &str) {
        let found = Found {
            status: StatusCode::from_u16(status).unwrap(),
            fields: HeaderMap::new(),
            received: SystemTime::UNIX_EPOCH,
        };
        let sent: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
            .collect();
        let body = Box::pin(stream::iter(sent.clone()));
        let answer = Answer {
            heard: hearing::hear(found),
            body,
        };
        let answer = read(answer, Duration::from_secs(5)).await;
        let seen = match &answer.heard {
            Heard::Unsatisfiable(_, total) => format!("{total:?}"),
            Heard::Failed(failure) => format!("{:?}", failure.cause),
            Heard::Denied(_) => "denied".to_owned(),
            heard => format!("other {}", heard.found().unwrap().status),
        };
        assert_eq!(seen, expected, "{status} {chunks:?}");
        assert_eq!(answer.body.collect::<Vec<_>>().await, sent, "the body is untouched");
    }

    #[tokio::test]
    async fn codes_tell_us_from_the_object() {
        check(403, &["<Error><Code>AccessDenied</Code></Error>"], "denied").await;
        check(
            403,
            &["<Error><Co", "de>SignatureDoesNotMatch</Code></Error>"],
            "OwnCredentials",
        )
        .await;
        check(400, &["<Error><Code>ExpiredToken</Code></Error>"], "OwnCredentials").await;
        check(
            400,
            &["<Error><Code>InvalidArgument</Code></Error>"],
            "other 400 Bad Request",
        )
        .await;
        check(403, &[], "denied").await;
        check(403, &["<html>"], "denied").await;
    }

    #[tokio::test]
    async fn the_length_beside_a_416() {
        let body = "<Error><Code>InvalidRange</Code><ActualObjectSize>0</ActualObjectSize></Error>";
        check(416, &[body], "Some(ObjectSize(0))").await;
        check(416, &["<ActualObjectSize>-1</ActualObjectSize>"], "None").await;
        check(416, &[], "None").await;
    }

    #[tokio::test]
    async fn no_more_is_read_ahead_than_needed() {
        let endless = stream::repeat_with(|| Ok(Bytes::from(vec![b'x'; 10 << 10])));
        let (text, _) = peek(Box::pin(endless), Duration::from_secs(5)).await;
        assert!(text.len() < READ_AHEAD + (10 << 10));
    }
}
