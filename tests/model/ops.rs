//! What may happen to a store, and the seeds of it.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{BLOCK, KEYS, TAGS};

/// Which revision: an object and a tag.
pub(crate) type Which = (u8, u8);

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Begin {
        which: Which,
        block: Index,
        pinned: bool,
    },
    Offer {
        fill: Index,
        length: u64,
    },
    /// Offers the rest and finishes.
    Complete {
        fill: Index,
    },
    /// Finishes as it is.
    Finish {
        fill: Index,
    },
    Drop {
        fill: Index,
    },
    TailRead {
        fill: Index,
        at: Index,
        length: u64,
    },
    Read {
        which: Which,
        at: Index,
        length: u64,
    },
    /// The short way of reading, if there is one.
    AtHand {
        which: Which,
        at: Index,
        length: u64,
    },
    Holds {
        which: Which,
    },
    Head {
        which: Which,
    },
    Learn {
        which: Which,
        current: bool,
        seconds: u64,
    },
    Known {
        key: u8,
    },
    Forget {
        which: Which,
    },
    /// Ends the disk and opens it again.
    Restart,
    /// Opens a copy of the files as they are at this moment, as after a kill.
    Crash,
    Damage {
        file: Index,
        at: Index,
    },
}

fn which() -> impl Strategy<Value = Which> {
    (0..KEYS, 0..TAGS)
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let length = 1..2 * BLOCK;
    prop_oneof![
        8 => (which(), index(), any::<bool>()).prop_map(|(which, block, pinned)| Op::Begin { which, block, pinned }),
        6 => (index(), length.clone()).prop_map(|(fill, length)| Op::Offer { fill, length }),
        8 => index().prop_map(|fill| Op::Complete { fill }),
        1 => index().prop_map(|fill| Op::Finish { fill }),
        1 => index().prop_map(|fill| Op::Drop { fill }),
        3 => (index(), index(), length.clone()).prop_map(|(fill, at, length)| Op::TailRead { fill, at, length }),
        8 => (which(), index(), length.clone()).prop_map(|(which, at, length)| Op::Read { which, at, length }),
        4 => (which(), index(), length).prop_map(|(which, at, length)| Op::AtHand { which, at, length }),
        1 => which().prop_map(|which| Op::Holds { which }),
        2 => which().prop_map(|which| Op::Head { which }),
        3 => (which(), any::<bool>(), 0..100u64)
            .prop_map(|(which, current, seconds)| Op::Learn { which, current, seconds }),
        2 => (0..KEYS).prop_map(|key| Op::Known { key }),
        1 => which().prop_map(|which| Op::Forget { which }),
        1 => Just(Op::Restart),
        1 => Just(Op::Crash),
        1 => (index(), index()).prop_map(|(file, at)| Op::Damage { file, at }),
    ]
}
