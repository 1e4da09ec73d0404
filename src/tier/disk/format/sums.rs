//! The checksums of data that comes in pieces.

use std::fmt;

use super::wire::{narrow, wide};
use super::{GRANULE, digest};

/// Sums up granules one after the other.
pub(in crate::tier::disk) struct Sums {
    full: Vec<u64>,
    granule: crc_fast::Digest,
    length: u64,
}

impl Sums {
    pub(in crate::tier::disk) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = narrow(GRANULE - self.length % GRANULE).min(bytes.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.granule.update(now);
            self.length += wide(now.len());
            if self.length.is_multiple_of(GRANULE) {
                self.full.push(self.granule.finalize_reset());
            }
            bytes = later;
        }
    }

    /// Those of the granules that are full.
    pub(in crate::tier::disk) fn full(&self) -> &[u64] {
        &self.full
    }

    /// That of what follows them.
    pub(in crate::tier::disk) fn partial(&self) -> u64 {
        self.granule.finalize()
    }

    /// How many bytes were summed up.
    pub(in crate::tier::disk) fn length(&self) -> u64 {
        self.length
    }

    /// All of them, if nothing follows.
    pub(in crate::tier::disk) fn table(&self) -> Vec<u64> {
        let rest = (!self.length.is_multiple_of(GRANULE)).then(|| self.partial());
        self.full.iter().copied().chain(rest).collect()
    }
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            full: Vec::new(),
            granule: digest(),
            length: 0,
        }
    }
}

impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sums")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::checksum;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_do_not_matter(length in 0usize..100_000, cuts in prop::collection::vec(1usize..40_000, 0..8)) {
            let data: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let (mut sums, mut rest) = (Sums::default(), data.as_slice());
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                sums.push(now);
                rest = later;
            }
            sums.push(rest);
            let expected: Vec<u64> = data.chunks(narrow(GRANULE)).map(checksum).collect();
            prop_assert_eq!(sums.table(), expected);
            prop_assert_eq!(sums.length(), wide(length));
        }
    }
}
