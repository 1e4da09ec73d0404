//! Starting: whose directory it is, what an earlier run left, what is not ours.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

fn open(config: &DiskConfig) -> Result<Disk, OpenError> {
    Disk::open(config, Arc::new(|| Duration::ZERO))
}

#[test]
fn the_root_is_created_and_private() {
    let bench = Bench::new(1 << 20);
    let mode = std::fs::metadata(bench.root()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn roots_that_are_not_safe_are_refused() {
    let mut bench = Bench::new(1 << 20);
    let check = |path: PathBuf, expected: &str| {
        let config = DiskConfig {
            path,
            ..bench.config.clone()
        };
        let error = open(&config).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(bench.root().to_owned(), "in use by another process");
    let beside = |name: &str| bench.root().with_file_name(name);
    std::os::unix::fs::symlink(bench.root(), beside("link")).unwrap();
    check(beside("link"), "is a symbolic link, or not a directory");
    std::fs::write(beside("file"), "").unwrap();
    check(beside("file"), "is a symbolic link, or not a directory");
    check(beside("none").join("below"), "none does not exist: create it");
    let owner = std::fs::metadata("/").unwrap().uid();
    if owner != io::effective_user() {
        check("/".into(), "belongs to user");
    }
    bench.reopen();
}

/// What is in a directory may be removed by anybody who cleans up; the directory itself is what two would share.
#[test]
fn an_emptied_root_is_still_in_use() {
    let mut bench = Bench::new(1 << 20);
    std::fs::remove_dir_all(bench.root().join("tmp")).unwrap();
    // Also where an earlier run left what it had locked.
    let _ = std::fs::remove_file(bench.root().join("lock"));
    let error = open(&bench.config).unwrap_err().to_string();
    assert!(error.contains("in use by another process"), "{error}");
    std::fs::write(bench.root().join("lock"), "").unwrap();
    bench.reopen();
}

#[tokio::test]
async fn leftovers_go_and_foreign_files_stay() {
    let mut bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    bench.store(&a, 100, 0, Claim::Current).await.unwrap();
    bench.disk = None;
    let foreign = [
        "README",
        "ab/notes.txt",
        "tmp/mine",
        "zz/00000000000000000000000000000000-0",
    ];
    for path in foreign {
        let path = bench.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    std::fs::write(bench.root().join("tmp/0000000000000000"), "torn").unwrap();
    bench.reopen();
    assert_eq!(bench.list("tmp"), ["mine"]);
    bench.walked().await;
    assert_eq!(bench.disk().stats().files, 1);
    assert_eq!(bench.check(&a, 100, 0).await, Ok(()));
    assert!(foreign.iter().all(|path| bench.root().join(path).exists()));
}

#[tokio::test]
async fn an_end_in_mid_fill_leaves_nothing() {
    let mut bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    let range = ByteRange::new(0, 9999).unwrap();
    let mut fill = bench
        .disk()
        .fill(&a, &head(&a, BLOCK), BlockIndex::new(0), Claim::Current)
        .unwrap();
    let tail = fill.tail();
    fill.offer(&content(&a, range)).unwrap();
    tail.read(range).await.unwrap();
    assert_eq!(bench.list("tmp").len(), 1);
    bench.disk = None;
    assert_eq!(bench.list("tmp").len(), 0);
    assert_eq!(fill.offer(&content(&a, range)), Err(GaveUp::Fault));
    assert_eq!(fill.finish().await, Err(GaveUp::Fault));
    bench.reopen();
    assert_eq!(bench.check(&a, BLOCK, 0).await, Err(Miss::Absent));
}

#[tokio::test]
async fn what_was_finished_is_written_at_the_end() {
    let mut bench = Bench::new(64 << 20);
    let revisions: Vec<Revision> = (0..20).map(|n| revision("/a", &n.to_string())).collect();
    for a in &revisions {
        let mut fill = bench
            .disk()
            .fill(a, &head(a, BLOCK), BlockIndex::new(0), Claim::Current)
            .unwrap();
        fill.offer(&content(a, ByteRange::at(0, BLOCK).unwrap())).unwrap();
        drop(fill.finish());
    }
    bench.reopen();
    for a in &revisions {
        assert_eq!(bench.check(a, BLOCK, 0).await, Ok(()));
    }
}

#[tokio::test]
async fn files_of_others_are_counted_and_impossible_ones_of_ours_go() {
    let mut bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    bench.store(&a, 100, 0, Claim::Current).await.unwrap();
    bench.disk = None;
    let write = |path: &str, size: u64| {
        let path = bench.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(size).unwrap();
    };
    let hex = "ab00000000000000000000000000000f";
    let impossible = [
        (format!("ab/{hex}-0"), 1 << 40),
        (format!("ab/{hex}-1"), 31),
        (format!("ab/{hex}.cur"), (128 << 10) + 1),
    ];
    impossible.iter().for_each(|(path, size)| write(path, *size));
    let foreign = ["README", "ab/notes.txt", &format!("ab/{hex}")];
    foreign.iter().for_each(|path| write(path, 7));
    bench.reopen();
    bench.walked().await;
    assert_eq!((bench.disk().stats().foreign, bench.fault(Fault::Damaged)), (3, 3));
    assert!(foreign.iter().all(|path| bench.root().join(path).exists()));
    assert!(!impossible.iter().any(|(path, _)| bench.root().join(path).exists()));
    assert_eq!((bench.disk().stats().files, bench.evicted(Evicted::Capacity)), (1, 0));
    assert_eq!(bench.check(&a, 100, 0).await, Ok(()));
}

/// `cargo run --release --example restart` does the same with 128,000 and says how long it takes.
#[tokio::test]
async fn many_files_are_found_within_the_memory_that_is_promised() {
    const FILES: u64 = 20_000;
    let mut bench = Bench::new(1 << 30);
    let a = revision("/a", "1");
    bench.store(&a, 100, 0, Claim::Current).await.unwrap();
    bench.disk = None;
    for n in 1..FILES {
        let name = RevisionHash::of(&revision("/b", &n.to_string()), bench.config.block_size);
        let path = bench.root().join(Name::block(name, BlockIndex::new(0)).unwrap().path());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, [0; 100]).unwrap();
    }
    bench.reopen();
    assert_eq!(bench.check(&a, 100, 0).await, Ok(()));
    bench.walked().await;
    let stats = bench.disk().stats();
    assert_eq!((stats.files, stats.bytes), (FILES, FILES * index::PAGE));
    // Whole pieces of the slabs, and room for as many evictions as this disk has blocks, weigh more with so few files.
    assert!(stats.index_bytes <= 160 * FILES, "{}", stats.index_bytes);
}
