//! The same, as far as the disk uses it, by which a test chooses every schedule.
//!
//! Owns: the shapes of parking_lot and tokio around what `shuttle` has. Never: poisons, times out; what waits for a time
//! waits until it is told, or for ever.

use std::convert::Infallible;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Duration;

use shuttle::{sync, thread};
use tokio::sync::oneshot;

#[derive(Debug, Default)]
pub(in crate::tier::disk) struct Mutex<T>(sync::Mutex<T>);

/// Without a lock only while a condition is waited for.
#[derive(Debug)]
pub(in crate::tier::disk) struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub(in crate::tier::disk) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub(in crate::tier::disk) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    pub(in crate::tier::disk) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::expect_used, reason = "nobody has a guard that waits")]
impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("a guard that does not wait")
    }
}

#[expect(clippy::expect_used, reason = "nobody has a guard that waits")]
impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("a guard that does not wait")
    }
}

#[derive(Debug, Default)]
pub(in crate::tier::disk) struct Condvar(sync::Condvar);

/// How waiting ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::tier::disk) struct Told;

impl Told {
    pub(in crate::tier::disk) fn timed_out(self) -> bool {
        false
    }
}

impl Condvar {
    pub(in crate::tier::disk) const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub(in crate::tier::disk) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take();
        guard.0 = held.map(|held| self.0.wait(held).unwrap_or_else(PoisonError::into_inner));
    }

    pub(in crate::tier::disk) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) -> Told {
        self.wait(guard);
        Told
    }

    pub(in crate::tier::disk) fn wait_while_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        _: Duration,
    ) -> Told {
        while condition(&mut *guard) {
            self.wait(guard);
        }
        Told
    }

    pub(in crate::tier::disk) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(in crate::tier::disk) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Never too late.
pub(in crate::tier::disk) async fn timeout<F: Future>(_: Duration, future: F) -> Result<F::Output, Infallible> {
    Ok(future.await)
}

/// A thread for every call.
pub(in crate::tier::disk) fn spawn_blocking<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done, result) = oneshot::channel();
    // Who asked may have left meanwhile.
    thread::spawn(move || drop(done.send(call())));
    result
}
