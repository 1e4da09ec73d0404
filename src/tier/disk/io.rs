//! The one door to the file system: every system call of the disk tier is made here, below one directory.
//!
//! Owns: how files are opened, so that nothing but a regular file is ever read and nothing is followed out of the
//! root. Never: knows what files mean. Tests put another [`Files`] in its place, to make disks fail.

use std::fmt;
use std::io::{IoSlice, IoSliceMut};
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::{self, Errno, retry_on_intr};

use super::format::wide;
use super::name::Name;
use super::room::Room;

/// What the file system says.
pub(super) type Io<T> = Result<T, Errno>;

/// An open file.
#[derive(Debug)]
pub(super) struct File(OwnedFd);

/// What is there was put there by somebody else: a link, of either kind, or no file at all. It is never read, and goes.
pub(super) const PLANTED: Errno = Errno::LOOP;

#[cfg(test)]
impl File {
    /// The number of its descriptor.
    pub(super) fn number(&self) -> i32 {
        use rustix::fd::AsRawFd;
        self.0.as_raw_fd()
    }
}

/// The directory of files that are not published.
pub(super) const TMP: &str = "tmp";
/// The file that earlier versions locked.
pub(super) const LOCK: &str = "lock";

/// The system calls on files below the root. All of them may block but [`Files::read_now`].
pub(super) trait Files: fmt::Debug + Send + Sync {
    /// Opens a published file to read, with its size. [`PLANTED`] for what is not as we make it.
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

    /// The size of a published file; [`PLANTED`] for what is not as we make it.
    fn size(&self, name: Name) -> Io<u64>;

    /// How much room the volume has.
    fn room(&self) -> Io<Room>;

    /// Calls with the name of everything in a directory, until told to stop by `false`.
    fn list(&self, directory: &str, each: &mut dyn FnMut(&str) -> bool) -> Io<()>;
}

/// The files below a real directory.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    /// Whose the directory is, and so the files in it.
    owner: u32,
}

/// Nothing here is for others.
pub(super) const PRIVATE_DIR: Mode = Mode::RWXU;
pub(super) const PRIVATE_FILE: Mode = Mode::from_raw_mode(0o600);

impl Root {
    /// Opens the root without following a link.
    pub(super) fn open(path: &Path) -> Io<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
        let directory = fs::open(path, flags, Mode::empty())?;
        let owner = fs::fstat(&directory)?.st_uid;
        Ok(Self { directory, owner })
    }

    pub(super) fn owner(&self) -> u32 {
        self.owner
    }

    /// Takes the lock of the directory itself, since what is in it may be removed; `EWOULDBLOCK` if another process has
    /// it.
    pub(super) fn lock(&self) -> Io<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let lock = fs::openat(&self.directory, ".", flags, Mode::empty())?;
        fs::flock(&lock, fs::FlockOperation::NonBlockingLockExclusive)?;
        Ok(lock)
    }

    /// Makes it private and its `tmp/` exist.
    pub(super) fn prepare(&self) -> Io<()> {
        fs::fchmod(&self.directory, PRIVATE_DIR)?;
        self.make(TMP).map(drop)
    }

    fn directory(&self, name: &str) -> Io<OwnedFd> {
        directory_in(&self.directory, name)
    }

    /// The directory of a file. One that is a link is as good as none.
    fn directory_of(&self, name: Name) -> Io<OwnedFd> {
        self.directory(&name.directory()).map_err(|errno| match errno {
            Errno::NOTDIR | Errno::LOOP => Errno::NOENT,
            errno => errno,
        })
    }

    fn make(&self, name: &str) -> Io<OwnedFd> {
        make_in(&self.directory, name)
    }
}

impl Files for Root {
    fn open(&self, name: Name) -> Io<(File, u64)> {
        // NONBLOCK: opening a FIFO would wait for a writer otherwise; it means nothing to regular files.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let directory = self.directory_of(name)?;
        let opened = retry_on_intr(|| fs::openat(&directory, name.file(), flags, Mode::empty()));
        let file = opened.map_err(|errno| match errno {
            // A symbolic link; a socket.
            Errno::LOOP | Errno::NXIO => PLANTED,
            errno => errno,
        })?;
        let stat = fs::fstat(&file)?;
        size_of(&stat, self.owner).map(|size| (File(file), size))
    }

