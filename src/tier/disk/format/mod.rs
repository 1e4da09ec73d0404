//! What files contain, as pure functions between bytes and values.
//!
//! Owns: the layout of blocks, of object records and of what was popular, their versions and checksums. Never: touches a file. Whatever
//! does not check is not read in part: it is damaged, or another's.

mod block;
mod head;
mod object;
mod popular;
mod summing;
mod sums;
mod trailer;
mod wire;

pub(super) use block::{Footer, GRANULE, Geometry, footer_of, is_size_of_block, seal, sealed_len};
pub(super) use object::Record;
pub(super) use popular::{Popular, Popularity, Standing, ToldRevision};
pub(super) use summing::Summing;
pub(super) use sums::Sums;
pub(super) use wire::{narrow, wide};

/// Why a file is not what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A checksum or a length does not match.
    Damaged,
    /// Intact, but of another version, object, revision, block or block size.
    Foreign,
}

/// Whether a file that ends so was written in another version of one of the formats, as far as that can be told.
pub(super) fn is_of_another_version(end: &[u8]) -> bool {
    let version = end.split_last_chunk::<8>().and_then(|(before, magic)| {
        let ours = [(block::MAGIC, block::VERSION), (object::MAGIC, object::VERSION)];
        let (_, here) = ours.into_iter().find(|(known, _)| *known == magic)?;
        let (_, there) = before.split_last_chunk::<4>()?;
        Some((here, u32::from_le_bytes(*there)))
    });
    version.is_some_and(|(here, there)| here != there)
}

/// CRC-64/NVME, the one that S3 combines to full-object checksums.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::crc64_nvme(bytes)
}

/// The same, over bytes that come in pieces.
fn digest() -> crc_fast::Digest {
    crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme)
}
