//! Which addresses may be dialled.
//!
//! Owns: the table of addresses that are not public unicast, and the exceptions that a tier allows.
//! Never: resolves or connects. It judges addresses and not names, so whoever dials asks it about the very address that
//! is dialled, literals included: a guard that only filters a resolver is a hole.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What a client may dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Anything: the operator named the endpoint.
    Any,
    /// Whoever sends a request chooses the host: only public unicast addresses.
    Public {
        /// Networks besides public ones.
        allow: Vec<IpNet>,
    },
}

impl Guard {
    /// Whether an address may be dialled.
    pub fn permits(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Public { allow } => {
                // `::ffff:10.0.0.1` reaches 10.0.0.1, so networks are compared with that.
                let address = address.to_canonical();
                allow.iter().any(|net| net.contains(&address)) || is_public(address)
            }
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address))
}

/// Translated and tunnelled addresses are as public as the IPv4 addresses within; of the rest, only what IANA has
/// opened for global unicast, less its special-purpose blocks.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(within) = embedded_v4(address) {
        return within.into_iter().all(is_public_v4);
    }
    GLOBAL_UNICAST_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address))
}

/// The IPv4 addresses at which packets to an IPv6 address may come out.
fn embedded_v4(address: Ipv6Addr) -> Option<Vec<Ipv4Addr>> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match [s0, s1, s2, s3, s4, s5] {
        // IPv4-mapped (RFC 4291 2.5.5.2) and NAT64 (RFC 6052)
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(vec![v4(s6, s7)]),
        // 6to4 (RFC 3056)
        [0x2002, ..] => Some(vec![v4(s1, s2)]),
        // Teredo (RFC 4380 4): the server, and the client with its bits inverted
        [0x2001, 0, ..] => Some(vec![v4(s2, s3), v4(!s6, !s7)]),
        _ => None,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// IANA's IPv4 Special-Purpose Address Registry (RFC 6890), multicast, and what was never assigned.
const NOT_PUBLIC_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),       // this network; 0.0.0.0 reaches the host itself
    v4(10, 0, 0, 0, 8),      // private
    v4(100, 64, 0, 0, 10),   // carrier-grade NAT
    v4(127, 0, 0, 0, 8),     // loopback
    v4(169, 254, 0, 0, 16),  // link-local: the metadata services of clouds
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // IETF protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // 6to4 relays, withdrawn
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarks
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, and broadcast
];

/// All else is loopback, link-local, unique local, site-local, multicast, unspecified or not assigned.
const GLOBAL_UNICAST_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Of 2000::/3, what IANA's IPv6 Special-Purpose Address Registry takes out.
const NOT_PUBLIC_V6: [Ipv6Net; 3] = [
    v6(0x2001, 0, 0, 23),     // IETF protocol assignments: benchmarks, ORCHID, and their like
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x3fff, 0, 0, 20),     // documentation
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &Guard, expected: bool, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(guard.permits(address.parse().unwrap()), expected, "{address}");
        }
    }

    fn public(allow: &[&str]) -> Guard {
        let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        Guard::Public { allow }
    }

    #[test]
    fn public_unicast_is_permitted() {
        let addresses = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808:0:0:f7f7:f7f7",
        ];
        check(&public(&[]), true, &addresses);
    }

    #[test]
    fn everything_else_is_refused() {
        let v4 = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ];
        check(&public(&[]), false, &v4);
        let v6 = [
            "::",
            "::1",
            "::127.0.0.1",
            "100::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        check(&public(&[]), false, &v6);
    }

    #[test]
    fn ipv4_addresses_do_not_hide_in_ipv6_ones() {
        let addresses = [
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::8.8.8.8",
            "2002:7f00:1::1",
            "2002:c0a8:1::1",
            "2001:0:7f00:1:0:0:f7f7:f7f7",
            "2001:0:808:808:0:0:80ff:fffe",
        ];
        check(&public(&[]), false, &addresses);
    }

    #[test]
    fn allowed_networks_are_exceptions() {
        let guard = public(&["10.20.0.0/16", "127.0.0.1/32", "fd00::/8"]);
        check(
            &guard,
            true,
            &["10.20.255.1", "127.0.0.1", "::ffff:10.20.0.1", "fd00::1", "1.1.1.1"],
        );
        check(
            &guard,
            false,
            &["10.21.0.1", "127.0.0.2", "fc00::1", "64:ff9b::10.20.0.1"],
        );
    }

    #[test]
    fn an_operator_may_name_anything() {
        check(&Guard::Any, true, &["127.0.0.1", "169.254.169.254", "::1"]);
    }
}
