//! Which route a file is of, as a small number.
//!
//! Owns: the numbers of the routes, and what each may hold. Never: counts what it does hold; that is the queues' part.

use std::time::Duration;

use crate::object::{ObjectKey, RouteName};

/// What a route asks of the disk that keeps its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTerms {
    /// Its name, which is part of every key.
    pub name: RouteName,
    /// How long a revision that is not current any more is kept longer than others.
    pub grace: Duration,
    /// How many bytes it may take where others need space; `None`: all.
    pub quota: Option<u64>,
}

/// A route by number. A byte or two matter: every entry of the index has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tier::disk) struct RouteId(u16);

/// The routes of a disk.
#[derive(Debug)]
pub(super) struct Routes(Vec<RouteTerms>);

impl RouteId {
    /// Of a file that was found and whose key nobody has asked for, or of a route that is gone.
    pub(in crate::tier::disk) const UNKNOWN: Self = Self(0);

    pub(super) const fn nth(number: u16) -> Self {
        Self(number)
    }

    pub(super) const fn number(self) -> u16 {
        self.0
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }
}

impl Routes {
    /// More routes than 65,535 are as if unknown.
    pub(super) fn new(terms: &[RouteTerms]) -> Self {
        Self(terms.to_vec())
    }

    /// The route of a key that was encoded.
    pub(super) fn of(&self, key: &[u8]) -> RouteId {
        self.named(ObjectKey::route_in(key))
    }

    pub(super) fn named(&self, name: &str) -> RouteId {
        let at = self.0.iter().position(|terms| terms.name.as_str() == name);
        let id = at.and_then(|at| u16::try_from(at + 1).ok());
        id.map_or(RouteId::UNKNOWN, RouteId)
    }

    /// In the order of their numbers, from 1.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|terms| terms.name.as_str())
    }

    /// `None` of the unknown one.
    pub(super) fn terms(&self, route: RouteId) -> Option<&RouteTerms> {
        self.0.get(route.index().checked_sub(1)?)
    }

    /// What each may hold in bytes, by number; the unknown one first.
    pub(super) fn quotas(&self) -> impl Iterator<Item = Option<u64>> {
        std::iter::once(None).chain(self.0.iter().map(|terms| terms.quota))
    }
}
