//! Many at once: what is read is right, and in the end the index and the directory say the same.

use tokio::task::JoinSet;

use super::faulty::{Call, Gate, Verdict, faulty};
use super::*;

const BLOCKS: u64 = 6;
const SIZE: u64 = BLOCKS * BLOCK - 5000;

/// A few hundred choices that look like chance.
struct Choices(blake3::OutputReader);

impl Choices {
    fn of(seed: u64) -> Self {
        Self(blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof())
    }

    fn below(&mut self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % end
    }
}

async fn one(disk: Arc<Disk>, seed: u64, times: u64) {
    let mut choices = Choices::of(seed);
    for _ in 0..times {
        let a = revision("/a", &choices.below(4).to_string());
        let index = BlockIndex::new(choices.below(BLOCKS));
        let block = disk.block_size().range_of(index, ObjectSize::new(SIZE)).unwrap();
        let first = block.first() + choices.below(block.len());
        let range = ByteRange::new(first, block.last()).unwrap();
        match choices.below(20) {
            0 => disk.forget(&a),
            1 => disk.learn(
                &a.key,
                Known {
                    current: Current::Is(a.tag.clone()),
                    former: (0..4).map(|n| (tag(&n.to_string()), SystemTime::UNIX_EPOCH)).collect(),
                    ..Known::UNKNOWN
                },
            ),
            2 => drop(disk.known(&a.key).await),
            3..10 => {
                let claim = if choices.below(4) == 0 {
                    Claim::Pinned
                } else {
                    Claim::Current
                };
                let Ok(mut fill) = disk.fill(&a, &head(&a, SIZE), index, claim) else {
                    continue;
                };
                let tail = fill.tail();
                for chunk in content(&a, block).chunks(10_000) {
                    let _ = fill.offer(&Bytes::copy_from_slice(chunk));
                }
                if let Ok(bytes) = tail.read(range).await {
                    assert!(content(&a, range).starts_with(&bytes));
                }
                if choices.below(5) > 0 {
                    let _ = fill.finish().await;
                }
            }
            _ => {
                if let Ok(bytes) = disk.read(&a, index, range).await {
                    assert!(content(&a, range).starts_with(&bytes));
                }
            }
        }
    }
}

/// Lets them loose on a disk, waits for their end, and compares.
async fn all(bench: &mut Bench, seed: u64, tasks: u64, times: u64) {
    let disk = Arc::new(bench.disk.take().unwrap());
    let mut running = JoinSet::new();
    for task in 0..tasks {
        running.spawn(one(Arc::clone(&disk), seed * 100 + task, times));
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    bench.disk = Some(Arc::into_inner(disk).unwrap());
    bench.walked().await;
    let stats = bench.disk().stats();
    assert!(stats.bytes <= stats.capacity);
    let files = || {
        let directories = bench.list("").into_iter().filter(|name| name.len() == 2);
        directories
            .map(|directory| format::wide(bench.list(&directory).len()))
            .sum::<u64>()
    };
    until(|| bench.disk().stats().files == files() && bench.list("tmp").is_empty()).await;
    until(|| bench.disk().stats().backlog == 0).await;
    assert_eq!(bench.fault(Fault::Damaged), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_index_and_the_directory_agree() {
    let mut bench = Bench::new(12 * (BLOCK + index::PAGE));
    for round in 0..4 {
        bench.reopen();
        all(&mut bench, round, 6, 250).await;
    }
}

/// Every system call is a place where a thread may lose its turn: here it does, as a seed says, for longer or shorter.
/// What happens between two locks is found in this way, too, since nothing much happens there but system calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_agree_whatever_the_schedule() {
    let mut bench = Bench::new(12 * (BLOCK + index::PAGE));
    for seed in 0..24 {
        let mut choices = Choices::of(1 << 32 | seed);
        bench.disk = None;
        bench.reopen_faulty(move |_| Verdict::Late(choices.below(4) * choices.below(40)));
        all(&mut bench, 1000 + seed, 4, 60).await;
    }
}

/// A fill that is late learns that it was forgotten when another has its place already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_forgotten_does_not_take_the_place_of_what_came_after() {
    let (bench, files) = faulty();
    let gate = Arc::new(Gate::default());
    let (hang, writes) = (Arc::clone(&gate), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&writes);
    // The first write is of the data, the second of the footer.
    files.set(move |call| match call {
        Call::Write if seen.fetch_add(1, Ordering::Relaxed) == 1 => Verdict::Hang(Arc::clone(&hang)),
        _ => Verdict::Go,
    });
    let a = revision("/a", "1");
    let store = bench.store(&a, BLOCK, 0, Claim::Current);
    let (late, ()) = tokio::join!(store, async {
        until(|| writes.load(Ordering::Relaxed) == 2).await;
        bench.disk().forget(&a);
        assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await, Ok(()));
        gate.open();
    });
    assert_eq!(late, Err(GaveUp::Forgotten));
    assert!(bench.path(&a, 0).exists());
    assert_eq!(bench.check(&a, BLOCK, 0).await, Ok(()));
    until(|| bench.list("tmp").is_empty()).await;
}
