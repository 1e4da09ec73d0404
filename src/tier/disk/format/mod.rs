//! What files contain, as pure functions between bytes and values.
//!
//! Owns: the layout of blocks, of object records and of what was popular, their versions and checksums. Never: touches a file. Whatever
//! does not check is not read in part: it is damaged, or another's.

mod block;
mod head;
mod object;
mod popular;
mod sums;
mod wire;

pub(super) use block::{Footer, GRANULE, Geometry, footer_of, is_size_of_block, seal, sealed_len};
pub(super) use object::Record;
pub(super) use popular::{Popular, Popularity};
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

/// CRC-64/NVME, the one that S3 combines to full-object checksums.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::crc64_nvme(bytes)
}

/// The same, over bytes that come in pieces.
fn digest() -> crc_fast::Digest {
    crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme)
}
