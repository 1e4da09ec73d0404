//! The versions that S3 keeps revisions as, so that one that was overwritten in mid-download can be asked for by name.
//!
//! Owns: what versions answers of the authority named, and which of those revisions it has refused since; when versions
//! may not be read at all. In memory only: after a restart, heads on disk still tell their versions. Never: what is
//! current.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::route::{Request, Route};
use crate::object::{Condition, Found, Head, Heard, ObjectHash, ObjectKey, Revision, StrongETag, VersionId};
use crate::plan::{Past, Told, Versioned, confirmed, versioned};
use crate::tier::store::Known;

/// Revisions whose versions are remembered: downloads that were begun, and a few hundred bytes each.
const MOST: usize = 8192;
/// How many tags of a list are looked up on disk: nobody pins a download to more.
const MOST_TAGS: usize = 4;
/// How long versions are not asked for after it was denied. A policy may allow some of them, or be mended.
const BAR: Duration = Duration::from_secs(60);

/// What is known of versions in a route.
#[derive(Debug)]
pub(super) struct Versions {
    seen: Cache<(ObjectHash, StrongETag), Seen>,
    epoch: Instant,
    /// Milliseconds since the epoch.
    barred_until: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    version: VersionId,
    /// Whether the authority has refused the tag since it named it.
    passed: bool,
}

impl Versions {
    pub(super) fn new() -> Self {
        Self {
            seen: Cache::new(MOST),
            epoch: Instant::now(),
            barred_until: AtomicU64::new(0),
        }
    }

    /// The authority named a revision, and the version that it is.
    fn named(&self, key: &ObjectKey, tag: StrongETag, version: VersionId) {
        let (place, seen) = ((key.hash(), tag), Seen { version, passed: false });
        if self.seen.get(&place).as_ref() != Some(&seen) {
            self.seen.insert(place, seen);
        }
    }

    /// The authority has a revision no more, or not as what is current.
    fn passed(&self, key: &ObjectKey, tag: &StrongETag) {
        let place = (key.hash(), tag.clone());
        if let Some(seen) = self.seen.get(&place).filter(|seen| !seen.passed) {
            self.seen.insert(place, Seen { passed: true, ..seen });
        }
    }

    fn bar(&self) {
        self.barred_until.store(self.millis() + millis(BAR), Ordering::Relaxed);
    }

    fn are_barred(&self) -> bool {
        self.millis() < self.barred_until.load(Ordering::Relaxed)
    }

    fn millis(&self) -> u64 {
        millis(Instant::now().saturating_duration_since(self.epoch))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Route {
    /// The first listed revision whose version is known. A key that names a version has no others.
    pub(super) async fn past(&self, request: &Request, pins: &[StrongETag]) -> Option<Past> {
        if self.terms.http_authority || request.key.names_version() || self.versions.are_barred() {
            return None;
        }
        let known = self.store.known(&request.key).await;
        for tag in pins.iter().take(MOST_TAGS) {
            if let Some(Seen { version, passed }) = self.version(request, &known, tag).await {
                // That another revision is current says nothing: it may be an older one, and this one new.
                let passed = passed || known.former.iter().any(|(former, _)| former == tag);
                let tag = tag.clone();
                return Some(Past { tag, version, passed });
            }
        }
        None
    }

    async fn version(&self, request: &Request, known: &Known, tag: &StrongETag) -> Option<Seen> {
        if let Some(seen) = self.versions.seen.get(&(request.key.hash(), tag.clone())) {
            return Some(seen);
        }
        let of = |head: &Head| VersionId::named(head.fields());
        let current = known.head.as_ref().filter(|head| head.tag() == tag);
        let version = match current {
            Some(head) => of(head)?,
            None => {
                let revision = Revision {
                    key: request.key.clone(),
                    tag: tag.clone(),
                };
                of(&*self.store.head(&revision).await.ok()?)?
            }
        };
        self.versions.named(&request.key, tag.clone(), version.clone());
        Some(Seen { version, passed: false })
    }

    /// Notes what an answer of the authority tells of versions.
    pub(super) fn note_version(&self, request: &Request, told: &Told) {
        if told.tier != self.terms.authority() || self.terms.http_authority {
            return;
        }
        if let Some(outcome) = versioned(told) {
            self.metrics.versioned(outcome);
            if outcome == Versioned::Denied {
                self.versions.bar();
            }
            return;
        }
        let tag = match (&told.asked.condition, &told.heard) {
            (Condition::Pinned(tags), Heard::PreconditionFailed(_) | Heard::NotFound(_)) => {
                tags.iter().for_each(|tag| self.versions.passed(&request.key, tag));
                return;
            }
            (Condition::OrWhole(tag), Heard::PreconditionFailed(_)) => return self.versions.passed(&request.key, tag),
            (_, Heard::Found(found, _) | Heard::Partial(found, _, _)) => found.strong_tag(),
            (condition, heard) => confirmed(heard, condition).cloned(),
        };
        let version = told
            .heard
            .found()
            .and_then(|Found { fields, .. }| VersionId::named(fields));
        if let (Some(tag), Some(version)) = (tag, version) {
            self.versions.named(&request.key, tag, version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{AuthorityId, RouteName};

    #[tokio::test(start_paused = true)]
    async fn a_denial_is_remembered_for_a_while() {
        let versions = Versions::new();
        assert!(!versions.are_barred());
        versions.bar();
        assert!(versions.are_barred());
        tokio::time::advance(BAR).await;
        assert!(!versions.are_barred());
    }

    #[tokio::test]
    async fn a_revision_has_passed_until_it_is_named_again() {
        let versions = Versions::new();
        let key = ObjectKey::new(&RouteName::new("r"), &AuthorityId::new(["s3"]), None, "/a", None);
        let tag = StrongETag::parse(b"\"A\"").unwrap();
        let id = |id: &str| {
            let fields = http::HeaderMap::from_iter([("x-amz-version-id".parse().unwrap(), id.parse().unwrap())]);
            VersionId::named(&fields).unwrap()
        };
        let seen = || versions.seen.get(&(key.hash(), tag.clone()));
        // Of what nobody named nothing is kept, whatever clients pin.
        versions.passed(&key, &tag);
        assert_eq!(seen(), None);
        versions.named(&key, tag.clone(), id("1"));
        versions.passed(&key, &tag);
        let (version, passed) = (id("1"), true);
        assert_eq!(seen(), Some(Seen { version, passed }));
        versions.named(&key, tag.clone(), id("2"));
        let (version, passed) = (id("2"), false);
        assert_eq!(seen(), Some(Seen { version, passed }));
    }
}
