//! The disk against the model in memory: random operations, damage, restarts. Whatever the disk returns is what the
//! model has, or a miss; and while nothing is evicted or damaged, it is not a miss.
#![expect(
    clippy::disallowed_methods,
    reason = "damage and crashes are made from outside, on the files themselves"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod checks;
mod ends;
mod objects;
mod ops;
mod state;

use pinstripe::object::BlockSize;
use proptest::prelude::*;

use ops::{Op, op};
use state::Model;

const BLOCK: u64 = BlockSize::MIN;
const KEYS: u8 = 2;
const TAGS: u8 = 2;
/// Enough for everything, so that nothing may be missing.
const AMPLE: u64 = 256 << 20;
/// Enough for a few blocks.
const SCARCE: u64 = 6 * (BLOCK + 4096);

fn run(capacity: u64, ops: &[Op]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut model = Model::new(capacity);
        for op in ops {
            model.apply(op).await;
        }
        // Whatever happened, the end of it is readable.
        model.restart();
        for which in (0..KEYS).flat_map(|key| (0..TAGS).map(move |tag| (key, tag))) {
            model.holds(which).await;
            model.check_head(which).await;
        }
    });
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::WithSource(
            "seeds",
        ))),
        ..ProptestConfig::default()
    }
}

// Fifty operations at least in each of a thousand runs, twice.
proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn with_ample_space(ops in prop::collection::vec(op(), 50..90)) {
        run(AMPLE, &ops);
    }

    #[test]
    fn with_scarce_space(ops in prop::collection::vec(op(), 50..90)) {
        run(SCARCE, &ops);
    }
}
