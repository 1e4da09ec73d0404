//! What every block store does: keep blocks of revisions, and what is known of objects.
//!
//! Its only bad news is [`Miss`]: a fault of a cache cannot become the error of a request.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::object::{BlockIndex, BlockSize, BlockSpan, ByteRange, Current, Head, ObjectKey, Revision, StrongETag};

/// Why a store has nothing to give. The variant is the log field and the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Miss {
    /// It was never here, or was evicted.
    #[error("absent")]
    Absent,
    /// A checksum, a key or a length did not match; the file is removed.
    #[error("damaged")]
    Damaged,
    /// The disk failed or was too slow.
    #[error("fault")]
    Fault,
    /// The fill that was followed was given up.
    #[error("given up")]
    GivenUp,
}

/// Why a fill is not begun or not finished. The variant is the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum GaveUp {
    /// Bytes arrived faster than the disk took them: the budget of bytes on their way was used up.
    #[error("over budget")]
    OverBudget,
    /// There is no space, and nothing that may be evicted for this block.
    #[error("no space")]
    NoSpace,
    /// The disk failed.
    #[error("fault")]
    Fault,
    /// More or fewer bytes were offered than the block has.
    #[error("length")]
    Length,
    /// Key, tag and head are more than every block can carry, so that it could not be replayed.
    #[error("head too large")]
    HeadTooLarge,
    /// What is stored under the revision was contradicted while the fill went on.
    #[error("forgotten")]
    Forgotten,
}

/// What is known of an object besides its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What the authority's latest word names.
    pub current: Current,
    /// When that word was last confirmed, or when a write made it unknown.
    pub confirmed: SystemTime,
    /// The head of the current revision, if there is one.
    pub head: Option<Arc<Head>>,
    /// Revisions that were current, with the time when they stopped being so; the newest last. At most
    /// [`Known::FORMER`].
    pub former: Vec<(StrongETag, SystemTime)>,
}

/// A range that could be read at once.
#[derive(Clone, Debug)]
pub struct AtHand {
    /// What is known of the object.
    pub known: Known,
    /// The head that the block carries.
    pub head: Arc<Head>,
    /// All bytes of the range, verified.
    pub bytes: Bytes,
}

/// Which space a fill may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A block of the current revision: may evict by the usual order.
    Current,
    /// A block that only a pin asked for: takes free space, or that of other former revisions.
    Pinned,
}

/// Keeps blocks. All methods are cheap to call from any task; none blocks a worker thread.
pub trait BlockStore: Send + Sync + fmt::Debug {
    /// The size of all blocks here.
    fn block_size(&self) -> BlockSize;

    /// What is known of an object. Damaged or absent records are the default: unknown.
    fn known<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Known>;

    /// Replaces what is known of an object. Visible to [`BlockStore::known`] at once; durable soon after.
    fn learn(&self, key: &ObjectKey, known: Known);

    /// The head of a revision, current or not.
    fn head<'a>(&'a self, revision: &'a Revision) -> BoxFuture<'a, Result<Arc<Head>, Miss>>;

    /// Which blocks of a span are here, in order, one flag a block. A block that is here may still turn out damaged
    /// when it is read. Does not count as use.
    fn holds<'a>(&'a self, revision: &'a Revision, span: BlockSpan) -> BoxFuture<'a, Vec<bool>>;

    /// Bytes of one block, verified before they are returned: a non-empty prefix of `range`, which lies within that
    /// block and is given in positions of the object. Counts as use.
    fn read<'a>(
        &'a self,
        revision: &'a Revision,
        index: BlockIndex,
        range: ByteRange,
    ) -> BoxFuture<'a, Result<Bytes, Miss>>;

    /// The bytes of a range within one block, with what is known of the object, if all of it is at hand: in memory or in
    /// the page cache, so that nobody has to wait. Counts as use, like [`BlockStore::read`]. `None` says nothing about
    /// what is here, and is what a store may always answer.
    fn at_hand(&self, _revision: &Revision, _index: BlockIndex, _range: ByteRange) -> Option<AtHand> {
        None
    }

    /// Begins to store one block. `head` tells key, tag and length; never waits.
    fn fill(
        &self,
        revision: &Revision,
        head: &Arc<Head>,
        index: BlockIndex,
        claim: Claim,
    ) -> Result<Box<dyn Fill>, GaveUp>;

    /// Drops all that is stored under a revision whose length or bytes were contradicted: its blocks, fills that have
    /// begun ([`GaveUp::Forgotten`]), and its head in what is known of the object.
    fn forget(&self, revision: &Revision);
}

/// A block on its way into a store. Dropped before [`Fill::finish`], it leaves nothing behind.
pub trait Fill: Send + fmt::Debug {
    /// The next bytes, in order. Never waits: over budget or on a fault the fill is given up, for good.
    fn offer(&mut self, bytes: &Bytes) -> Result<(), GaveUp>;

    /// How many of the offered bytes are not yet written: what paces a flight that nobody reads.
    fn backlog(&self) -> u64;

    /// Resolves when the backlog has shrunk or the fill was given up.
    fn drained(&self) -> BoxFuture<'static, ()>;

    /// A view for readers that fell behind.
    fn tail(&self) -> Arc<dyn Tail>;

    /// Publishes the block after its last byte was offered; resolves when readers find it in the store.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), GaveUp>>;
}

/// Reads what a fill has written so far.
pub trait Tail: Send + Sync + fmt::Debug {
    /// A non-empty prefix of `range` (positions of the object, within the block): waits until its first byte is
    /// written. [`Miss::GivenUp`] once the fill was given up. Stays readable after the block was published.
    fn read(&self, range: ByteRange) -> BoxFuture<'_, Result<Bytes, Miss>>;
}

impl Miss {
    /// The name in metrics, logs and reasons.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Damaged => "damaged",
            Self::Fault => "fault",
            Self::GivenUp => "given-up",
        }
    }
}

impl GaveUp {
    /// The name in metrics, logs and reasons.
    pub const fn label(self) -> &'static str {
        match self {
            Self::OverBudget => "over-budget",
            Self::NoSpace => "no-space",
            Self::Fault => "fault",
            Self::Length => "length",
            Self::HeadTooLarge => "head-too-large",
            Self::Forgotten => "forgotten",
        }
    }
}

impl Known {
    /// How many former revisions are remembered.
    pub const FORMER: usize = 16;

    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        current: Current::Unknown,
        confirmed: SystemTime::UNIX_EPOCH,
        head: None,
        former: Vec::new(),
    };

    /// About how much memory it takes, with the key that it is of.
    pub fn weight(&self, key: &[u8]) -> u64 {
        let fields = self.head.iter().flat_map(|head| head.fields());
        let fields = fields.map(|(name, value)| 64 + name.as_str().len() + value.len());
        let former = self.former.iter().map(|(tag, _)| 96 + tag.opaque().len());
        let parts = key.len() + fields.sum::<usize>() + former.sum::<usize>();
        512 + u64::try_from(parts).unwrap_or(u64::MAX - 512)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self::UNKNOWN
    }
}
