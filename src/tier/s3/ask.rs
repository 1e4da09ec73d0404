//! One question, put to S3 in its own terms.

use aws_sdk_s3::error::DisplayErrorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http::header::{self, HeaderName};

use super::super::hearing;
use super::super::upstream::Answer;
use super::wire::Slot;
use super::{S3Tier, key, refusal};
use crate::object::{
    ByteRange, Cause, Condition, Found, Heard, Method, Question, RangeSpec, StrongETag, Target, VersionId,
};

/// Fields that name one exchange with S3, and would name it again with every answer from a cache.
const OF_ONE_EXCHANGE: [HeaderName; 3] = [
    HeaderName::from_static("x-amz-request-id"),
    HeaderName::from_static("x-amz-id-2"),
    header::SERVER,
];

/// A condition in S3's terms.
#[derive(Clone, Copy, Default)]
struct Terms<'a> {
    if_match: Option<&'a StrongETag>,
    if_none_match: Option<&'a StrongETag>,
    version: Option<&'a VersionId>,
}

impl S3Tier {
    pub(super) async fn exchange(&self, question: &Question) -> Answer {
        let Some(key) = key::key(&self.prefix, question.key.path()) else {
            return Answer::bare(hearing::unaskable(self.clock.now()));
        };
        match &question.condition {
            Condition::Free => self.put(question, &key, Terms::default()).await,
            Condition::Pinned(tags) => self.pinned(question, &key, tags).await,
            Condition::Unless(tag) => {
                let terms = Terms {
                    if_none_match: Some(tag),
                    ..Terms::default()
                };
                self.put(question, &key, terms).await
            }
            // S3 has no If-Range. A 412 says that the whole is wanted; `plan` asks for it.
            Condition::OrWhole(tag) => self.put(question, &key, Terms::matching(tag)).await,
            Condition::Version(tag, version) => {
                let terms = Terms {
                    version: Some(version),
                    ..Terms::matching(tag)
                };
                self.put(question, &key, terms).await
            }
        }
    }

    /// S3's If-Match takes one tag. Which of several is current is asked first, by HEAD, so that a list of any length
    /// costs two requests; if none is, the first gets the answer that all of them would.
    async fn pinned(&self, question: &Question, key: &str, tags: &[StrongETag]) -> Answer {
        let (first, several) = match tags {
            // A pin to nothing is never asked as if it were none.
            [] => return Answer::bare(hearing::unaskable(self.clock.now())),
            [first, others @ ..] => (first, !others.is_empty()),
        };
        if !several {
            return self.put(question, key, Terms::matching(first)).await;
        }
        let head = Question {
            method: Method::Head,
            target: Target::Whole,
            condition: Condition::Free,
            ..question.clone()
        };
        match self.put(&head, key, Terms::default()).await.heard {
            // Trouble here must not end as a 412 there. There is no body, so nothing may speak of its length.
            Heard::Failed(mut failure) => {
                if let Some(found) = &mut failure.answer {
                    found.fields.remove(header::CONTENT_LENGTH);
                }
                Answer::bare(Heard::Failed(failure))
            }
            heard => {
                let current = heard.found().and_then(Found::strong_tag);
                let pin = tags.iter().find(|tag| current.as_ref() == Some(tag)).unwrap_or(first);
                self.put(question, key, Terms::matching(pin)).await
            }
        }
    }

    /// One question. The refusal of a HEAD has no body that could say whether it is our own identity that is refused, so
    /// that is asked of the first byte.
    async fn put(&self, question: &Question, key: &str, terms: Terms<'_>) -> Answer {
        let answer = self.send(question, key, terms).await;
        if question.method != Method::Head || !may_be_our_own(&answer.heard) {
            return answer;
        }
        let why = Question {
            method: Method::Get,
            target: Target::Range(RangeSpec::Span(ByteRange::FIRST)),
            ..question.clone()
        };
        match self.send(&why, key, terms).await.heard {
            Heard::Failed(failure) if failure.cause == Cause::OwnCredentials => {
                Answer::bare(Heard::failed(Cause::OwnCredentials))
            }
            _ => answer,
        }
    }

