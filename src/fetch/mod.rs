//! Runs the decisions of [`crate::plan`]: asks, gathers, follows, and sends bytes in order.
//!
//! Owns: flights (a block in flight is fetched once), discovery groups (the authority is asked once), bodies, and the
//! order of questions. Never: decides what is right to answer, or parses a request.

mod ahead;
mod ask;
mod at_hand;
mod body;
mod currency;
mod driver;
mod fetching;
mod flight;
mod flights;
mod follower;
mod foresight;
mod group;
mod local;
mod pilot;
mod relayed;
mod reply;
mod reused;
mod route;
mod standby;
mod versions;
mod word;

pub use at_hand::{AtHand, Download};
pub use reply::{Abort, Account, Body, Reply};
pub use route::{Parts, Request, Route};
