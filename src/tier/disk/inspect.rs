//! Looking at a root from outside, also while a sidecar uses it: every file is opened and checked, nothing is changed.
//!
//! Owns: telling what a file is and whether it is sound. Never: takes the lock, writes, removes. Files come and go
//! meanwhile; one that is gone when it is to be opened is nobody's fault.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use rustix::io::Errno;

use crate::object::{BlockIndex, BlockSize, Head, ObjectHash};
use crate::tier::store::Known;

use super::format::{Footer, GRANULE, Geometry, Record, is_of_another_version, narrow, wide};
use super::io::{File, Files, Io, PLANTED, Root};
use super::name::{Name, RevisionHash};
use super::open::{NotOpen, read_footer};
use super::read::Granules;
use super::root::{OpenError, root_error};

/// How much of a file is read at once.
const PIECE: u64 = 1 << 20;
/// How long version and magic are.
const ENDING: usize = 4 + 8;

/// How much of each file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What it says of itself.
    Footers,
    /// All of it.
    Bytes,
}

/// A root that is looked at.
#[derive(Debug)]
pub struct Survey {
    files: Root,
    names: Vec<Name>,
}

/// What a file is.
#[derive(Debug)]
pub enum Seen {
    /// A sound block.
    Block(SeenBlock),
    /// A sound record of an object.
    Object(SeenObject),
    /// Of another version of the format: it is never read, and goes when space is needed.
    Foreign(SeenFile),
    /// Not what it should be: reading it is a miss.
    Damaged(SeenFile, Damage),
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFile {
    /// Where it is, below the root.
    pub path: String,
    /// How large it is.
    pub bytes: u64,
}

/// A block that is what its name says.
#[derive(Debug)]
pub struct SeenBlock {
    /// The encoded key.
    pub key: Box<[u8]>,
    /// The head that it carries.
    pub head: Head,
    /// The size of all blocks of its revision.
    pub block_size: BlockSize,
    /// How large the file is.
    pub bytes: u64,
}

/// A record that is what its name says.
#[derive(Debug)]
pub struct SeenObject {
    /// The encoded key.
    pub key: Box<[u8]>,
    /// What it tells.
    pub known: Known,
    /// How large the file is.
    pub bytes: u64,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// What stands at its end does not check.
    Ending,
    /// These bytes of its data do not check.
    Data(Range<u64>),
    /// It is sound, but not what its name says.
    Name,
    /// It is a link, no file, or not of the user whose directory it is: nothing that was put there by Pinstripe.
    Planted,
    /// The system cannot read it.
    Errno(Errno),
}

impl Survey {
    /// Opens a root to look at, and lists what is in it now. Blocks.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let cannot = |what: &'static str| move |errno| root_error(what, path, errno);
        let files = Root::open(path).map_err(cannot("open"))?;
        let mut names = Vec::new();
        for directory in (0..=u8::MAX).map(|byte| format!("{byte:02x}")) {
            let listed = files.list(&directory, &mut |file| {
                names.extend(Name::parse(&directory, file));
                true
            });
            match listed {
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(root_error("list", path, errno)),
            }
        }
        Ok(Self { files, names })
    }

    /// How many files there were.
    pub fn files(&self) -> u64 {
        wide(self.names.len())
    }

    /// Looks at each file; `None` for those that are gone by now. Each look blocks.
    pub fn look(&self, depth: Depth) -> impl Iterator<Item = Option<Seen>> {
        self.names.iter().map(move |name| self.look_at(*name, depth))
    }

