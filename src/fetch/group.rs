//! Discoveries of one object that wait at the same time share one question, and none is answered by a question that
//! was sent before it arrived: at most one is in flight and one is gathering (`semantics.md`, Authority is asked once).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::word::SharedWord;
use crate::object::ObjectKey;

/// A group that has waited this long is asked beside the question in flight.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who may share a question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GroupKey {
    /// The object.
    pub(crate) key: ObjectKey,
    /// Credentials and forwarded fields.
    pub(crate) fingerprint: [u8; 16],
    /// Whether the whole is asked for, whose answer has another body.
    pub(crate) whole: bool,
    /// Whether caches on the way are told to ask: who wants that is not answered by a question that does not say so.
    pub(crate) revalidates: bool,
}

/// All groups of a route.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    slots: Mutex<HashMap<GroupKey, Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    in_flight: usize,
    gathering: Option<Arc<Group>>,
}

/// Requests that wait for one question.
#[derive(Debug)]
pub(crate) struct Group {
    /// Whether a question was in flight when it began to gather.
    waits: bool,
    turn: Notify,
    word: watch::Sender<Option<Arc<SharedWord>>>,
}

/// The place of a request in its group.
#[derive(Debug)]
pub(crate) enum Place {
    /// The first: it starts the task that asks.
    Asker(Arc<Group>),
    /// Another one.
    Member(Arc<Group>),
}

impl Groups {
    /// Joins the group that gathers, or begins one.
    pub(crate) fn join(&self, key: &GroupKey) -> Place {
        let mut slots = self.slots.lock();
        let slot = slots.entry(key.clone()).or_default();
        if let Some(group) = &slot.gathering {
            return Place::Member(group.clone());
        }
        let group = Arc::new(Group {
            waits: slot.in_flight > 0,
            turn: Notify::new(),
            word: watch::Sender::new(None),
        });
        slot.gathering = Some(group.clone());
        if !group.waits {
            group.turn.notify_one();
        }
        Place::Asker(group)
    }

    /// Waits for the group's turn; after that nobody joins it any more, and its question may be sent.
    pub(crate) async fn turn(&self, key: &GroupKey, group: &Arc<Group>) -> Turn<'_> {
        // Both outcomes are the same: it is asked now.
        let _ = tokio::time::timeout(PATIENCE, group.turn.notified()).await;
        let mut slots = self.slots.lock();
        let slot = slots.entry(key.clone()).or_default();
        slot.gathering = slot.gathering.take().filter(|gathering| !Arc::ptr_eq(gathering, group));
        slot.in_flight += 1;
        Turn {
            groups: self,
            key: key.clone(),
            waited: group.waits,
        }
    }
}

/// A question in flight. Dropped, the next group has its turn.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    groups: &'a Groups,
    key: GroupKey,
    /// Whether another question was in flight before.
    pub(crate) waited: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut slots = self.groups.slots.lock();
        let Some(slot) = slots.get_mut(&self.key) else { return };
        slot.in_flight = slot.in_flight.saturating_sub(1);
        match (&slot.gathering, slot.in_flight) {
            (Some(next), 0) => next.turn.notify_one(),
            (None, 0) => {
                slots.remove(&self.key);
            }
            _ => {}
        }
    }
}

impl Group {
    /// Tells all members; the first word stands.
    pub(crate) fn tell(&self, word: SharedWord) {
        self.word.send_if_modified(|told| {
            let first = told.is_none();
            told.get_or_insert_with(|| Arc::new(word));
            first
        });
    }

    /// Waits for the word.
    pub(crate) async fn word(&self) -> Arc<SharedWord> {
        let mut heard = self.word.subscribe();
        loop {
            if let Some(word) = heard.borrow_and_update().clone() {
                return word;
            }
            // The sender lives in `self`.
            let _ = heard.changed().await;
        }
    }
}
