//! What a disk tier's index costs as it grows: memory, the time until a start has found all files, lookups that hit and
//! miss, and making room for a block.
//!
//! ```text
//! cargo run --release --example index_growth [FOLDER]
//! ```
//!
//! A start looks at nothing but names and sizes, so files have these and no bytes: 500 GiB take no space, only inodes,
//! 1.3 million in all. Each index has a process of its own, whose memory is only for it.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it puts files where a disk tier finds them, and measures"
)]

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use http::HeaderMap;
use pinstripe::object::{
    AuthorityId, BlockIndex, BlockSize, BlockSpan, Head, ObjectKey, ObjectSize, Parts, Revision, RouteName, StrongETag,
};
use pinstripe::tier::disk::{Disk, DiskConfig, Policy};
use pinstripe::tier::store::{BlockStore, Claim, Fill};

type Fallible<T> = Result<T, Box<dyn Error>>;
type Fills = Vec<Box<dyn Fill>>;

const BLOCK: u64 = BlockSize::DEFAULT.bytes();
const PAGE: u64 = 4 << 10;
/// Lookups go round so many revisions, each of them in memory of its own, whatever the index has: the caller's memory is
/// then no part of what differs.
const ASKED: u64 = 10_000;
/// The time of so many calls is taken at once, so often.
const BATCH: u64 = 50;
const BATCHES: u64 = 2_000;
/// So many fills find room, and then so many have to evict one block each.
const FILLS: u64 = 256;

/// Objects of the same number of blocks.
struct Shape {
    title: &'static str,
    objects: u64,
    blocks: u64,
    /// Bytes of each block.
    size: u64,
}

/// Objects of 1 GiB, then objects of less than a page.
const SHAPES: [Shape; 7] = [
    Shape::large("1 GiB of 4 MiB blocks", 1),
    Shape::large("10 GiB", 10),
    Shape::large("100 GiB", 100),
    Shape::large("500 GiB", 500),
    Shape::small("1,000 objects of one block", 1_000),
    Shape::small("100,000 objects", 100_000),
    Shape::small("1,000,000 objects", 1_000_000),
];

impl Shape {
    const fn large(title: &'static str, objects: u64) -> Self {
        let blocks = (1 << 30) / BLOCK;
        Self {
            title,
            objects,
            blocks,
            size: BLOCK,
        }
    }

    const fn small(title: &'static str, objects: u64) -> Self {
        Self {
            title,
            objects,
            blocks: 1,
            size: 1_000,
        }
    }

    /// Bytes that the file of a block takes: its data, and less than a page about it.
    const fn file(&self) -> u64 {
        (self.size / PAGE + 1) * PAGE
    }

    const fn files(&self) -> u64 {
        self.objects * self.blocks
    }
}

/// What is measured of one index.
struct Row([u64; COLUMNS.len()]);

const COLUMNS: [&str; 8] = [
    "blocks",
    "index, bytes a block",
    "process grew by, KiB",
    "complete after, ms",
    "hit, ns",
    "miss, ns",
    "fill, ns",
    "fill that evicts, ns",
];
/// Of these columns also the ratio to the smallest index of its kind is told.
const RELATIVE: usize = 4;

fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if let (Some(row), Some(root)) = (
        first.as_deref().and_then(|row| row.strip_prefix("row=")),
        arguments.next(),
    ) {
        let shape = SHAPES.get(row.parse::<usize>()?).ok_or("no such row")?;
        println!("{}", measure(shape, Path::new(&root))?.line());
        return Ok(());
    }
    let folder = tempfile::tempdir_in(first.map_or_else(std::env::temp_dir, PathBuf::from))?;
    println!(
        "| index | {} |\n| --- |{}",
        COLUMNS.join(" | "),
        " ---: |".repeat(COLUMNS.len())
    );
    let mut smallest: Option<(u64, Row)> = None;
    for (number, shape) in SHAPES.iter().enumerate() {
        let mut command = Command::new(std::env::current_exe()?);
        let root = folder.path().join(number.to_string());
        let done = command
            .arg(format!("row={number}"))
            .arg(root)
            .stderr(Stdio::inherit())
            .output()?;
        let row = Row::parse(&String::from_utf8(done.stdout)?).ok_or("a row failed")?;
        let (_, least) = smallest
            .take_if(|(blocks, _)| *blocks == shape.blocks)
            .unwrap_or((shape.blocks, Row(row.0)));
        println!("| {} | {} |", shape.title, row.beside(&least)?.join(" | "));
        smallest = Some((shape.blocks, least));
    }
    Ok(())
}

impl Row {
    fn line(&self) -> String {
        self.0.map(|figure| figure.to_string()).join(" ")
    }

    fn parse(line: &str) -> Option<Self> {
        let figures: Option<Vec<u64>> = line.split_whitespace().map(|figure| figure.parse().ok()).collect();
        figures?.try_into().ok().map(Self)
    }

    fn beside(&self, least: &Self) -> Fallible<Vec<String>> {
        let mut cells = Vec::new();
        for (column, (figure, least)) in self.0.into_iter().zip(least.0).enumerate() {
            let ratio = f64::from(u32::try_from(figure)?) / f64::from(u32::try_from(least.max(1))?);
            cells.push(if column < RELATIVE {
                figure.to_string()
            } else {
                format!("{figure} (×{ratio:.2})")
            });
        }
        Ok(cells)
    }
}

