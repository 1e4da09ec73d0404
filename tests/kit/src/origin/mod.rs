//! An HTTP/1.1 origin that is honest until it is told otherwise, and then does everything wrong.
//!
//! In reading order: `resource` (what it has), `request` (what it heard), `script` (what it shall do), `reply` (what it
//! says), `connection`. It writes by hand onto the socket. Owns a listener and a record of every request.
//!
//! Left out: TLS, ranges more than one (answered 200, as RFC 9110 14.2 allows, unless a script says otherwise), and any
//! memory of what is put: methods other than GET and HEAD are echoed.

mod connection;
mod reply;
mod request;
mod resource;
mod script;

pub use reply::Reply;
pub use request::Recorded;
pub use resource::Resource;
pub use script::{Act, Edit, Ending, Rule};

use crate::serve::Serving;
use parking_lot::Mutex;
use request::Records;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A running origin; stops when it is dropped.
#[derive(Debug)]
pub struct Origin {
    serving: Serving,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    resources: Mutex<HashMap<String, Arc<Resource>>>,
    rules: Mutex<Vec<Rule>>,
    records: Records,
    connections: AtomicU64,
}

impl Origin {
    /// On a free port of loopback, with nothing in it.
    ///
    /// # Errors
    /// Nothing can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// # Errors
    /// The address cannot be bound.
    pub async fn start_at(addr: SocketAddr) -> io::Result<Self> {
        Self::serve(addr, Arc::default()).await
    }

    /// After [`Origin::stop`]: takes up again at the same address, with all that it has, was told and heard.
    ///
    /// # Errors
    /// Somebody else has taken the address.
    pub async fn again(&self) -> io::Result<Self> {
        Self::serve(self.addr(), Arc::clone(&self.shared)).await
    }

    async fn serve(addr: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let accepted = Arc::clone(&shared);
        let serving = Serving::start(addr, move |stream| {
            let shared = Arc::clone(&accepted);
            async move { connection::run(&shared, stream).await }
        });
        Ok(Self {
            serving: serving.await?,
            shared,
        })
    }

    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.serving.addr()
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Puts a revision under a path, or under a path and query, at once. Answers under way keep the former one.
    pub fn put(&self, path: impl Into<String>, resource: Resource) {
        self.shared.resources.lock().insert(path.into(), Arc::new(resource));
    }

    pub fn delete(&self, path: &str) {
        self.shared.resources.lock().remove(path);
    }

    /// Adds a rule behind those that there are.
    pub fn script(&self, rule: Rule) {
        self.shared.rules.lock().push(rule);
    }

    /// Forgets all rules: it is honest again.
    pub fn repent(&self) {
        self.shared.rules.lock().clear();
    }

    /// All requests so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.records.all()
    }

    /// Resolves when there were `n` requests, with all of them.
    pub async fn recorded(&self, n: usize) -> Vec<Recorded> {
        self.shared.records.at_least(n).await
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.records.clear();
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Relaxed)
    }

    /// Closes every connection and the listener: connections are refused when this returns.
    pub async fn stop(&self) {
        self.serving.stop().await;
    }
}

impl Shared {
    /// What the first rule that fits says; it is counted.
    fn acts(&self, request: &Recorded) -> Vec<Act> {
        let mut rules = self.rules.lock();
        rules
            .iter_mut()
            .find_map(|rule| rule.take(request).then(|| rule.acts.clone()))
            .unwrap_or_default()
    }

    fn resource(&self, request: &Recorded) -> Option<Arc<Resource>> {
        let resources = self.resources.lock();
        resources
            .get(request.path_and_query())
            .or_else(|| resources.get(request.path()))
            .cloned()
    }
}
