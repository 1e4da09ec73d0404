//! The way to system calls that may wait for the device: a bounded number of blocking threads, and a bounded wait.
//!
//! Owns: both bounds. A device that hangs holds these threads and nothing else; whoever waits gets a miss.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::tier::store::Miss;

use super::sync::{spawn_blocking, timeout};

/// How many system calls wait for the device at once. More would only queue there.
const AT_ONCE: usize = 64;
/// How long a reader waits. The tiers behind answer sooner than that.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bounded door to blocking threads.
#[derive(Debug)]
pub(super) struct Blocking(Arc<Semaphore>);

impl Blocking {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Runs a closure where it may block. [`Miss::Fault`] if it took too long; it then still runs to its end.
    pub(super) async fn run<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> Result<T, Miss> {
        let run = async {
            let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
            let call = move || {
                let result = call();
                drop(permit);
                result
            };
            spawn_blocking(call).await.ok()
        };
        let result = timeout(PATIENCE, run).await;
        result.ok().flatten().ok_or(Miss::Fault)
    }
}
