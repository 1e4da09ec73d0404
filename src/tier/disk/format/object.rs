//! The record of an object: its key and what is known of it.
//!
//! ```text
//! body      key, current (0 unknown, 1 none, 2 a tag), confirmed,
//!           head (0 none, 1: tag, total, head), former tags with times
//! trailer   CRC-64/NVME of the body, version u32, magic
//! ```
//!
//! Owns: this layout. A record is small and replaced as a whole.

use std::sync::Arc;

use crate::object::{Current, Head, ObjectSize, StrongETag};
use crate::tier::store::Known;

use super::wire::{Reader, narrow, put_bytes, put_time, put_u32, put_u64};
use super::{Unreadable, head, trailer};

pub(super) const VERSION: u32 = 1;
pub(super) const MAGIC: &[u8; 8] = b"PINOBJCT";

/// What the file of an object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tier::disk) struct Record {
    /// The encoded key, to be compared.
    pub(in crate::tier::disk) key: Box<[u8]>,
    /// What is known.
    pub(in crate::tier::disk) known: Known,
}

impl Record {
    /// How large a record may be: a key, a head, and the tags of 16 former revisions.
    pub(in crate::tier::disk) const MAX: u64 = 128 << 10;

    /// `None` if it is too large. A head that is too large is left out: blocks of that revision have none either.
    pub(in crate::tier::disk) fn encode(key: &[u8], known: &Known) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(1 << 10);
        put_bytes(&mut out, key);
        match &known.current {
            Current::Unknown => out.push(0),
            Current::None => out.push(1),
            Current::Is(tag) => {
                out.push(2);
                put_bytes(&mut out, &tag.as_sent());
            }
        }
        put_time(&mut out, known.confirmed);
        put_head(&mut out, known.head.as_deref());
        put_u32(&mut out, u32::try_from(known.former.len()).ok()?);
        for (tag, until) in &known.former {
            put_bytes(&mut out, &tag.as_sent());
            put_time(&mut out, *until);
        }
        trailer::seal(&mut out, VERSION, MAGIC);
        (out.len() <= narrow(Self::MAX)).then_some(out)
    }

    /// Whether it says more than that nothing is known, which takes no file: objects without a strong tag are nothing but
    /// asked about, and a scan of them would push out blocks.
    pub(in crate::tier::disk) fn is_worth_a_file(&self) -> bool {
        let Known {
            current,
            confirmed: _,
            head,
            former,
        } = &self.known;
        matches!(current, Current::Is(_)) || head.is_some() || !former.is_empty()
    }

    pub(in crate::tier::disk) fn decode(file: &[u8]) -> Result<Self, Unreadable> {
        let mut from = trailer::open(file, VERSION, MAGIC)?;
        Self::take(&mut from).ok_or(Unreadable::Foreign)
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let key = from.bytes()?.into();
        let current = match from.u8()? {
            0 => Current::Unknown,
            1 => Current::None,
            2 => Current::Is(StrongETag::parse(from.bytes()?)?),
            _ => return None,
        };
        let confirmed = from.time()?;
        let head = take_head(from)?;
        let mut former = Vec::new();
        for _ in 0..from.u32()? {
            former.push((StrongETag::parse(from.bytes()?)?, from.time()?));
        }
        let known = Known {
            current,
            confirmed,
            head,
            former,
        };
        from.is_done().then_some(Self { key, known })
    }
}

fn put_head(out: &mut Vec<u8>, head: Option<&Head>) {
    match head.and_then(|head| Some((head, head::encode(head)?))) {
        None => out.push(0),
        Some((head, encoded)) => {
            out.push(1);
            put_bytes(out, &head.tag().as_sent());
            put_u64(out, head.size().bytes());
            put_bytes(out, &encoded);
        }
    }
}

/// The outer `None` is a fault, the inner one the absence of a head.
fn take_head(from: &mut Reader<'_>) -> Option<Option<Arc<Head>>> {
    if from.u8()? == 0 {
        return Some(None);
    }
    let tag = StrongETag::parse(from.bytes()?)?;
    let size = ObjectSize::new(from.u64()?);
    let head = head::decode(from.bytes()?, tag, size)?;
    Some(Some(Arc::new(head)))
}
