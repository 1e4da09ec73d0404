//! The checksum of a whole object, summed up block by block.

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest, checksum_combine};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::GRANULE;
use crate::object::{SumKind, WholeSum};

/// A checksum in the making.
pub(in crate::tier::disk) struct Summing(State);

enum State {
    /// Made of the checksums of granules: no byte is read again.
    Combined(u64),
    Crc32(SumKind, Digest),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Summing {
    pub(in crate::tier::disk) fn new(kind: SumKind) -> Self {
        Self(match kind {
            SumKind::Crc64Nvme => State::Combined(0),
            SumKind::Crc32 => State::Crc32(kind, Digest::new(CrcAlgorithm::Crc32IsoHdlc)),
            SumKind::Crc32c => State::Crc32(kind, Digest::new(CrcAlgorithm::Crc32Iscsi)),
            SumKind::Sha1 => State::Sha1(Sha1::new()),
            SumKind::Sha256 => State::Sha256(Sha256::new()),
            SumKind::Sha512 => State::Sha512(Box::new(Sha512::new())),
        })
    }

    /// Whether tables of granules are all that it takes.
    pub(in crate::tier::disk) fn takes_tables(&self) -> bool {
        matches!(self.0, State::Combined(_))
    }

    /// The table of the next block, which has that many bytes.
    pub(in crate::tier::disk) fn push_table(&mut self, table: &[u64], bytes: u64) {
        if let State::Combined(sum) = &mut self.0 {
            for (at, crc) in (0..bytes).step_by(super::narrow(GRANULE)).zip(table) {
                let length = GRANULE.min(bytes - at);
                *sum = checksum_combine(CrcAlgorithm::Crc64Nvme, *sum, *crc, length);
            }
        }
    }

    /// The next bytes.
    pub(in crate::tier::disk) fn push(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Combined(sum) => {
                let length = super::wide(bytes.len());
                *sum = checksum_combine(CrcAlgorithm::Crc64Nvme, *sum, super::checksum(bytes), length);
            }
            State::Crc32(_, digest) => digest.update(bytes),
            State::Sha1(hasher) => hasher.update(bytes),
            State::Sha256(hasher) => hasher.update(bytes),
            State::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(in crate::tier::disk) fn finish(self) -> Option<WholeSum> {
        match self.0 {
            State::Combined(sum) => WholeSum::new(SumKind::Crc64Nvme, &sum.to_be_bytes()),
            State::Crc32(kind, digest) => {
                let [_, _, _, _, low @ ..] = digest.finalize().to_be_bytes();
                WholeSum::new(kind, &low)
            }
            State::Sha1(hasher) => WholeSum::new(SumKind::Sha1, &hasher.finalize()),
            State::Sha256(hasher) => WholeSum::new(SumKind::Sha256, &hasher.finalize()),
            State::Sha512(hasher) => WholeSum::new(SumKind::Sha512, &hasher.finalize()),
        }
    }
}

impl fmt::Debug for Summing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Summing")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sums;
    use super::*;

    fn sum(kind: SumKind, bytes: &[u8]) -> String {
        let mut summing = Summing::new(kind);
        bytes.chunks(4).for_each(|piece| summing.push(piece));
        summing.finish().unwrap().to_string()
    }

    #[test]
    fn all_of_them_make_what_they_are_known_to() {
        // The check values of the catalogues of CRCs, and of FIPS 180.
        assert_eq!(sum(SumKind::Crc32, b"123456789"), "crc32:cbf43926");
        assert_eq!(sum(SumKind::Crc32c, b"123456789"), "crc32c:e3069283");
        assert_eq!(sum(SumKind::Crc64Nvme, b"123456789"), "crc64nvme:ae8b14860a799888");
        assert_eq!(
            sum(SumKind::Sha1, b"abc"),
            "sha1:a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            sum(SumKind::Sha256, b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(sum(SumKind::Sha512, b"abc").starts_with("sha512:ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn tables_make_what_bytes_make() {
        let data: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut summing = Summing::new(SumKind::Crc64Nvme);
        for block in data.chunks(65_536) {
            let mut sums = Sums::default();
            sums.push(block);
            summing.push_table(&sums.table(), super::super::wide(block.len()));
        }
        let of_bytes = super::super::checksum(&data).to_be_bytes();
        assert_eq!(summing.finish(), WholeSum::new(SumKind::Crc64Nvme, &of_bytes));
    }
}
