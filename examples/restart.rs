//! How a disk tier starts that holds many blocks: when it answers, when its index is complete, what that takes.
//!
//! ```text
//! cargo run --release --example restart [BLOCKS] [FOLDER]
//! ```
//!
//! One block is stored as always; the others are files with their names and a few bytes, since a start looks at nothing
//! but names and sizes.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it puts files where a disk tier finds them"
)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use pinstripe::object::{
    AuthorityId, BlockIndex, BlockSize, ByteRange, Head, ObjectKey, ObjectSize, Parts, Revision, RouteName, StrongETag,
};
use pinstripe::tier::disk::{Disk, DiskConfig, Policy};
use pinstripe::tier::store::{BlockStore, Claim};
use tokio::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error>>;

const DATA: &[u8] = b"what is stored before the restart and read after it";

#[tokio::main]
async fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let blocks = arguments.next().map_or(Ok(128_000), |blocks| blocks.parse())?;
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent)?;
    let root = folder.path().join("cache");
    let revision = revision()?;
    store(&open(&root, blocks)?, &revision).await?;
    plant(&root, blocks)?;
    println!("{blocks} blocks in {}", root.display());
    restart(&root, blocks, &revision).await
}

async fn restart(root: &Path, blocks: u64, revision: &Revision) -> Fallible<()> {
    let before = resident()?;
    let started = Instant::now();
    let disk = open(root, blocks)?;
    println!("open              {:>9.1?}", started.elapsed());
    let range = ByteRange::at(0, DATA.len().try_into()?).ok_or("no range")?;
    let read = disk.read(revision, BlockIndex::new(0), range).await?;
    println!("first answer      {:>9.1?}", started.elapsed());
    if read != DATA {
        return Err("other bytes than were stored".into());
    }
    while !disk.stats().index_complete {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("index complete    {:>9.1?}", started.elapsed());
    let (stats, after) = (disk.stats(), resident()?);
    println!("files             {:>9}", stats.files);
    println!(
        "index, counted    {:>9} bytes each",
        stats.index_bytes / stats.files.max(1)
    );
    println!(
        "process grew by   {:>9} bytes each",
        after.saturating_sub(before) / stats.files.max(1)
    );
    Ok(())
}

fn open(root: &Path, blocks: u64) -> Fallible<Disk> {
    let config = DiskConfig {
        path: root.to_owned(),
        capacity: blocks * (4 << 20),
        block_size: BlockSize::DEFAULT,
        fill_budget: 1 << 20,
        read_budget: 1 << 20,
        open_files: 1024,
        policy: Policy::default(),
    };
    let started = Instant::now();
    Ok(Disk::open(&config, Arc::new(move || started.elapsed()))?)
}

async fn store(disk: &Disk, revision: &Revision) -> Fallible<()> {
    let size = ObjectSize::new(DATA.len().try_into()?);
    let head = Head::restore(
        revision.tag.clone(),
        size,
        HeaderMap::new(),
        SystemTime::UNIX_EPOCH,
        Parts::default(),
    );
    let mut fill = disk.fill(revision, &Arc::new(head), BlockIndex::new(0), Claim::Current)?;
    fill.offer(&Bytes::from_static(DATA))?;
    Ok(fill.finish().await?)
}

/// The other files: each a revision of its own, the costliest for the index.
fn plant(root: &Path, blocks: u64) -> Fallible<()> {
    for directory in 0..=u8::MAX {
        fs::create_dir_all(root.join(format!("{directory:02x}")))?;
    }
    for n in 1..blocks {
        let hash = blake3::hash(&n.to_le_bytes()).to_hex();
        let name = hash.get(..32).ok_or("no hash")?;
        let directory = name.get(..2).ok_or("no hash")?;
        fs::File::create(root.join(directory).join(format!("{name}-0")))?.set_len(4096)?;
    }
    Ok(())
}

fn revision() -> Fallible<Revision> {
    let authority = AuthorityId::new(["s3"]);
    Ok(Revision {
        key: ObjectKey::new(&RouteName::new("r"), &authority, None, "/a", None),
        tag: StrongETag::parse(b"\"1\"").ok_or("no tag")?,
    })
}

/// Bytes of memory that this process has.
fn resident() -> Fallible<u64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm")?
        .split_whitespace()
        .nth(1)
        .ok_or("no such number")?
        .parse()?;
    Ok(pages * 4096)
}
