//! Looking up blocks in an index of 500 GiB, which a start has found by their names.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it puts files where a disk finds them"
)]

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::FutureExt;
use pinstripe::object::{BlockIndex, BlockSize, BlockSpan, Revision};
use pinstripe::tier::disk::Disk;
use pinstripe::tier::store::BlockStore;

use super::Call;
use super::object;
use super::stored::open;

const OBJECTS: usize = 500;
/// Of each object: 1 GiB.
const BLOCKS: u64 = 256;
const CAPACITY: u64 = 1 << 40;

/// Of every object another block, objects in turns.
pub(crate) fn hit(folder: &Path) -> Result<Call> {
    if !folder.exists() {
        plant(folder)?;
    }
    let disk = complete(folder)?;
    let revisions: Vec<_> = (0..OBJECTS).map(revision).collect::<Result<_>>()?;
    let look = move |call: usize| {
        let revision = revisions.get(call % OBJECTS)?;
        let index = BlockIndex::new(u64::try_from(call / OBJECTS).ok()? % BLOCKS);
        let held = disk
            .holds(black_box(revision), BlockSpan::new(index, index)?)
            .now_or_never()?;
        held.first().copied()
    };
    ensure!(
        (0..OBJECTS).all(|call| look(call) == Some(true)),
        "a block is not found"
    );
    Ok(Box::new(move |call| {
        black_box(look(call));
    }))
}

/// Files with the right names: a start looks at these and at sizes. They have no bytes. Making them takes callgrind long,
/// so they are there already when it counts.
fn plant(root: &Path) -> Result<()> {
    for object in 0..OBJECTS {
        let name = file_name(&revision(object)?);
        let folder = root.join(name.get(..2).context("no name")?);
        fs::create_dir_all(&folder)?;
        for block in 0..BLOCKS {
            File::create(folder.join(format!("{name}-{block}")))?.set_len(BlockSize::DEFAULT.bytes())?;
        }
    }
    Ok(())
}

/// How the files of a revision's blocks begin.
fn file_name(revision: &Revision) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [revision.key.encoded(), revision.tag.opaque()] {
        hasher.update(&part.len().to_le_bytes()).update(part);
    }
    hasher.update(&BlockSize::DEFAULT.bytes().to_le_bytes());
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// The disk, when it has found all of them. Another thread waits for that: how often it has to look is not to be counted.
fn complete(root: &Path) -> Result<Disk> {
    let disk = open(root, CAPACITY)?;
    let look = || {
        while !disk.stats().index_complete {
            thread::sleep(Duration::from_millis(10));
        }
    };
    thread::scope(|scope| scope.spawn(look).join().map_err(|_| anyhow!("nobody waits")))?;
    Ok(disk)
}

fn revision(object: usize) -> Result<Revision> {
    Ok(Revision {
        key: object::key(&format!("/models/{object}")),
        tag: object::tag()?,
    })
}
