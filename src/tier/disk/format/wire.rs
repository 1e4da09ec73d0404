//! How numbers, strings and times are laid out: little-endian, strings behind their length.
//!
//! Owns: the primitives of every format here. Never: trusts a length.

use std::time::{Duration, SystemTime};

/// A length as the formats hold it.
pub(in crate::tier::disk) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A stored length as memory holds it; what is too large for memory fails every later comparison.
pub(in crate::tier::disk) fn narrow(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

pub(super) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// A string behind its length. Callers bound it; one beyond 4 GiB would not read back.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}

/// A time; before 1970 it is 1970.
pub(super) fn put_time(out: &mut Vec<u8>, time: SystemTime) {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    put_u64(out, since.as_secs());
    put_u32(out, since.subsec_nanos());
}

/// Takes values off the front of a slice; `None` as soon as something is missing.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    pub(super) fn time(&mut self) -> Option<SystemTime> {
        let since = Duration::from_secs(self.u64()?).checked_add(Duration::from_nanos(self.u32()?.into()))?;
        SystemTime::UNIX_EPOCH.checked_add(since)
    }

    /// Whether everything was taken: nothing may follow.
    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}
