//! What the S3 server holds: objects, their versions, uploads in progress.
//!
//! Every change is one step under one lock, so reads and writes are linearizable, as S3's are; a reader keeps the revision
//! that it found. Buckets come into being by being named, but a name that S3 would refuse (under 3 characters, capitals) is
//! refused at the wire.

use super::object::{Md5Sum, Object, multipart_etag};
use crate::content::Content;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The contents of a server; clones are the same store, which may outlive a server and move to the next.
#[derive(Clone, Debug, Default)]
pub struct Store {
    versioned: bool,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By bucket and key, oldest first; never empty.
    objects: BTreeMap<(String, String), Vec<Version>>,
    uploads: HashMap<String, Upload>,
    sequence: u64,
}

#[derive(Clone, Debug)]
enum Version {
    Object(Arc<Object>),
    /// What a DELETE leaves in a versioned bucket.
    Marker(String),
}

impl Version {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Object(object) => object.version.as_deref(),
            Self::Marker(id) => Some(id),
        }
    }
}

#[derive(Debug)]
struct Upload {
    bucket: String,
    key: String,
    fields: HeaderMap,
    parts: BTreeMap<i32, (Md5Sum, Bytes)>,
}

/// What a read finds.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Object(Arc<Object>),
    /// The key's newest version is a deletion.
    Deleted,
    /// The version asked for is a deletion.
    Marker,
    NoKey,
    NoVersion,
}

/// Why a write does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Precondition,
    NoKey,
    NoUpload,
    InvalidPart,
}

impl Store {
    /// An empty store. If `versioned`, revisions stay readable by their `versionId`.
    #[must_use]
    pub fn new(versioned: bool) -> Self {
        Self {
            versioned,
            inner: Arc::default(),
        }
    }

    /// Puts a revision in place at once; requests in flight keep the former one. Returns its tag.
    pub fn put(&self, bucket: &str, key: &str, object: Object) -> String {
        let mut inner = self.inner.lock();
        self.place(&mut inner, bucket, key, object).etag.clone()
    }

    /// Deletes a key; in a versioned store, hides it behind a marker. Says whether there was something.
    pub fn delete(&self, bucket: &str, key: &str) -> bool {
        self.remove(bucket, key, None).0
    }

    /// Deletes one version for good, as a lifecycle does. Says whether there was one.
    pub fn delete_version(&self, bucket: &str, key: &str, version: &str) -> bool {
        self.remove(bucket, key, Some(version)).0
    }

    /// The current revision.
    #[must_use]
    pub fn get(&self, bucket: &str, key: &str) -> Option<Arc<Object>> {
        match self.find(bucket, key, None) {
            Found::Object(object) => Some(object),
            _ => None,
        }
    }

    pub(crate) fn find(&self, bucket: &str, key: &str, version: Option<&str>) -> Found {
        let inner = self.inner.lock();
        let Some(versions) = inner.objects.get(&(bucket.into(), key.into())) else {
            return Found::NoKey;
        };
        let found = match version {
            None => versions.last(),
            Some(id) => versions.iter().find(|held| held.id().unwrap_or("null") == id),
        };
        match (found, version) {
            (Some(Version::Object(object)), _) => Found::Object(Arc::clone(object)),
            (Some(Version::Marker(_)), None) => Found::Deleted,
            (Some(Version::Marker(_)), Some(_)) => Found::Marker,
            (None, _) => Found::NoVersion,
        }
    }

    /// Puts a revision if `condition` holds of the current one; both in one step.
    pub(crate) fn put_if(
        &self,
        bucket: &str,
        key: &str,
        object: Object,
        condition: impl FnOnce(Option<&Object>) -> Result<(), Refused>,
    ) -> Result<Arc<Object>, Refused> {
        let mut inner = self.inner.lock();
        condition(inner.current(bucket, key).as_deref())?;
        Ok(self.place(&mut inner, bucket, key, object))
    }

