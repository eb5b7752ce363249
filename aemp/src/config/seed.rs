//! Configured seeds.

use std::{fmt, str::FromStr};

use super::{Address, AddressError};

/// Where nodes to stay connected to are found.
///
/// | text | where |
/// | --- | --- |
/// | `HOST:PORT` | at each address of that host, which is looked up anew at each round of attempts; see [`Address`] |
/// | `exec:COMMAND` | at each `HOST:PORT` that the command prints, one a line; it is run by `sh -c` at each round of attempts |
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
    /// An address, which has a port.
    Address(Address),
    /// A command.
    Command(String),
}

/// Why a text is no [`Seed`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// It is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Seeds need a port.
    #[error("the seed {0} needs a port")]
    NoPort(Address),
    /// There is nothing behind the colon.
    #[error("the seed {0:?} lacks what to look up")]
    Nothing(String),
}

const EXEC: &str = "exec:";

impl Seed {
    /// True if a text stands for a command, in which commas mean nothing.
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
        } else {
            Self::Address(text.parse()?)
        };
        match seed {
            Self::Address(address) if address.port.is_none() => Err(SeedError::NoPort(address)),
            Self::Command(what) if what.is_empty() => Err(SeedError::Nothing(text.into())),
            seed => Ok(seed),
        }
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Command(command) => write!(f, "{EXEC}{command}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_read_as_they_are_written() {
        for text in ["a.example:4040", "[::1]:1", "*:7", "exec:a, b | c"] {
            let seed: Seed = text.parse().unwrap();
            assert_eq!(seed.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_seed_says_why() {
        for (text, problem) in [
            ("a", "the seed a:* needs a port"),
            ("exec:", "the seed \"exec:\" lacks what to look up"),
            (
                "a:b",
                "\"a:b\" is no address: the port must be a number from 0 to 65535, or `*`",
            ),
        ] {
            assert_eq!(text.parse::<Seed>().unwrap_err().to_string(), problem);
        }
    }
}
