//! The splice firewall: every answer of every tier passes here before anything else looks at it (row 27).

use http::{HeaderMap, StatusCode, header};

use super::facts::Asked;
use crate::object::{
    BlockSize, ByteRange, CacheControl, Cause, Condition, Failure, Found, Head, Heard, Lie, ObjectSize, RangeSpec,
    StrongETag, Target,
};

/// The answer if it can be true; otherwise a failure that says how it lies.
///
/// `known` gives the length that is known of a revision, if any. A length that is too large to be kept in such blocks
/// counts as unknown: the answer is passed on.
pub fn admit(
    asked: &Asked,
    heard: Heard,
    block_size: BlockSize,
    known: impl Fn(&StrongETag) -> Option<ObjectSize>,
) -> Heard {
    if let Some(cause) = contradiction(asked, &heard, known) {
        return Heard::Failed(Failure { cause, answer: None });
    }
    match heard {
        Heard::Found(found, Some(total)) if !block_size.keeps(total) => Heard::Found(found, None),
        Heard::Partial(found, range, Some(total)) if !block_size.keeps(total) => Heard::Partial(found, range, None),
        heard => heard,
    }
}

fn contradiction(asked: &Asked, heard: &Heard, known: impl Fn(&StrongETag) -> Option<ObjectSize>) -> Option<Cause> {
    let lie = |lie: Lie| Some(Cause::Lie(lie));
    let other_total = |found: &Found, total: Option<ObjectSize>| {
        let known = found.strong_tag().and_then(|tag| known(&tag));
        matches!((known, total), (Some(known), Some(total)) if known != total)
    };
    match heard {
        Heard::Partial(found, range, total) => match misplaced(asked.target, *range, *total) {
            Some(how) => lie(how),
            None if other_total(found, *total) => lie(Lie::Total),
            None => None,
        },
        Heard::Found(found, total) if other_total(found, *total) => lie(Lie::Total),
        // Statuses that answer a condition which was not put.
        Heard::NotModified(_) if !matches!(asked.condition, Condition::Unless(_)) => Some(Cause::Malformed),
        Heard::PreconditionFailed(_) if matches!(asked.condition, Condition::Free | Condition::Unless(_)) => {
            Some(Cause::Malformed)
        }
        Heard::Unsatisfiable(_, _) if asked.target == Target::Whole => Some(Cause::Malformed),
        Heard::Other(found) if found.status == StatusCode::PARTIAL_CONTENT => lie(Lie::Unreadable),
        _ => None,
    }
}

/// How a 206's range contradicts what was asked: it must begin where it was asked to and end there or at the end of
/// the object.
fn misplaced(target: Target, held: ByteRange, total: Option<ObjectSize>) -> Option<Lie> {
    let Target::Range(spec) = target else {
        return (target == Target::Whole).then_some(Lie::Unasked);
    };
    let Some(total) = total else {
        let first = match spec {
            RangeSpec::Span(range) => range.first() == held.first() && held.last() <= range.last(),
            RangeSpec::From(first) => first == held.first(),
            RangeSpec::Suffix(_) => true,
        };
        return (!first).then_some(Lie::FirstByte);
    };
    match spec.resolve(total) {
        None => Some(Lie::FirstByte),
        Some(right) if right.first() != held.first() => Some(Lie::FirstByte),
        Some(right) if right.last() != held.last() => Some(Lie::LastByte),
        Some(_) => None,
    }
}

/// Whether an answer of the authority names a strong tag that is known with another Last-Modified: it uses tags again, and
/// what is stored under this one may be of other bytes. S3 makes its tags of the bytes, or anew for every write, so that
/// there the same bytes were written twice.
pub fn reuses_tag(heard: &Heard, known: &Head, http_authority: bool) -> bool {
    let named = match heard {
        Heard::Found(found, _) | Heard::Partial(found, _, _) | Heard::NotModified(found) => {
            found.fields.get(header::LAST_MODIFIED)
        }
        _ => None,
    };
    let named = named.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    http_authority && matches!((named, known.last_modified()), (Some(named), Some(known)) if named != known)
}

