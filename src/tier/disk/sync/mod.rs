//! Locks, threads and waiting: those of parking_lot, of the system and of tokio. With the feature `shuttle` they are those of
//! one test instead, which chooses who runs next.
//!
//! Owns: which of the two. Everything of the disk that waits for a thread, or that threads race for, is named from here;
//! what only counts is not, nor what is never held while another thread may run: `watch`, semaphores, caches.

#[cfg(feature = "shuttle")]
mod scheduled;

#[cfg(not(feature = "shuttle"))]
pub(super) use parking_lot::{Condvar, Mutex, MutexGuard};
#[cfg(feature = "shuttle")]
pub(super) use scheduled::{Condvar, Mutex, MutexGuard, spawn_blocking, timeout};
#[cfg(feature = "shuttle")]
pub(super) use shuttle::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize},
    thread::{Builder, JoinHandle},
};
#[cfg(not(feature = "shuttle"))]
pub(super) use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize},
    thread::{Builder, JoinHandle},
};
#[cfg(not(feature = "shuttle"))]
pub(super) use tokio::{task::spawn_blocking, time::timeout};
