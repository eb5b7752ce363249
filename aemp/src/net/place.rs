//! The place where a node runs: the source of its sockets, its randomness and its clock. This machine, or a host of a
//! simulation.
//!
//! `Stream` and `Acceptor` are enums over both. Without the feature `sim` they have one variant and cost nothing; with
//! it a branch for each read and write.

use std::{fmt, io, net::SocketAddr, time::Duration};

use tokio::time::Instant;

use super::{
    Listener, NetConfig,
    machine::{self, TcpListener},
    stream::{Stream, wire::Wire},
};
#[cfg(feature = "sim")]
use crate::sim::{SimListener, host::Host};
use crate::{StartError, config::Address};

/// The source of a node's sockets and randomness.
#[derive(Clone, Default)]
pub(crate) enum Place {
    #[default]
    Machine,
    #[cfg(feature = "sim")]
    Sim(Host),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "Machine",
            #[cfg(feature = "sim")]
            Self::Sim(_) => "Sim",
        })
    }
}

/// A listening socket.
pub(crate) enum Acceptor {
    #[cfg_attr(
        not(feature = "net"),
        expect(dead_code, reason = "there are no sockets")
    )]
    Tcp(TcpListener),
    #[cfg(feature = "sim")]
    Sim(SimListener),
}

impl Place {
    pub(crate) fn is_simulated(&self) -> bool {
        match self {
            Self::Machine => false,
            #[cfg(feature = "sim")]
            Self::Sim(_) => true,
        }
    }

    /// True if there is a way to other nodes at all.
    pub(crate) fn has_network(&self) -> bool {
        cfg!(feature = "net") || self.is_simulated()
    }

    /// Listens on all sockets that these addresses stand for.
    pub(super) async fn listen(&self, binds: &[Address]) -> Result<Vec<Listener>, StartError> {
        match self {
            Self::Machine => machine::bind(binds).await,
            #[cfg(feature = "sim")]
            Self::Sim(host) => binds.iter().map(|bind| simulated(host, bind)).collect(),
        }
    }

    /// The time that has passed since `origin`.
    #[inline]
    pub(crate) fn since(&self, origin: Instant) -> Duration {
        match self {
            Self::Machine => origin.elapsed(),
            #[cfg(feature = "sim")]
            Self::Sim(host) => host.since(origin),
        }
    }

    /// Fills a buffer with random bytes. They can be predicted in a simulation only.
    pub(crate) fn fill_random(&self, bytes: &mut [u8]) -> Result<(), StartError> {
        match self {
            Self::Machine => {
                getrandom::fill(bytes).map_err(|error| StartError::Entropy(error.into()))
            }
            #[cfg(feature = "sim")]
            Self::Sim(host) => {
                host.fill_random(bytes);
                Ok(())
            }
        }
    }

    /// The present addresses of a seed.
    pub(super) async fn look_up(&self, seed: &str) -> io::Result<Vec<String>> {
        match self {
            Self::Machine => machine::addresses(seed).await,
            #[cfg(feature = "sim")]
            Self::Sim(_) => Ok(vec![seed.into()]),
        }
    }

    /// True if the seed's addresses have to be looked up. Hosts of a simulation have one fixed address.
    pub(super) fn has_to_look_up(&self, seed: &str) -> bool {
        match self {
            Self::Machine => seed.parse::<SocketAddr>().is_err(),
            #[cfg(feature = "sim")]
            Self::Sim(_) => false,
        }
    }

    /// Connects to `host:port`. Returns the stream and the other end's address.
    pub(super) async fn connect(
        &self,
        addr: &str,
        config: &NetConfig,
    ) -> io::Result<(Stream, String)> {
        match self {
            Self::Machine => {
                let stream = machine::connect(addr).await?;
                machine::prepare(&stream, config);
                let peer = stream
                    .peer_addr()
                    .map_or_else(|_| addr.to_owned(), |peer| peer.to_string());
                Ok((Stream::Plain(Wire::Tcp(stream)), peer))
            }
            #[cfg(feature = "sim")]
            Self::Sim(host) => {
                let stream = host.connect(addr).await?;
                Ok((Stream::Plain(Wire::Sim(stream)), addr.to_owned()))
            }
        }
    }
}

#[cfg(feature = "sim")]
fn simulated(host: &Host, bind: &Address) -> Result<Listener, StartError> {
    let listener = host.bind(bind).map_err(|error| StartError::Bind {
        address: bind.to_string(),
        error,
    })?;
    Ok(Listener {
        address: listener.address(),
        socket: Some(Acceptor::Sim(listener)),
    })
}

impl Acceptor {
    /// Waits for the next connection. Returns the stream and the other end's address.
    pub(super) async fn accept(&self, config: &NetConfig) -> io::Result<(Stream, String)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                machine::prepare(&stream, config);
                Ok((Stream::Plain(Wire::Tcp(stream)), peer.to_string()))
            }
            #[cfg(feature = "sim")]
            Self::Sim(listener) => {
                let stream = listener.accept().await;
                let peer = stream.peer();
                Ok((Stream::Plain(Wire::Sim(stream)), peer))
            }
        }
    }
}
