//! `pinstripe disk`: what the disk tiers of a configuration hold, read from outside while a sidecar may be using them.
//!
//! Owns: going through all files of all tiers, and which of the three pages is made of them. Never: opens a tier as a
//! sidecar does, or changes anything.

mod pages;
mod tally;
mod text;

use std::time::SystemTime;

use serde::Serialize;

use self::pages::{Checks, Listing, Usage};
use self::tally::Tally;
use super::shown;
use crate::config::Config;
use crate::tier::disk::{Depth, OpenError, Survey};

/// What is wanted of the disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// Every byte checked.
    Verify,
    /// Every object with its revisions.
    List,
    /// Sums by route.
    Usage,
}

/// How far it has come with a tier.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The tier.
    pub tier: &'a str,
    /// Files that were looked at.
    pub done: u64,
    /// Files that there were at the beginning.
    pub of: u64,
}

/// What was found.
#[derive(Debug)]
pub struct Inspected {
    /// A page for people.
    pub text: String,
    /// The same for programs.
    pub json: String,
    /// Whether any file is not what it should be.
    pub damaged: bool,
}

/// A disk tier cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Its directory cannot be read.
    #[error("tier {0}: {1}; is it the path of `disk`, and has a sidecar run there?")]
    Open(String, OpenError),
    /// What was found cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Goes through all disk tiers that a route uses. Blocks.
pub fn inspect(
    config: &Config,
    what: Inspection,
    now: SystemTime,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Inspected, InspectError> {
    let depth = match what {
        Inspection::Verify => Depth::Bytes,
        Inspection::List | Inspection::Usage => Depth::Footers,
    };
    let mut tallies = Vec::new();
    for tier in config.disks() {
        let name = tier.name.as_str();
        let survey = Survey::open(&tier.path).map_err(|error| InspectError::Open(name.to_owned(), error))?;
        let mut tally = Tally::new(name, &tier.path);
        for (done, seen) in (1..).zip(survey.look(depth)) {
            seen.into_iter().for_each(|seen| tally.take(seen));
            let of = survey.files();
            progress(Progress { tier: name, done, of });
        }
        tallies.push(tally);
    }
    let damaged = tallies.iter().any(Tally::is_damaged);
    let (text, json) = match what {
        Inspection::Verify => told(&tallies.iter().map(Checks::of).collect::<Vec<_>>()),
        Inspection::List => told(&tallies.iter().map(|tally| Listing::of(tally, now)).collect::<Vec<_>>()),
        Inspection::Usage => told(&tallies.iter().map(Usage::of).collect::<Vec<_>>()),
    }?;
    Ok(Inspected { text, json, damaged })
}

/// One page of each tier, for people and for programs.
fn told<P: Serialize + ToString>(pages: &[P]) -> Result<(String, String), serde_json::Error> {
    let text = pages.iter().map(ToString::to_string).collect();
    let json = serde_json::to_string_pretty(pages)? + "\n";
    Ok((text, shown::json(&json).into_owned()))
}
