//! Files of a tier, sorted into objects and revisions as they are looked at.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::SystemTime;

use crate::object::{BlockSize, ObjectSize, StrongETag};
use crate::tier::disk::{Damage, Seen, SeenBlock, SeenFile, SeenObject};
use crate::tier::store::Known;

/// What was found in a tier so far.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) tier: String,
    pub(super) path: String,
    /// By encoded key.
    pub(super) objects: HashMap<Box<[u8]>, Object>,
    pub(super) blocks: u64,
    pub(super) records: u64,
    /// Of sound files.
    pub(super) bytes: u64,
    pub(super) foreign: Vec<SeenFile>,
    pub(super) damaged: Vec<(SeenFile, Damage)>,
}

/// What was found of an object.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) known: Known,
    /// Bytes of its record.
    pub(super) record: u64,
    pub(super) revisions: BTreeMap<(Vec<u8>, u64), Held>,
}

/// What was found of a revision.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) tag: StrongETag,
    pub(super) size: ObjectSize,
    pub(super) block_size: BlockSize,
    pub(super) blocks: u64,
    pub(super) bytes: u64,
    /// When the latest of its heads was received.
    pub(super) received: SystemTime,
}

impl Tally {
    pub(super) fn new(tier: &str, path: &Path) -> Self {
        Self {
            tier: tier.to_owned(),
            path: path.display().to_string(),
            objects: HashMap::new(),
            blocks: 0,
            records: 0,
            bytes: 0,
            foreign: Vec::new(),
            damaged: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Block(block) => self.take_block(block),
            Seen::Object(object) => self.take_object(object),
            Seen::Foreign(file) => self.foreign.push(file),
            Seen::Damaged(file, damage) => self.damaged.push((file, damage)),
        }
    }

    pub(super) fn is_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    fn take_block(&mut self, block: SeenBlock) {
        self.blocks += 1;
        self.bytes += block.bytes;
        let object = self.objects.entry(block.key).or_default();
        let which = (block.head.tag().opaque().to_vec(), block.block_size.bytes());
        let held = object.revisions.entry(which).or_insert_with(|| Held {
            tag: block.head.tag().clone(),
            size: block.head.size(),
            block_size: block.block_size,
            blocks: 0,
            bytes: 0,
            received: SystemTime::UNIX_EPOCH,
        });
        held.blocks += 1;
        held.bytes += block.bytes;
        held.received = held.received.max(block.head.received());
    }

    fn take_object(&mut self, object: SeenObject) {
        self.records += 1;
        self.bytes += object.bytes;
        let entry = self.objects.entry(object.key).or_default();
        (entry.known, entry.record) = (object.known, object.bytes);
    }
}
