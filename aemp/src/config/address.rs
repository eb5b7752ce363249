//! Configured addresses.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use super::host_name;

/// An address to listen on, or the address of a seed.
///
/// | text | host | port |
/// | --- | --- | --- |
/// | `HOST:PORT` | a name or an address | that one |
/// | `HOST`, `HOST:*` | a name or an address | a free one |
/// | `*:PORT` | every local address that is not loopback | that one |
/// | `*`, `*:*` | every local address that is not loopback | a free one |
/// | `PORT` | the host's own name | that one |
///
/// IPv6 addresses are written in brackets; without a port the brackets may be left out. A zone may follow the address,
/// by the number or the name of an interface: `[fe80::1%eth0]:4040`. Seeds need a port.
/// See the [protocol](aemp_proto::protocol::configuration#addresses).
///
/// ```
/// use aemp::config::{Address, Host};
///
/// let address: Address = "[::1]:4040".parse()?;
/// assert_eq!((address.host, address.port), (Host::Named("::1".into()), Some(4040)));
/// assert_eq!("*".parse::<Address>()?.to_string(), "*:*");
/// assert_eq!("4040".parse::<Address>()?.host, Host::Own);
/// # Ok::<_, aemp::config::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// The host, or all hosts.
    pub host: Host,
    /// The port; `None` for a free one. Port 0 is parsed as `None`.
    pub port: Option<u16>,
}

/// The host of an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// `*`: every local address that is not loopback.
    Any,
    /// The host's own name, which is looked up when the node starts.
    Own,
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    Named(String),
}

/// The error of a text that is not an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address: {problem}")]
pub struct AddressError {
    text: String,
    problem: &'static str,
}

impl Address {
    /// The address for a socket (`host:port`), with port 0 for a free one. `None` for `*`, which stands for many
    /// addresses.
    #[must_use]
    pub fn socket(&self) -> Option<String> {
        let host = match &self.host {
            Host::Any => return None,
            Host::Own => host_name(),
            Host::Named(name) => name.clone(),
        };
        let port = self.port.unwrap_or(0);
        Some(if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text.trim()).map_err(|problem| AddressError {
            text: text.into(),
            problem,
        })
    }
}

const BAD_PORT: &str = "the port must be a number from 0 to 65535, or `*`";

fn parse(text: &str) -> Result<Address, &'static str> {
    if !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Ok(Address {
            host: Host::Own,
            port: port(text)?,
        });
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (host, behind) = rest.split_once(']').ok_or("`[` without `]`")?;
        return Ok(Address {
            host: ipv6(host)?,
            port: match behind.strip_prefix(':') {
                Some(text) => port(text)?,
                None if behind.is_empty() => None,
                None => return Err("expected `:` and a port behind `]`"),
            },
        });
    }
    if text.matches(':').count() > 1 {
        let host = ipv6(text).map_err(|_| "IPv6 addresses with a port need brackets")?;
        return Ok(Address { host, port: None });
    }
    let (name, behind) = match text.split_once(':') {
        Some((name, behind)) => (name, port(behind)?),
        None => (text, None),
    };
    Ok(Address {
        host: named(name)?,
        port: behind,
    })
}

fn port(text: &str) -> Result<Option<u16>, &'static str> {
    if text == "*" {
        return Ok(None);
    }
    // `parse` alone would accept a sign.
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(BAD_PORT);
    }
    let port: u16 = text.parse().map_err(|_| BAD_PORT)?;
    Ok((port != 0).then_some(port))
}

fn ipv6(text: &str) -> Result<Host, &'static str> {
    // The zone is the number or the name of an interface.
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    let is_zone = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let known =
        address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() && zone.chars().all(is_zone);
    known
        .then(|| Host::Named(text.into()))
        .ok_or("not an IPv6 address")
}

fn named(name: &str) -> Result<Host, &'static str> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    match name {
        "*" => Ok(Host::Any),
        "" => Err("the host is missing"),
        name if name.chars().all(allowed) => Ok(Host::Named(name.into())),
        _ => Err("not a host name"),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (Host::Own, port) => return write!(f, "{}", port.unwrap_or(0)),
            (Host::Any, _) => f.write_str("*:")?,
            (Host::Named(name), _) if name.contains(':') => write!(f, "[{name}]:")?,
            (Host::Named(name), _) => write!(f, "{name}:")?,
        }
        match self.port {
            Some(port) => write!(f, "{port}"),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Host {
        Host::Named(name.into())
    }

    #[test]
    fn every_form_is_read_and_written() {
        for (text, host, port, again) in [
            ("*", Host::Any, None, "*:*"),
            ("*:*", Host::Any, None, "*:*"),
            ("*:0", Host::Any, None, "*:*"),
            ("*:4040", Host::Any, Some(4040), "*:4040"),
            ("4040", Host::Own, Some(4040), "4040"),
            ("0", Host::Own, None, "0"),
            ("doomed", named("doomed"), None, "doomed:*"),
            (" doomed:* ", named("doomed"), None, "doomed:*"),
            (
                "a-b.c_d:65535",
                named("a-b.c_d"),
                Some(65535),
                "a-b.c_d:65535",
            ),
            ("10.0.0.1:5", named("10.0.0.1"), Some(5), "10.0.0.1:5"),
            ("[::1]:5", named("::1"), Some(5), "[::1]:5"),
            ("[::1]:*", named("::1"), None, "[::1]:*"),
            (
                "[fe80::1%eth0.7]:5",
                named("fe80::1%eth0.7"),
                Some(5),
                "[fe80::1%eth0.7]:5",
            ),
            (
                "[fe80::1%2]:5",
                named("fe80::1%2"),
                Some(5),
                "[fe80::1%2]:5",
            ),
            ("[::1]", named("::1"), None, "[::1]:*"),
            ("::1", named("::1"), None, "[::1]:*"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address, Address { host, port }, "{text}");
            assert_eq!(address.to_string(), again);
            assert_eq!(again.parse(), Ok(address));
        }
    }

    #[test]
    fn invalid_addresses_are_explained() {
        for (text, problem) in [
            ("", "the host is missing"),
            (":4040", "the host is missing"),
            ("host:http", BAD_PORT),
            ("host:", BAD_PORT),
            ("host:65536", BAD_PORT),
            ("host:+1", BAD_PORT),
            ("99999", BAD_PORT),
            ("fe80::1:99999", "IPv6 addresses with a port need brackets"),
            ("[::1", "`[` without `]`"),
            ("[::1]4040", "expected `:` and a port behind `]`"),
            ("[name]:4040", "not an IPv6 address"),
            ("ho st:1", "not a host name"),
            ("unix/:/tmp/x", BAD_PORT),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{text:?} is not an address: {problem}")
            );
        }
    }

    #[test]
    fn sockets() {
        let socket = |text: &str| text.parse::<Address>().unwrap().socket();
        assert_eq!(socket("*:4040"), None);
        assert_eq!(socket("host"), Some("host:0".into()));
        assert_eq!(socket("[::1]:7"), Some("[::1]:7".into()));
        assert_eq!(socket("7"), Some(format!("{}:7", host_name())));
    }
}
