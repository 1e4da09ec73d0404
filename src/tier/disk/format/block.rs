//! A block file: data, a table with a checksum of every granule, a footer, and a trailer of fixed size.
//!
//! ```text
//! data                                        as in the object
//! table                                       CRC-64/NVME of every 16 KiB of data, u64 each
//! footer    block size, total, index          u64 each
//!           key, tag as sent, head            strings
//! trailer   length of data u64, of footer u32
//!           CRC-64/NVME of table, footer and the two lengths
//!           version u32, magic
//! ```
//!
//! Owns: this layout. The footer says everything that the name of the file is a hash of, and the trailer stands at the
//! very end, so that a file that was cut or swapped does not check.

use crate::object::{BlockIndex, BlockSize, Head, ObjectSize, Revision, StrongETag};

use super::wire::{Reader, narrow, put_bytes, put_u32, put_u64, wide};
use super::{Unreadable, checksum, head};

/// What one checksum covers: small enough that a 4 KiB read pays little for it.
pub(in crate::tier::disk) const GRANULE: u64 = 16 << 10;
/// The size of the trailer.
const TRAILER: u64 = 8 + 4 + 8 + 4 + 8;

pub(super) const VERSION: u32 = 1;
pub(super) const MAGIC: &[u8; 8] = b"PINBLOCK";
/// How large a footer may be: keys are URLs, which may be long but not this long.
const MAX_FOOTER: usize = 64 << 10;

/// Where the pieces of a block file are, as its trailer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tier::disk) struct Geometry {
    /// How many bytes of data.
    pub(in crate::tier::disk) data: u64,
    footer: u32,
    crc: u64,
}

/// What a block says of itself.
#[derive(Debug)]
pub(in crate::tier::disk) struct Footer {
    /// The checksums of the granules.
    pub(in crate::tier::disk) table: Box<[u64]>,
    /// The head to replay.
    pub(in crate::tier::disk) head: Head,
    pub(in crate::tier::disk) block_size: u64,
    pub(in crate::tier::disk) index: u64,
    pub(in crate::tier::disk) key: Box<[u8]>,
}

/// The footer of a block; `None` if head, key or tag are too large for one, or the head is of another revision.
pub(in crate::tier::disk) fn footer_of(
    revision: &Revision,
    head: &Head,
    block_size: BlockSize,
    index: BlockIndex,
) -> Option<Vec<u8>> {
    let encoded = Some(head).filter(|head| *head.tag() == revision.tag);
    let encoded = head::encode(encoded?)?;
    let mut out = Vec::with_capacity(encoded.len() + revision.key.encoded().len() + 128);
    put_u64(&mut out, block_size.bytes());
    put_u64(&mut out, head.size().bytes());
    put_u64(&mut out, index.get());
    put_bytes(&mut out, revision.key.encoded());
    put_bytes(&mut out, &head.tag().as_sent());
    put_bytes(&mut out, &encoded);
    (out.len() <= MAX_FOOTER).then_some(out)
}

/// How large a block file becomes.
pub(in crate::tier::disk) fn sealed_len(data: u64, footer: &[u8]) -> u64 {
    data + data.div_ceil(GRANULE) * 8 + wide(footer.len()) + TRAILER
}

/// Whether a block of any size can make a file that large.
pub(in crate::tier::disk) fn is_size_of_block(size: u64) -> bool {
    let most = BlockSize::MAX + BlockSize::MAX / GRANULE * 8 + wide(MAX_FOOTER) + TRAILER;
    (TRAILER..=most).contains(&size)
}

/// What is written behind the data.
pub(in crate::tier::disk) fn seal(data: u64, table: &[u64], footer: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(narrow(sealed_len(0, footer)) + table.len() * 8);
    for crc in table {
        put_u64(&mut out, *crc);
    }
    out.extend_from_slice(footer);
    put_u64(&mut out, data);
    put_u32(&mut out, u32::try_from(footer.len()).unwrap_or(u32::MAX));
    let crc = checksum(&out);
    put_u64(&mut out, crc);
    put_u32(&mut out, VERSION);
    out.extend_from_slice(MAGIC);
    out
}

impl Geometry {
    /// From the last bytes of a file of that length.
    pub(in crate::tier::disk) fn parse(end: &[u8], file: u64) -> Result<Self, Unreadable> {
        let start = end.len().checked_sub(narrow(TRAILER));
        let trailer = start.and_then(|start| end.get(start..)).ok_or(Unreadable::Damaged)?;
        let geometry = Self::take(&mut Reader::new(trailer)).ok_or(Unreadable::Damaged)??;
        let sane = geometry.data > 0
            && geometry.data <= BlockSize::MAX
            && narrow(geometry.footer.into()) <= MAX_FOOTER
            && geometry.data + geometry.sealed() == file;
        if sane { Ok(geometry) } else { Err(Unreadable::Damaged) }
    }

    fn take(from: &mut Reader<'_>) -> Option<Result<Self, Unreadable>> {
        let geometry = Self {
            data: from.u64()?,
            footer: from.u32()?,
            crc: from.u64()?,
        };
        let known = from.u32()? == VERSION && from.take(MAGIC.len())? == MAGIC;
        Some(if known { Ok(geometry) } else { Err(Unreadable::Foreign) })
    }

    /// How many bytes follow the data.
    pub(in crate::tier::disk) fn sealed(&self) -> u64 {
        self.data.div_ceil(GRANULE) * 8 + u64::from(self.footer) + TRAILER
    }

    /// Reads everything behind the data, given exactly that.
    pub(in crate::tier::disk) fn open(&self, sealed: &[u8]) -> Result<Footer, Unreadable> {
        let covered = narrow(self.sealed() - TRAILER + 8 + 4);
        if wide(sealed.len()) != self.sealed() || sealed.get(..covered).map(checksum) != Some(self.crc) {
            return Err(Unreadable::Damaged);
        }
        let mut from = Reader::new(sealed);
        // The checksum matched: what does not parse now was written so, by somebody else.
        self.take_footer(&mut from).ok_or(Unreadable::Foreign)
    }

    fn take_footer(&self, from: &mut Reader<'_>) -> Option<Footer> {
        let table = from.take(narrow(self.data.div_ceil(GRANULE) * 8))?;
        let table = table.chunks_exact(8).filter_map(|crc| crc.try_into().ok());
        let table = table.map(u64::from_le_bytes).collect();
        let from = &mut Reader::new(from.take(narrow(self.footer.into()))?);
        let (block_size, total, index) = (from.u64()?, ObjectSize::new(from.u64()?), from.u64()?);
        let key = from.bytes()?.into();
        let tag = StrongETag::parse(from.bytes()?)?;
        let head = head::decode(from.bytes()?, tag, total)?;
        from.is_done().then_some(Footer {
            table,
            head,
            block_size,
            index,
            key,
        })
    }
}

impl Footer {
    /// Whether this is the block that was looked for, and its data as long as it must be.
    pub(in crate::tier::disk) fn is(
        &self,
        revision: &Revision,
        block_size: BlockSize,
        index: BlockIndex,
        data: u64,
    ) -> bool {
        let range = block_size.range_of(index, self.head.size());
        self.block_size == block_size.bytes()
            && self.index == index.get()
            && *self.key == *revision.key.encoded()
            && *self.head.tag() == revision.tag
            && range.is_some_and(|range| range.len() == data)
    }
}
