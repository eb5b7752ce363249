//! Configured seeds.

use std::{fmt, str::FromStr};

use super::{Address, AddressError};

/// The address, or a source of addresses, of nodes to stay connected to.
///
/// | text | addresses |
/// | --- | --- |
/// | `HOST:PORT` | each address of this host, which is looked up for each round of attempts; see [`Address`] |
/// | `exec:COMMAND` | each `HOST:PORT` that the command prints, one on a line; `sh -c` runs it for each round of attempts |
/// | `srv:NAME` | each target of the SRV records with this name, which are looked up for each round of attempts |
///
/// The targets of SRV records, for instance of `_aemp._tcp.example.org`, include ports. They are tried in the order of
/// RFC 2782: by priority, then at random by weight. The system's name servers are queried. This needs the feature `srv`
/// in the program that runs the node. Without it, a node with such a seed does not start.
///
/// ```
/// use aemp::config::Seed;
///
/// let seed: Seed = "exec:cat /run/seeds".parse()?;
/// assert_eq!(seed, Seed::Command("cat /run/seeds".into()));
/// assert!("10.0.0.1".parse::<Seed>().is_err(), "a port is missing");
/// # Ok::<_, aemp::config::SeedError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Seed {
    /// An address with a port.
    Address(Address),
    /// A command.
    Command(String),
    /// The name of SRV records.
    Srv(String),
}

/// The error of a text that is not a [`Seed`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The text is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The address has no port.
    #[error("the seed {0} needs a port")]
    NoPort(Address),
    /// The text behind the colon is empty.
    #[error("the seed {0:?} has nothing to look up")]
    Nothing(String),
    /// The name is not valid for SRV records.
    #[error("the seed {0:?} is not a valid name of SRV records")]
    Name(String),
}

const EXEC: &str = "exec:";
const SRV: &str = "srv:";

impl Seed {
    /// True if a text stands for a command, in which commas do not separate elements.
    pub(super) fn is_command(text: &str) -> bool {
        text.trim_start().starts_with(EXEC)
    }
}

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let text = text.trim();
        let seed = if let Some(command) = text.strip_prefix(EXEC) {
            Self::Command(command.trim().into())
        } else if let Some(name) = text.strip_prefix(SRV) {
            Self::Srv(name.trim().into())
        } else {
            Self::Address(text.parse()?)
        };
        match seed {
            Self::Address(address) if address.port.is_none() => Err(SeedError::NoPort(address)),
            Self::Command(rest) | Self::Srv(rest) if rest.is_empty() => {
                Err(SeedError::Nothing(text.into()))
            }
            Self::Srv(name) if !is_name(&name) => Err(SeedError::Name(text.into())),
            seed => Ok(seed),
        }
    }
}

/// True for a valid name of a DNS record.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.len() <= 253
        && name
            .split('.')
            .all(|label| (1..=63).contains(&label.len()) && label.bytes().all(good))
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Command(command) => write!(f, "{EXEC}{command}"),
            Self::Srv(name) => write!(f, "{SRV}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_read_as_they_are_written() {
        for text in [
            "a.example:4040",
            "[::1]:1",
            "*:7",
            "exec:a, b | c",
            "srv:_aemp._tcp.a.example",
        ] {
            let seed: Seed = text.parse().unwrap();
            assert_eq!(seed.to_string(), text);
        }
    }

    #[test]
    fn invalid_seeds_are_explained() {
        for (text, problem) in [
            ("a", "the seed a:* needs a port"),
            ("exec:", "the seed \"exec:\" has nothing to look up"),
            ("srv: ", "the seed \"srv:\" has nothing to look up"),
            (
                "srv:a.example:4040",
                "the seed \"srv:a.example:4040\" is not a valid name of SRV records",
            ),
            (
                "srv:a..b",
                "the seed \"srv:a..b\" is not a valid name of SRV records",
            ),
            (
                "a:b",
                "\"a:b\" is not an address: the port must be a number from 0 to 65535, or `*`",
            ),
        ] {
            assert_eq!(text.parse::<Seed>().unwrap_err().to_string(), problem);
        }
    }
}
