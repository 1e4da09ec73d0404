//! Bodies in which every 16 bytes say which object, which revision and which offset they are.
//!
//! Wrong bytes then name their origin: another revision is a *splice*, another offset a misplaced range. Owns the layout
//! and its verification; never does I/O. Both directions run at memory speed, one pass, nothing allocated.

use bytes::Bytes;
use std::fmt;
use std::ops::Range;

mod verifier;

pub use verifier::Verifier;

/// Bytes per word: object `u32`, revision `u32`, offset `u64`, all big endian, at offsets that it divides.
pub const WORD: u64 = 16;
const WORD_LEN: usize = 16;

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word {
    pub object: u32,
    pub revision: u32,
    pub offset: u64,
}

impl Word {
    fn decode(bytes: [u8; WORD_LEN]) -> Self {
        let [o0, o1, o2, o3, r0, r1, r2, r3, offset @ ..] = bytes;
        Self {
            object: u32::from_be_bytes([o0, o1, o2, o3]),
            revision: u32::from_be_bytes([r0, r1, r2, r3]),
            offset: u64::from_be_bytes(offset),
        }
    }
}

/// The content of one revision of one object, of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    pub object: u32,
    pub revision: u32,
}

impl Pattern {
    #[must_use]
    pub const fn new(object: u32, revision: u32) -> Self {
        Self { object, revision }
    }

    /// A strong tag in the shape of an MD5 that one can read: `"0000000700000002` is object 7, revision 2. The length is
    /// not in it: one revision has one length.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{:08x}{:08x}70696e7374726970\"", self.object, self.revision)
    }

    /// Writes what stands at `offset..`.
    pub fn fill(&self, offset: u64, out: &mut [u8]) {
        let (start, skip) = align(offset);
        let lead = if skip == 0 { 0 } else { out.len().min(WORD_LEN - skip) };
        let (head, rest) = out.split_at_mut(lead);
        copy_into(head, &self.word(start), skip);
        let mut at = offset + as_u64(lead);
        let (words, tail) = rest.as_chunks_mut::<WORD_LEN>();
        for word in words {
            *word = self.word(at);
            at = at.wrapping_add(WORD);
        }
        copy_into(tail, &self.word(at), 0);
    }

    /// The bytes of a range.
    #[must_use]
    pub fn bytes(&self, range: Range<u64>) -> Bytes {
        let len = range.end.saturating_sub(range.start);
        let mut out = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        self.fill(range.start, &mut out);
        out.into()
    }

    /// Compares what was received at `offset` with what stands there.
    ///
    /// # Errors
    /// The first byte that differs, with the word that stands there instead.
    pub fn verify(&self, offset: u64, data: &[u8]) -> Result<(), Mismatch> {
        let (start, skip) = align(offset);
        let lead = if skip == 0 { 0 } else { data.len().min(WORD_LEN - skip) };
        let (head, rest) = data.split_at(lead);
        self.verify_partial(start, skip, head)?;
        let mut at = offset + as_u64(lead);
        let (words, tail) = rest.as_chunks::<WORD_LEN>();
        // One branch per stride and not per word lets the compiler compare in vectors.
        for stride in words.chunks(4096) {
            let begin = at;
            let mut differ = 0;
            for word in stride {
                differ |= u128::from_ne_bytes(*word) ^ u128::from_ne_bytes(self.word(at));
                at = at.wrapping_add(WORD);
            }
            if differ != 0 {
                self.locate(begin, stride)?;
            }
        }
        self.verify_partial(at, 0, tail)
    }

    fn word(&self, offset: u64) -> [u8; WORD_LEN] {
        let lead = u64::from(self.object) << 32 | u64::from(self.revision);
        (u128::from(lead) << 64 | u128::from(offset)).to_be_bytes()
    }

    fn locate(&self, mut at: u64, words: &[[u8; WORD_LEN]]) -> Result<(), Mismatch> {
        for word in words {
            self.verify_partial(at, 0, word)?;
            at = at.wrapping_add(WORD);
        }
        Ok(())
    }

    /// `data` is what was found of the word at `start`, from its byte `skip` on.
    fn verify_partial(&self, start: u64, skip: usize, data: &[u8]) -> Result<(), Mismatch> {
        let expected = self.word(start);
        let Some(differs) = expected.iter().skip(skip).zip(data).position(|(a, b)| a != b) else {
            return Ok(());
        };
        Err(Mismatch {
            offset: start + as_u64(skip + differs),
            expected: Word::decode(expected),
            found: data.try_into().ok().map(Word::decode),
        })
    }
}

/// The first byte that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub offset: u64,
    pub expected: Word,
    /// What the word there says; none where only a part of it was at hand.
    pub found: Option<Word>,
}

impl Mismatch {
    /// Right object, right place, other revision: two revisions in one body.
    #[must_use]
    pub fn is_splice(&self) -> bool {
        self.found.is_some_and(|found| {
            found.object == self.expected.object
                && found.offset == self.expected.offset
                && found.revision != self.expected.revision
        })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_splice() { "splice" } else { "mismatch" };
        write!(
            f,
            "{kind} at byte {}: expected {:?}, found {:?}",
            self.offset, self.expected, self.found
        )
    }
}

impl std::error::Error for Mismatch {}

/// The word that holds `offset`, and how far into it.
fn align(offset: u64) -> (u64, usize) {
    let skip = offset % WORD;
    (offset - skip, usize::try_from(skip).unwrap_or_default())
}

fn copy_into(out: &mut [u8], word: &[u8; WORD_LEN], skip: usize) {
    for (to, from) in out.iter_mut().zip(word.iter().skip(skip)) {
        *to = *from;
    }
}

/// Lossless on every platform that tests run on.
fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Pattern = Pattern::new(7, 1);
    const TWO: Pattern = Pattern::new(7, 2);

    #[test]
    fn any_cut_equals_the_whole() {
        let whole = ONE.bytes(0..200);
        for start in 0..40_usize {
            for end in start..80 {
                let part = ONE.bytes(as_u64(start)..as_u64(end));
                assert_eq!(part, whole[start..end], "{start}..{end}");
                ONE.verify(as_u64(start), &part).unwrap();
            }
        }
    }

    #[test]
    fn a_flipped_byte_is_found_where_it_is() {
        for at in 0..100 {
            let mut body = ONE.bytes(3..103).to_vec();
            body[at] ^= 0x10;
            assert_eq!(ONE.verify(3, &body).unwrap_err().offset, 3 + as_u64(at));
        }
    }

    #[test]
    fn another_revision_is_a_splice_and_another_place_is_not() {
        let splice = ONE.verify(32, &TWO.bytes(32..64)).unwrap_err();
        assert!(splice.is_splice(), "{splice}");
        assert_eq!(
            splice.found,
            Some(Word {
                object: 7,
                revision: 2,
                offset: 32
            })
        );
        let moved = ONE.verify(32, &ONE.bytes(48..64)).unwrap_err();
        assert!(!moved.is_splice(), "{moved}");
    }
}
