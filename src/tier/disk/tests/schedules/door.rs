//! Real files, where every system call is a place at which another thread may run.

use std::io::IoSlice;

use rustix::io::Errno;

use super::super::io::{File, Files, Io, Root};
use super::super::name::Name;
use super::super::room::Room;
use super::super::sync::AtomicBool;
use super::super::*;
use super::chosen;

#[derive(Debug)]
pub(super) struct Door {
    root: Root,
    /// Touching it lets others run.
    turn: AtomicBool,
}

impl Door {
    pub(super) fn new(root: Root) -> Self {
        let turn = AtomicBool::new(false);
        Self { root, turn }
    }

    fn pass(&self) -> &Root {
        self.turn.store(true, Ordering::SeqCst);
        &self.root
    }
}

impl Files for Door {
    fn open(&self, name: Name) -> Io<(File, u64)> {
        self.pass().open(name)
    }

    fn create(&self, tmp: &str) -> Io<File> {
        self.pass().create(tmp)
    }

    /// What is not at hand is read by a thread that may block.
    fn read_now(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        if chosen(3) == 0 {
            return Err(Errno::AGAIN);
        }
        self.pass().read(file, into, at)
    }

    fn read(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        self.pass().read(file, into, at)
    }

    fn write(&self, file: &File, from: &[IoSlice<'_>], at: u64) -> Io<usize> {
        self.pass().write(file, from, at)
    }

    fn publish(&self, tmp: &str, name: Name) -> Io<()> {
        self.pass().publish(tmp, name)
    }

    fn remove(&self, name: Name) -> Io<()> {
        self.pass().remove(name)
    }

    fn discard(&self, tmp: &str) -> Io<()> {
        self.pass().discard(tmp)
    }

    fn size(&self, name: Name) -> Io<u64> {
        self.pass().size(name)
    }

    fn room(&self) -> Io<Room> {
        self.pass().room()
    }

    /// In an order that is the same in every run. Most directories are not there, which nobody races for.
    fn list(&self, directory: &str, each: &mut dyn FnMut(&str) -> bool) -> Io<()> {
        let mut names = Vec::new();
        self.root.list(directory, &mut |name| {
            names.push(name.to_owned());
            true
        })?;
        names.sort();
        for name in names {
            self.pass();
            if !each(&name) {
                break;
            }
        }
        Ok(())
    }
}
