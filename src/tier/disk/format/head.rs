//! The head of a revision as it is stored: when it was received, its fields, its parts.
//!
//! Owns: the layout of a head, and how large it may be. Tag and length stand beside it, in what holds it.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::object::{ByteRange, Head, ObjectSize, PartNumber, Parts, StrongETag};

use super::wire::{Reader, put_bytes, put_time, put_u16, put_u32, put_u64, wide};

/// How large a stored head may be. It is replayed with every answer from the disk, and every block carries it.
pub(super) const MAX_HEAD: usize = 4 << 10;

/// Neighbouring parts of equal length: parts of an upload nearly always have one length but for the last, so that ten
/// thousand of them fit in a few bytes.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u16,
    count: u16,
    start: u64,
    length: u64,
}

/// `None` if the fields alone are over [`MAX_HEAD`]. Parts that do not fit are left out: they can be learnt again.
pub(super) fn encode(head: &Head) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(1 << 10);
    put_time(&mut out, head.received());
    put_u32(&mut out, u32::try_from(head.fields().len()).ok()?);
    for (name, value) in head.fields() {
        put_bytes(&mut out, name.as_str().as_bytes());
        put_bytes(&mut out, value.as_bytes());
    }
    put_u32(
        &mut out,
        head.parts().count().map_or(0, |count| count.saturating_add(1)),
    );
    let mut with_parts = out.clone();
    put_runs(&mut with_parts, &runs(head.parts()));
    if with_parts.len() <= MAX_HEAD {
        return Some(with_parts);
    }
    put_runs(&mut out, &[]);
    (out.len() <= MAX_HEAD).then_some(out)
}

pub(super) fn decode(bytes: &[u8], tag: StrongETag, size: ObjectSize) -> Option<Head> {
    let mut from = Reader::new(bytes);
    let received = from.time()?;
    let mut fields = HeaderMap::new();
    for _ in 0..from.u32()? {
        let name = HeaderName::from_bytes(from.bytes()?).ok()?;
        fields.append(name, HeaderValue::from_bytes(from.bytes()?).ok()?);
    }
    let count = from.u32()?.checked_sub(1);
    let parts = take_runs(&mut from)?.with_count(count);
    from.is_done()
        .then(|| Head::restore(tag, size, fields, received, parts))
}

fn runs(parts: &Parts) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (number, range) in parts.iter() {
        match runs.last_mut() {
            Some(run) if run.continues_with(number.get(), range) => run.count += 1,
            _ => runs.push(Run {
                first: number.get(),
                count: 1,
                start: range.first(),
                length: range.len(),
            }),
        }
    }
    runs
}

impl Run {
    fn continues_with(&self, number: u16, range: ByteRange) -> bool {
        let next = self.length.checked_mul(self.count.into());
        let next = next.and_then(|length| self.start.checked_add(length));
        self.first.checked_add(self.count) == Some(number) && next == Some(range.first()) && range.len() == self.length
    }

    fn parts(self) -> impl Iterator<Item = Option<(PartNumber, ByteRange)>> {
        (0..self.count).map(move |n| {
            let number = PartNumber::new(self.first.checked_add(n)?)?;
            let start = self.start.checked_add(self.length.checked_mul(n.into())?)?;
            Some((number, ByteRange::at(start, self.length)?))
        })
    }
}

fn put_runs(out: &mut Vec<u8>, runs: &[Run]) {
    put_u64(out, wide(runs.len()));
    for run in runs {
        put_u16(out, run.first);
        put_u16(out, run.count);
        put_u64(out, run.start);
        put_u64(out, run.length);
    }
}

fn take_runs(from: &mut Reader<'_>) -> Option<Parts> {
    let mut parts = Parts::default();
    for _ in 0..from.u64()? {
        let run = Run {
            first: from.u16()?,
            count: from.u16()?,
            start: from.u64()?,
            length: from.u64()?,
        };
        for part in run.parts() {
            let (number, range) = part?;
            parts = parts.with(number, range);
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn head(fields: &[(&'static str, &str)], parts: Parts) -> Head {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let received = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
        let tag = StrongETag::parse(b"\"x\"").unwrap();
        Head::restore(tag, ObjectSize::new(1 << 40), map, received, parts)
    }

    fn through(head: &Head) -> Option<Head> {
        decode(&encode(head)?, head.tag().clone(), head.size())
    }

    fn parts(count: u16, length: u64) -> Parts {
        (1..=count).fold(Parts::default(), |parts, n| {
            let range = ByteRange::at(u64::from(n - 1) * length, length).unwrap();
            parts.with(PartNumber::new(n).unwrap(), range)
        })
    }

    #[test]
    fn a_head_survives() {
        let fields = [
            ("content-type", "a/b"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-a", "2"),
            ("x", ""),
        ];
        let last = PartNumber::new(10_000).unwrap();
        let uneven = parts(9_999, 5 << 20).with(last, ByteRange::new(9_999 * (5 << 20), 9_999 * (5 << 20)).unwrap());
        for parts in [
            Parts::default(),
            Parts::default().with_count(Some(0)),
            uneven.with_count(Some(10_000)),
        ] {
            let head = head(&fields, parts);
            assert_eq!(through(&head), Some(head));
        }
    }

    #[test]
    fn parts_without_order_are_left_out_rather_than_the_head() {
        let scattered = (1..=500).fold(Parts::default(), |parts, n| {
            let range = ByteRange::at(u64::from(n) * 1000, n.into()).unwrap();
            parts.with(PartNumber::new(n).unwrap(), range)
        });
        let full = head(&[("x", "y")], scattered.with_count(Some(500)));
        assert_eq!(
            through(&full),
            Some(head(&[("x", "y")], Parts::default().with_count(Some(500))))
        );
    }

    #[test]
    fn fields_over_the_limit_are_refused() {
        assert!(encode(&head(&[("x", &"y".repeat(MAX_HEAD - 64))], Parts::default())).is_some());
        assert!(encode(&head(&[("x", &"y".repeat(MAX_HEAD))], Parts::default())).is_none());
    }
}
