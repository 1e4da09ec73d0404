//! What the index knew when a disk was closed, so that a restart does not evict what is popular or within its grace first,
//! nor lets a route take what is another's.
//!
//! ```text
//! body      block size u64; names of routes, u16 of them;
//!           number of revisions u32, each: hash, route u16 (0 unknown, else the n-th name), standing u8 (0 former,
//!           1 wanted, 2 within its grace: until when, seconds since 1970 u64);
//!           number of files u32, each: revision u32 (the n-th from 0), number u32, uses u8
//! trailer   CRC-64/NVME of the body, version u32, magic
//! ```
//!
//! Owns: this layout. It is a hint: without it, or with an old one, other files are evicted and nothing else changes.

use crate::tier::disk::name::RevisionHash;

use super::wire::{Reader, narrow, put_bytes, put_u16, put_u32, put_u64, wide};
use super::{Unreadable, trailer};

const VERSION: u32 = 2;
const MAGIC: &[u8; 8] = b"PINPOPUL";
/// Of one revision within its grace; others take less.
const REVISION: usize = 16 + 2 + 1 + 8;
/// Of one file.
const FILE: usize = 4 + 4 + 1;

/// How dear a revision is, or an object's record, which counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tier::disk) enum Standing {
    Former,
    Wanted,
    Graced {
        /// Seconds since 1970.
        until: u64,
    },
}

/// A revision that has a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tier::disk) struct ToldRevision {
    pub(in crate::tier::disk) hash: RevisionHash,
    /// Zero where it is unknown, else the n-th of the names: today's order of the routes says nothing of tomorrow's.
    pub(in crate::tier::disk) route: u16,
    pub(in crate::tier::disk) standing: Standing,
}

/// A file that was used again after it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tier::disk) struct Popular {
    /// The n-th of the revisions.
    pub(in crate::tier::disk) revision: u32,
    pub(in crate::tier::disk) number: u32,
    pub(in crate::tier::disk) uses: u8,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tier::disk) struct Popularity {
    /// Blocks of another size are never asked for again.
    pub(in crate::tier::disk) block_size: u64,
    pub(in crate::tier::disk) routes: Vec<Box<str>>,
    /// By hash.
    pub(in crate::tier::disk) revisions: Vec<ToldRevision>,
    /// By revision and number.
    pub(in crate::tier::disk) files: Vec<Popular>,
}

impl Popularity {
    /// How many revisions are worth to be told of, and how many files.
    pub(in crate::tier::disk) const MOST: usize = 1 << 20;
    /// How large the file may be: so many of both, and the names.
    pub(in crate::tier::disk) const MAX: u64 = 40 << 20;

    pub(in crate::tier::disk) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024 + REVISION * self.revisions.len() + FILE * self.files.len());
        put_u64(&mut out, self.block_size);
        put_u16(&mut out, u16::try_from(self.routes.len()).unwrap_or(u16::MAX));
        for route in self.routes.iter().take(u16::MAX.into()) {
            put_bytes(&mut out, route.as_bytes());
        }
        put_u32(&mut out, u32::try_from(self.revisions.len()).unwrap_or(u32::MAX));
        for revision in &self.revisions {
            out.extend_from_slice(&revision.hash.bytes());
            put_u16(&mut out, revision.route);
            revision.standing.put(&mut out);
        }
        put_u32(&mut out, u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        for file in &self.files {
            put_u32(&mut out, file.revision);
            put_u32(&mut out, file.number);
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
        // Counts are not believed before what they count is there.
        let room = |count: u32, each: usize| narrow(u64::from(count).min(Self::MAX / wide(each)));
        let count = from.u32()?;
        popularity.revisions.reserve_exact(room(count, REVISION));
        for _ in 0..count {
            popularity.revisions.push(ToldRevision {
                hash: RevisionHash::from_bytes(from.array()?),
                route: from.u16()?,
                standing: Standing::take(from)?,
            });
        }
        let count = from.u32()?;
        popularity.files.reserve_exact(room(count, FILE));
        for _ in 0..count {
            popularity.files.push(Popular {
                revision: from.u32()?,
                number: from.u32()?,
                uses: from.u8()?,
            });
        }
        from.is_done().then_some(popularity)
    }
}

impl Standing {
    fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Former => out.push(0),
            Self::Wanted => out.push(1),
            Self::Graced { until } => {
                out.push(2);
                put_u64(out, until);
            }
        }
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        match from.u8()? {
            0 => Some(Self::Former),
            1 => Some(Self::Wanted),
            2 => Some(Self::Graced { until: from.u64()? }),
            _ => None,
        }
    }
}
