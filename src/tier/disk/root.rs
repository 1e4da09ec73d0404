//! The root directory: ours, private, and in use by one process at a time.
//!
//! Owns: making sure of that before anything else is touched, and the errors that end the start.

use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::io::{self, Root};

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
    /// A directory is made, but not those above it: where a volume is to be mounted, there is none yet.
    #[error("cannot create {path}, since {parent} does not exist: create it, or correct the path of the disk")]
    NoParent {
        /// The root.
        path: PathBuf,
        /// What it was to be created in.
        parent: PathBuf,
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
pub(super) fn open_root(path: &Path) -> Result<(Root, OwnedFd), OpenError> {
    match io::make_directory(path) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(Errno::NOENT) => {
            return Err(OpenError::NoParent {
                path: path.to_owned(),
                parent: path.parent().unwrap_or(path).to_owned(),
            });
        }
        Err(errno) => return Err(root_error("create", path, errno)),
    }
    let root = match Root::open(path) {
        Ok(root) => root,
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(OpenError::NotADirectory(path.to_owned())),
        Err(errno) => return Err(root_error("open", path, errno)),
    };
    let (owner, user) = (root.owner(), io::effective_user());
    if owner != user {
        return Err(OpenError::NotOurs {
            path: path.to_owned(),
            owner,
            user,
        });
    }
    let lock = match root.lock() {
        Ok(lock) => lock,
        Err(Errno::WOULDBLOCK) => return Err(OpenError::Locked(path.to_owned())),
        Err(errno) => return Err(root_error("lock", path, errno)),
    };
    root.prepare().map_err(|errno| root_error("prepare", path, errno))?;
    Ok((root, lock))
}

pub(super) fn root_error(what: &'static str, path: &Path, errno: Errno) -> OpenError {
    OpenError::Root {
        what,
        path: path.to_owned(),
        errno,
    }
}
