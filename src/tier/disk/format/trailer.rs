//! The trailer of small files that are replaced as a whole: `CRC-64/NVME of the body, version u32, magic`.
//!
//! Owns: this layout, and what a file is that does not have it.

use super::wire::{Reader, put_u32, put_u64};
use super::{Unreadable, checksum};

const LENGTH: usize = 8 + 4 + 8;

/// What follows the body.
pub(super) fn seal(body: &mut Vec<u8>, version: u32, magic: &[u8; 8]) {
    let crc = checksum(body);
    put_u64(body, crc);
    put_u32(body, version);
    body.extend_from_slice(magic);
}

/// The body, if it is of that kind and version and was not changed.
pub(super) fn open<'a>(file: &'a [u8], version: u32, magic: &[u8; 8]) -> Result<Reader<'a>, Unreadable> {
    let split = file.len().checked_sub(LENGTH).and_then(|at| file.split_at_checked(at));
    let (body, trailer) = split.ok_or(Unreadable::Damaged)?;
    let mut from = Reader::new(trailer);
    let crc = from.u64();
    if from.u32() != Some(version) || from.take(magic.len()) != Some(magic) {
        return Err(Unreadable::Foreign);
    }
    if crc != Some(checksum(body)) {
        return Err(Unreadable::Damaged);
    }
    Ok(Reader::new(body))
}
