//! Values by number, in pieces that never move.
//!
//! Owns: numbers that are free again. Doubling one large allocation would take up to twice what is used, and copy all of
//! it under the lock.

/// The number that nothing has.
pub(super) const NONE: u32 = u32::MAX;
/// How many values one piece holds.
const PIECE: usize = 1 << 12;

/// Values by number. A number must be used only between its [`Slab::insert`] and its [`Slab::remove`].
#[derive(Debug)]
pub(super) struct Slab<T> {
    pieces: Vec<Vec<T>>,
    free: Vec<u32>,
}

/// What has a number.
#[derive(Debug)]
pub(super) enum Place<T> {
    Held(T),
    Free,
    /// Nor has any higher one.
    Beyond,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T: Copy> Slab<T> {
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(id) = self.free.pop() {
            if let Some(place) = self.get_mut(id) {
                *place = value;
            }
            return id;
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let Some(last) = self.pieces.last_mut() else {
            return NONE;
        };
        last.push(value);
        u32::try_from(before + last.len() - 1).unwrap_or(NONE)
    }

    pub(super) fn get(&self, id: u32) -> Option<&T> {
        let (piece, at) = place(id);
        self.pieces.get(piece)?.get(at)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let (piece, at) = place(id);
        self.pieces.get_mut(piece)?.get_mut(at)
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<T> {
        let value = *self.get(id)?;
        self.free.push(id);
        Some(value)
    }

    /// Bytes that were allocated.
    pub(super) fn memory(&self) -> usize {
        self.pieces.len() * PIECE * size_of::<T>() + self.free.capacity() * size_of::<u32>()
    }
}

fn place(id: u32) -> (usize, usize) {
    let id = usize::try_from(id).unwrap_or(usize::MAX);
    (id / PIECE, id % PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut slab = Slab::default();
        let ids: Vec<u32> = (0..10_000u32).map(|n| slab.insert(n)).collect();
        assert!(ids.iter().zip(0..).all(|(id, n)| slab.get(*id) == Some(&n)));
        assert_eq!(slab.remove(ids[77]), Some(77));
        assert_eq!(slab.insert(5), ids[77]);
        assert_eq!(slab.get(ids[77]), Some(&5));
        assert_eq!(slab.get(NONE), None);
    }
}
