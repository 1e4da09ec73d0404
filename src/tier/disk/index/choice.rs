//! Who is evicted next.
//!
//! Owns: the order of `semantics.md` (Grace): former revisions past their grace, what was found at start, is not known from
//! before and nobody asked for, what routes hold beyond their quota, the rest, and revisions within their grace last.
//!
//! Among the rest, S3-FIFO (Yang et al., SOSP 2023) keeps a scan from driving out what is used: newcomers have a tenth
//! of the space to prove themselves in; who was used again, or comes back soon after its eviction, stays for longer.
//! A use only counts, nothing is moved by it; and a choice looks at a bounded number of files.

use super::queues::Rank;
use super::ranks::Ranks;
use super::routes::RouteId;
use super::{WINDOW, seconds};
use crate::tier::disk::stats::Evicted;

/// Newcomers have one part in so many.
const FRESH_SHARE: u64 = 10;
/// So many files are looked at for one that is to go; then the next is as good.
const MOST_CHANCES: u32 = 512;
/// So many of them stay since their revision is being read.
const MOST_IN_USE: u32 = 16;

impl Ranks {
    /// Who goes first, and why.
    pub(super) fn next(&mut self, also_wanted: bool) -> Option<(u32, Evicted)> {
        let oldest = |ranks: &Self, rank, of| ranks.queues.oldest(&ranks.entries, rank, of);
        if let Some(id) = oldest(self, Rank::Former, None) {
            return Some((id, Evicted::Former));
        }
        if !also_wanted {
            return None;
        }
        if let Some(id) = oldest(self, Rank::Unproven, None) {
            return Some((id, Evicted::Unproven));
        }
        if let Some(route) = self.queues.greediest() {
            let dearest = |ranks: &Self| oldest(ranks, Rank::Graced, Some(route));
            let first = self.next_wanted(Some(route)).or_else(|| dearest(self));
            return first.map(|id| (id, Evicted::Quota));
        }
        let first = self.next_wanted(None).or_else(|| oldest(self, Rank::Graced, None));
        first.map(|id| (id, Evicted::Capacity))
    }

    /// Who of the wanted ones goes first, of one route or of all.
    fn next_wanted(&mut self, of: Option<RouteId>) -> Option<u32> {
        let mut in_use = 0;
        for chance in 0.. {
            let from = self.crowded(of);
            let id = self.queues.oldest(&self.entries, from, of)?;
            let entry = self.entries.get_mut(id)?;
            let used = entry.uses > 0;
            let saved = used || (in_use < MOST_IN_USE && self.is_in_use(id));
            if !saved || chance >= MOST_CHANCES {
                self.note_ghost(id, from);
                return Some(id);
            }
            in_use += u32::from(!used);
            self.give_chance(id, from);
        }
        None
    }

    /// Newcomers go as long as they have more than their share.
    fn crowded(&self, of: Option<RouteId>) -> Rank {
        let (fresh, proven) = (self.queues.load(Rank::Fresh, of), self.queues.load(Rank::Proven, of));
        if fresh.pages * FRESH_SHARE > fresh.pages + proven.pages || proven.files == 0 {
            Rank::Fresh
        } else {
            Rank::Proven
        }
    }

    /// Whether another file of the revision was used a moment ago: a download is likely to come to this one, too.
    fn is_in_use(&self, id: u32) -> bool {
        let holding = self.entries.get(id).and_then(|e| self.revisions.holding(e.holding));
        holding.is_some_and(|of| of.used > 0 && self.now.saturating_sub(of.used) < seconds(WINDOW))
    }

    fn give_chance(&mut self, id: u32, from: Rank) {
        self.queues.unlink(&mut self.entries, id);
        if let Some(entry) = self.entries.get_mut(id) {
            // Having been used once is what makes a newcomer stay; what comes after that has to be proven anew.
            entry.uses = match from {
                Rank::Fresh => 0,
                _ => entry.uses.saturating_sub(1),
            };
        }
        self.queues.push(&mut self.entries, id, Rank::Proven);
    }

    fn note_ghost(&mut self, id: u32, from: Rank) {
        if let (Rank::Fresh, Some(name)) = (from, self.name(id)) {
            self.ghosts.note(name.fingerprint(), self.files());
        }
    }
}
