//! One file per version on disk, kept for ever: today's code reads them, or says that they are a miss.

use super::format::{Popular, Popularity, Standing, ToldRevision, Unreadable};
use super::*;

const BLOCK_1: &[u8] = include_bytes!("../golden/block-1.bin");
const OBJECT_1: &[u8] = include_bytes!("../golden/object-1.bin");
const POPULAR_1: &[u8] = include_bytes!("../golden/popular-1.bin");
const POPULAR_2: &[u8] = include_bytes!("../golden/popular-2.bin");

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
    let block_size = BlockSize::new(BLOCK).unwrap();
    let revision = |hash, route, standing| ToldRevision { hash, route, standing };
    let (record, _) = Name::record(a.key.hash()).parts();
    let former = RevisionHash::from_bytes([0xab; 16]);
    let graced = RevisionHash::from_bytes([0xee; 16]);
    let until = 1_700_000_900;
    Popularity {
        block_size: BLOCK,
        routes: vec!["r".into(), "another".into()],
        revisions: vec![
            revision(record, 1, Standing::Wanted),
            revision(former, 0, Standing::Former),
            revision(RevisionHash::of(&a, block_size), 2, Standing::Wanted),
            revision(graced, 1, Standing::Graced { until }),
        ],
        files: [(0, u32::MAX, 2), (2, 0, 1), (2, 77, 3)]
            .map(|(revision, number, uses)| Popular { revision, number, uses })
            .to_vec(),
    }
}

#[test]
fn what_was_popular_is_read_and_written_as_in_version_2() {
    assert!(
        golden_popularity().encode() == POPULAR_2,
        "the format changed without its version"
    );
    assert_eq!(Popularity::decode(POPULAR_2), Ok(golden_popularity()));
    let change = |at: usize| {
        let mut bytes = POPULAR_2.to_vec();
        bytes[at] ^= 1;
        Popularity::decode(&bytes)
    };
    let version = POPULAR_2.len() - 12;
    assert_eq!(change(version), Err(Unreadable::Foreign));
    assert!((0..version).all(|at| change(at) == Err(Unreadable::Damaged)));
    assert!((0..POPULAR_2.len()).all(|end| Popularity::decode(&POPULAR_2[..end]).is_err()));
}

/// It said nothing of revisions.
#[test]
fn what_was_popular_in_version_1_is_a_miss() {
    assert_eq!(Popularity::decode(POPULAR_1), Err(Unreadable::Foreign));
}
