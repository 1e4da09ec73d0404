//! One file per version on disk, kept for ever: today's code reads them, or says that they are a miss.

use super::format::{Popular, Popularity, Unreadable};
use super::*;

const BLOCK_1: &[u8] = include_bytes!("../golden/block-1.bin");
const OBJECT_1: &[u8] = include_bytes!("../golden/object-1.bin");
const POPULAR_1: &[u8] = include_bytes!("../golden/popular-1.bin");

/// What the golden files are of.
fn golden() -> (Revision, u64, Known) {
    let a = revision("/golden/a.zip?no", "5eb63bbbe01eeed093cb22bb8f5acdc3");
    let part = |n| crate::object::PartNumber::new(n).unwrap();
    let parts = crate::object::Parts::default().with_count(Some(3));
    let parts = parts.with(part(1), ByteRange::new(0, 99).unwrap());
    let parts = parts.with(part(2), ByteRange::new(100, 199).unwrap());
    let size = BLOCK + 300;
    let head = Arc::new(Head::clone(&head(&a, size)).with_parts(parts));
    let known = Known {
        current: Current::Is(a.tag.clone()),
        confirmed: SystemTime::UNIX_EPOCH + Duration::new(1_700_000_123, 456),
        head: Some(head),
        former: vec![
            (tag("old"), SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)),
            (StrongETag::parse(b"bare").unwrap(), SystemTime::UNIX_EPOCH),
        ],
    };
    (a, size, known)
}

fn place(bench: &Bench, path: &Path, bytes: &[u8]) {
    let path = bench.root().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn version_1_is_read() {
    let mut bench = Bench::new(64 << 20);
    let (a, size, known) = golden();
    bench.disk = None;
    place(&bench, &bench.path(&a, 1), BLOCK_1);
    place(&bench, Path::new(&Name::record(a.key.hash()).path()), OBJECT_1);
    bench.reopen();
    assert_eq!(bench.check(&a, size, 1).await, Ok(()));
    assert_eq!(bench.disk().known(&a.key).await, known);
    let block = bench.disk().shared.head_of_block(&a).await;
    assert_eq!(block.ok(), known.head);
}

/// Names are part of the format: another hash would make every file a miss.
#[test]
fn names_of_version_1_are_kept() {
    let bench = Bench::new(1 << 20);
    let (a, _, _) = golden();
    let path = bench.path(&a, 1);
    assert!(path.ends_with("af/aff6c46f2c713bdee598237290d73afe-1"), "{path:?}");
    let path = Name::record(a.key.hash()).path();
    assert_eq!(path, "05/054cdeccbc4d75f94f428d11950f6496.cur");
}

#[tokio::test]
async fn an_unknown_version_is_a_miss() {
    let mut bench = Bench::new(64 << 20);
    let (a, size, _) = golden();
    bench.disk = None;
    for (path, golden, from_end) in [
        (bench.path(&a, 1), BLOCK_1, 12),
        (Name::record(a.key.hash()).path().into(), OBJECT_1, 12),
    ] {
        let mut bytes = golden.to_vec();
        let at = bytes.len() - from_end;
        assert_eq!(bytes[at..at + 4], [1, 0, 0, 0]);
        bytes[at] = 2;
        place(&bench, &path, &bytes);
    }
    bench.reopen();
    assert_eq!(bench.check(&a, size, 1).await, Err(Miss::Absent));
    assert_eq!(bench.disk().known(&a.key).await, Known::UNKNOWN);
}

/// A change of the format needs a new version, a golden file of it beside the old ones, and a decision to read those.
#[tokio::test]
async fn this_version_is_what_is_written() {
    let mut bench = Bench::new(64 << 20);
    let (a, _, known) = golden();
    bench.disk().learn(&a.key, known.clone());
    let index = BlockIndex::new(1);
    let mut fill = bench
        .disk()
        .fill(&a, known.head.as_ref().unwrap(), index, Claim::Current)
        .unwrap();
    fill.offer(&content(&a, ByteRange::at(BLOCK, 300).unwrap())).unwrap();
    fill.finish().await.unwrap();
    bench.disk = None;
    let block = std::fs::read(bench.path(&a, 1)).unwrap();
    let object = std::fs::read(bench.root().join(Name::record(a.key.hash()).path())).unwrap();
    assert!(block == BLOCK_1, "the format of blocks changed without its version");
    assert!(object == OBJECT_1, "the format of records changed without its version");
}

fn golden_popularity() -> Popularity {
    let (a, _, _) = golden();
    let hash = RevisionHash::of(&a, BlockSize::new(BLOCK).unwrap());
    let popular = |n, route, uses| Popular {
        name: Name::block(hash, BlockIndex::new(n)).unwrap(),
        route,
        uses,
    };
    Popularity {
        block_size: BLOCK,
        routes: vec!["r".into(), "another".into()],
        files: vec![popular(0, 0, 1), popular(77, 2, 3)],
    }
}

#[test]
fn what_was_popular_is_read_and_written_as_in_version_1() {
    assert!(
        golden_popularity().encode() == POPULAR_1,
        "the format changed without its version"
    );
    assert_eq!(Popularity::decode(POPULAR_1), Ok(golden_popularity()));
    let change = |at: usize| {
        let mut bytes = POPULAR_1.to_vec();
        bytes[at] ^= 2;
        Popularity::decode(&bytes)
    };
    let version = POPULAR_1.len() - 12;
    assert_eq!(change(version), Err(Unreadable::Foreign));
    assert!((0..version).all(|at| change(at) == Err(Unreadable::Damaged)));
    assert!((0..POPULAR_1.len()).all(|end| Popularity::decode(&POPULAR_1[..end]).is_err()));
}
