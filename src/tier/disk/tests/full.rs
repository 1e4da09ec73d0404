//! A device with less space than its capacity says: everything that is read is right, nothing that fails is more than a
//! block that is not stored.

use std::collections::HashMap;
use std::io::IoSlice;

use parking_lot::Mutex;
use rustix::io::Errno;

use super::io::{File, Io};
use super::*;
use crate::tier::disk::room::Room;

/// What the device has.
const SPACE: u64 = 32 * BLOCK;
/// What it is said to have.
const CAPACITY: u64 = 10 * SPACE;

/// Real files on a device that is full after so many bytes.
#[derive(Debug)]
struct Small {
    root: Root,
    /// What each name takes, of temporary files too.
    taken: Mutex<HashMap<String, u64>>,
}

impl Small {
    fn take(&self, name: &str, end: u64) -> Io<()> {
        let mut taken = self.taken.lock();
        let all: u64 = taken.values().sum();
        let own = taken.get(name).copied().unwrap_or_default();
        if all - own + end.max(own) > SPACE {
            return Err(Errno::NOSPC);
        }
        taken.insert(name.to_owned(), end.max(own));
        Ok(())
    }

    fn free(&self, name: &str) {
        self.taken.lock().remove(name);
    }
}

/// Which temporary file it is, told by where its descriptor leads.
fn name_of(file: &File) -> String {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.number())).unwrap();
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Files for Small {
    fn open(&self, name: Name) -> Io<(File, u64)> {
        self.root.open(name)
    }

    fn create(&self, tmp: &str) -> Io<File> {
        self.root.create(tmp)
    }

    fn read_now(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        self.root.read(file, into, at)
    }

    fn read(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        self.root.read(file, into, at)
    }

    fn write(&self, file: &File, from: &[IoSlice<'_>], at: u64) -> Io<usize> {
        let length: usize = from.iter().map(|slice| slice.len()).sum();
        self.take(&name_of(file), at + format::wide(length))?;
        self.root.write(file, from, at)
    }

    fn publish(&self, tmp: &str, name: Name) -> Io<()> {
        self.root.publish(tmp, name)?;
        let mut taken = self.taken.lock();
        let bytes = taken.remove(tmp).unwrap_or_default();
        taken.insert(name.file(), bytes);
        Ok(())
    }

    fn remove(&self, name: Name) -> Io<()> {
        self.free(&name.file());
        self.root.remove(name)
    }

    fn discard(&self, tmp: &str) -> Io<()> {
        self.free(tmp);
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

#[tokio::test]
async fn a_device_that_is_far_too_small_keeps_what_fits() {
    let mut bench = Bench::new(CAPACITY);
    bench.reopen_with(|root| {
        let taken = Mutex::default();
        Arc::new(Small { root, taken })
    });
    let (mut stored, mut read) = (0, 0);
    for n in 0..320 {
        // A full device pauses fills for a second.
        bench.seconds.fetch_add(1, Ordering::Relaxed);
        let a = revision("/a", &n.to_string());
        match bench.store(&a, BLOCK, 0, Claim::Current).await {
            Ok(()) => stored += 1,
            Err(why) => assert_eq!(why, GaveUp::NoSpace),
        }
        let before = revision("/a", &(n / 2).to_string());
        match bench.check(&before, BLOCK, 0).await {
            Ok(()) => read += 1,
            Err(why) => assert_eq!(why, Miss::Absent),
        }
    }
    assert!(stored > 100 && read > 10, "{stored} stored, {read} read");
    assert!(bench.fault(Fault::NoSpace) > 0 && bench.evicted(Evicted::NoSpace) > 0);
}