    /// Whether something was there, and the id of the marker or version that this made or removed.
    pub(crate) fn remove(&self, bucket: &str, key: &str, version: Option<&str>) -> (bool, Option<String>) {
        let mut inner = self.inner.lock();
        let place = (bucket.to_owned(), key.to_owned());
        if let Some(id) = version {
            let Some(versions) = inner.objects.get_mut(&place) else {
                return (false, None);
            };
            let before = versions.len();
            versions.retain(|held| held.id().unwrap_or("null") != id);
            let removed = versions.len() < before;
            if versions.is_empty() {
                inner.objects.remove(&place);
            }
            return (removed, Some(id.to_owned()));
        }
        if !self.versioned {
            return (inner.objects.remove(&place).is_some(), None);
        }
        let existed = inner.current(bucket, key).is_some();
        let id = inner.next_id("marker");
        inner
            .objects
            .entry(place)
            .or_default()
            .push(Version::Marker(id.clone()));
        (existed, Some(id))
    }

    /// Current objects of a bucket whose keys begin with `prefix` and come after `after`, in order.
    pub(crate) fn list(&self, bucket: &str, prefix: &str, after: &str) -> Vec<(String, Arc<Object>)> {
        let inner = self.inner.lock();
        let from = (bucket.to_owned(), prefix.max(after).to_owned());
        inner
            .objects
            .range(from..)
            .take_while(|((held, key), _)| held == bucket && key.starts_with(prefix))
            .filter(|((_, key), _)| key.as_str() > after)
            .filter_map(|((_, key), versions)| match versions.last()? {
                Version::Object(object) => Some((key.clone(), Arc::clone(object))),
                Version::Marker(_) => None,
            })
            .collect()
    }

    pub(crate) fn begin_upload(&self, bucket: &str, key: &str, fields: HeaderMap) -> String {
        let mut inner = self.inner.lock();
        let id = inner.next_id("upload");
        let upload = Upload {
            bucket: bucket.into(),
            key: key.into(),
            fields,
            parts: BTreeMap::new(),
        };
        inner.uploads.insert(id.clone(), upload);
        id
    }

    pub(crate) fn put_part(&self, id: &str, number: i32, md5: Md5Sum, bytes: Bytes) -> Result<(), Refused> {
        let mut inner = self.inner.lock();
        inner
            .uploads
            .get_mut(id)
            .ok_or(Refused::NoUpload)?
            .parts
            .insert(number, (md5, bytes));
        Ok(())
    }

    /// Joins the named parts, if `condition` holds of the current revision.
    pub(crate) fn complete_upload(
        &self,
        id: &str,
        numbers: &[i32],
        condition: impl FnOnce(Option<&Object>) -> Result<(), Refused>,
    ) -> Result<Arc<Object>, Refused> {
        let mut inner = self.inner.lock();
        let upload = inner.uploads.get(id).ok_or(Refused::NoUpload)?;
        let parts: Option<Vec<_>> = numbers.iter().map(|number| upload.parts.get(number)).collect();
        let parts = parts.filter(|parts| !parts.is_empty()).ok_or(Refused::InvalidPart)?;
        let mut content = BytesMut::new();
        for (_, bytes) in &parts {
            content.extend_from_slice(bytes);
        }
        let etag = multipart_etag(parts.iter().map(|(md5, _)| md5));
        let mut object = Object::new(etag, Content::Bytes(content.freeze()));
        object.parts = parts
            .iter()
            .map(|(_, bytes)| Content::Bytes(bytes.clone()).size())
            .collect();
        object.fields = upload.fields.clone();
        let (bucket, key) = (upload.bucket.clone(), upload.key.clone());
        condition(inner.current(&bucket, &key).as_deref())?;
        inner.uploads.remove(id);
        Ok(self.place(&mut inner, &bucket, &key, object))
    }

    pub(crate) fn abort_upload(&self, id: &str) -> Result<(), Refused> {
        self.inner.lock().uploads.remove(id).map(drop).ok_or(Refused::NoUpload)
    }

    fn place(&self, inner: &mut Inner, bucket: &str, key: &str, mut object: Object) -> Arc<Object> {
        object.version = self.versioned.then(|| inner.next_id("version"));
        let object = Arc::new(object);
        let versions = inner.objects.entry((bucket.into(), key.into())).or_default();
        if !self.versioned {
            versions.clear();
        }
        versions.push(Version::Object(Arc::clone(&object)));
        object
    }
}

impl Inner {
    fn current(&self, bucket: &str, key: &str) -> Option<Arc<Object>> {
        match self.objects.get(&(bucket.into(), key.into()))?.last()? {
            Version::Object(object) => Some(Arc::clone(object)),
            Version::Marker(_) => None,
        }
    }

    fn next_id(&mut self, kind: &str) -> String {
        self.sequence += 1;
        format!("{kind}-{:08}", self.sequence)
    }
}
