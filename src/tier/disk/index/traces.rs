//! Hit ratios of the order of eviction, next to plain LRU and to `quick_cache`, whose policy is the reference:
//!
//! ```text
//! cargo test --workspace --lib hit_ratios -- --nocapture
//! ```
//!
//! A block is read in eight pieces, as downloads do. The index counts them once; so does the reference, as if it were
//! told; LRU does not care.

use std::collections::{BTreeMap, HashMap};

use quick_cache::unsync::Cache;

use super::tests::{block, hash, index};
use super::*;

/// Blocks that fit.
const FITS: u64 = 500;
const READS: u64 = 40_000;
const PIECES: u32 = 8;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Numbers below `n`, the k-th with a weight of 1/k.
struct Zipf(Vec<u64>);

impl Zipf {
    fn new(n: u64) -> Self {
        let mut sum = 0;
        let weights = (1..=n).map(|k| {
            sum += (1 << 32) / k;
            sum
        });
        Self(weights.collect())
    }

    fn next(&self, dice: &mut Dice) -> u64 {
        let at = dice.roll() % self.0.last().unwrap();
        u64::try_from(self.0.partition_point(|sum| *sum <= at)).unwrap()
    }
}

fn zipf() -> Vec<u64> {
    let (zipf, mut dice) = (Zipf::new(10 * FITS), Dice(1));
    (0..READS).map(|_| zipf.next(&mut dice)).collect()
}

/// What is popular, and every 2000 reads 1500 blocks in a row that nobody reads again.
fn scans() -> Vec<u64> {
    let (zipf, mut dice) = (Zipf::new(FITS), Dice(2));
    let scanned = |n: u64| n % 2000 >= 500;
    let read = |n| {
        if scanned(n) {
            1_000_000 + n
        } else {
            zipf.next(&mut dice)
        }
    };
    (0..READS).map(read).collect()
}

/// The same blocks again and again, a quarter more than fit.
fn loops() -> Vec<u64> {
    (0..READS).map(|n| n % (FITS * 5 / 4)).collect()
}

fn of_lru(trace: &[u64]) -> u64 {
    let (mut used, mut order, mut hits) = (HashMap::new(), BTreeMap::new(), 0);
    for (time, id) in (0u64..).zip(trace) {
        if let Some(before) = used.insert(*id, time) {
            order.remove(&before);
            hits += 1;
        }
        order.insert(time, *id);
        if order.len() > usize::try_from(FITS).unwrap() {
            let (_, oldest) = order.pop_first().unwrap();
            used.remove(&oldest);
        }
    }
    hits
}

fn of_reference(trace: &[u64]) -> u64 {
    let mut cache = Cache::new(usize::try_from(FITS).unwrap());
    let mut hits = 0;
    for id in trace {
        match cache.get(id) {
            Some(()) => hits += 1,
            None => cache.insert(*id, ()),
        }
    }
    hits
}

fn of_ours(trace: &[u64]) -> u64 {
    let index = index(FITS * PAGE, FITS, &[]);
    let mut hits = 0;
    for (second, id) in (1..).zip(trace) {
        let (now, name) = (Duration::from_secs(second), block(*id, 0));
        if index.contains(name) {
            hits += 1;
        } else {
            let space = index.reserve(name, RouteId::UNKNOWN, PAGE, Claim::Current).unwrap();
            assert!(space.publish(now));
            index.state.lock().doomed.clear();
        }
        (0..PIECES).for_each(|_| index.touch(name, now));
    }
    assert_eq!(index.usage().1, FITS);
    assert!(hash(0) != hash(1));
    hits
}

#[test]
fn hit_ratios() {
    println!("{:12} {:>7} {:>11} {:>7}", "trace", "LRU", "quick_cache", "ours");
    let check = |name: &str, trace: &[u64], least: u64| {
        let (lru, reference, ours) = (of_lru(trace), of_reference(trace), of_ours(trace));
        let percent = |hits: u64| format!("{}.{} %", hits * 100 / READS, hits * 1000 / READS % 10);
        println!(
            "{name:12} {:>7} {:>11} {:>7}",
            percent(lru),
            percent(reference),
            percent(ours)
        );
        assert!(ours * 1000 >= (lru * 1000 + least * READS), "{name}");
    };
    // The last is by how many per mille ours must be better than LRU.
    check("zipf", &zipf(), 20);
    check("scan-heavy", &scans(), 20);
    check("looping", &loops(), 300);
}
