//! The addresses of this machine.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
};

/// All local addresses that other machines can use: no loopback addresses, and of IPv6 only global and unique local
/// ones. IPv4 comes first.
pub(crate) fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?.into_iter();
    let mut addresses: Vec<IpAddr> = interfaces.map(|interface| interface.ip()).collect();
    addresses.retain(is_reachable);
    addresses.sort_by_key(IpAddr::is_ipv6);
    let mut seen = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    Ok(seen)
}

fn is_reachable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_unspecified(),
        IpAddr::V6(v6) => is_global(v6) || v6.is_unique_local(),
    }
}

/// Global unicast: 2000::/3.
fn is_global(address: &Ipv6Addr) -> bool {
    address.segments()[0] >> 13 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_other_machines_cannot_use_are_left_out() {
        for (address, reachable) in [
            ("127.0.0.1", false),
            ("127.1.2.3", false),
            ("0.0.0.0", false),
            ("10.0.0.1", true),
            ("192.0.2.2", true),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("fd00::2", true),
            ("2001:db8::1", true),
            ("3fff::1", true),
            ("4000::1", false),
        ] {
            assert_eq!(
                is_reachable(&address.parse().unwrap()),
                reachable,
                "{address}"
            );
        }
    }

    #[test]
    fn ipv4_comes_first_and_nothing_twice() {
        let addresses = local_addresses().unwrap();
        assert!(addresses.is_sorted_by_key(IpAddr::is_ipv6));
        for (i, address) in addresses.iter().enumerate() {
            assert!(!addresses[..i].contains(address));
        }
    }
}