    fn create(&self, tmp: &str) -> Io<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        // Somebody may have emptied the root.
        let directory = self.make(TMP)?;
        retry_on_intr(|| fs::openat(&directory, tmp, flags, PRIVATE_FILE)).map(File)
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
        retry_on_intr(|| io::pwritev(&file.0, from, at))
    }

    fn publish(&self, tmp: &str, name: Name) -> Io<()> {
        let (from, to) = (self.directory(TMP)?, self.make(&name.directory())?);
        let rename = || retry_on_intr(|| fs::renameat(&from, tmp, &to, name.file()));
        match rename() {
            // A directory of somebody else's has the name. An empty one goes; what is in another is not ours to remove,
            // and then this fails again.
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                let _ = fs::unlinkat(&to, name.file(), AtFlags::REMOVEDIR);
                rename()
            }
            other => other,
        }
    }

    fn remove(&self, name: Name) -> Io<()> {
        let directory = self.directory_of(name)?;
        match retry_on_intr(|| fs::unlinkat(&directory, name.file(), AtFlags::empty())) {
            // An empty one; what others put into it is not ours to remove.
            Err(Errno::ISDIR | Errno::PERM) => fs::unlinkat(&directory, name.file(), AtFlags::REMOVEDIR),
            other => other,
        }
    }

    fn discard(&self, tmp: &str) -> Io<()> {
        let directory = self.directory(TMP)?;
        match retry_on_intr(|| fs::unlinkat(&directory, tmp, AtFlags::empty())) {
            Err(Errno::ISDIR | Errno::PERM) => {
                // What others put into it is not ours to remove, and holds up nobody but the fill of that name.
                let _ = fs::unlinkat(&directory, tmp, AtFlags::REMOVEDIR);
                Ok(())
            }
            other => other,
        }
    }

    fn size(&self, name: Name) -> Io<u64> {
        let directory = self.directory_of(name)?;
        size_of(
            &fs::statat(&directory, name.file(), AtFlags::SYMLINK_NOFOLLOW)?,
            self.owner,
        )
    }

    fn room(&self) -> Io<Room> {
        let volume = fs::fstatvfs(&self.directory)?;
        Ok(Room {
            bytes: volume.f_blocks.saturating_mul(volume.f_frsize),
            free_bytes: volume.f_bavail.saturating_mul(volume.f_frsize),
            files: volume.f_files,
            free_files: volume.f_favail,
        })
    }

    fn list(&self, directory: &str, each: &mut dyn FnMut(&str) -> bool) -> Io<()> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY;
        let directory = retry_on_intr(|| fs::openat(&self.directory, directory, flags, Mode::empty()))?;
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            match entry?.file_name().to_str() {
                Ok(name) if !each(name) => break,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Of a file as we make them: regular, of whoever owns the root, and with no other name. An unlinked one has none.
fn size_of(stat: &fs::Stat, owner: u32) -> Io<u64> {
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if is_file && stat.st_nlink <= 1 && stat.st_uid == owner {
        u64::try_from(stat.st_size).map_err(|_| Errno::OVERFLOW)
    } else {
        Err(PLANTED)
    }
}

/// How many files the process may have open.
pub fn open_files_limit() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(1 << 20)
}

/// The parts of starting up that come before there is a root.
pub(super) fn make_directory(path: &Path) -> Io<()> {
    fs::mkdir(path, PRIVATE_DIR)
}

/// Opens a directory, itself no link: names below it that are resolved from there stay below the root.
fn directory_in(root: &OwnedFd, name: &str) -> Io<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry_on_intr(|| fs::openat(root, name, flags, Mode::empty()))
}

/// Opens a directory; makes it if it is not there. What is there instead of it goes.
fn make_in(root: &OwnedFd, name: &str) -> Io<OwnedFd> {
    let mut opened = directory_in(root, name);
    if let Err(Errno::NOTDIR | Errno::LOOP) = opened {
        fs::unlinkat(root, name, AtFlags::empty())?;
        opened = Err(Errno::NOENT);
    }
    if let Err(Errno::NOENT) = opened {
        match fs::mkdirat(root, name, PRIVATE_DIR) {
            Ok(()) | Err(Errno::EXIST) => opened = directory_in(root, name),
            Err(errno) => return Err(errno),
        }
    }
    opened
}

/// The user that this process acts as.
pub(super) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_ours_if_they_are_the_owners_of_the_root() {
        let file = fs::fstat(tempfile::NamedTempFile::new().unwrap()).unwrap();
        assert_eq!(size_of(&file, file.st_uid), Ok(0));
        assert_eq!(size_of(&file, file.st_uid + 1), Err(PLANTED));
    }
}