    fn look_at(&self, name: Name, depth: Depth) -> Option<Seen> {
        let (file, bytes) = match self.files.open(name) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return None,
            Err(PLANTED) => return Some(Seen::Damaged(seen_file(name, 0), Damage::Planted)),
            Err(errno) => return Some(Seen::Damaged(seen_file(name, 0), Damage::Errno(errno))),
        };
        let seen = match name.as_block() {
            Some((hash, number)) => self.block(&file, bytes, hash, number, depth).map(Seen::Block),
            None => self.object(&file, bytes, name).map(Seen::Object),
        };
        Some(seen.unwrap_or_else(|damage| {
            if matches!(damage, Damage::Ending) && self.is_foreign(&file, bytes) {
                Seen::Foreign(seen_file(name, bytes))
            } else {
                Seen::Damaged(seen_file(name, bytes), damage)
            }
        }))
    }

    fn block(
        &self,
        file: &File,
        bytes: u64,
        hash: RevisionHash,
        number: u32,
        depth: Depth,
    ) -> Result<SeenBlock, Damage> {
        let (geometry, footer) = read_footer(&self.files, file, bytes).map_err(|why| match why {
            NotOpen::Errno(errno) => Damage::Errno(errno),
            NotOpen::Unreadable(_) => Damage::Ending,
        })?;
        let block_size = named_so(&footer, &geometry, hash, number).ok_or(Damage::Name)?;
        if depth == Depth::Bytes {
            self.check(file, geometry.data, &footer.table)?;
        }
        Ok(SeenBlock {
            key: footer.key,
            head: footer.head,
            block_size,
            bytes,
        })
    }

    /// Compares all data of a block with its checksums.
    fn check(&self, file: &File, data: u64, table: &[u64]) -> Result<(), Damage> {
        let mut buffer = vec![0; narrow(PIECE.min(data))];
        for at in (0..data).step_by(narrow(PIECE)) {
            let granules = Granules::touched(at, data, data, PIECE);
            let piece = buffer.get_mut(..narrow(granules.length)).unwrap_or_default();
            let read = self.files.read(file, piece, at).map_err(Damage::Errno)?;
            let read = piece.get(..read).unwrap_or_default();
            if wide(read.len()) < granules.length || !granules.verify(read, table) {
                return Err(Damage::Data(first_bad(granules, read, table)));
            }
        }
        Ok(())
    }

    fn object(&self, file: &File, bytes: u64, name: Name) -> Result<SeenObject, Damage> {
        let content = self.whole_record(file, bytes).map_err(Damage::Errno)?;
        let record = Record::decode(&content).map_err(|_| Damage::Ending)?;
        if Name::record(ObjectHash::of(&record.key)) != name {
            return Err(Damage::Name);
        }
        Ok(SeenObject {
            key: record.key,
            known: record.known,
            bytes,
        })
    }

    fn whole_record(&self, file: &File, bytes: u64) -> Io<Vec<u8>> {
        let mut content = vec![0; narrow(bytes.min(Record::MAX))];
        let read = self.files.read(file, &mut content, 0)?;
        content.truncate(read);
        Ok(content)
    }

    fn is_foreign(&self, file: &File, bytes: u64) -> bool {
        let mut end = [0; ENDING];
        let read = self.files.read(file, &mut end, bytes.saturating_sub(wide(ENDING)));
        read == Ok(end.len()) && is_of_another_version(&end)
    }
}

fn seen_file(name: Name, bytes: u64) -> SeenFile {
    SeenFile {
        path: name.path(),
        bytes,
    }
}

/// The size of its blocks, if a block's footer says what its name is a hash of.
fn named_so(footer: &Footer, geometry: &Geometry, hash: RevisionHash, number: u32) -> Option<BlockSize> {
    let block_size = BlockSize::new(footer.block_size)?;
    let range = block_size.range_of(BlockIndex::new(footer.index), footer.head.size())?;
    let right = RevisionHash::of_parts(&footer.key, footer.head.tag(), footer.block_size) == hash
        && footer.index == u64::from(number)
        && range.len() == geometry.data;
    right.then_some(block_size)
}

/// The first granule of a piece that does not check, as bytes of the file.
fn first_bad(granules: Granules, read: &[u8], table: &[u64]) -> Range<u64> {
    let end = granules.at + granules.length;
    let mut starts = (granules.at..end).step_by(narrow(GRANULE));
    let bad = starts.find(|start| {
        let one = Granules {
            at: *start,
            length: GRANULE.min(end - start),
        };
        let from = narrow(start - granules.at);
        let bytes = read.get(from..from.saturating_add(narrow(one.length)));
        !bytes.is_some_and(|bytes| one.verify(bytes, table))
    });
    let start = bad.unwrap_or(granules.at);
    start..(start + GRANULE).min(end)
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ending => f.write_str("its end does not check"),
            Self::Data(range) => write!(f, "bytes {}-{} do not check", range.start, range.end.saturating_sub(1)),
            Self::Name => f.write_str("it is not what its name says"),
            Self::Planted => f.write_str("it is a link, no file, or another user's"),
            Self::Errno(errno) => write!(f, "it cannot be read: {errno}"),
        }
    }
}
