//! The head of a revision: everything that is kept of it besides its bytes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::etag::StrongETag;
use super::fields::{hop_by_hop, is_hop_by_hop, own_bytes_only};
use super::freshness::{CacheControl, Freshness, age_on_arrival};
use super::question::PartNumber;
use super::range::{ByteRange, ObjectSize};

/// What the authority's latest word names.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Current {
    /// No word yet, or a write went through since.
    #[default]
    Unknown,
    /// The authority said that there is none.
    None,
    /// The revision with this tag.
    Is(StrongETag),
}

/// The fields, length and times of a revision, from the last answer that carried them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    tag: StrongETag,
    size: ObjectSize,
    fields: HeaderMap,
    received: SystemTime,
    /// Told by the fields, and asked for with every answer.
    age_on_arrival: Duration,
    parts: Parts,
}

/// The ranges of an S3 multipart object's parts, as far as they were seen.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Parts {
    count: Option<u32>,
    known: BTreeMap<PartNumber, ByteRange>,
}

/// Which message a head is taken from: it decides whether fields about the message's own bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenFrom {
    /// A 200, or the answer to a HEAD: its digests are those of the whole.
    Whole,
    /// A 206 or a 304.
    Piece,
}

/// Fields that a stored head does without: framing, and what every hop says anew.
const NOT_KEPT: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::VIA,
    header::SET_COOKIE,
];

/// A value in memory of its own: one from the wire is a slice of all that was read with it, which it would keep alive.
fn own(value: &HeaderValue) -> HeaderValue {
    let mut own = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    own.set_sensitive(value.is_sensitive());
    own
}

impl Head {
    /// The head of a revision from an answer's fields, at the time when it was received.
    pub fn new(tag: StrongETag, size: ObjectSize, fields: &HeaderMap, received: SystemTime, from: TakenFrom) -> Self {
        let connection = hop_by_hop(fields);
        let mut kept = HeaderMap::new();
        for (name, value) in fields {
            let drop = is_hop_by_hop(name)
                || connection.contains(name)
                || NOT_KEPT.contains(name)
                || matches!(name.as_str(), "cache-status" | "x-amz-mp-parts-count")
                || (from == TakenFrom::Piece && own_bytes_only(name));
            if !drop {
                kept.append(name.clone(), own(value));
            }
        }
        date(&mut kept, received);
        Self::restore(tag, size, kept, received, Parts::default())
    }

    /// A head as it was stored.
    pub fn restore(tag: StrongETag, size: ObjectSize, fields: HeaderMap, received: SystemTime, parts: Parts) -> Self {
        Self {
            tag,
            size,
            age_on_arrival: age_on_arrival(&fields, received),
            fields,
            received,
            parts,
        }
    }

    /// The strong tag.
    pub fn tag(&self) -> &StrongETag {
        &self.tag
    }

    /// The length of the representation.
    pub fn size(&self) -> ObjectSize {
        self.size
    }

    /// The authority's own end-to-end fields, ETag included.
    pub fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// When the answer came that the fields are from.
    pub fn received(&self) -> SystemTime {
        self.received
    }

    /// What is known of its parts.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The head with what another answer taught of the parts.
    #[must_use]
    pub fn with_parts(mut self, parts: Parts) -> Self {
        self.parts = parts;
        self
    }

    /// The head after a 304 with these fields (RFC 9111 4.3.4, 3.2): named fields replace the stored ones.
    #[must_use]
    pub fn confirmed(&self, fields: &HeaderMap, received: SystemTime) -> Self {
        let mut update = Self::new(self.tag.clone(), self.size, fields, received, TakenFrom::Piece).fields;
        // These describe stored bytes, which have not changed, or name the revision (RFC 9111 3.2).
        for name in [header::CONTENT_ENCODING, header::CONTENT_TYPE, header::ETAG] {
            update.remove(name);
        }
        let mut merged = self.fields.clone();
        // An Age of the former answer would make the confirmed one look old.
        merged.remove(header::AGE);
        for name in update.keys() {
            merged.remove(name);
        }
        for (name, value) in &update {
            merged.append(name.clone(), value.clone());
        }
        Self::restore(self.tag.clone(), self.size, merged, received, self.parts.clone())
    }

