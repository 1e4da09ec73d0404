//! What others put into the directory: a miss that goes, and nothing outside of the root is touched.

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;

const SIZE: u64 = 2 * BLOCK + 40_000;
/// What nothing here may change.
const PRECIOUS: &[u8] = b"precious";

#[derive(Clone, Copy, Debug)]
enum Plant {
    Symlink,
    Dangling,
    HardLink,
    Fifo,
    Socket,
    Directory,
    FullDirectory,
}

const PLANTS: [Plant; 7] = [
    Plant::Symlink,
    Plant::Dangling,
    Plant::HardLink,
    Plant::Fifo,
    Plant::Socket,
    Plant::Directory,
    Plant::FullDirectory,
];

/// Takes the place of a file; what was there is moved out of the root, and linked to.
fn plant(kind: Plant, path: &Path, outside: &Path) {
    std::fs::rename(path, outside).unwrap();
    match kind {
        Plant::Symlink => symlink(outside, path).unwrap(),
        Plant::Dangling => symlink("nowhere", path).unwrap(),
        Plant::HardLink => std::fs::hard_link(outside, path).unwrap(),
        Plant::Fifo => rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap(),
        Plant::Socket => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        Plant::Directory => std::fs::create_dir(path).unwrap(),
        Plant::FullDirectory => {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("file"), PRECIOUS).unwrap();
        }
    }
}

fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

#[tokio::test]
async fn what_is_planted_in_place_of_a_block_is_a_miss_and_goes() {
    let a = revision("/a", "1");
    for kind in PLANTS {
        for found_by_walk in [false, true] {
            let mut bench = stored(&a, SIZE).await;
            let (path, outside) = (bench.path(&a, 1), bench.root().with_file_name("outside"));
            if found_by_walk {
                bench.disk = None;
                plant(kind, &path, &outside);
                bench.reopen();
                bench.walked().await;
            } else {
                bench.walked().await;
                plant(kind, &path, &outside);
            }
            let before = std::fs::read(&outside).unwrap();
            assert_eq!(bench.check(&a, SIZE, 1).await, Err(Miss::Absent), "{kind:?}");
            let full = matches!(kind, Plant::FullDirectory);
            assert_eq!(is_there(&path), full, "{kind:?} {found_by_walk}");
            assert!(bench.fault(Fault::Damaged) >= 1, "{kind:?}");
            assert_eq!(
                bench.store(&a, SIZE, 1, Claim::Current).await.is_ok(),
                !full,
                "{kind:?}"
            );
            assert_eq!(bench.check(&a, SIZE, 1).await.is_ok(), !full, "{kind:?}");
            assert_eq!(bench.check(&a, SIZE, 2).await, Ok(()), "{kind:?}");
            assert_eq!(std::fs::read(&outside).unwrap(), before, "{kind:?}");
            assert_eq!(std::fs::metadata(&outside).unwrap().nlink(), 1);
        }
    }
}

/// Nobody reads what the index knows not to be there, and so nobody finds that the name is taken.
#[tokio::test]
async fn a_directory_where_nothing_was_gives_way_to_a_block() {
    for full in [false, true] {
        let bench = Bench::new(64 << 20);
        bench.walked().await;
        let (a, other) = (revision("/a", "1"), revision("/other", "1"));
        let path = bench.path(&a, 0);
        std::fs::create_dir_all(&path).unwrap();
        if full {
            std::fs::write(path.join("file"), PRECIOUS).unwrap();
        }
        for _ in 0..12 {
            assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await.is_ok(), !full);
        }
        assert_eq!(bench.check(&a, BLOCK, 0).await.is_ok(), !full);
        // What others put into it stays theirs, and is no fault of the device.
        assert_eq!(path.join("file").exists(), full);
        assert_eq!(bench.fault(Fault::Damaged) >= 12, full);
        assert_eq!(bench.disk().usable(), Usable::Ok);
        assert_eq!(bench.store(&other, BLOCK, 0, Claim::Current).await, Ok(()));
        until(|| bench.list("tmp").is_empty()).await;
    }
}

