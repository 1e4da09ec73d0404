//! The disk's own threads: started with it, stopped with it.
//!
//! Owns: their handles. Never: waits for one that hangs in the kernel longer than it must.

use std::sync::Arc;
use std::time::Duration;

use super::sync::{Builder, Condvar, JoinHandle, Mutex};

/// How long the end of a disk waits for its threads: writing what is in memory takes less, a device that hangs longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Threads of one owner.
#[derive(Debug, Default)]
pub(super) struct Threads {
    running: Arc<Running>,
    handles: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Running {
    count: Mutex<usize>,
    changed: Condvar,
}

/// Counts a thread for as long as it runs, however it ends.
struct Counted(Arc<Running>);

impl Counted {
    fn new(running: &Arc<Running>) -> Self {
        *running.count.lock() += 1;
        Self(Arc::clone(running))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.count.lock() -= 1;
        self.0.changed.notify_all();
    }
}

impl Threads {
    pub(super) fn start(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let counted = Counted::new(&self.running);
        let run = move || {
            run();
            drop(counted);
        };
        self.handles.push(Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(())
    }

    /// Waits until all have ended, which they were told to; `false` if some hang.
    pub(super) fn join(&mut self) -> bool {
        let mut count = self.running.count.lock();
        let ended = |count: &mut usize| *count > 0;
        let timed_out = self
            .running
            .changed
            .wait_while_for(&mut count, ended, PATIENCE)
            .timed_out();
        drop(count);
        if timed_out {
            return false;
        }
        for handle in self.handles.drain(..) {
            // A panic was reported by its hook.
            let _ = handle.join();
        }
        true
    }
}
