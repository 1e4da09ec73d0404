//! Files that are not what they are called: a miss, never wrong bytes, never a hang.

use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;

const SIZE: u64 = 2 * BLOCK + 40_000;

/// Flips a bit of a file.
fn flip(path: &Path, at: u64) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

#[tokio::test]
async fn a_flipped_bit_of_any_region_is_a_miss() {
    let a = revision("/a", "1");
    let table = 40_000;
    let footer = table + 3 * 8;
    let regions = [
        ("first byte", Ok(0)),
        ("last byte of data", Ok(table - 1)),
        ("table", Ok(table + 9)),
        ("footer", Ok(footer)),
        ("key", Ok(footer + 30)),
        ("length of data", Err(32)),
        ("checksum", Err(20)),
        ("version", Err(12)),
        ("magic", Err(1)),
    ];
    for (region, at) in regions {
        let mut bench = stored(&a, SIZE).await;
        let path = bench.path(&a, 2);
        // Counted from the start, or from the end.
        let at = at.unwrap_or_else(|from_end| length(&path) - from_end);
        flip(&path, at);
        bench.reopen();
        let read = bench.check(&a, SIZE, 2).await;
        let foreign = matches!(region, "version" | "magic");
        let expected = if foreign { Miss::Absent } else { Miss::Damaged };
        assert_eq!(read, Err(expected), "{region}");
        assert!(!bench.path(&a, 2).exists(), "{region}");
        assert_eq!(bench.fault(Fault::Damaged), 1, "{region}");
        assert_eq!(bench.check(&a, SIZE, 1).await, Ok(()));
        assert_eq!(bench.store(&a, SIZE, 2, Claim::Current).await, Ok(()));
        assert_eq!(bench.check(&a, SIZE, 2).await, Ok(()));
    }
}

#[tokio::test]
async fn damage_under_an_open_file_is_a_miss() {
    let a = revision("/a", "1");
    let bench = stored(&a, SIZE).await;
    bench.check(&a, SIZE, 2).await.unwrap();
    flip(&bench.path(&a, 2), 20_000);
    let position = 2 * BLOCK;
    let intact = ByteRange::new(position, position + 99).unwrap();
    assert_eq!(
        bench.read(&a, position, position + 99).await.unwrap(),
        content(&a, intact)
    );
    assert_eq!(
        bench.read(&a, position + 20_001, position + 20_001).await,
        Err(Miss::Damaged)
    );
    assert_eq!(bench.read(&a, position, position).await, Err(Miss::Absent));
}

#[tokio::test]
async fn a_file_that_is_cut_is_a_miss() {
    let a = revision("/a", "1");
    for open in [false, true] {
        for length in [0, 1, 31, 32, 39_999, 40_000, 40_100] {
            let mut bench = stored(&a, SIZE).await;
            bench.check(&a, SIZE, 2).await.unwrap();
            let file = std::fs::OpenOptions::new().write(true).open(bench.path(&a, 2)).unwrap();
            file.set_len(length).unwrap();
            if !open {
                bench.reopen();
            }
            let read = bench.check(&a, SIZE, 2).await;
            let intact = open && length >= 40_000;
            // What stands where the trailer was tells neither version nor magic, or does not match.
            let missed = matches!(read, Err(Miss::Damaged | Miss::Absent));
            assert_eq!((read.is_ok(), missed), (intact, !intact), "{length}");
        }
    }
}

#[tokio::test]
async fn a_swapped_file_is_a_miss() {
    let (a, b) = (revision("/a", "1"), revision("/a", "2"));
    let mut bench = stored(&a, SIZE).await;
    std::fs::copy(bench.path(&a, 0), bench.path(&a, 1)).unwrap();
    let other = bench.path(&b, 0);
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    std::fs::copy(bench.path(&a, 0), &other).unwrap();
    bench.reopen();
    assert_eq!(bench.check(&a, SIZE, 0).await, Ok(()));
    assert_eq!(bench.check(&a, SIZE, 1).await, Err(Miss::Absent));
    assert_eq!(bench.check(&b, SIZE, 0).await, Err(Miss::Absent));
    assert!(!other.exists());
}

#[tokio::test]
async fn damaged_records_know_nothing() {
    let a = revision("/a", "1");
    let known = Known {
        current: Current::Is(a.tag.clone()),
        confirmed: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
        head: Some(head(&a, SIZE)),
        former: vec![(tag("0"), SystemTime::UNIX_EPOCH)],
    };
    let mut bench = Bench::new(64 << 20);
    bench.disk().learn(&a.key, known.clone());
    bench.reopen();
    let path = bench.root().join(Name::record(a.key.hash()).path());
    let length = length(&path);
    for at in 0..length {
        bench.disk().learn(&a.key, known.clone());
        bench.disk = None;
        flip(&path, at);
        bench.reopen();
        assert_eq!(bench.disk().known(&a.key).await, Known::UNKNOWN, "{at}");
        assert!(!path.exists());
    }
}

#[derive(Clone, Debug)]
enum Harm {
    Flip(u64),
    Cut(u64),
    Grow(u64),
    Zero(u64, u64),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = 0..90_000u64;
    prop_oneof![
        4 => at.clone().prop_map(Harm::Flip),
        1 => at.clone().prop_map(Harm::Cut),
        1 => (1..100u64).prop_map(Harm::Grow),
        1 => (at, 1..20_000u64).prop_map(|(at, length)| Harm::Zero(at, length)),
    ]
}

fn inflict(path: &Path, harm: &Harm) {
    let length = length(path);
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    match *harm {
        Harm::Flip(at) => flip(path, at % length),
        Harm::Cut(at) => file.set_len(at % length).unwrap(),
        Harm::Grow(by) => file.set_len(length + by).unwrap(),
        Harm::Zero(at, by) => {
            let at = at % length;
            let by = usize::try_from(by.min(length - at)).unwrap();
            file.write_all_at(&vec![0; by], at).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// `check` asserts that no byte is wrong.
    #[test]
    fn harm_never_shows(harm in prop::collection::vec((0..3u64, harm()), 1..4), reopen: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let a = revision("/a", "1");
            let mut bench = stored(&a, SIZE).await;
            if !reopen {
                for index in 0..3 {
                    bench.check(&a, SIZE, index).await.unwrap();
                }
            }
            for (index, harm) in &harm {
                inflict(&bench.path(&a, *index), harm);
            }
            if reopen {
                bench.reopen();
            }
            for index in 0..3 {
                let read = bench.check(&a, SIZE, index).await;
                let harmed = harm.iter().any(|(at, _)| *at == index);
                assert!(read.is_ok() || harmed);
            }
        });
    }
}
