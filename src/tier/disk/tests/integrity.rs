//! Complete revisions against the checksum that their authority names.

use http::{HeaderName, HeaderValue};

use super::faulty::{Call, Verdict, faulty};
use super::*;
use crate::object::{Parts, SumKind, WholeSum};

const SIZE: u64 = 2 * BLOCK + 20_000;

/// A head that names a checksum of other bytes, or of these.
fn told(revision: &Revision, kind: SumKind, of: &Revision) -> Arc<Head> {
    let mut summing = format::Summing::new(kind);
    summing.push(&content(of, ByteRange::at(0, SIZE).unwrap()));
    let sum = summing.finish().unwrap();
    let fields = fields(&sum);
    let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let (tag, size) = (revision.tag.clone(), ObjectSize::new(SIZE));
    Arc::new(Head::restore(tag, size, fields, received, Parts::default()))
}

fn fields(sum: &WholeSum) -> HeaderMap {
    use base64::Engine;
    let value = base64::prelude::BASE64_STANDARD.encode(&sum.value);
    if sum.kind == SumKind::Sha512 {
        let digest = format!("sha-512=:{value}:").parse().unwrap();
        return HeaderMap::from_iter([(HeaderName::from_static("repr-digest"), digest)]);
    }
    let name: HeaderName = format!("x-amz-checksum-{}", sum.kind.label()).parse().unwrap();
    let mut fields = HeaderMap::from_iter([(name, value.parse().unwrap())]);
    fields.insert("x-amz-checksum-type", HeaderValue::from_static("FULL_OBJECT"));
    fields
}

async fn fill(bench: &Bench, revision: &Revision, head: &Arc<Head>, index: u64) {
    let index = BlockIndex::new(index);
    let range = bench.config.block_size.range_of(index, head.size()).unwrap();
    let mut fill = bench.disk().fill(revision, head, index, Claim::Current).unwrap();
    fill.offer(&content(revision, range)).unwrap();
    fill.finish().await.unwrap();
}

fn verified(bench: &Bench, what: Verified) -> u64 {
    counted(&bench.disk().stats().verified, what)
}

async fn holds_all(bench: &Bench, revision: &Revision) -> bool {
    let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(2)).unwrap();
    bench.disk().holds(revision, span).await == [true; 3]
}

const KINDS: [SumKind; 6] = [
    SumKind::Crc64Nvme,
    SumKind::Crc32c,
    SumKind::Crc32,
    SumKind::Sha256,
    SumKind::Sha512,
    SumKind::Sha1,
];

#[tokio::test]
async fn a_complete_revision_is_compared() {
    for kind in KINDS {
        let bench = Bench::new(64 << 20);
        let a = revision("/a", "1");
        let head = told(&a, kind, &a);
        // Any order; the last one completes it.
        for index in [2, 0, 1] {
            assert_eq!(verified(&bench, Verified::Sound), 0);
            fill(&bench, &a, &head, index).await;
        }
        until(|| verified(&bench, Verified::Sound) >= 1).await;
        assert!(holds_all(&bench, &a).await);
    }
}

#[tokio::test]
async fn a_block_that_was_lost_and_comes_again_is_compared_again() {
    for kind in [SumKind::Crc64Nvme, SumKind::Sha256] {
        let bench = Bench::new(64 << 20);
        let (a, b) = (revision("/a", "1"), revision("/b", "1"));
        let head = told(&a, kind, &a);
        for index in 0..3 {
            fill(&bench, &a, &head, index).await;
        }
        until(|| verified(&bench, Verified::Sound) >= 1).await;
        std::fs::remove_file(bench.path(&a, 1)).unwrap();
        bench
            .disk()
            .shared
            .open
            .remove_revision(RevisionHash::of(&a, bench.config.block_size));
        assert_eq!(bench.check(&a, SIZE, 1).await, Err(Miss::Absent));
        // The same tag, and other bytes.
        let index = BlockIndex::new(1);
        let range = bench.config.block_size.range_of(index, head.size()).unwrap();
        let mut fill = bench.disk().fill(&a, &head, index, Claim::Current).unwrap();
        fill.offer(&content(&b, range)).unwrap();
        fill.finish().await.unwrap();
        until(|| verified(&bench, Verified::Mismatch) >= 1).await;
        until(|| bench.disk().stats().evicted.contains(&(Evicted::Forgotten, 3))).await;
    }
}

