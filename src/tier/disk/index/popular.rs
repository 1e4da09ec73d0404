//! What is popular, told before the end and heard after the start.
//!
//! Owns: which files are worth to be told of, and what becomes of those that are found again.

use std::sync::atomic::Ordering;

use super::queues::Rank;
use super::routes::RouteId;
use super::{BATCH, Index, Name};
use crate::tier::disk::format::{Popular, Popularity};

/// What an earlier run told, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Remembered(Vec<(Name, RouteId, u8)>);

impl Remembered {
    pub(super) fn get(&self, name: Name) -> Option<(RouteId, u8)> {
        let at = self.0.binary_search_by_key(&name, |(name, _, _)| *name).ok()?;
        self.0.get(at).map(|(_, route, uses)| (*route, *uses))
    }
}

impl Index {
    /// How many uses were counted.
    pub(in crate::tier::disk) fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    /// What is popular, a batch at a time; `None` as long as not all is known.
    pub(in crate::tier::disk) fn popular(&self, block_size: u64) -> Option<Popularity> {
        if !self.is_complete() {
            return None;
        }
        let mut files = Vec::new();
        let mut from = 0;
        while files.len() < Popularity::MOST {
            let state = self.state.lock();
            let Some(end) = state.ranks.popular(from, BATCH, &mut files) else {
                break;
            };
            from = end;
        }
        Some(Popularity {
            block_size,
            routes: self.routes.names().map(Into::into).collect(),
            files,
        })
    }

    /// What was popular; what is found of it is wanted. Of routes that are gone nothing is.
    pub(in crate::tier::disk) fn remember(&self, popularity: &Popularity) {
        let routes: Vec<RouteId> = popularity.routes.iter().map(|name| self.routes.named(name)).collect();
        let route_of = |file: &Popular| match file.route.checked_sub(1) {
            None => Some(RouteId::UNKNOWN),
            Some(at) => routes
                .get(usize::from(at))
                .copied()
                .filter(|id| *id != RouteId::UNKNOWN),
        };
        let files = popularity.files.iter();
        let mut remembered: Vec<_> = files
            .filter_map(|file| Some((file.name, route_of(file)?, file.uses)))
            .collect();
        remembered.sort_unstable_by_key(|(name, _, _)| *name);
        self.state.lock().remembered = Remembered(remembered);
    }
}

impl super::ranks::Ranks {
    /// The popular ones among entries from a number on; the number to go on with.
    pub(super) fn popular(&self, from: u32, count: u32, files: &mut Vec<Popular>) -> Option<u32> {
        let end = from.checked_add(count)?;
        for id in from..end {
            let entry = match self.entries.slot(id) {
                super::slab::Place::Beyond => return None,
                super::slab::Place::Free => continue,
                super::slab::Place::Held(entry) => entry,
            };
            let proven = entry.rank == Rank::Proven || (entry.rank == Rank::Fresh && entry.uses > 0);
            if let Some(name) = self.name(id).filter(|_| proven) {
                files.push(Popular {
                    name,
                    route: entry.route.number(),
                    uses: entry.uses.max(1),
                });
            }
        }
        Some(end)
    }

    /// A file that was popular in an earlier run is so in this one.
    pub(super) fn prove(&mut self, name: Name, uses: u8) {
        if let Some(entry) = self.find(name).and_then(|id| self.entries.get_mut(id)) {
            entry.uses = uses.clamp(1, super::ranks::MOST_USES);
        }
        self.rank_again(name);
    }
}
