//! Names coming and going: a file and its entry in the index appear and vanish as one.
//!
//! Owns: the turns that publishing, unlinking and finding take on a name. Without them a file could be unlinked that was
//! published a moment ago, or stay in the directory and be in no index.

use std::sync::Arc;

use rustix::io::Errno;

use super::format::{Record, is_size_of_block};
use super::health::Side;
use super::io::{Io, PLANTED};
use super::name::Name;
use super::shared::Shared;
use super::stats::Fault;
use super::sync::{Mutex, MutexGuard};

/// Names take turns in this many groups, so that a system call that hangs holds up few others.
const GROUPS: usize = 64;

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Turns([Mutex<()>; GROUPS]);

impl Default for Turns {
    fn default() -> Self {
        Self([const { Mutex::new(()) }; GROUPS])
    }
}

impl Turns {
    /// Held by threads that may block only.
    fn take(&self, name: Name) -> Option<MutexGuard<'_, ()>> {
        self.0.get(name.group() % GROUPS).map(Mutex::lock)
    }
}

impl Shared {
    /// Gives a file of `tmp/` its name and lets it enter the index, unless it may not; removes it again if it must not
    /// any more. Whether it may is asked in its turn: what has the name may be newer, and is not to be lost.
    pub(super) fn place(
        &self,
        tmp: &str,
        name: Name,
        may_enter: impl FnOnce() -> bool,
        enter: impl FnOnce() -> bool,
    ) -> Io<bool> {
        let _turn = self.turns.take(name);
        if !may_enter() {
            return Ok(false);
        }
        self.files.publish(tmp, name)?;
        let entered = enter();
        if !entered {
            self.remove(name);
        }
        Ok(entered)
    }

    /// Removes a file that is not in the index any more. It may have been stored anew since.
    pub(super) fn unlink(&self, name: Name) {
        let _turn = self.turns.take(name);
        if self.index.contains(name) || self.remove(name) {
            self.index.unlinked(name);
        } else {
            self.index.stuck(name);
        }
    }

    /// Brings the index up to what the directory says of a name.
    pub(super) fn reconcile(&self, name: Name) {
        let _turn = self.turns.take(name);
        match self.files.size(name) {
            // Whatever it is: it would count as much, and is removed as soon as somebody asks for it.
            Ok(size) if !is_plausible(name, size) => {
                self.fault(Fault::Damaged);
                self.remove(name);
                self.index.gone(name);
            }
            Ok(size) if !self.index.found(name, size) => {
                self.remove(name);
            }
            Ok(_) => {}
            Err(Errno::NOENT) => self.index.gone(name),
            Err(PLANTED) => {
                self.fault(Fault::Damaged);
                self.remove(name);
                self.index.gone(name);
            }
            Err(errno) => self.fault(Fault::of(errno)),
        }
    }

    /// Removes a file that is not what it is called.
    pub(super) fn drop_file(&self, name: Name) {
        let _turn = self.turns.take(name);
        self.open.remove(name);
        self.remove(name);
        self.index.gone(name);
    }

    /// The same from where nothing may block.
    pub(super) async fn drop_file_soon(self: &Arc<Self>, name: Name) {
        self.open.remove(name);
        self.index.gone(name);
        let shared = Arc::clone(self);
        // Should the device hang, the file stays, and is removed when it is read again.
        let _ = self.wait_for_device(move || shared.drop_file(name)).await;
    }

    /// Whether it is gone.
    fn remove(&self, name: Name) -> bool {
        match self.files.remove(name) {
            Ok(()) | Err(Errno::NOENT) => true,
            Err(errno) => {
                self.fault_degrades(Side::Writes, Fault::of(errno));
                false
            }
        }
    }
}

/// Whether we make files of that name as large as that.
fn is_plausible(name: Name, size: u64) -> bool {
    match name.as_block() {
        Some(_) => is_size_of_block(size),
        None => size <= Record::MAX,
    }
}
