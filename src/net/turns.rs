//! How many requests a tier is sent at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::object::Cause;

/// The requests of one kind that a tier may have at once; clones share them.
#[derive(Clone, Debug)]
pub struct Turns {
    free: Arc<Semaphore>,
    patience: Duration,
}

/// One request's; dropped, it is the next one's.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// So many at once, and how long others wait.
    pub fn new(at_once: usize, patience: Duration) -> Self {
        Self {
            free: Arc::new(Semaphore::new(at_once)),
            patience,
        }
    }

    /// Waits for a turn, first come, first served.
    pub async fn take(&self) -> Result<Turn, Cause> {
        let waiting = Arc::clone(&self.free).acquire_owned();
        let permit = timeout(self.patience, waiting).await;
        let _permit = permit.ok().and_then(Result::ok).ok_or(Cause::Saturated)?;
        Ok(Turn { _permit })
    }
}