#[tokio::test]
async fn what_is_planted_in_place_of_a_record_knows_nothing() {
    let a = revision("/a", "1");
    let known = Known {
        current: Current::Is(a.tag.clone()),
        ..Known::UNKNOWN
    };
    for kind in PLANTS {
        let mut bench = Bench::new(64 << 20);
        bench.disk().learn(&a.key, known.clone());
        bench.disk = None;
        let path = bench.root().join(Name::record(a.key.hash()).path());
        plant(kind, &path, &bench.root().with_file_name("outside"));
        bench.reopen();
        assert_eq!(bench.disk().known(&a.key).await, Known::UNKNOWN, "{kind:?}");
        bench.disk().learn(&a.key, known.clone());
        bench.reopen();
        let full = matches!(kind, Plant::FullDirectory);
        assert_eq!(bench.disk().known(&a.key).await == known, !full, "{kind:?}");
    }
}

#[tokio::test]
async fn directories_that_are_links_lead_nowhere() {
    let a = revision("/a", "1");
    for running in [false, true] {
        let mut bench = stored(&a, SIZE).await;
        let outside = bench.root().with_file_name("outside");
        let directory = bench.path(&a, 0).parent().unwrap().to_owned();
        if !running {
            bench.disk = None;
        }
        // All that was stored is out there now, sound, and with its names.
        std::fs::rename(&directory, &outside).unwrap();
        symlink(&outside, &directory).unwrap();
        let elsewhere = bench.root().with_file_name("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::write(elsewhere.join("0000000000000000"), PRECIOUS).unwrap();
        std::fs::remove_dir_all(bench.root().join("tmp")).unwrap();
        symlink(&elsewhere, bench.root().join("tmp")).unwrap();
        if !running {
            bench.reopen();
        }
        assert_eq!(bench.check(&a, SIZE, 1).await, Err(Miss::Absent));
        bench.disk().forget(&a);
        for index in 0..3 {
            assert_eq!(bench.store(&a, SIZE, index, Claim::Current).await, Ok(()), "{running}");
            assert_eq!(bench.check(&a, SIZE, index).await, Ok(()));
        }
        assert!(std::fs::symlink_metadata(&directory).unwrap().is_dir());
        bench.disk = None;
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 3, "{running}");
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 1, "{running}");
        assert_eq!(std::fs::read(elsewhere.join("0000000000000000")).unwrap(), PRECIOUS);
    }
}

#[tokio::test]
async fn a_root_that_is_emptied_fills_again() {
    let a = revision("/a", "1");
    let bench = stored(&a, SIZE).await;
    for index in 0..3 {
        bench.check(&a, SIZE, index).await.unwrap();
    }
    for entry in std::fs::read_dir(bench.root()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    // Open files are still read; what is not open any more is a miss.
    assert_eq!(bench.check(&a, SIZE, 0).await, Ok(()));
    bench
        .disk()
        .shared
        .open
        .remove(Name::block(RevisionHash::of(&a, bench.config.block_size), BlockIndex::new(1)).unwrap());
    assert_eq!(bench.check(&a, SIZE, 1).await, Err(Miss::Absent));
    assert_eq!(bench.store(&a, SIZE, 1, Claim::Current).await, Ok(()));
    assert_eq!(bench.check(&a, SIZE, 1).await, Ok(()));
    assert_eq!(bench.disk().usable(), Usable::Ok);
}

#[tokio::test]
async fn a_root_that_vanished_is_misses_and_degraded() {
    let a = revision("/a", "1");
    let mut bench = stored(&a, SIZE).await;
    std::fs::remove_dir_all(bench.root()).unwrap();
    let mut last = Ok(());
    for n in 0..20 {
        last = bench
            .store(&revision("/b", &n.to_string()), 100, 0, Claim::Current)
            .await;
        assert_eq!(last, Err(GaveUp::Fault));
    }
    assert_eq!(last, Err(GaveUp::Fault));
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Unwritable));
    assert!(bench.fault(Fault::Gone) >= 8);
    for index in 0..3 {
        assert_eq!(bench.check(&a, SIZE, index).await, Err(Miss::Absent));
    }
    // It is a new one after a restart.
    bench.reopen();
    assert_eq!(bench.store(&a, SIZE, 1, Claim::Current).await, Ok(()));
    assert_eq!(bench.disk().usable(), Usable::Ok);
}