#[tokio::test]
async fn a_revision_that_is_not_what_its_authority_says_is_dropped() {
    for kind in KINDS {
        let bench = Bench::new(64 << 20);
        // Until then a record may be there unseen, and what is forgotten is written down.
        bench.walked().await;
        let (a, b) = (revision("/a", "1"), revision("/b", "1"));
        let lying = told(&a, kind, &b);
        for round in 1..3 {
            for index in 0..3 {
                fill(&bench, &a, &lying, index).await;
            }
            until(|| verified(&bench, Verified::Mismatch) >= round).await;
            until(|| bench.disk().stats().files == 0).await;
            assert_eq!(bench.check(&a, SIZE, 0).await, Err(Miss::Absent), "{kind:?}");
        }
        // Fetched anew and right, it stays.
        let honest = told(&a, kind, &a);
        for index in 0..3 {
            fill(&bench, &a, &honest, index).await;
        }
        until(|| verified(&bench, Verified::Sound) >= 1).await;
        assert!(holds_all(&bench, &a).await);
    }
}

#[tokio::test]
async fn a_checksum_that_is_told_later_counts() {
    let bench = Bench::new(64 << 20);
    let (a, b) = (revision("/a", "1"), revision("/b", "1"));
    for index in 0..3 {
        bench.store(&a, SIZE, index, Claim::Current).await.unwrap();
    }
    // A second revision goes the same way: when it was compared, the first was found to have no checksum.
    let head = told(&b, SumKind::Sha256, &b);
    for index in 0..3 {
        fill(&bench, &b, &head, index).await;
    }
    until(|| verified(&bench, Verified::Sound) >= 1).await;
    bench.disk().learn(
        &a.key,
        Known {
            current: Current::Is(a.tag.clone()),
            head: Some(told(&a, SumKind::Crc64Nvme, &b)),
            ..Known::UNKNOWN
        },
    );
    until(|| verified(&bench, Verified::Mismatch) >= 1).await;
    until(|| bench.disk().stats().evicted.contains(&(Evicted::Forgotten, 3))).await;
    assert!(holds_all(&bench, &b).await);
}

#[tokio::test]
async fn what_cannot_be_read_is_not_compared() {
    let (bench, files) = faulty();
    let a = revision("/a", "1");
    let head = told(&a, SumKind::Sha256, &a);
    for index in 0..2 {
        fill(&bench, &a, &head, index).await;
    }
    files.set(|call| match call {
        Call::Read | Call::Open => Verdict::Fail(rustix::io::Errno::IO),
        _ => Verdict::Go,
    });
    fill(&bench, &a, &head, 2).await;
    until(|| verified(&bench, Verified::Unread) >= 1).await;
    files.set(|_| Verdict::Go);
    assert!(holds_all(&bench, &a).await);
    assert_eq!(bench.check(&a, SIZE, 0).await, Ok(()));
    // It looks again by itself.
    until(|| verified(&bench, Verified::Sound) >= 1).await;
}

#[tokio::test]
async fn damage_that_is_met_meanwhile_is_a_block_that_is_missing() {
    use std::os::unix::fs::FileExt;
    let bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    let head = told(&a, SumKind::Sha256, &a);
    for index in 0..2 {
        fill(&bench, &a, &head, index).await;
    }
    let file = std::fs::OpenOptions::new().write(true).open(bench.path(&a, 0)).unwrap();
    file.write_all_at(b"x", 1000).unwrap();
    fill(&bench, &a, &head, 2).await;
    until(|| bench.fault(Fault::Damaged) == 1).await;
    until(|| !bench.path(&a, 0).exists()).await;
    assert_eq!(verified(&bench, Verified::Mismatch), 0);
    fill(&bench, &a, &head, 0).await;
    until(|| verified(&bench, Verified::Sound) >= 1).await;
}
