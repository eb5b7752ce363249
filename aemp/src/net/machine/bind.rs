//! Making listeners from the configuration ([protocol](aemp_proto::protocol::configuration#addresses)).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

use super::{interfaces::local_addresses, names};
use crate::{
    StartError,
    config::{Address, Host},
    net::{Listener, place::Acceptor},
};

/// The length of the queue of connections that wait to be accepted, if the system allows it. A peer that finds it full
/// tries again after a second at the earliest, so thousands of strangers should not fill it.
const BACKLOG: u32 = 4096;

/// Listens on all sockets that these addresses stand for. The ports that were bound are kept.
pub(in crate::net) async fn bind(binds: &[Address]) -> Result<Vec<Listener>, StartError> {
    let mut listeners = Vec::new();
    let mut bound = Vec::new();
    for bind in binds {
        for target in targets(bind).await? {
            // `*:4040` and a name of this host often stand for the same socket.
            if target.port() != 0 && bound.contains(&target) {
                continue;
            }
            bound.push(target);
            match listen(target).await {
                Ok(more) => listeners.extend(more),
                // The interface of this address may be down.
                Err(error)
                    if bind.host == Host::Any
                        && error.kind() == io::ErrorKind::AddrNotAvailable =>
                {
                    crate::log::warning!(
                        "not listening on {target}, which {bind} stands for: {error}"
                    );
                }
                Err(error) => return Err(failed(bind, Some(target), error)),
            }
        }
    }
    Ok(listeners)
}

/// The sockets that an address stands for.
async fn targets(bind: &Address) -> Result<Vec<SocketAddr>, StartError> {
    let port = bind.port.unwrap_or(0);
    let Some(socket) = bind.socket() else {
        let addresses = local_addresses().map_err(|error| failed(bind, None, error))?;
        if addresses.is_empty() {
            crate::log::warning!(
                "{bind} stands for every address that is not loopback, and this machine has none: not listening there"
            );
        }
        return Ok(addresses.into_iter().map(|ip| (ip, port).into()).collect());
    };
    let found = names::look_up(&socket).await;
    let found = found.map_err(|error| failed(bind, None, error))?;
    let mut targets: Vec<SocketAddr> = Vec::new();
    for target in found {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    if targets.is_empty() {
        let none = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        return Err(failed(bind, None, none));
    }
    Ok(targets)
}

fn failed(bind: &Address, target: Option<SocketAddr>, error: io::Error) -> StartError {
    let mut address = match (&bind.host, bind.socket()) {
        // A bare number would not show that it is a port.
        (Host::Own, Some(socket)) => socket,
        _ => bind.to_string(),
    };
    if let Some(target) = target.map(|target| target.to_string())
        && target != address
    {
        address = format!("{address} ({target})");
    }
    StartError::Bind { address, error }
}

/// Listens on a socket. Returns a listener for each address at which it can be reached.
async fn listen(target: SocketAddr) -> io::Result<Vec<Listener>> {
    let socket = listener(target)?;
    let local = socket.local_addr()?;
    let addresses = announced(local, &socket);
    let mut listeners: Vec<Listener> = addresses
        .into_iter()
        .map(|address| Listener {
            address: address.to_string(),
            socket: None,
        })
        .collect();
    if let Some(first) = listeners.first_mut() {
        first.socket = Some(Acceptor::Tcp(socket));
    }
    Ok(listeners)
}

fn listener(target: SocketAddr) -> io::Result<TcpListener> {
    let socket = match target {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As `TcpListener::bind` does. On Windows this option means something else.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(target)?;
    socket.listen(BACKLOG)
}

/// The addresses at which other nodes reach a listener. `0.0.0.0` and `[::]` are replaced, as they mean nothing to
/// other nodes. There is always at least one.
fn announced(local: SocketAddr, socket: &TcpListener) -> Vec<SocketAddr> {
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let only = SockRef::from(socket).only_v6().unwrap_or(true);
    let reaches = |ip: &IpAddr| match local.ip() {
        IpAddr::V4(_) => ip.is_ipv4(),
        IpAddr::V6(_) => ip.is_ipv6() || !only,
    };
    let mut addresses = local_addresses().unwrap_or_default();
    addresses.retain(reaches);
    if addresses.is_empty() {
        addresses.push(match local.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let port = local.port();
    addresses.into_iter().map(|ip| (ip, port).into()).collect()
}
