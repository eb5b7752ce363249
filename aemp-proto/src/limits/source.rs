//! The source of a connection: an IPv4 address, or an IPv6 network.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// The part of a socket address that an attacker cannot change at will: the IPv4 address, or the first 64 bits of the
/// IPv6 address. A single customer or machine gets at least 64 bits.
///
/// ```
/// use aemp_proto::limits::Source;
///
/// assert_eq!(Source::of("192.0.2.1:4040"), Source::of("192.0.2.1:999"));
/// assert_eq!(Source::of("[2001:db8::1]:4040"), Source::of("[2001:db8::2:1]:4040"));
/// assert_ne!(Source::of("[2001:db8::1]:4040"), Source::of("[2001:db8:0:1::1]:4040"));
/// assert_eq!(Source::of("[::ffff:192.0.2.1]:4040"), Source::of("192.0.2.1:4040"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(Box<str>);

impl Source {
    /// The source of the socket address `host:port`.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // A scope names an interface, not a host.
        let bare = host.split_once('%').map_or(host, |(ip, _)| ip);
        Self(match bare.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => match ip.to_ipv4_mapped() {
                Some(ip) => ip.to_string().into(),
                None => format!("{}/64", network(ip)).into(),
            },
            _ => host.into(),
        })
    }
}

fn network(ip: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_from_somewhere() {
        for (address, source) in [
            ("10.0.0.1:5", "10.0.0.1"),
            ("host:4040", "host"),
            ("host", "host"),
            ("[fe80::1%eth0]:9", "fe80::/64"),
            ("", ""),
        ] {
            assert_eq!(Source::of(address).to_string(), source);
        }
    }
}
