//! Disks: what they hold, and what a route may have of one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{bounded, required_leaf};
use crate::config::bounds::{self, BLOCK_SIZE, MIN_BLOCKS};
use crate::config::fault::Notes;
use crate::config::file;
use crate::config::locate::YamlPath;
use crate::config::quantity::Size;
use crate::config::text::TierName;
use crate::config::tier::Disk;
use crate::object::BlockSize;

pub(super) fn disk_tier(
    name: TierName,
    disk: file::Disk,
    path: &YamlPath,
    directories: &mut BTreeMap<PathBuf, YamlPath>,
    notes: &mut Notes,
) -> Option<Disk> {
    let at = path.key("path");
    let directory = required_leaf(disk.path, &at, notes).map(|path| path.0);
    if let Some(directory) = &directory {
        claim(directory, &at, directories, notes);
    }
    let size = disk.block_size.unwrap_or(BLOCK_SIZE);
    let block_size = BlockSize::new(size.bytes());
    if block_size.is_none() {
        notes.fault(
            &path.key("block_size"),
            format!("{size} is not possible"),
            "a power of two from 64KiB to 64MiB",
        );
    }
    let at = path.key("capacity");
    let capacity = required_leaf(disk.capacity, &at, notes);
    let capacity = capacity
        .zip(block_size)
        .and_then(|(capacity, block)| capacity_of(capacity, block, &at, notes));
    let entries = bounded(disk.entries, &path.key("entries"), &bounds::ENTRIES, notes);
    Some(Disk {
        name,
        path: directory?,
        capacity: capacity?,
        block_size: block_size?,
        entries: entries.get(),
        min_free: disk.min_free,
    })
}

fn capacity_of(capacity: Size, block: BlockSize, path: &YamlPath, notes: &mut Notes) -> Option<Size> {
    let enough = capacity.bytes() / block.bytes() >= MIN_BLOCKS;
    if !enough {
        notes.fault(
            path,
            format!("{capacity} is too little"),
            format!("{MIN_BLOCKS} times the block size at least"),
        );
    }
    enough.then_some(capacity)
}

/// Two tiers in one directory would each delete what the other stores; and so would one whose directory is another's.
fn claim(directory: &Path, path: &YamlPath, taken: &mut BTreeMap<PathBuf, YamlPath>, notes: &mut Notes) {
    if directory.parent().is_none() {
        return notes.fault(path, "this is the root directory", "a directory of its own");
    }
    let shared = taken.iter().find_map(|(other, of)| collision(directory, other, of));
    match shared {
        Some(problem) => notes.fault(path, problem, "a directory of its own, outside of those of other disks"),
        None => drop(taken.insert(directory.to_owned(), path.clone())),
    }
}

/// What is wrong with two directories, if anything is.
fn collision(directory: &Path, other: &Path, of: &YamlPath) -> Option<String> {
    if directory == other {
        Some(format!("{of} has the same directory"))
    } else if directory.starts_with(other) {
        Some(format!("this is inside of {} of {of}", other.display()))
    } else if other.starts_with(directory) {
        Some(format!("{} of {of} is inside of this directory", other.display()))
    } else {
        None
    }
}

/// What a route may have of its disk.
pub(super) fn quota(quota: Option<Size>, disk: Option<&Disk>, path: &YamlPath, notes: &mut Notes) -> Option<Size> {
    let quota = quota?;
    let Some(disk) = disk else {
        notes.fault(
            path,
            "there is no disk to have a part of",
            "`quota` only on a route with a disk",
        );
        return None;
    };
    let least = disk.block_size.bytes() * MIN_BLOCKS;
    if !(least..=disk.capacity.bytes()).contains(&quota.bytes()) {
        notes.fault(
            path,
            format!("{quota} is out of range"),
            format!(
                "{MIN_BLOCKS} times the block size to {}, the capacity of its disk",
                disk.capacity
            ),
        );
    }
    Some(quota)
}
