//! Where the fields of an answer go: into a map for whoever goes on with them, or onto the wire.
//!
//! Never: decides which fields an answer has.

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Takes the fields of an answer, in their order.
pub(super) trait Fields {
    /// A field as it was stored.
    fn keep(&mut self, name: &HeaderName, value: &HeaderValue);

    /// A field of our own. A value that no field can have is left out.
    fn add(&mut self, name: HeaderName, value: &str);
}

impl Fields for HeaderMap {
    fn keep(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.append(name.clone(), value.clone());
    }

    fn add(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.append(name, value);
        }
    }
}

/// A head as it is sent (RFC 9112 4): what most answers are written as, without a map in between.
#[derive(Debug)]
pub(super) struct Wire(Vec<u8>);

/// Most heads are shorter; a longer one only costs a second allocation.
const USUAL_HEAD: usize = 1 << 10;

impl Wire {
    pub(super) fn new(status: StatusCode) -> Self {
        let mut head = Vec::with_capacity(USUAL_HEAD);
        head.extend_from_slice(b"HTTP/1.1 ");
        head.extend_from_slice(status.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        head.extend_from_slice(b"\r\n");
        Self(head)
    }

    /// All of it, with the empty line that ends it.
    pub(super) fn ended(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"\r\n");
        self.0
    }

    fn push(&mut self, name: &HeaderName, value: &[u8]) {
        self.0.extend_from_slice(name.as_str().as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
    }
}

impl Clone for Wire {
    /// With room for what follows.
    fn clone(&self) -> Self {
        let mut head = Vec::with_capacity(self.0.len().next_multiple_of(USUAL_HEAD));
        head.extend_from_slice(&self.0);
        Self(head)
    }
}

impl Fields for Wire {
    fn keep(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.push(name, value.as_bytes());
    }

    fn add(&mut self, name: HeaderName, value: &str) {
        // As a map would: no value of ours can end a line.
        if value.bytes().all(|byte| !byte.is_ascii_control()) {
            self.push(&name, value.as_bytes());
        }
    }
}