/// Whether an answer's bytes may be kept as blocks: nothing forbids it, and it is the representation itself that came.
///
/// `http_authority`: a content coding that an HTTP server applied although `identity` was asked for.
pub fn storable(found: &Found, http_authority: bool) -> bool {
    let control = CacheControl::of(&found.fields);
    let coded = http_authority && found.fields.contains_key(header::CONTENT_ENCODING);
    !control.no_store
        && !control.private
        && !coded
        && !found.fields.contains_key(header::SET_COOKIE)
        && varies_harmlessly(&found.fields)
        && !is_fallback(found)
}

/// `Vary` is met as long as it names only fields that are the same in every question.
fn varies_harmlessly(fields: &HeaderMap) -> bool {
    let values = fields.get_all(header::VARY).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .all(|name| {
            name.is_empty() || name.eq_ignore_ascii_case(b"accept-encoding") || name.eq_ignore_ascii_case(b"origin")
        })
}

/// Whether another Pinstripe says that its answer is a fallback and not the authority's word.
pub(super) fn is_fallback(found: &Found) -> bool {
    let values = found.fields.get_all("cache-status").into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("detail=discovery-fallback"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Method;

    fn asked(target: Target) -> Asked {
        Asked::free(Method::Get, target)
    }

    fn check(target: Target, held: (u64, u64), total: Option<u64>, expected: Option<Lie>) {
        let range = ByteRange::new(held.0, held.1).unwrap();
        let seen = misplaced(asked(target).target, range, total.map(ObjectSize::new));
        assert_eq!(seen, expected, "{target:?} {held:?}/{total:?}");
    }

    #[test]
    fn a_tag_with_another_date_was_used_again_but_not_by_s3() {
        const ONE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        const OTHER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
        let dated = |date: &str| HeaderMap::from_iter([(header::LAST_MODIFIED, date.parse().unwrap())]);
        let check = |now: &HeaderMap, then: &HeaderMap, http: bool, expected: bool| {
            let received = std::time::SystemTime::UNIX_EPOCH;
            let (tag, size) = (StrongETag::parse(b"\"a\"").unwrap(), ObjectSize::new(9));
            let known = Head::new(tag, size, then, received, crate::object::TakenFrom::Whole);
            let found = Found {
                status: StatusCode::OK,
                fields: now.clone(),
                received,
            };
            let heard = Heard::Found(found.clone(), Some(size));
            assert_eq!(reuses_tag(&heard, &known, http), expected, "{now:?} {then:?}");
            assert_eq!(
                reuses_tag(&Heard::NotModified(found), &known, http),
                expected,
                "{now:?} {then:?}"
            );
        };
        check(&dated(OTHER), &dated(ONE), true, true);
        check(&dated(OTHER), &dated(ONE), false, false);
        check(&dated(ONE), &dated(ONE), true, false);
        check(&dated("soon"), &dated(ONE), true, false);
        check(&HeaderMap::new(), &dated(ONE), true, false);
        check(&dated(ONE), &HeaderMap::new(), true, false);
    }

    #[test]
    fn a_206_holds_what_was_asked_for() {
        let span = |first, last| Target::Range(RangeSpec::Span(ByteRange::new(first, last).unwrap()));
        check(span(0, 9), (0, 9), Some(100), None);
        check(span(0, 9), (0, 4), Some(5), None);
        check(span(0, 9), (0, 8), Some(100), Some(Lie::LastByte));
        check(span(0, 9), (0, 10), Some(100), Some(Lie::LastByte));
        check(span(5, 9), (4, 9), Some(100), Some(Lie::FirstByte));
        check(span(5, 9), (0, 3), Some(4), Some(Lie::FirstByte));
        check(span(5, 9), (5, 9), None, None);
        check(span(5, 9), (4, 9), None, Some(Lie::FirstByte));
        check(Target::Range(RangeSpec::From(5)), (5, 99), Some(100), None);
        check(
            Target::Range(RangeSpec::From(5)),
            (5, 98),
            Some(100),
            Some(Lie::LastByte),
        );
        check(Target::Range(RangeSpec::Suffix(5)), (95, 99), Some(100), None);
        check(
            Target::Range(RangeSpec::Suffix(5)),
            (94, 99),
            Some(100),
            Some(Lie::FirstByte),
        );
        check(Target::Whole, (0, 99), Some(100), Some(Lie::Unasked));
    }
}
