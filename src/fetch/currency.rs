//! What is current, and the order of questions that decides whose answer counts (invariant 16).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use quick_cache::sync::Cache;
use tokio::sync::Mutex;

use crate::object::{Current, Head, ObjectHash, ObjectKey, Revision};
use crate::plan::Lesson;
use crate::tier::store::{BlockStore, Known};

/// The place of a question among all questions of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// Orders answers by when their questions were sent, and applies what they teach.
#[derive(Debug)]
pub(crate) struct Currency {
    next: AtomicU64,
    /// The question that moved an object's *current* last. An object that fell out is one that nobody asked about for
    /// so many others that no question of it can still be in flight.
    moved: Cache<ObjectHash, Ticket>,
    /// One lesson at a time for objects that share a stripe: reading and replacing a record is one step.
    stripes: [Mutex<()>; STRIPES],
}

const STRIPES: usize = 64;
/// Objects whose order is remembered.
const MOST_OBJECTS: usize = 65_536;

impl Currency {
    pub(crate) fn new() -> Self {
        Self {
            next: AtomicU64::new(1),
            moved: Cache::new(MOST_OBJECTS),
            stripes: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Taken right before a question is sent.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.next.fetch_add(1, Ordering::SeqCst))
    }

    /// Applies what an answer teaches, unless a question that was sent later has already been answered.
    pub(crate) async fn apply(
        &self,
        store: &dyn BlockStore,
        key: &ObjectKey,
        ticket: Ticket,
        lesson: Lesson,
        now: SystemTime,
    ) {
        if lesson == Lesson::Nothing {
            return;
        }
        let _one_at_a_time = self.stripe(key).lock().await;
        if self.moved.get(&key.hash()).is_some_and(|last| last > ticket) {
            return;
        }
        let known = store.known(key).await;
        let known = taught(store, key, known, lesson, now).await;
        // One step, without a wait in between: whoever waits here may leave.
        self.moved.insert(key.hash(), ticket);
        if let Some(known) = known {
            store.learn(key, known);
        }
    }

    /// Adds what an answer teaches of the parts of a revision to its head, if that is the one that is known. Moves nothing.
    pub(crate) async fn learn_parts(&self, store: &dyn BlockStore, key: &ObjectKey, told: &Head) {
        let _one_at_a_time = self.stripe(key).lock().await;
        let known = store.known(key).await;
        let Some(head) = known.head.clone() else { return };
        let taught = with_known_parts(head.clone(), Some(told));
        if !Arc::ptr_eq(&head, &taught) {
            let head = Some(taught);
            store.learn(key, Known { head, ..known });
        }
    }

    /// A write went through: nothing is known until the authority is asked again.
    pub(crate) async fn written(&self, store: &dyn BlockStore, key: &ObjectKey, now: SystemTime) {
        self.apply(store, key, self.ticket(), Lesson::Unknown, now).await;
    }

    fn stripe(&self, key: &ObjectKey) -> &Mutex<()> {
        let [first, ..] = key.hash().bytes();
        let index = usize::from(first) % STRIPES;
        self.stripes.get(index).unwrap_or(&self.stripes[0])
    }
}

/// The record after a lesson; `None` if it stays.
async fn taught(
    store: &dyn BlockStore,
    key: &ObjectKey,
    known: Known,
    lesson: Lesson,
    now: SystemTime,
) -> Option<Known> {
    match lesson {
        Lesson::Nothing => None,
        Lesson::None => Some(moved(known, Current::None, None, now)),
        Lesson::Unknown => Some(moved(known, Current::Unknown, None, now)),
        Lesson::Is(head) => {
            let head = with_known_parts(head, known.head.as_deref());
            let head = with_known_digests(head, known.head.as_deref());
            Some(moved(known, Current::Is(head.tag().clone()), Some(head), now))
        }
        Lesson::Still(tag, found) => {
            let same = known.head.clone().filter(|head| *head.tag() == tag);
            let head = match same {
                Some(head) => head,
                None => store
                    .head(&Revision {
                        key: key.clone(),
                        tag: tag.clone(),
                    })
                    .await
                    .ok()?,
            };
            let head = Arc::new(head.confirmed(&found.fields, found.received));
            Some(moved(known, Current::Is(tag), Some(head), now))
        }
    }
}

fn moved(known: Known, current: Current, head: Option<Arc<Head>>, now: SystemTime) -> Known {
    let mut former = known.former;
    if let Current::Is(old) = &known.current
        && known.current != current
    {
        former.retain(|(tag, _)| tag != old);
        former.push((old.clone(), now));
    }
    if let Current::Is(new) = &current {
        former.retain(|(tag, _)| tag != new);
    }
    let surplus = former.len().saturating_sub(Known::FORMER);
    former.drain(..surplus);
    Known {
        current,
        confirmed: now,
        head,
        former,
    }
}

/// What was said of all bytes of a revision stays true when a piece of it comes.
fn with_known_digests(head: Arc<Head>, known: Option<&Head>) -> Arc<Head> {
    match known.filter(|known| head.lacks_digests_of(known)) {
        Some(known) => Arc::new(Head::clone(&head).with_digests_of(known)),
        None => head,
    }
}

/// A part map grows answer by answer.
fn with_known_parts(head: Arc<Head>, known: Option<&Head>) -> Arc<Head> {
    let Some(known) = known.filter(|known| known.tag() == head.tag()) else {
        return head;
    };
    let merged = head
        .parts()
        .iter()
        .fold(known.parts().clone(), |parts, (part, range)| parts.with(part, range));
    let merged = merged.with_count(head.parts().count());
    if merged == *head.parts() {
        head
    } else {
        Arc::new(Head::clone(&head).with_parts(merged))
    }
}
