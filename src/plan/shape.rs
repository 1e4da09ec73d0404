//! What of a revision a read gets, and which blocks that takes.

use super::step::Terms;
use crate::object::{BlockSize, ByteRange, Head, Method, ObjectSize, RangeSpec, Target};
use crate::request::Read;

/// What is sent of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// 200 and all of it.
    Whole,
    /// 206 and a range of it.
    Slice(ByteRange),
    /// 304
    NotModified,
    /// 416
    Unsatisfiable,
}

/// `bytes=-0`
pub(super) const NO_BYTES: Target = Target::Range(RangeSpec::Suffix(0));

/// The shape of the answer to a read from a revision: preconditions before ranges (RFC 9110 13.2.2). `None` if it takes
/// a part whose range is not known.
pub fn shape(read: &Read, head: &Head, terms: &Terms) -> Option<Shape> {
    if read.unless.holds_for(head) {
        return Some(Shape::NotModified);
    }
    match read.target {
        Target::Whole => Some(Shape::Whole),
        Target::Range(spec) => Some(slice(spec, head.size())),
        Target::Part(part) => {
            let range = head.parts().range(part)?;
            (terms.s3_dialect && range.last() < head.size().bytes()).then_some(Shape::Slice(range))
        }
    }
}

fn slice(spec: RangeSpec, size: ObjectSize) -> Shape {
    spec.resolve(size).map_or(Shape::Unsatisfiable, Shape::Slice)
}

impl Shape {
    /// The bytes that go into the body.
    pub fn body(self, method: Method, size: ObjectSize) -> Option<ByteRange> {
        match self {
            _ if method == Method::Head => None,
            Self::Whole => size.whole(),
            Self::Slice(range) => Some(range),
            Self::NotModified | Self::Unsatisfiable => None,
        }
    }
}

/// The bytes that a read wants of a revision, for looking them up: none for a HEAD.
pub fn wanted(read: &Read, head: &Head, terms: &Terms) -> Option<ByteRange> {
    shape(read, head, terms)?.body(read.method, head.size())
}

/// The question that fetches blocks: a span or an open range widened to whole blocks, so that what comes can be stored.
/// What cannot be placed before the length is known (a suffix, a part) is asked as it is. For `bytes=-0`, of which
/// servers make what they like, any block will do: it is 416 whatever comes.
pub(super) fn aligned(target: Target, block_size: BlockSize) -> Target {
    match target {
        NO_BYTES => aligned(Target::Range(RangeSpec::Span(ByteRange::FIRST)), block_size),
        Target::Range(RangeSpec::Span(range)) => Target::Range(RangeSpec::Span(block_size.align(range))),
        Target::Range(RangeSpec::From(first)) => Target::Range(RangeSpec::From(block_size.align_down(first))),
        other => other,
    }
}

/// The first run of blocks of `wanted` that is not held, in bytes of the object. `held` has a flag for every block
/// that `wanted` touches.
pub fn missing_span(wanted: ByteRange, size: ObjectSize, block_size: BlockSize, held: &[bool]) -> Option<ByteRange> {
    let mut missing = block_size
        .span_of(wanted)
        .iter()
        .zip(held)
        .skip_while(|(_, held)| **held);
    let first = block_size.range_of(missing.next()?.0, size)?;
    let last = missing.take_while(|(_, held)| !**held).last().map(|(index, _)| index);
    let last = last.and_then(|index| block_size.range_of(index, size)).unwrap_or(first);
    ByteRange::new(first.first(), last.last())
}

/// Whether an answer to a question like that holds every byte of that span.
pub(super) fn asked_for(target: Target, wanted: ByteRange) -> bool {
    match target {
        Target::Range(RangeSpec::Span(range)) => range.covers(wanted),
        Target::Range(RangeSpec::From(first)) => first <= wanted.first(),
        Target::Whole | Target::Range(RangeSpec::Suffix(_)) | Target::Part(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_run_of_missing_blocks() {
        let block_size = BlockSize::new(64 << 10).unwrap();
        let size = ObjectSize::new(5 * (64 << 10) - 1);
        let whole = size.whole().unwrap();
        let check = |held: &[bool], expected: Option<(u64, u64)>| {
            let seen = missing_span(whole, size, block_size, held).map(|r| (r.first(), r.last()));
            assert_eq!(seen, expected, "{held:?}");
        };
        check(&[true; 5], None);
        check(&[false; 5], Some((0, 5 * 65536 - 2)));
        check(&[true, false, false, true, false], Some((65536, 3 * 65536 - 1)));
        check(&[true, true, true, true, false], Some((4 * 65536, 5 * 65536 - 2)));
    }
}
