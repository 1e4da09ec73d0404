//! Names to addresses that may be dialled.
//!
//! Owns: the bounds on lookups. Never caches: the system's resolver does.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::guard::Guard;
use crate::object::Cause;

/// Lookups at the same time. The system's resolver blocks its thread and cannot be cancelled, and the pool of such
/// threads also reads the disk: a dead name server must not take them all.
const LOOKUPS: usize = 32;

/// Resolves names through the system. Clones share their bound on lookups.
#[derive(Clone, Debug)]
pub struct Resolver {
    within: Duration,
    lookups: Arc<Semaphore>,
}

impl Resolver {
    /// A resolver that gives up after `within`.
    pub fn new(within: Duration) -> Self {
        Self {
            within,
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }

    /// The addresses of a host that the guard permits, never none of them, in the order of the system (RFC 6724).
    /// `host` is a name or a literal address, an IPv6 one with or without brackets.
    pub async fn resolve(&self, host: &str, port: u16, guard: &Guard) -> Result<Vec<SocketAddr>, Cause> {
        let found = match literal(host) {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => self.look_up(host, port).await?,
        };
        if found.is_empty() {
            return Err(Cause::NoAddress);
        }
        let permitted: Vec<_> = found.into_iter().filter(|found| guard.permits(found.ip())).collect();
        if permitted.is_empty() {
            return Err(Cause::Forbidden);
        }
        Ok(permitted)
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Cause> {
        let name = host.to_owned();
        let looking = async {
            let permit = Arc::clone(&self.lookups).acquire_owned().await;
            let lookup = spawn_blocking(move || {
                // Held as long as the thread is taken, which may be longer than anybody waits.
                let _permit = permit;
                (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)
            });
            match lookup.await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(_)) | Err(_) => Err(Cause::NoAddress),
            }
        };
        let bounded = tokio::time::timeout(self.within, looking).await;
        bounded.unwrap_or(Err(Cause::Timeout))
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(host: &str, guard: &Guard, expected: Result<&str, Cause>) {
        let resolver = Resolver::new(Duration::from_secs(5));
        let found = resolver.resolve(host, 80, guard).await;
        let first = found.map(|found| found[0].ip().to_string());
        assert_eq!(first.as_deref().map_err(|cause| *cause), expected, "{host}");
    }

    #[tokio::test]
    async fn literals_are_judged_like_names() {
        let public = Guard::Public { allow: Vec::new() };
        check("1.1.1.1", &public, Ok("1.1.1.1")).await;
        check("[2606:4700::1]", &public, Ok("2606:4700::1")).await;
        check("127.0.0.1", &public, Err(Cause::Forbidden)).await;
        check("[::1]", &public, Err(Cause::Forbidden)).await;
        check("[::1]", &Guard::Any, Ok("::1")).await;
        check("localhost", &public, Err(Cause::Forbidden)).await;
    }

    #[tokio::test]
    async fn odd_spellings_of_loopback_stay_loopback() {
        // What getaddrinfo makes of these differs; what it finds is judged.
        let public = Guard::Public { allow: Vec::new() };
        for host in ["127.1", "2130706433", "0x7f000001", "0"] {
            let resolver = Resolver::new(Duration::from_secs(5));
            assert!(resolver.resolve(host, 80, &public).await.is_err(), "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_told_apart() {
        check("nothing.invalid", &Guard::Any, Err(Cause::NoAddress)).await;
        check("not a name", &Guard::Any, Err(Cause::NoAddress)).await;
    }
}
