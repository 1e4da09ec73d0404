//! What files are called: `ab/<revision hash>-<index>` for a block, `ab/<object hash>.cur` for what is known of an
//! object, where `ab` is how the hash begins; and `popular`.
//!
//! Owns: the mapping between blocks, objects and file names. Never: touches a file.

use std::fmt;

use crate::object::{BlockIndex, BlockSize, ObjectHash, Revision, StrongETag};

use super::format::wide;
use super::io::{LOCK, TMP};

/// 128 bits of BLAKE3 over key, tag and block size. Whoever reads by it compares all of them as well.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RevisionHash([u8; 16]);

/// The name of a file, packed into 20 bytes since the index holds one for every file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name {
    hash: [u8; 16],
    number: u32,
}

/// Which directory, and the name within.
const SUFFIX: &str = ".cur";
/// The one file beside the directories of blocks.
const POPULAR: &str = "popular";
/// The number that stands for an object's record; blocks have smaller ones.
const RECORD: u32 = u32::MAX;

impl RevisionHash {
    pub(super) fn of(revision: &Revision, block_size: BlockSize) -> Self {
        Self::of_parts(revision.key.encoded(), &revision.tag, block_size.bytes())
    }

    /// The same from what a block's footer says.
    pub(super) fn of_parts(key: &[u8], tag: &StrongETag, block_size: u64) -> Self {
        let opaque = tag.opaque();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&wide(key.len()).to_le_bytes()).update(key);
        hasher.update(&wide(opaque.len()).to_le_bytes()).update(opaque);
        hasher.update(&block_size.to_le_bytes());
        // The same bits as of `finalize_xof`, for one compression less: every read asks for this name.
        let [short @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *hasher.finalize().as_bytes();
        Self(short)
    }
}

impl RevisionHash {
    pub(super) const fn bytes(self) -> [u8; 16] {
        self.0
    }

    pub(super) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The directory that all blocks of the revision are in.
    pub(super) fn directory(self) -> String {
        let [first, ..] = self.0;
        format!("{first:02x}")
    }
}

impl Name {
    /// The one file that is of no block and no object: what was popular before the last end.
    pub(super) const POPULAR: Self = Self {
        hash: [0xff; 16],
        number: RECORD,
    };

    /// `None` for an index that no object reaches.
    pub(super) fn block(revision: RevisionHash, index: BlockIndex) -> Option<Self> {
        let number = u32::try_from(index.get()).ok().filter(|number| *number != RECORD)?;
        Some(Self {
            hash: revision.0,
            number,
        })
    }

    pub(super) fn record(object: ObjectHash) -> Self {
        Self {
            hash: object.bytes(),
            number: RECORD,
        }
    }

    /// Whether it is a record whose name has that number.
    pub(super) const fn is_of_record(number: u32) -> bool {
        number == RECORD
    }

    /// The revision and the number of a block; `None` of a record.
    pub(super) fn as_block(self) -> Option<(RevisionHash, u32)> {
        (self.number != RECORD).then_some((RevisionHash(self.hash), self.number))
    }

    /// The hash and the number, of a record as well.
    pub(super) fn parts(self) -> (RevisionHash, u32) {
        (RevisionHash(self.hash), self.number)
    }

    /// The name with those [`Name::parts`].
    pub(super) fn of(hash: RevisionHash, number: u32) -> Self {
        Self { hash: hash.0, number }
    }

    /// Four bytes that differ for most names.
    pub(super) fn fingerprint(self) -> u32 {
        let [a, b, c, d, ..] = self.hash;
        // Odd, so that all numbers of a revision differ.
        u32::from_le_bytes([a, b, c, d]) ^ self.number.wrapping_mul(0x9e37_79b1)
    }

    /// A number that is the same for the same name.
    pub(super) fn group(self) -> usize {
        let [.., last] = self.hash;
        let [low, ..] = self.number.to_le_bytes();
        usize::from(last ^ low)
    }

    /// The directory that the file is in.
    pub(super) fn directory(self) -> String {
        if self == Self::POPULAR {
            return ".".to_owned();
        }
        self.to_string().chars().take(2).collect()
    }

    /// The name of the file in its directory.
    pub(super) fn file(self) -> String {
        self.to_string()
    }

    /// The path below the root.
    pub(super) fn path(self) -> String {
        let name = self.to_string();
        if self == Self::POPULAR {
            return name;
        }
        let directory = name.get(..2).unwrap_or_default();
        format!("{directory}/{name}")
    }

    /// Whether something in the root may be ours: a directory of blocks, or one of the few files beside them.
    pub(super) fn is_in_root(name: &str) -> bool {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        [TMP, LOCK, POPULAR].contains(&name) || (name.len() == 2 && name.bytes().all(is_hex))
    }

    /// The name of a file in a directory, if it is exactly one that [`Name::path`] makes.
    pub(super) fn parse(directory: &str, file: &str) -> Option<Self> {
        let (hex, rest) = file.split_at_checked(32)?;
        let hash = parse_hex(hex)?;
        let number = match rest {
            SUFFIX => RECORD,
            _ => rest
                .strip_prefix('-')?
                .parse()
                .ok()
                .filter(|number| *number != RECORD)?,
        };
        let name = Self { hash, number };
        let exact = hex.starts_with(directory) && directory.len() == 2 && name.to_string() == file;
        (exact && name != Self::POPULAR).then_some(name)
    }
}

fn parse_hex(hex: &str) -> Option<[u8; 16]> {
    let mut hash = [0; 16];
    for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::POPULAR {
            return f.write_str(POPULAR);
        }
        write!(f, "{:032x}", u128::from_be_bytes(self.hash))?;
        if self.number == RECORD {
            f.write_str(SUFFIX)
        } else {
            write!(f, "-{}", self.number)
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for RevisionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_survive_the_way_through_a_path(hash: [u8; 16], number: u32) {
            let name = Name { hash, number };
            let path = name.path();
            let (directory, file) = path.split_once('/').unwrap();
            prop_assert_eq!(Name::parse(directory, file), Some(name));
            prop_assert_eq!(name.directory(), directory);
        }
    }

    #[test]
    fn few_names_in_the_root_are_ours() {
        let ours = ["00", "ff", "tmp", "lock", "popular"];
        assert!(ours.iter().all(|name| Name::is_in_root(name)));
        let others = ["", "0", "0g", "FF", "000", "README", "lost+found"];
        assert!(!others.iter().any(|name| Name::is_in_root(name)));
        assert_eq!(Name::POPULAR.path(), "popular");
    }

    #[test]
    fn foreign_names_are_not_ours() {
        let hex = "ab00000000000000000000000000000f";
        let check = |directory: &str, file: &str, ours: bool| {
            assert_eq!(Name::parse(directory, file).is_some(), ours, "{directory}/{file}");
        };
        check("ab", &format!("{hex}-0"), true);
        check("ab", &format!("{hex}.cur"), true);
        check("ac", &format!("{hex}-0"), false);
        check("a", &format!("{hex}-0"), false);
        check("ab", &format!("{hex}-00"), false);
        check("ab", &format!("{hex}-+1"), false);
        check("ab", &format!("{hex}-4294967295"), false);
        check("ab", &format!("{}-0", hex.to_uppercase()), false);
        check("ab", hex, false);
        check("ab", "é", false);
        check("ab", "README", false);
    }
}
