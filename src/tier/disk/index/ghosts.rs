//! Which files were evicted lately: what comes back soon was evicted too soon.
//!
//! Owns: a fingerprint of four bytes each, oldest out first among those that share a set. Two names with one fingerprint
//! only make a newcomer look like one that came back.

/// How many fingerprints share a place; the newest comes first.
const WAYS: usize = 4;
const EMPTY: u32 = 0;

/// Fingerprints of evicted files, about as many as there are files.
#[derive(Debug)]
pub(super) struct Ghosts {
    sets: Vec<[u32; WAYS]>,
}

impl Ghosts {
    /// For about so many files.
    pub(super) fn new(files: usize) -> Self {
        Self {
            sets: vec![[EMPTY; WAYS]; files.div_ceil(WAYS).next_power_of_two()],
        }
    }

    /// Remembers an eviction, with so many files at hand.
    pub(super) fn note(&mut self, fingerprint: u32, files: usize) {
        if files > 2 * self.sets.len() * WAYS {
            self.grow(files);
        }
        self.push(fingerprint);
    }

    /// Whether it was evicted lately. It is forgotten by that.
    pub(super) fn take(&mut self, fingerprint: u32) -> bool {
        let fingerprint = fingerprint.max(1);
        let Some(set) = self.set(fingerprint) else {
            return false;
        };
        match set.iter_mut().find(|held| **held == fingerprint) {
            Some(held) => {
                *held = EMPTY;
                true
            }
            None => false,
        }
    }

    /// Bytes that were allocated.
    pub(super) fn memory(&self) -> usize {
        self.sets.capacity() * size_of::<[u32; WAYS]>()
    }

    fn grow(&mut self, files: usize) {
        let before = std::mem::replace(self, Self::new(files));
        for set in &before.sets {
            set.iter()
                .rev()
                .filter(|held| **held != EMPTY)
                .for_each(|held| self.push(*held));
        }
    }

    fn push(&mut self, fingerprint: u32) {
        let fingerprint = fingerprint.max(1);
        if let Some(set) = self.set(fingerprint) {
            set.rotate_right(1);
            let [first, ..] = set;
            *first = fingerprint;
        }
    }

    fn set(&mut self, fingerprint: u32) -> Option<&mut [u32; WAYS]> {
        // The number of sets is a power of two, so that this is the low bits.
        let at = usize::try_from(fingerprint).unwrap_or_default() & (self.sets.len() - 1);
        self.sets.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_once() {
        let mut ghosts = Ghosts::new(WAYS);
        (1..=5).for_each(|n| ghosts.note(n, WAYS));
        assert!(!ghosts.take(1));
        assert!((2..=5).all(|n| ghosts.take(n)));
        assert!(!ghosts.take(5));
    }

    #[test]
    fn growing_keeps_what_is_remembered() {
        let mut ghosts = Ghosts::new(WAYS);
        (1..=4).for_each(|n| ghosts.note(n, WAYS));
        ghosts.note(5, 100);
        assert!((1..=5).all(|n| ghosts.take(n)));
    }
}
