//! A barrier that tests open by hand, so that no test ever sleeps.
//!
//! Owns: whether requests may pass, and how many stand before it. Never: time.

use tokio::sync::watch;

/// Requests pass while it is open and wait while it is closed. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<State>);

#[derive(Debug)]
struct State {
    open: bool,
    /// How many may still pass a closed gate.
    tickets: usize,
    waiting: usize,
}

impl Gate {
    /// A gate that holds nothing until [`Gate::close`].
    #[must_use]
    pub fn opened() -> Self {
        Self::new(true)
    }

    /// A gate that holds everything until [`Gate::open`].
    #[must_use]
    pub fn closed() -> Self {
        Self::new(false)
    }

    fn new(open: bool) -> Self {
        Self(watch::Sender::new(State {
            open,
            tickets: 0,
            waiting: 0,
        }))
    }

    /// Lets everything pass, those who wait first.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Holds whatever comes from now on; tickets not used are void.
    pub fn close(&self) {
        self.0.send_modify(|state| (state.open, state.tickets) = (false, 0));
    }

    /// Lets `n` pass although the gate stays closed.
    pub fn admit(&self, n: usize) {
        self.0.send_modify(|state| state.tickets += n);
    }

    /// How many stand before the gate now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.borrow().waiting
    }

    /// Resolves when at least `n` stand before the gate.
    pub async fn waiting(&self, n: usize) {
        let mut state = self.0.subscribe();
        // Fails only when the sender is gone, and `self` is one.
        let _ = state.wait_for(|state| state.waiting >= n).await;
    }

    /// Goes through, now or when the gate lets it. Cancel safe: whoever gives up is no longer counted.
    pub async fn pass(&self) {
        // Subscribed before the first try, so an `open` in between is not missed.
        let mut state = self.0.subscribe();
        if self.enter() {
            return;
        }
        let _queued = Queued::new(&self.0);
        while !self.enter() {
            if state.changed().await.is_err() {
                return;
            }
        }
    }

    fn enter(&self) -> bool {
        let mut entered = false;
        self.0.send_if_modified(|state| {
            let ticket = !state.open && state.tickets > 0;
            state.tickets -= usize::from(ticket);
            entered = state.open || ticket;
            ticket
        });
        entered
    }
}

/// Counts as waiting while it lives.
struct Queued<'a>(&'a watch::Sender<State>);

impl<'a> Queued<'a> {
    fn new(state: &'a watch::Sender<State>) -> Self {
        state.send_modify(|state| state.waiting += 1);
        Self(state)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|state| state.waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;

    #[tokio::test]
    async fn holds_counts_and_lets_go() {
        let gate = Gate::closed();
        let mut passing = JoinSet::new();
        for _ in 0..3 {
            let gate = gate.clone();
            passing.spawn(async move { gate.pass().await });
        }
        gate.waiting(3).await;
        gate.admit(1);
        passing.join_next().await.unwrap().unwrap();
        assert_eq!(gate.held(), 2);
        gate.open();
        while let Some(passed) = passing.join_next().await {
            passed.unwrap();
        }
        assert_eq!(gate.held(), 0);
    }

    #[tokio::test]
    async fn who_gives_up_is_not_counted() {
        let gate = Gate::closed();
        let mut passing = JoinSet::new();
        let other = gate.clone();
        passing.spawn(async move { other.pass().await });
        gate.waiting(1).await;
        passing.shutdown().await;
        assert_eq!(gate.held(), 0);
    }
}
