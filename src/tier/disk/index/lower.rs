//! Files that are evicted before all others, in an order of their own.
//!
//! Owns: which files these are, and their sequence. Never: evicts by itself.

use std::collections::{BTreeMap, HashMap};

use super::{Name, Order, Slot};

/// Files below [`Order::Wanted`], by order and then first in, first out.
#[derive(Debug, Default)]
pub(super) struct Lower {
    places: HashMap<Name, Place>,
    queue: BTreeMap<(Order, u64), Name>,
    next: u64,
    former: u64,
    unproven: u64,
}

#[derive(Debug)]
struct Place {
    slot: Slot,
    order: Order,
    sequence: u64,
}

impl Lower {
    pub(super) fn contains(&self, name: Name) -> bool {
        self.places.contains_key(&name)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The weight of all.
    pub(super) fn weight(&self) -> u64 {
        self.former + self.unproven
    }

    /// The weight of what no current revision wants.
    pub(super) fn former(&self) -> u64 {
        self.former
    }

    /// The name must not be here.
    pub(super) fn insert(&mut self, name: Name, slot: Slot, order: Order, weight: u64) {
        *self.weight_of(order) += weight;
        let sequence = self.next;
        self.next += 1;
        self.queue.insert((order, sequence), name);
        self.places.insert(name, Place { slot, order, sequence });
    }

    pub(super) fn remove(&mut self, name: Name, weight: impl Fn(Slot) -> u64) -> Option<(Slot, Order)> {
        let place = self.places.remove(&name)?;
        self.queue.remove(&(place.order, place.sequence));
        *self.weight_of(place.order) -= weight(place.slot);
        Some((place.slot, place.order))
    }

    /// What is evicted next, up to an order.
    pub(super) fn first(&self, up_to: Order) -> Option<Name> {
        let ((order, _), name) = self.queue.first_key_value()?;
        (*order <= up_to).then_some(*name)
    }

    fn weight_of(&mut self, order: Order) -> &mut u64 {
        match order {
            Order::Former => &mut self.former,
            Order::Unproven | Order::Wanted => &mut self.unproven,
        }
    }
}
