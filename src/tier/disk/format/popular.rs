//! What was popular when a disk was closed, so that a restart does not evict it first.
//!
//! ```text
//! body      block size u64; names of routes; number of files u32,
//!           each: hash, number u32, route u16 (0 unknown, else the n-th name), uses u8
//! trailer   CRC-64/NVME of the body, version u32, magic
//! ```
//!
//! Owns: this layout. It is a hint: without it, or with an old one, other files are evicted and nothing else changes.

use crate::tier::disk::name::{Name, RevisionHash};

use super::wire::{Reader, narrow, put_bytes, put_u16, put_u32, put_u64, wide};
use super::{Unreadable, trailer};

const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"PINPOPUL";
/// Of one file.
const ENTRY: usize = 16 + 4 + 2 + 1;

/// A file that was used again after it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tier::disk) struct Popular {
    pub(in crate::tier::disk) name: Name,
    /// Zero where it is unknown, else the n-th of the names.
    pub(in crate::tier::disk) route: u16,
    pub(in crate::tier::disk) uses: u8,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tier::disk) struct Popularity {
    /// Blocks of another size are never asked for again.
    pub(in crate::tier::disk) block_size: u64,
    pub(in crate::tier::disk) routes: Vec<Box<str>>,
    pub(in crate::tier::disk) files: Vec<Popular>,
}

impl Popularity {
    /// How many files are worth to be told of: one takes 23 bytes.
    pub(in crate::tier::disk) const MOST: usize = 1 << 20;
    /// How large the file may be.
    pub(in crate::tier::disk) const MAX: u64 = 32 << 20;

    pub(in crate::tier::disk) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024 + ENTRY * self.files.len());
        put_u64(&mut out, self.block_size);
        put_u16(&mut out, u16::try_from(self.routes.len()).unwrap_or(u16::MAX));
        for route in self.routes.iter().take(u16::MAX.into()) {
            put_bytes(&mut out, route.as_bytes());
        }
        put_u32(&mut out, u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        for file in &self.files {
            let (hash, number) = file.name.parts();
            out.extend_from_slice(&hash.bytes());
            put_u32(&mut out, number);
            put_u16(&mut out, file.route);
            out.push(file.uses);
        }
        trailer::seal(&mut out, VERSION, MAGIC);
        out
    }

    pub(in crate::tier::disk) fn decode(file: &[u8]) -> Result<Self, Unreadable> {
        let mut from = trailer::open(file, VERSION, MAGIC)?;
        Self::take(&mut from).ok_or(Unreadable::Foreign)
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let mut popularity = Self {
            block_size: from.u64()?,
            ..Self::default()
        };
        for _ in 0..from.u16()? {
            let route = std::str::from_utf8(from.bytes()?).ok()?;
            popularity.routes.push(route.into());
        }
        let count = u64::from(from.u32()?);
        // Not believed before it is there.
        popularity
            .files
            .reserve_exact(narrow(count.min(Self::MAX / wide(ENTRY))));
        for _ in 0..count {
            popularity.files.push(Popular {
                name: Name::of(RevisionHash::from_bytes(from.array()?), from.u32()?),
                route: from.u16()?,
                uses: from.u8()?,
            });
        }
        from.is_done().then_some(popularity)
    }
}
