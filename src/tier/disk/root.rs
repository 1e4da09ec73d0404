//! The root directory: ours, private, and in use by one process at a time.
//!
//! Owns: making sure of that before anything else is touched, and the errors that end the start.

use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::io;

/// Why a disk cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The root or its `tmp/` cannot be created, opened or read.
    #[error("cannot {what} {path}: {errno}")]
    Root {
        /// What was tried.
        what: &'static str,
        /// The root.
        path: PathBuf,
        /// What the system said.
        errno: Errno,
    },
    /// Only a directory of one's own is safe to unlink files in.
    #[error("{0} is a symbolic link, or not a directory")]
    NotADirectory(PathBuf),
    /// Another user could put files there.
    #[error("{path} belongs to user {owner}, not to user {user} that runs this process")]
    NotOurs {
        /// The root.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Two processes would evict each other's files.
    #[error("{0} is in use by another process")]
    Locked(PathBuf),
    /// The system has no threads left.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// Creates the root if it is missing, checks whose it is, and locks it: the directory and the lock.
pub(super) fn open_root(path: &Path) -> Result<(OwnedFd, OwnedFd), OpenError> {
    match io::make_directory(path) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(root_error("create", path, errno)),
    }
    let (root, owner) = match io::open_root(path) {
        Ok(opened) => opened,
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(OpenError::NotADirectory(path.to_owned())),
        Err(errno) => return Err(root_error("open", path, errno)),
    };
    let user = io::effective_user();
    if owner != user {
        return Err(OpenError::NotOurs {
            path: path.to_owned(),
            owner,
            user,
        });
    }
    let lock = match io::lock_root(&root) {
        Ok(lock) => lock,
        Err(Errno::WOULDBLOCK) => return Err(OpenError::Locked(path.to_owned())),
        Err(errno) => return Err(root_error("lock", path, errno)),
    };
    io::prepare_root(&root).map_err(|errno| root_error("prepare", path, errno))?;
    Ok((root, lock))
}

pub(super) fn root_error(what: &'static str, path: &Path, errno: Errno) -> OpenError {
    OpenError::Root {
        what,
        path: path.to_owned(),
        errno,
    }
}