fn measure(shape: &Shape, root: &Path) -> Fallible<Row> {
    plant(shape, root)?;
    let before = resident()?;
    let started = Instant::now();
    let disk = open(shape, root)?;
    while !disk.stats().index_complete {
        sleep(Duration::from_millis(1));
    }
    let complete = started.elapsed().as_millis().try_into()?;
    let (stats, grew) = (disk.stats(), resident()?.saturating_sub(before));
    if stats.files != shape.files() {
        return Err(format!("{} files of {}", stats.files, shape.files()).into());
    }
    let hit = look_up(&disk, shape, 0, true)?;
    let miss = look_up(&disk, shape, shape.objects, false)?;
    let (fill, evicting) = fills(&disk, shape)?;
    let index = stats.index_bytes / stats.files;
    Ok(Row([
        stats.files,
        index,
        grew >> 10,
        complete,
        hit,
        miss,
        fill,
        evicting,
    ]))
}

fn open(shape: &Shape, root: &Path) -> Fallible<Disk> {
    let config = DiskConfig {
        path: root.to_owned(),
        capacity: (shape.files() + FILLS) * shape.file(),
        block_size: BlockSize::DEFAULT,
        fill_budget: 1 << 20,
        read_budget: 1 << 20,
        // An eighth of it is for fills.
        open_files: 3 * FILLS * 8,
        policy: Policy::default(),
    };
    let started = Instant::now();
    Ok(Disk::open(&config, Arc::new(move || started.elapsed()))?)
}

/// Whether random blocks of objects from a number on are held: the median time of one lookup, in nanoseconds.
fn look_up(disk: &Disk, shape: &Shape, from: u64, held: bool) -> Fallible<u64> {
    let mut asked = Vec::new();
    for n in 0..ASKED {
        let index = BlockIndex::new(scattered(n) % shape.blocks);
        let span = BlockSpan::new(index, index).ok_or("no block")?;
        asked.push((revision(from + scattered(ASKED + n) % shape.objects)?, span));
    }
    let mut asked = asked.iter().cycle();
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        let began = Instant::now();
        for (revision, span) in asked.by_ref().take(usize::try_from(BATCH)?) {
            if disk.holds(revision, *span).now_or_never().as_deref() != Some(&[held]) {
                return Err(format!("the index does not say {held}").into());
            }
        }
        times.push(u64::try_from(began.elapsed().as_nanos())? / BATCH);
    }
    median(times)
}

/// Begins fills, first while there is room and then when each has to evict a block: the median time of one of either.
fn fills(disk: &Disk, shape: &Shape) -> Fallible<(u64, u64)> {
    // Given up at once, so that the first that count are not the first of all. Writers give the room back.
    let held = disk.stats().bytes;
    drop(begin(disk, shape, FILLS)?);
    while disk.stats().bytes > held {
        sleep(Duration::from_millis(1));
    }
    let (_begun, mut times) = begin(disk, shape, 2 * FILLS)?;
    let evicted: u64 = disk.stats().evicted.iter().map(|(_, count)| count).sum();
    if evicted != FILLS {
        return Err(format!("{evicted} blocks were evicted for {FILLS} fills").into());
    }
    let evicting = times.split_off(usize::try_from(FILLS)?);
    Ok((median(times)?, median(evicting)?))
}

fn begin(disk: &Disk, shape: &Shape, count: u64) -> Fallible<(Fills, Vec<u64>)> {
    let (mut begun, mut times) = (Fills::new(), Vec::new());
    let head = head(shape)?;
    for object in shape.objects..shape.objects + count {
        let revision = revision(object)?;
        let began = Instant::now();
        begun.push(disk.fill(&revision, &head, BlockIndex::new(0), Claim::Current)?);
        times.push(u64::try_from(began.elapsed().as_nanos())?);
    }
    Ok((begun, times))
}

fn head(shape: &Shape) -> Fallible<Arc<Head>> {
    let (size, tag) = (ObjectSize::new(shape.size), revision(0)?.tag);
    let head = Head::restore(tag, size, HeaderMap::new(), SystemTime::UNIX_EPOCH, Parts::default());
    Ok(Arc::new(head))
}

/// Files with the right names and sizes.
fn plant(shape: &Shape, root: &Path) -> Fallible<()> {
    for object in 0..shape.objects {
        let name = file_name(&revision(object)?);
        let directory = root.join(name.get(..2).ok_or("no name")?);
        fs::create_dir_all(&directory)?;
        for block in 0..shape.blocks {
            File::create(directory.join(format!("{name}-{block}")))?.set_len(shape.file())?;
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
    hasher.update(&BLOCK.to_le_bytes());
    hasher.finalize().to_hex().chars().take(32).collect()
}

fn revision(object: u64) -> Fallible<Revision> {
    let authority = AuthorityId::new(["s3"]);
    Ok(Revision {
        key: ObjectKey::new(&RouteName::new("r"), &authority, None, &format!("/{object}"), None),
        tag: StrongETag::parse(b"\"1\"").ok_or("no tag")?,
    })
}

/// The same number for the same number, and otherwise any.
fn scattered(n: u64) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(&n.to_le_bytes()).as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn median(mut of: Vec<u64>) -> Fallible<u64> {
    of.sort_unstable();
    Ok(*of.get(of.len() / 2).ok_or("nothing was measured")?)
}

/// Bytes of memory that this process has.
fn resident() -> Fallible<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split_whitespace().nth(1).ok_or("no such number")?.parse()?;
    Ok(pages * PAGE)
}
