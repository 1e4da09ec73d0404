//! The one door to the file system: every system call of the disk tier is made here, below one directory.
//!
//! Owns: how files are opened, so that nothing but a regular file is ever read and nothing is followed out of the
//! root. Never: knows what files mean. Tests put another [`Files`] in its place, to make disks fail.

use std::fmt;
use std::io::{IoSlice, IoSliceMut};
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::{self, Errno};

use super::format::wide;
use super::name::Name;
use super::room::Room;

/// What the file system says.
pub(super) type Io<T> = Result<T, Errno>;

/// An open file.
#[derive(Debug)]
pub(super) struct File(OwnedFd);

/// The directory of files that are not published.
pub(super) const TMP: &str = "tmp";
/// The file that is locked.
pub(super) const LOCK: &str = "lock";

/// The system calls on files below the root. All of them may block but [`Files::read_now`].
pub(super) trait Files: fmt::Debug + Send + Sync {
    /// Opens a published file to read, with its size. Anything but a regular file does not exist.
    fn open(&self, name: Name) -> Io<(File, u64)>;

    /// Creates a file in `tmp/` to write and read.
    fn create(&self, tmp: &str) -> Io<File>;

    /// Reads what is at hand without waiting for the device: fewer bytes than asked for, or `EAGAIN`.
    fn read_now(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize>;

    /// Reads; fewer bytes only where the file ends.
    fn read(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize>;

    /// Writes some of the bytes and says how many.
    fn write(&self, file: &File, from: &[IoSlice<'_>], at: u64) -> Io<usize>;

    /// Gives a file of `tmp/` its name, in place of what has it.
    fn publish(&self, tmp: &str, name: Name) -> Io<()>;

    /// Removes a published file.
    fn remove(&self, name: Name) -> Io<()>;

    /// Removes a file of `tmp/`.
    fn discard(&self, tmp: &str) -> Io<()>;

    /// The size of a published file.
    fn size(&self, name: Name) -> Io<u64>;

    /// How much room the volume has.
    fn room(&self) -> Io<Room>;

    /// Calls with the name of everything in a directory that may be a regular file, until told to stop by `false`.
    fn list(&self, directory: &str, each: &mut dyn FnMut(&str) -> bool) -> Io<()>;
}

/// The files below a real directory.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn new(directory: OwnedFd) -> Self {
        Self(directory)
    }
}

/// Nothing here is for others.
pub(super) const PRIVATE_DIR: Mode = Mode::RWXU;
pub(super) const PRIVATE_FILE: Mode = Mode::from_raw_mode(0o600);

impl Files for Root {
    fn open(&self, name: Name) -> Io<(File, u64)> {
        // NONBLOCK: opening a FIFO would wait for a writer otherwise; it means nothing to regular files.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = fs::openat(&self.0, name.path(), flags, Mode::empty()).map_err(symlink_is_absent)?;
        let stat = fs::fstat(&file)?;
        regular_size(&stat).map(|size| (File(file), size))
    }

    fn create(&self, tmp: &str) -> Io<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        fs::openat(&self.0, format!("{TMP}/{tmp}"), flags, PRIVATE_FILE).map(File)
    }

    fn read_now(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        io::preadv2(&file.0, &mut [IoSliceMut::new(into)], at, io::ReadWriteFlags::NOWAIT)
    }

    fn read(&self, file: &File, into: &mut [u8], at: u64) -> Io<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match io::pread(&file.0, rest, at + wide(done)) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(done)
    }

    fn write(&self, file: &File, from: &[IoSlice<'_>], at: u64) -> Io<usize> {
        loop {
            match io::pwritev(&file.0, from, at) {
                Err(Errno::INTR) => {}
                other => return other,
            }
        }
    }

    fn publish(&self, tmp: &str, name: Name) -> Io<()> {
        let (from, to) = (format!("{TMP}/{tmp}"), name.path());
        match fs::renameat(&self.0, &from, &self.0, &to) {
            Err(Errno::NOENT) => {}
            other => return other,
        }
        match fs::mkdirat(&self.0, name.directory(), PRIVATE_DIR) {
            Ok(()) | Err(Errno::EXIST) => fs::renameat(&self.0, &from, &self.0, &to),
            Err(errno) => Err(errno),
        }
    }

    fn remove(&self, name: Name) -> Io<()> {
        fs::unlinkat(&self.0, name.path(), AtFlags::empty())
    }

    fn discard(&self, tmp: &str) -> Io<()> {
        fs::unlinkat(&self.0, format!("{TMP}/{tmp}"), AtFlags::empty())
    }

    fn size(&self, name: Name) -> Io<u64> {
        regular_size(&fs::statat(&self.0, name.path(), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn room(&self) -> Io<Room> {
        let volume = fs::fstatvfs(&self.0)?;
        Ok(Room {
            bytes: volume.f_blocks.saturating_mul(volume.f_frsize),
            free_bytes: volume.f_bavail.saturating_mul(volume.f_frsize),
            files: volume.f_files,
            free_files: volume.f_favail,
        })
    }

    fn list(&self, directory: &str, each: &mut dyn FnMut(&str) -> bool) -> Io<()> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
        let directory = fs::openat(&self.0, directory, flags, Mode::empty())?;
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let may_be_file = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
            match entry.file_name().to_str() {
                Ok(name) if may_be_file && !each(name) => break,
                _ => {}
            }
        }
        Ok(())
    }
}

fn regular_size(stat: &fs::Stat) -> Io<u64> {
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        u64::try_from(stat.st_size).map_err(|_| Errno::OVERFLOW)
    } else {
        Err(Errno::NOENT)
    }
}

/// `O_NOFOLLOW` answers `ELOOP` for a symbolic link; a socket answers `ENXIO`.
fn symlink_is_absent(errno: Errno) -> Errno {
    match errno {
        Errno::LOOP | Errno::NXIO => Errno::NOENT,
        errno => errno,
    }
}

/// The limit on open files.
pub(super) fn open_files_limit() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(1 << 20)
}

/// The parts of starting up that come before there is a root.
pub(super) fn make_directory(path: &Path) -> Io<()> {
    fs::mkdir(path, PRIVATE_DIR)
}

/// Opens the root without following a link, with the owner that it has.
pub(super) fn open_root(path: &Path) -> Io<(OwnedFd, u32)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
    let directory = fs::open(path, flags, Mode::empty())?;
    let owner = fs::fstat(&directory)?.st_uid;
    Ok((directory, owner))
}

/// Takes the lock of a root; `EWOULDBLOCK` if another process has it.
pub(super) fn lock_root(root: &OwnedFd) -> Io<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let lock = fs::openat(root, LOCK, flags, PRIVATE_FILE)?;
    fs::flock(&lock, fs::FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// Makes the root private and its `tmp/` exist.
pub(super) fn prepare_root(root: &OwnedFd) -> Io<()> {
    fs::fchmod(root, PRIVATE_DIR)?;
    match fs::mkdirat(root, TMP, PRIVATE_DIR) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The user that this process acts as.
pub(super) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}
