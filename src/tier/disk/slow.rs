//! Real files on a device that takes so many bytes a second and no more: what a worn-out or throttled disk does to
//! downloads is measured with it.
//!
//! Owns: the pace. Never: part of a sidecar that serves.

use std::io::IoSlice;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::format::wide;
use super::io::{File, Files, Io, Root};
use super::name::Name;
use super::room::Room;

/// The files, and the pace.
#[derive(Debug)]
pub(super) struct Slow {
    root: Root,
    bytes_per_second: u64,
    turn: Mutex<()>,
    bytes: Mutex<()>,
    /// Never signalled.
    time: Condvar,
}

impl Slow {
    pub(super) fn new(root: Root, bytes_per_second: u64) -> Self {
        Self {
            root,
            bytes_per_second: bytes_per_second.max(1),
            turn: Mutex::new(()),
            bytes: Mutex::new(()),
            time: Condvar::new(),
        }
    }
}

impl Files for Slow {
    fn open(&self, name: Name) -> Io<(File, u64)> {
        self.root.open(name)
    }

    fn create(&self, tmp: &str) -> Io<File> {
        self.root.create(tmp)
    }

    fn read_now(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        self.root.read_now(file, into, at)
    }

    fn read(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        self.root.read(file, into, at)
    }

    fn write(&self, file: &File, from: &[IoSlice<'_>], at: u64) -> Io<usize> {
        let bytes: usize = from.iter().map(|slice| slice.len()).sum();
        let takes = Duration::from_micros(wide(bytes).saturating_mul(1_000_000) / self.bytes_per_second);
        // All who write wait in turn for the device, and the one whose turn it is for its bytes.
        let _turn = self.turn.lock();
        self.time.wait_while_for(&mut self.bytes.lock(), |()| true, takes);
        self.root.write(file, from, at)
    }

    fn publish(&self, tmp: &str, name: Name) -> Io<()> {
        self.root.publish(tmp, name)
    }

    fn remove(&self, name: Name) -> Io<()> {
        self.root.remove(name)
    }

    fn discard(&self, tmp: &str) -> Io<()> {
        self.root.discard(tmp)
    }

    fn size(&self, name: Name) -> Io<u64> {
        self.root.size(name)
    }

    fn room(&self) -> Io<Room> {
        self.root.room()
    }

    fn list(&self, directory: &str, each: &mut dyn FnMut(&str) -> bool) -> Io<()> {
        self.root.list(directory, each)
    }
}
