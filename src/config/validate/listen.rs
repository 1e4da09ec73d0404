//! Listeners: for clients and for operators.

use std::net::{Ipv4Addr, SocketAddr};

use super::{bounded, elements, required_leaf, section};
use crate::config::bounds;
use crate::config::fault::Notes;
use crate::config::file;
use crate::config::locate::YamlPath;
use crate::config::value::{Flag, Section};
use crate::config::{Listener, ListenerTimeouts};

/// What is known of the listeners.
pub(super) struct Doors {
    pub(super) listeners: Option<Vec<Listener>>,
    pub(super) admin: SocketAddr,
    /// Whether one of them is a forward proxy, as far as can be told.
    pub(super) forward: bool,
}

const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9180);

pub(super) fn listeners(
    list: Option<Vec<Option<Section<file::Listen>>>>,
    admin: Option<Section<file::Admin>>,
    notes: &mut Notes,
) -> Doors {
    let path = YamlPath::root().key("listen");
    let mut taken: Vec<(SocketAddr, YamlPath)> = Vec::new();
    let listeners = elements(
        list,
        &path,
        "one listener at least, with an `address`",
        notes,
        |listen, path, notes| listener(listen.0, path, &mut taken, notes),
    );
    let admin = section(admin).address.map_or(ADMIN, |address| address.0);
    claim(admin, &YamlPath::root().key("admin").key("address"), &mut taken, notes);
    // Nothing follows from listeners that are themselves in doubt.
    let sure = listeners.as_deref().filter(|_| !notes.is_doubtful(&path));
    let forward = sure.is_none_or(|list| list.iter().any(|listener| listener.forward));
    Doors {
        listeners,
        admin,
        forward,
    }
}

fn listener(
    listen: file::Listen,
    path: &YamlPath,
    taken: &mut Vec<(SocketAddr, YamlPath)>,
    notes: &mut Notes,
) -> Option<Listener> {
    let address_path = path.key("address");
    let address = required_leaf(listen.address, &address_path, notes).map(|address| address.0);
    if let Some(address) = address {
        claim(address, &address_path, taken, notes);
    }
    let max_connections = bounded(
        listen.max_connections,
        &path.key("max_connections"),
        &bounds::MAX_CONNECTIONS,
        notes,
    );
    let max_requests_per_connection = bounded(
        listen.max_requests_per_connection,
        &path.key("max_requests_per_connection"),
        &bounds::MAX_REQUESTS_PER_CONNECTION,
        notes,
    );
    let timeouts = timeouts(&section(listen.timeouts), &path.key("timeouts"), notes);
    Some(Listener {
        address: address?,
        forward: listen.forward.is_some_and(|Flag(forward)| forward),
        max_connections: max_connections.get(),
        max_requests_per_connection: max_requests_per_connection.get(),
        timeouts,
    })
}

fn timeouts(timeouts: &file::ListenTimeouts, path: &YamlPath, notes: &mut Notes) -> ListenerTimeouts {
    ListenerTimeouts {
        head: bounded(timeouts.head, &path.key("head"), &bounds::HEAD_TIMEOUT, notes).get(),
        keep_alive: bounded(timeouts.keep_alive, &path.key("keep_alive"), &bounds::KEEP_ALIVE, notes).get(),
        read: bounded(timeouts.read, &path.key("read"), &bounds::BODY_TIMEOUT, notes).get(),
        write: bounded(timeouts.write, &path.key("write"), &bounds::BODY_TIMEOUT, notes).get(),
    }
}

/// Two listeners at one address cannot both bind.
fn claim(address: SocketAddr, path: &YamlPath, taken: &mut Vec<(SocketAddr, YamlPath)>, notes: &mut Notes) {
    if let Some((other, at)) = taken.iter().find(|(other, _)| collide(*other, address)) {
        notes.fault(
            path,
            format!("{address} collides with {other} of {at}"),
            "an address of its own",
        );
    }
    taken.push((address, path.clone()));
}

/// Port 0 is any free port, and `0.0.0.0` is every address of its family.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let family = one.is_ipv4() == other.is_ipv4();
    let host = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && family && host
}