    /// One request, and its answer as S3 gave it.
    async fn send(&self, question: &Question, key: &str, terms: Terms<'_>) -> Answer {
        let slot = Slot::new(question.revalidate);
        let sent = match question.method {
            Method::Get => self.get(question, key, terms, slot.clone()).await,
            Method::Head => self.head(question, key, terms, slot.clone()).await,
        };
        match slot.take() {
            Some(Ok(response)) => {
                let (head, transfer) = response.into_parts();
                let mut fields = head.headers;
                for name in &OF_ONE_EXCHANGE {
                    fields.remove(name);
                }
                let heard = hearing::hear(Found {
                    status: head.status,
                    fields,
                    received: self.clock.now(),
                });
                let body = hearing::body(&heard, question.method, transfer);
                refusal::read(Answer { heard, body }, self.read_ahead).await
            }
            Some(Err(cause)) => Answer::bare(Heard::failed(cause)),
            None => {
                // It never left. What the SDK needs of a question is there, so it is what signs it that is missing.
                tracing::debug!(reason = sent.unwrap_or_default(), "a question to S3 was not signed");
                Answer::bare(Heard::failed(Cause::OwnCredentials))
            }
        }
    }

    /// Why it was not sent, if the SDK says so.
    async fn get(&self, question: &Question, key: &str, terms: Terms<'_>, slot: Slot) -> Option<String> {
        let range = match question.target {
            Target::Range(range) => Some(range.to_string()),
            Target::Whole | Target::Part(_) => None,
        };
        let request = self.sdk.get_object().bucket(&self.bucket).key(key);
        let request = request
            .set_range(range)
            .set_part_number(part_number(question))
            .set_version_id(version(question, terms))
            .set_if_match(text(terms.if_match))
            .set_if_none_match(text(terms.if_none_match));
        let mode = checksum_mode(question);
        let sent = request.customize().mutate_request(move |request| {
            request.add_extension(slot.clone());
            insert(request, mode);
        });
        let error = sent.send().await.err()?;
        Some(DisplayErrorContext(error).to_string())
    }

    /// Without a range: S3 would answer 206, but of HEAD the whole is wanted.
    async fn head(&self, question: &Question, key: &str, terms: Terms<'_>, slot: Slot) -> Option<String> {
        let request = self.sdk.head_object().bucket(&self.bucket).key(key);
        let request = request
            .set_part_number(part_number(question))
            .set_version_id(version(question, terms))
            .set_if_match(text(terms.if_match))
            .set_if_none_match(text(terms.if_none_match));
        let mode = checksum_mode(question);
        let sent = request.customize().mutate_request(move |request| {
            request.add_extension(slot.clone());
            insert(request, mode);
        });
        let error = sent.send().await.err()?;
        Some(DisplayErrorContext(error).to_string())
    }
}

impl<'a> Terms<'a> {
    fn matching(tag: &'a StrongETag) -> Self {
        Self {
            if_match: Some(tag),
            ..Self::default()
        }
    }
}

/// 403, and the 400 by which S3 tells of a token that is no longer valid.
fn may_be_our_own(heard: &Heard) -> bool {
    match heard {
        Heard::Denied(_) => true,
        Heard::Other(found) => found.status == http::StatusCode::BAD_REQUEST,
        _ => false,
    }
}

/// S3 names checksums only when it is asked to, with the permission that reading the object takes anyway. Of the whole
/// alone: that of a part would be taken for it. The SDK is not told, since it would check a body that it does not get.
fn checksum_mode(question: &Question) -> Option<(&'static str, &'static str)> {
    (question.target == Target::Whole).then_some(("x-amz-checksum-mode", "ENABLED"))
}

fn insert(request: &mut HttpRequest, field: Option<(&'static str, &'static str)>) {
    if let Some((name, value)) = field {
        request.headers_mut().insert(name, value);
    }
}

fn part_number(question: &Question) -> Option<i32> {
    match question.target {
        Target::Part(part) => Some(i32::from(part.get())),
        Target::Whole | Target::Range(_) => None,
    }
}

/// The version that the question names, or else the key.
fn version(question: &Question, terms: Terms<'_>) -> Option<String> {
    let named = terms.version.map(|version| version.as_str().to_owned());
    named.or_else(|| key::version(question.key.query()))
}

/// S3's own tags are ASCII; one that is not names nothing there, in whatever spelling.
fn text(tag: Option<&StrongETag>) -> Option<String> {
    tag.map(|tag| String::from_utf8_lossy(&tag.as_sent()).into_owned())
}
