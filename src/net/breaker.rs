//! A breaker for servers that let everybody wait: once several questions in a row met silence, one at a time finds out
//! whether it is over, and the others are told at once.
//!
//! Owns: who may ask. There is no pause after which it is tried again: whoever comes when nobody is trying tries, so that the
//! first question after a recovery is answered. Never: counts what fails at once, which costs nobody anything.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// So many waits in vain, without an answer in between, and the server counts as silent.
const IN_VAIN: u32 = 5;

/// Whether a server is worth waiting for.
#[derive(Debug, Default)]
pub struct Breaker {
    in_vain: AtomicU32,
    probing: AtomicBool,
}

/// The permission to ask. Dropped before the question has [`Pass::ended`], it says nothing about the server.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    probes: bool,
}

impl Breaker {
    /// Whether to ask: `None` while somebody else finds out whether a silent server is back.
    pub fn enter(&self) -> Option<Pass<'_>> {
        let probes = self.in_vain.load(Ordering::Relaxed) >= IN_VAIN;
        if probes && self.probing.swap(true, Ordering::Relaxed) {
            return None;
        }
        let breaker = self;
        Some(Pass { breaker, probes })
    }
}

impl Pass<'_> {
    /// The question was answered, or failed at once, or was waited for in vain.
    pub fn ended(self, in_vain: bool) {
        if in_vain {
            // Saturating, since it would otherwise close again after four thousand million.
            let more = |count: u32| Some(count.saturating_add(1));
            let _ = self
                .breaker
                .in_vain
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        } else if self.breaker.in_vain.load(Ordering::Relaxed) != 0 {
            self.breaker.in_vain.store(0, Ordering::Relaxed);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probes {
            self.breaker.probing.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..IN_VAIN {
            breaker.enter().unwrap().ended(true);
        }
        breaker
    }

    #[test]
    fn one_at_a_time_finds_out() {
        let breaker = silent();
        let first = breaker.enter().unwrap();
        assert!(breaker.enter().is_none() && breaker.enter().is_none());
        first.ended(true);
        let second = breaker.enter().unwrap();
        assert!(breaker.enter().is_none());
        second.ended(false);
        let (a, b) = (breaker.enter(), breaker.enter());
        assert!(a.is_some() && b.is_some());
    }

    #[test]
    fn who_leaves_says_nothing() {
        let breaker = silent();
        drop(breaker.enter().unwrap());
        let again = breaker.enter().unwrap();
        assert!(breaker.enter().is_none());
        drop(again);
    }

    #[test]
    fn an_answer_in_between_is_enough() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            (1..IN_VAIN).for_each(|_| breaker.enter().unwrap().ended(true));
            breaker.enter().unwrap().ended(false);
        }
        let (a, b) = (breaker.enter(), breaker.enter());
        assert!(a.is_some() && b.is_some());
    }
}
