//! What the disk counts, for metrics to read.
//!
//! Owns: the closed sets of labels, and one counter for each. Never: names a key, a host or a tag.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use crate::tier::store::GaveUp;

use super::io::PLANTED;

/// A closed set of labels.
pub trait Label: Copy + PartialEq + fmt::Debug + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// The value of the metric's label.
    fn label(self) -> &'static str;
}

/// A fault of the disk, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The device failed.
    Io,
    /// There is no space, or no quota, although there should be.
    NoSpace,
    /// A file did not match its checksums, or was not what it is called.
    Damaged,
    /// The file system is read-only, or access is denied.
    Denied,
    /// Too many open files.
    OpenFiles,
    /// A read took too long, or too many did.
    Slow,
    /// The directory vanished, or what it is mounted from.
    Gone,
    /// Anything else.
    Other,
}

/// Why a file was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evicted {
    /// By the usual order: it was not used for the longest time.
    Capacity,
    /// It belongs to a revision that is no longer current.
    Former,
    /// It was found at start and not used since.
    Unproven,
    /// Its route held more than its quota.
    Quota,
    /// The device was full before the capacity was reached.
    NoSpace,
    /// Its revision was contradicted.
    Forgotten,
}

/// What came of comparing a complete revision with the checksum that its authority names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verified {
    /// They are the same.
    Sound,
    /// They differ; the revision was dropped.
    Mismatch,
    /// The device failed, or the end came first.
    Unread,
}

/// How a fill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FillEnd {
    /// The block is in the store.
    Published,
    /// Whoever offered bytes went away before the last.
    Dropped,
    /// It was given up.
    GaveUp(GaveUp),
}

impl Label for Fault {
    const ALL: &'static [Self] = &[
        Self::Io,
        Self::NoSpace,
        Self::Damaged,
        Self::Denied,
        Self::OpenFiles,
        Self::Slow,
        Self::Gone,
        Self::Other,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::NoSpace => "no-space",
            Self::Damaged => "damaged",
            Self::Denied => "denied",
            Self::OpenFiles => "open-files",
            Self::Slow => "slow",
            Self::Gone => "gone",
            Self::Other => "other",
        }
    }
}

impl Label for Verified {
    const ALL: &'static [Self] = &[Self::Sound, Self::Mismatch, Self::Unread];

    fn label(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Mismatch => "mismatch",
            Self::Unread => "unread",
        }
    }
}

impl Fault {
    pub(super) fn of(errno: Errno) -> Self {
        match errno {
            Errno::IO | Errno::UCLEAN => Self::Io,
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Self::NoSpace,
            Errno::ROFS | Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::MFILE | Errno::NFILE => Self::OpenFiles,
            Errno::NOENT | Errno::STALE | Errno::NODEV | Errno::NOTCONN => Self::Gone,
            // Somebody else's link or directory has the name.
            PLANTED | Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST => Self::Damaged,
            _ => Self::Other,
        }
    }
}

impl Label for Evicted {
    const ALL: &'static [Self] = &[
        Self::Capacity,
        Self::Former,
        Self::Unproven,
        Self::Quota,
        Self::NoSpace,
        Self::Forgotten,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Former => "former",
            Self::Unproven => "unproven",
            Self::Quota => "quota",
            Self::NoSpace => "no-space",
            Self::Forgotten => "forgotten",
        }
    }
}

impl Label for FillEnd {
    const ALL: &'static [Self] = &[
        Self::Published,
        Self::Dropped,
        Self::GaveUp(GaveUp::OverBudget),
        Self::GaveUp(GaveUp::NoSpace),
        Self::GaveUp(GaveUp::Fault),
        Self::GaveUp(GaveUp::Length),
        Self::GaveUp(GaveUp::HeadTooLarge),
        Self::GaveUp(GaveUp::Forgotten),
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Dropped => "dropped",
            Self::GaveUp(why) => why.label(),
        }
    }
}

/// One counter for each label of a set.
pub(super) struct Tally<L>(Box<[(L, AtomicU64)]>);

impl<L: Label> Tally<L> {
    pub(super) fn count(&self, label: L) {
        self.add(label, 1);
    }

    pub(super) fn add(&self, label: L, n: u64) {
        if let Some((_, counter)) = self.0.iter().find(|(l, _)| *l == label) {
            counter.fetch_add(n, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self) -> Vec<(L, u64)> {
        let counters = self.0.iter();
        counters.map(|(l, n)| (*l, n.load(Ordering::Relaxed))).collect()
    }
}

impl<L: Label> Default for Tally<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|l| (*l, AtomicU64::new(0))).collect())
    }
}

impl<L: Label> fmt::Debug for Tally<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.read()).finish()
    }
}

/// All counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) faults: Tally<Fault>,
    pub(super) evicted: Tally<Evicted>,
    pub(super) fills: Tally<FillEnd>,
    pub(super) foreign: AtomicU64,
    pub(super) verified: Tally<Verified>,
    pub(super) begun: AtomicU64,
    pub(super) waited: AtomicU64,
}

/// The state of a disk at one moment. Counts are since it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// What all files take, in whole pages of 4 KiB, with what fills have reserved.
    pub bytes: u64,
    /// How many blocks and records there are.
    pub files: u64,
    /// How many of them are blocks.
    pub blocks: u64,
    /// What `bytes` may be at most.
    pub capacity: u64,
    /// Bytes of memory of the index.
    pub index_bytes: u64,
    /// Whether all files of an earlier run were found.
    pub index_complete: bool,
    /// Files of others that were found in the directory, and left alone.
    pub foreign: u64,
    /// Bytes of the volume that are free.
    pub volume_free: u64,
    /// Bytes that were offered to fills and are not yet written.
    pub backlog: u64,
    /// Fills that were begun.
    pub fills_begun: u64,
    /// Fills that ended, by how; refusals to begin included.
    pub fills: Vec<(FillEnd, u64)>,
    /// Evictions, by reason.
    pub evicted: Vec<(Evicted, u64)>,
    /// Faults, by kind.
    pub faults: Vec<(Fault, u64)>,
    /// Comparisons with the authority's checksums, by what came of them.
    pub verified: Vec<(Verified, u64)>,
    /// Reads that were not served from the page cache inline, and went to a blocking thread.
    pub reads_waited: u64,
}

/// Whether a disk is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usable {
    /// It is.
    Ok,
    /// It serves less than it should, for this reason.
    Degraded(Degraded),
}

/// Why a disk serves less than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Degraded {
    /// Fills are paused since the device is full.
    #[error("the device is full")]
    Full,
    /// Fills are refused since the volume has less room than is to be left to others.
    #[error("the volume is short of free space")]
    Short,
    /// Reads and fills are refused since the device kept failing.
    #[error("the device fails")]
    Failing,
    /// Fills are refused since writing kept failing: it is mounted read-only, or the directory is gone.
    #[error("nothing can be written")]
    Unwritable,
}
