//! What is told to those who wait for a flight whose task ends without a word.

use std::sync::Arc;

use super::flight::Flight;
use super::route::Route;
use crate::object::{BlockIndex, Method, Revision};
use crate::plan::Told;

/// Stands in for the question of a flight: should its task end without an answer, whoever waits is told so, and the
/// claims are free.
pub(super) struct Standby<'a> {
    route: &'a Route,
    revision: &'a Revision,
    flight: &'a Arc<Flight>,
    claimed: &'a [BlockIndex],
}

impl<'a> Standby<'a> {
    pub(super) fn new(
        route: &'a Route,
        revision: &'a Revision,
        flight: &'a Arc<Flight>,
        claimed: &'a [BlockIndex],
    ) -> Self {
        Self {
            route,
            revision,
            flight,
            claimed,
        }
    }
}

impl Drop for Standby<'_> {
    fn drop(&mut self) {
        if self.flight.taken_off().is_some() {
            return;
        }
        self.route
            .flights
            .release(self.revision, self.claimed.iter().copied(), self.flight);
        let lost = Told::lost(self.route.terms.authority(), Method::Get);
        self.flight.ground(vec![lost], None);
    }
}
