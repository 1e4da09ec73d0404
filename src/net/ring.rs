//! Which of several servers an object belongs to: consistent hashing, Ketama's, so that a server that comes or goes moves
//! its own share of the objects and nobody else's.
//!
//! Owns: the order in which servers are asked for an object. Never: knows which of them can be reached.
//! The one place besides the edge that names Pingora: of its load balancing only the ring is used. Its health checks and
//! discovery dial and look up names by themselves, past the guard and the bounds of `net`.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pingora::lb::selection::consistent::{KetamaHashing, OwnedNodeIterator};
use pingora::lb::selection::{BackendSelection, UniqueIterator};
use pingora::lb::{Backend, Extensions};
use pingora::protocols::l4::socket::SocketAddr as Place;

/// How many points a server has on Ketama's ring.
const POINTS: usize = 160;

/// Servers by their names, each with many points on a ring.
pub(super) struct Ring {
    points: Arc<KetamaHashing>,
    servers: Arc<HashMap<Place, usize>>,
}

/// All servers, each once, in the order in which they come on the ring from an object's place on.
pub(super) struct Order {
    points: UniqueIterator<OwnedNodeIterator>,
    servers: Arc<HashMap<Place, usize>>,
}

impl Ring {
    /// A ring of these names, which differ. Their order decides what the servers are called in an [`Order`], and nothing
    /// else.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let servers: HashMap<_, _> = names
            .into_iter()
            .enumerate()
            .map(|(at, name)| (place(name), at))
            .collect();
        let points: BTreeSet<_> = servers.keys().cloned().map(backend).collect();
        Self {
            points: Arc::new(KetamaHashing::build(&points)),
            servers: Arc::new(servers),
        }
    }

    /// Whose share an object is in, then who has it if that server is away, and so on.
    pub(super) fn order(&self, object: &[u8]) -> Order {
        // Ketama's own hash is a CRC: paths that count upwards are spread evenly only after another one.
        let object = blake3::hash(object);
        Order {
            points: UniqueIterator::new(self.points.iter(object.as_bytes()), POINTS * self.servers.len()),
            servers: Arc::clone(&self.servers),
        }
    }
}

impl Iterator for Order {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let server = self.points.get_next()?;
        self.servers.get(&server.addr).copied()
    }
}

/// Ketama knows servers by address; a name keeps its place when its address changes, so its hash is the address here.
fn place(name: &str) -> Place {
    let mut hash = [0; 16];
    blake3::Hasher::new()
        .update(name.as_bytes())
        .finalize_xof()
        .fill(&mut hash);
    Place::Inet(SocketAddr::new(IpAddr::from(hash), 0))
}

fn backend(addr: Place) -> Backend {
    Backend {
        addr,
        weight: 1,
        ext: Extensions::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTS: usize = 2_000;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("cache-{n}.cache:8080")).collect()
    }

    fn ring(names: &[String]) -> Ring {
        Ring::new(names.iter().map(String::as_str))
    }

    /// Who is asked for each object, first and next.
    fn owners(names: &[String]) -> Vec<(&str, &str)> {
        let ring = ring(names);
        let owner = |n: usize| {
            let order: Vec<_> = ring.order(format!("/o/{n}").as_bytes()).take(2).collect();
            (names[order[0]].as_str(), names[order[1]].as_str())
        };
        (0..OBJECTS).map(owner).collect()
    }

    #[test]
    fn everybody_has_a_share_and_the_order_of_the_list_does_not_matter() {
        let listed = names(5);
        let mut turned = listed.clone();
        turned.reverse();
        let before = owners(&listed);
        assert_eq!(before, owners(&turned));
        for name in &listed {
            let share = before.iter().filter(|owner| owner.0 == name).count();
            assert!((OBJECTS / 8..OBJECTS * 3 / 10).contains(&share), "{name}: {share}");
        }
    }

    #[test]
    fn who_leaves_moves_its_own_share_to_whom_was_next() {
        let listed = names(5);
        let before = owners(&listed);
        for gone in &listed {
            let rest: Vec<_> = listed.iter().filter(|name| *name != gone).cloned().collect();
            for (before, after) in before.iter().zip(owners(&rest)) {
                let expected = if before.0 == gone { before.1 } else { before.0 };
                assert_eq!(after.0, expected);
            }
        }
    }

    #[test]
    fn an_order_has_every_server_once() {
        let one = ring(&names(1));
        assert_eq!(one.order(b"/o").collect::<Vec<_>>(), [0]);
        assert_eq!(ring(&[]).order(b"/o").next(), None);
        let mut all: Vec<_> = ring(&names(5)).order(b"/o").collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
    }
}