    /// Whether a former head of the same revision names digests of all its bytes and this one does not: a 206 cannot.
    pub fn lacks_digests_of(&self, former: &Self) -> bool {
        let same = self.tag == former.tag && self.size == former.size && self.last_modified() == former.last_modified();
        let named = |head: &Self| head.fields.keys().any(own_bytes_only);
        same && named(former) && !named(self)
    }

    /// The head with the digests of that former one.
    #[must_use]
    pub fn with_digests_of(mut self, former: &Self) -> Self {
        for (name, value) in former.fields.iter().filter(|(name, _)| own_bytes_only(name)) {
            self.fields.append(name.clone(), value.clone());
        }
        self
    }

    /// The age at an instant, to be told in the Age field.
    pub fn age(&self, now: SystemTime) -> Duration {
        let here = now.duration_since(self.received).unwrap_or_default();
        self.age_on_arrival.saturating_add(here)
    }

    /// Freshness at an instant.
    pub fn freshness(&self, now: SystemTime) -> Freshness {
        Freshness::of(&self.fields, self.received, now)
    }

    /// The origin's Cache-Control.
    pub fn cache_control(&self) -> CacheControl {
        CacheControl::of(&self.fields)
    }

    /// Last-Modified, where it was sent and is a date.
    pub fn last_modified(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.fields.get(header::LAST_MODIFIED)?.to_str().ok()?).ok()
    }
}

/// An answer without Date is from when it came (RFC 9110 6.6.1), and so is one whose Date is none or more than one. Otherwise
/// what confirms a head would leave it as old as it was before. Dates of older forms are told in the one that is sent (5.6.7).
fn date(fields: &mut HeaderMap, received: SystemTime) {
    // The last second that an HTTP date can tell.
    const END_OF_9999: Duration = Duration::from_secs(253_402_300_799);
    let can_be_told = received
        .duration_since(SystemTime::UNIX_EPOCH)
        .is_ok_and(|since| since <= END_OF_9999);
    let mut told = fields.get_all(header::DATE).into_iter();
    let told = told.next().filter(|_| told.next().is_none());
    let told = told
        .and_then(|value| value.to_str().ok())
        .and_then(|value| httpdate::parse_http_date(value).ok());
    let Some(date) = told.or(can_be_told.then_some(received)) else {
        return;
    };
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(date)) {
        fields.insert(header::DATE, date);
    }
}

impl Parts {
    /// How many parts there are, where S3 said so.
    pub fn count(&self) -> Option<u32> {
        self.count
    }

    /// The bytes of a part, where they were seen.
    pub fn range(&self, part: PartNumber) -> Option<ByteRange> {
        self.known.get(&part).copied()
    }

    /// All parts seen so far, in order.
    pub fn iter(&self) -> impl Iterator<Item = (PartNumber, ByteRange)> {
        self.known.iter().map(|(part, range)| (*part, *range))
    }

    /// With the number of parts as `x-amz-mp-parts-count` told it.
    #[must_use]
    pub fn with_count(mut self, count: Option<u32>) -> Self {
        self.count = count.or(self.count);
        self
    }

