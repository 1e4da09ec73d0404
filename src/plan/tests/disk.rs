//! What is stored of an object, and what lessons make of it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::object::{Cause, Current, Found, Head, Heard, Lie, ObjectSize, StrongETag};
use crate::plan::Lesson;

/// What is stored of an object.
#[derive(Clone, Default)]
pub(super) struct Disk {
    pub(super) current: Current,
    pub(super) former: Vec<(StrongETag, SystemTime)>,
    pub(super) revisions: Vec<OnDisk>,
}

#[derive(Clone, Debug)]
pub(super) struct OnDisk {
    pub(super) head: Arc<Head>,
    pub(super) blocks: BTreeSet<u64>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "current {:?}", self.current)?;
        for OnDisk { head, blocks } in &self.revisions {
            write!(f, ", {:?} {blocks:?} {:?}", head.tag(), head.cache_control().max_age)?;
        }
        let ago = |since: &SystemTime| super::parse::now().duration_since(*since).unwrap_or_default();
        let former: Vec<_> = self.former.iter().map(|(tag, since)| (tag, ago(since))).collect();
        write!(f, ", former {former:?}")
    }
}

impl Disk {
    pub(super) fn revision(&self, tag: &StrongETag) -> Option<&OnDisk> {
        self.revisions.iter().find(|revision| revision.head.tag() == tag)
    }

    pub(super) fn head(&self, tag: &StrongETag) -> Option<Arc<Head>> {
        Some(self.revision(tag)?.head.clone())
    }

    pub(super) fn size(&self, tag: &StrongETag) -> Option<ObjectSize> {
        Some(self.revision(tag)?.head.size())
    }

    pub(super) fn holds(&self, tag: &StrongETag, index: u64) -> bool {
        self.revision(tag)
            .is_some_and(|revision| revision.blocks.contains(&index))
    }

    pub(super) fn is_complete(&self, tag: &StrongETag) -> bool {
        let count = |revision: &OnDisk| super::parse::BLOCK.count(revision.head.size());
        self.revision(tag)
            .is_some_and(|revision| (0..count(revision)).all(|index| revision.blocks.contains(&index)))
    }

    /// A contradicted length drops what is stored under that tag (row 27).
    pub(super) fn contradicted(&mut self, believed: &Heard, heard: &Heard, now: SystemTime) {
        let total = Cause::Lie(Lie::Total);
        if matches!(believed, Heard::Failed(failure) if failure.cause == total) {
            let tag = heard.found().and_then(Found::strong_tag);
            self.revisions
                .retain(|revision| Some(revision.head.tag()) != tag.as_ref());
            self.learn(Lesson::Unknown, now);
        }
    }

    pub(super) fn learn(&mut self, lesson: Lesson, now: SystemTime) {
        let current = match lesson {
            Lesson::Nothing => return,
            Lesson::None => Current::None,
            Lesson::Unknown => Current::Unknown,
            Lesson::Is(head) => {
                let tag = head.tag().clone();
                self.replace(head);
                Current::Is(tag)
            }
            Lesson::Still(tag, found) => {
                let Some(head) = self.head(&tag) else { return };
                self.replace(Arc::new(head.confirmed(&found.fields, found.received)));
                Current::Is(tag)
            }
        };
        if let Current::Is(old) = &self.current
            && self.current != current
        {
            self.former.push((old.clone(), now));
        }
        self.former.retain(|(tag, _)| current != Current::Is(tag.clone()));
        self.current = current;
    }

    fn replace(&mut self, head: Arc<Head>) {
        let known = self.revision(head.tag()).map(|known| known.head.parts().clone());
        match self
            .revisions
            .iter_mut()
            .find(|on_disk| on_disk.head.tag() == head.tag())
        {
            Some(on_disk) => {
                on_disk.head = Arc::new(Head::clone(&head).with_parts(known.unwrap_or_default()));
                self.map_parts(&head);
            }
            None => self.revisions.push(OnDisk {
                head,
                blocks: BTreeSet::new(),
            }),
        }
    }

    /// A part map grows answer by answer; only that of the current revision is kept.
    pub(super) fn learn_parts(&mut self, head: &Head) {
        if self.current == Current::Is(head.tag().clone()) {
            self.map_parts(head);
        }
    }

    fn map_parts(&mut self, head: &Head) {
        for on_disk in self
            .revisions
            .iter_mut()
            .filter(|on_disk| on_disk.head.tag() == head.tag())
        {
            let known = on_disk.head.parts().clone();
            let parts = head
                .parts()
                .iter()
                .fold(known, |all, (part, range)| all.with(part, range));
            let parts = parts.with_count(head.parts().count());
            on_disk.head = Arc::new(Head::clone(&on_disk.head).with_parts(parts));
        }
    }
}
