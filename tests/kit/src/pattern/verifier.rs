//! A body that is compared with its pattern while it arrives.

use super::{Mismatch, Pattern, WORD_LEN, Word, align, as_u64};

/// Verifies a body as it arrives, from any offset. It need not be told the revision: it learns it from the first whole word
/// and holds the rest of the body to it. Words are compared whole, however the body is cut, so that a splice is known as one.
#[derive(Clone, Debug)]
pub struct Verifier {
    object: u32,
    revision: Option<u32>,
    /// Where the first pending byte, or else the next one, belongs.
    at: u64,
    /// Bytes of words that are not yet whole: less than two words.
    pending: Vec<u8>,
}

impl Verifier {
    /// For a body that begins at `start`, of whatever revision.
    #[must_use]
    pub fn new(object: u32, start: u64) -> Self {
        Self {
            object,
            revision: None,
            at: start,
            pending: Vec::new(),
        }
    }

    /// For a body that must be of this revision.
    #[must_use]
    pub fn of(pattern: Pattern, start: u64) -> Self {
        Self {
            revision: Some(pattern.revision),
            ..Self::new(pattern.object, start)
        }
    }

    /// The revision, once known.
    #[must_use]
    pub fn revision(&self) -> Option<u32> {
        self.revision
    }

    /// Where the next byte belongs.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.at + as_u64(self.pending.len())
    }

    /// Takes the next bytes. The last few of them may wait for the next call, or for [`Verifier::finish`].
    ///
    /// # Errors
    /// The first byte that differs; [`Mismatch::is_splice`] if it is another revision's.
    pub fn feed(&mut self, data: &[u8]) -> Result<(), Mismatch> {
        let goal = self.goal();
        let (lead, rest) = data.split_at(data.len().min(goal - self.pending.len()));
        if goal > 0 {
            self.pending.extend_from_slice(lead);
            if self.pending.len() < goal {
                return Ok(());
            }
            if self.revision.is_none() {
                self.revision = self.pending.last_chunk().map(|word| Word::decode(*word).revision);
            }
            self.verify_pending()?;
            self.at += as_u64(goal);
            self.pending.clear();
        }
        let (words, tail) = rest.split_at(rest.len() - rest.len() % WORD_LEN);
        self.pattern().verify(self.at, words)?;
        self.at += as_u64(words.len());
        self.pending.extend_from_slice(tail);
        Ok(())
    }

    /// Ends the body. One that was too short to tell its revision is checked as far as that goes.
    ///
    /// # Errors
    /// As [`Verifier::feed`].
    pub fn finish(self) -> Result<Option<u32>, Mismatch> {
        self.verify_pending()?;
        Ok(self.revision)
    }

    /// How many bytes must be pending before they are compared: none, if the next byte begins a word; else up to the end of
    /// their word; and a whole one besides, as long as the revision is unknown.
    fn goal(&self) -> usize {
        let (_, skip) = align(self.at);
        match (skip, self.revision) {
            (0, Some(_)) if self.pending.is_empty() => 0,
            (0, _) => WORD_LEN,
            (_, Some(_)) => WORD_LEN - skip,
            (_, None) => 2 * WORD_LEN - skip,
        }
    }

    fn verify_pending(&self) -> Result<(), Mismatch> {
        self.pattern().verify(self.at, &self.pending)
    }

    /// What to compare with: an unknown revision is taken from the pending bytes as far as they hold it.
    fn pattern(&self) -> Pattern {
        let guess = || {
            let (_, skip) = align(self.at);
            let mut revision = [0; 4];
            for (place, byte) in (skip..).zip(&self.pending) {
                if let Some(slot) = (place % WORD_LEN).checked_sub(4).and_then(|at| revision.get_mut(at)) {
                    *slot = *byte;
                }
            }
            u32::from_be_bytes(revision)
        };
        Pattern::new(self.object, self.revision.unwrap_or_else(guess))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Pattern = Pattern::new(7, 1);
    const TWO: Pattern = Pattern::new(7, 2);

    #[test]
    fn a_verifier_learns_a_revision_and_knows_a_splice_however_the_body_is_cut() {
        for start in 0..33 {
            for chunk in [1, 3, 16, 50, 1000] {
                let mut verifier = Verifier::new(7, start);
                let body = [ONE.bytes(start..256), TWO.bytes(256..400)].concat();
                let splice = body
                    .chunks(chunk)
                    .try_for_each(|piece| verifier.feed(piece))
                    .unwrap_err();
                assert!(splice.is_splice(), "{splice}");
                assert_eq!(
                    (splice.offset, verifier.revision()),
                    (256 + 7, Some(1)),
                    "{start} {chunk}"
                );
            }
        }
    }

    #[test]
    fn short_bodies_are_checked_as_far_as_they_go() {
        for start in 0..20 {
            for len in 0..16 {
                let mut verifier = Verifier::new(7, start);
                verifier.feed(&ONE.bytes(start..start + len)).unwrap();
                assert_eq!(verifier.position(), start + len);
                verifier.finish().unwrap();
            }
        }
        let mut wrong = Verifier::new(7, 8);
        wrong.feed(&ONE.bytes(24..28)).unwrap();
        wrong.feed(&ONE.bytes(28..32)).unwrap();
        assert_eq!(wrong.finish().unwrap_err().offset, 15);
    }
}