    /// With one more part.
    #[must_use]
    pub fn with(mut self, part: PartNumber, range: ByteRange) -> Self {
        self.known.insert(part, range);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn fields(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        lines.iter().map(line).collect()
    }

    fn head(lines: &[(&str, &str)], received: SystemTime) -> Head {
        let tag = StrongETag::parse(b"\"a\"").unwrap();
        Head::new(tag, ObjectSize::new(9), &fields(lines), received, TakenFrom::Whole)
    }

    fn at(seconds: u64) -> SystemTime {
        httpdate::parse_http_date(DATE).unwrap() + Duration::from_secs(seconds)
    }

    fn value<'a>(head: &'a Head, name: &str) -> Option<&'a str> {
        head.fields().get(name)?.to_str().ok()
    }

    #[test]
    fn values_do_not_keep_alive_what_they_were_read_with() {
        let wire = bytes::Bytes::from(format!("kept{}", "x".repeat(64 << 10)));
        let value = HeaderValue::from_maybe_shared(wire.slice(..4)).unwrap();
        let fields = HeaderMap::from_iter([(header::CONTENT_TYPE, value)]);
        let tag = StrongETag::parse(b"\"a\"").unwrap();
        let head = Head::new(
            tag,
            ObjectSize::new(1),
            &fields,
            SystemTime::UNIX_EPOCH,
            TakenFrom::Whole,
        );
        let kept = head.fields().get(header::CONTENT_TYPE).unwrap().as_bytes();
        assert_eq!(kept, b"kept");
        assert!(!wire.as_ptr_range().contains(&kept.as_ptr()));
    }

    #[test]
    fn a_304_makes_a_head_young_again_with_or_without_a_date() {
        let old = head(&[("date", DATE), ("age", "7"), ("cache-control", "max-age=60")], at(0));
        assert_eq!(old.freshness(at(100)), Freshness::Stale(Duration::from_secs(47)));
        let confirmed = old.confirmed(&fields(&[]), at(100));
        assert_eq!(confirmed.age(at(110)), Duration::from_secs(10));
        assert!(confirmed.freshness(at(110)).is_fresh());
        assert_eq!(value(&confirmed, "date"), Some("Sun, 06 Nov 1994 08:51:17 GMT"));
        let dated = old.confirmed(&fields(&[("date", "Sun, 06 Nov 1994 08:51:07 GMT")]), at(100));
        assert_eq!(dated.age(at(110)), Duration::from_secs(20));
    }

    #[test]
    fn a_304_replaces_what_it_names_but_not_what_describes_the_bytes() {
        let lines = [
            ("etag", "\"a\""),
            ("content-type", "a/b"),
            ("x-old", "1"),
            ("x-both", "1"),
            ("content-md5", "x"),
        ];
        let update = [
            ("etag", "W/\"a\""),
            ("content-type", "c/d"),
            ("content-encoding", "gzip"),
            ("content-length", "0"),
            ("x-both", "2"),
            ("set-cookie", "a=b"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("x-new", "3"),
            ("content-md5", "y"),
        ];
        let merged = head(&lines, at(0)).confirmed(&fields(&update), at(1));
        let expected = [
            ("etag", Some("\"a\"")),
            ("content-type", Some("a/b")),
            ("content-encoding", None),
            ("content-length", None),
            ("x-old", Some("1")),
            ("x-both", Some("2")),
            ("x-new", Some("3")),
            ("x-hop", None),
            ("set-cookie", None),
            ("content-md5", Some("x")),
        ];
        for (name, expected) in expected {
            assert_eq!(value(&merged, name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_single_date_is_replaced_and_older_forms_are_told_anew() {
        let check = |dates: &[&str], seconds: u64| {
            let fields: Vec<_> = dates.iter().map(|date| ("date", *date)).collect();
            let head = head(&fields, at(60));
            let expected = httpdate::fmt_http_date(at(seconds));
            assert_eq!(head.fields().get_all("date").iter().count(), 1);
            assert_eq!(value(&head, "date"), Some(&*expected), "{dates:?}");
        };
        check(&[DATE], 0);
        check(&["Sunday, 06-Nov-94 08:49:37 GMT"], 0);
        check(&["yesterday"], 60);
        check(&[DATE, DATE], 60);
        check(&[""], 60);
    }

    #[test]
    fn a_time_that_no_date_can_tell_is_not_told() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(value(&head(&[], before), "date"), None);
        assert_eq!(value(&head(&[], at(0)), "date"), Some(DATE));
    }
}
