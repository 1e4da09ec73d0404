//! How much room the volume has, which others may use as well.
//!
//! Owns: the marks below which nothing is stored and blocks are evicted, and the thread that looks, and tries a disk that
//! is sick. Never: is on the way
//! of a request; who stores a block looks at a flag.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::shared::Shared;
use super::stats::Fault;
use super::sync::{AtomicBool, AtomicU64, Condvar, Mutex};

/// How often the thread looks. A volume that is written to at 1 GB/s loses that much until it is seen, and less is lost
/// to a full device, which is seen at once.
#[cfg(not(test))]
const EVERY: Duration = Duration::from_secs(1);
/// Tests say when.
#[cfg(test)]
const EVERY: Duration = Duration::from_secs(3600);
/// How long what failed is left alone before it is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// At most this much is left free unless the configuration says otherwise.
const MOST_FREE: u64 = 1 << 30;
/// Below one part in so many, of bytes and of files, room is short.
const SHARE: u64 = 100;
/// So many files at least: as many as may be on their way in before the thread looks again. Where there may be only a
/// few in all, a quarter of them.
const LEAST_FILES: u64 = 16;

/// What a volume says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// How many bytes there are in all.
    pub(super) bytes: u64,
    /// How many of them are free for us.
    pub(super) free_bytes: u64,
    /// How many files there may be; zero where the file system has no such bound.
    pub(super) files: u64,
    /// How many more of them we may make.
    pub(super) free_files: u64,
}

/// What is to be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

impl Room {
    /// What must be free for fills to begin.
    fn low(self, min_free: Option<u64>) -> Wanted {
        Wanted {
            bytes: min_free.unwrap_or((self.bytes / SHARE).min(MOST_FREE)),
            files: (self.files / SHARE).max(LEAST_FILES.min(self.files / 4)),
        }
    }

    /// What evictions go on for once it was less than that: a quarter more, so that it is not short again at once.
    fn high(self, min_free: Option<u64>) -> Wanted {
        let low = self.low(min_free);
        Wanted {
            bytes: low.bytes.saturating_add(low.bytes / 4),
            files: low.files + low.files / 4,
        }
    }

    /// What is missing of that; `None` if nothing is.
    fn missing(self, wanted: Wanted) -> Option<Wanted> {
        let missing = Wanted {
            bytes: wanted.bytes.saturating_sub(self.free_bytes),
            files: wanted.files.saturating_sub(self.free_files),
        };
        (missing.bytes > 0 || missing.files > 0).then_some(missing)
    }
}

/// What is known of the room, and who looks again.
#[derive(Debug)]
pub(super) struct Watch {
    min_free: Option<u64>,
    short: AtomicBool,
    free: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    due: bool,
    closed: bool,
}

impl Watch {
    pub(super) fn new(min_free: Option<u64>) -> Self {
        Self {
            min_free,
            short: AtomicBool::new(false),
            free: AtomicU64::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Whether nothing is to be stored.
    pub(super) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// How many bytes were free when somebody looked last.
    pub(super) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Has the thread look now.
    pub(super) fn wake(&self) {
        self.state.lock().due = true;
        self.changed.notify_all();
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until it is time to look again; `false` when closed.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        if !state.due && !state.closed {
            self.changed.wait_for(&mut state, EVERY);
        }
        state.due = false;
        !state.closed
    }

    /// Takes note of what was seen. What is to be evicted.
    fn note(&self, room: Room) -> Option<Wanted> {
        self.free.store(room.free_bytes, Ordering::Relaxed);
        let missing = room.missing(room.high(self.min_free));
        let short = missing.is_some() && (self.is_short() || room.missing(room.low(self.min_free)).is_some());
        if self.short.swap(short, Ordering::Relaxed) != short {
            match short {
                true => tracing::warn!(free = room.free_bytes, "the volume of the disk tier is short of room"),
                false => tracing::info!(free = room.free_bytes, "the volume of the disk tier has room again"),
            }
        }
        missing.filter(|_| short)
    }
}

impl Shared {
    /// The work of the watching thread.
    pub(super) fn watch(&self) {
        self.look();
        let mut tried = (self.now)();
        while self.watch.wait() {
            self.try_degraded();
            self.look();
            let now = (self.now)();
            if now.saturating_sub(tried) >= AGAIN {
                tried = now;
                self.try_again();
            }
            self.tell_popular();
        }
    }

    /// What failed for a reason that may be gone: files that could not be unlinked, directories that could not be read.
    pub(super) fn try_again(&self) {
        self.index.retry_stuck();
        self.walk_again();
    }

    pub(super) fn look(&self) {
        match self.files.room() {
            Ok(room) => {
                let missing = self.watch.note(room);
                // What was evicted and is still there will give room, too.
                if let Some(missing) = missing.filter(|_| self.index.is_settled()) {
                    self.index.make_room(missing.bytes, missing.files);
                }
            }
            Err(errno) => self.fault(Fault::of(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(watch: &Watch, free_bytes: u64, free_files: u64, expected: Option<(u64, u64)>) {
        let room = Room {
            bytes: 100_000,
            free_bytes,
            files: 10_000,
            free_files,
        };
        let expected = expected.map(|(bytes, files)| Wanted { bytes, files });
        assert_eq!((watch.note(room), watch.is_short()), (expected, expected.is_some()));
        assert_eq!(watch.free(), free_bytes);
    }

    #[test]
    fn evictions_go_on_until_the_high_mark() {
        let watch = Watch::new(None);
        check(&watch, 1000, 100, None);
        check(&watch, 999, 5000, Some((251, 0)));
        check(&watch, 1249, 5000, Some((1, 0)));
        check(&watch, 1250, 124, Some((0, 1)));
        check(&watch, 1250, 125, None);
        check(&watch, 1000, 100, None);
        check(&watch, 5000, 99, Some((0, 26)));
    }

    #[test]
    fn the_configuration_has_the_last_word() {
        let watch = Watch::new(Some(0));
        check(&watch, 0, 100, None);
        let watch = Watch::new(Some(u64::MAX));
        check(&watch, 100_000, 5000, Some((u64::MAX - 100_000, 0)));
    }

    #[test]
    fn small_volumes_keep_a_few_files_free() {
        let check = |files, free_files, missing: Option<u64>| {
            let room = Room {
                files,
                free_files,
                ..Room::default()
            };
            let missing = missing.map(|files| Wanted { bytes: 0, files });
            assert_eq!(Watch::new(Some(0)).note(room), missing, "{files} {free_files}");
        };
        check(1000, 16, None);
        check(1000, 15, Some(5));
        check(20, 5, None);
        check(20, 4, Some(2));
    }

    #[test]
    fn large_volumes_need_no_more_than_others_and_some_do_not_count_files() {
        let watch = Watch::new(None);
        let room = Room {
            bytes: 1 << 50,
            free_bytes: MOST_FREE,
            ..Room::default()
        };
        assert_eq!(watch.note(room), None);
    }
}
