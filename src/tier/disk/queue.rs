//! What of a fill waits to be written, and how much of it at once.
//!
//! Owns: where one write ends and the next begins. Never: keeps back what anybody waits for.

use std::collections::VecDeque;

use bytes::Bytes;

use super::budget::Budget;
use super::format::{narrow, wide};

/// Bytes are written in runs of this, from multiples of it: the page cache keeps what is written at once in pages of that
/// size, and reads of them cost less than of the small ones that pieces from a network would make.
pub(super) const RUN: u64 = 256 << 10;
/// How much of one fill is written before another has its turn.
const TURN: u64 = 4 * RUN;
/// Up to this, pieces are joined: then a turn has no more of them than one system call takes (1,024).
const SMALL: usize = 4 << 10;

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    chunks: VecDeque<Bytes>,
    /// How many bytes they are.
    bytes: u64,
    /// How many were taken before them.
    taken: u64,
    /// Whether somebody waits for what is here, so that it is not kept until a run is full.
    pub(super) hurried: bool,
    /// Whether the writers have it in their hands or in their queue: then it need not be put there again.
    pub(super) scheduled: bool,
    /// Whether the last byte was offered.
    pub(super) ending: bool,
}

impl Queue {
    /// Takes what the budget was asked for.
    pub(super) fn push(&mut self, chunk: Bytes, budget: &Budget) {
        self.bytes += wide(chunk.len());
        match self.chunks.back_mut() {
            // Of pieces of a few bytes, what each of them costs would be most.
            Some(last) if last.len() + chunk.len() <= SMALL => {
                *last = [&**last, &*chunk].concat().into();
                budget.join();
            }
            _ => self.chunks.push_back(chunk),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Lets go of all that was not taken.
    pub(super) fn clear(&mut self, budget: &Budget) {
        for chunk in self.chunks.drain(..) {
            budget.give_back(&chunk);
        }
        self.bytes = 0;
    }

    /// What is to be written now: whole runs, or all there is where nothing more comes or somebody waits for it.
    /// `live` fills share the budget.
    pub(super) fn next(&mut self, budget: &Budget, live: usize) -> Vec<Bytes> {
        let turn = self.bytes.min(TURN);
        let length = if turn == self.bytes && self.is_all_wanted(budget, live) {
            turn
        } else {
            ((self.taken + turn) / RUN * RUN).saturating_sub(self.taken)
        };
        let chunks = self.take(length, budget);
        // Who still waits when this is written says so again.
        self.hurried &= chunks.is_empty() || !self.chunks.is_empty();
        chunks
    }

    /// Whether there is anything to be written now.
    pub(super) fn is_due(&self, budget: &Budget, live: usize) -> bool {
        (self.taken + self.bytes) / RUN > self.taken / RUN || self.is_all_wanted(budget, live)
    }

    fn is_all_wanted(&self, budget: &Budget, live: usize) -> bool {
        self.ending || self.hurried || !budget.allows_runs(live)
    }

    fn take(&mut self, length: u64, budget: &Budget) -> Vec<Bytes> {
        let (mut taken, mut left) = (Vec::new(), length);
        while left > 0
            && let Some(mut chunk) = self.chunks.pop_front()
        {
            if wide(chunk.len()) > left {
                self.chunks.push_front(chunk.split_off(narrow(left)));
                budget.split();
            }
            left -= wide(chunk.len());
            taken.push(chunk);
        }
        self.bytes -= length - left;
        self.taken += length - left;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;

    fn queue(chunks: &[usize], budget: &Budget) -> Queue {
        let mut queue = Queue::default();
        chunks.iter().for_each(|length| push(&mut queue, *length, budget));
        queue
    }

    fn push(queue: &mut Queue, length: usize, budget: &Budget) {
        let chunk = Bytes::from(vec![0; length]);
        assert!(budget.take(&chunk));
        queue.push(chunk, budget);
    }

    /// How many bytes each turn takes, until there is nothing to be written.
    fn turns(queue: &mut Queue, budget: &Budget) -> Vec<usize> {
        let mut turns = Vec::new();
        while queue.is_due(budget, 1) && !queue.is_empty() {
            let chunks = queue.next(budget, 1);
            chunks.iter().for_each(|chunk| budget.give_back(chunk));
            turns.push(chunks.iter().map(Bytes::len).sum());
        }
        turns
    }

    #[test]
    fn whole_runs_are_written_and_the_rest_waits_for_more() {
        let check = |chunks: &[usize], expected: &[usize], rest: usize| {
            let budget = Budget::new(64 << 20);
            let mut queue = queue(chunks, &budget);
            assert_eq!(turns(&mut queue, &budget), expected, "{chunks:?}");
            assert_eq!(narrow(queue.bytes), rest);
            queue.hurried = true;
            assert_eq!(turns(&mut queue, &budget).iter().sum::<usize>(), rest);
            assert!(!queue.hurried || rest == 0);
            assert_eq!(budget.used(), 0);
        };
        check(&[], &[], 0);
        check(&[255 * KIB], &[], 255 * KIB);
        check(&[256 * KIB], &[256 * KIB], 0);
        check(&[200 * KIB, 200 * KIB], &[256 * KIB], 144 * KIB);
        check(&[700 * KIB + 5], &[512 * KIB], 188 * KIB + 5);
        check(&[3 << 20], &[1 << 20, 1 << 20, 1 << 20], 0);
        check(&[100; 3000], &[256 * KIB], 300_000 - 256 * KIB);
    }

    #[test]
    fn writes_go_on_where_a_run_begins() {
        let budget = Budget::new(64 << 20);
        let mut queue = queue(&[262 * KIB], &budget);
        queue.hurried = true;
        assert_eq!(turns(&mut queue, &budget), [262 * KIB]);
        push(&mut queue, 249 * KIB, &budget);
        assert!(turns(&mut queue, &budget).is_empty());
        push(&mut queue, 2 * KIB, &budget);
        assert_eq!(turns(&mut queue, &budget), [250 * KIB]);
        queue.ending = true;
        assert_eq!(turns(&mut queue, &budget), [KIB]);
    }

    #[test]
    fn nothing_is_kept_back_where_memory_is_short() {
        let budget = Budget::new(64 << 10);
        let mut queue = queue(&[33 * KIB], &budget);
        assert_eq!(turns(&mut queue, &budget), [33 * KIB]);
    }
}
