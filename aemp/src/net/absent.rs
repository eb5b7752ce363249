//! Stands for `machine.rs` in programs that are built without the feature `net`: there are no sockets, and each use of one is an error.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use super::{Listener, NetConfig};
use crate::{StartError, config::Address};

/// There is none.
pub(super) enum TcpStream {}

/// There is none.
pub(super) enum TcpListener {}

fn absent() -> io::Error {
    let text = "this program is built without a network (the feature `net` of aemp)";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

impl TcpStream {
    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match *self {}
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        match *self {}
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn try_read_buf(&self, _buffer: &mut Vec<u8>) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn try_write(&self, _bytes: &[u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl TcpListener {
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match *self {}
    }
}

pub(super) async fn shutdown(stream: &mut TcpStream) -> io::Result<()> {
    match *stream {}
}

pub(super) fn prepare(stream: &TcpStream, _config: &NetConfig) {
    match *stream {}
}

pub(super) fn is_near(stream: &TcpStream) -> bool {
    match *stream {}
}

pub(super) fn hold(stream: &TcpStream, _bytes: usize) {
    match *stream {}
}

pub(super) async fn bind(binds: &[Address]) -> Result<Vec<Listener>, StartError> {
    match binds.first() {
        None => Ok(Vec::new()),
        Some(first) => Err(StartError::Bind {
            address: first.to_string(),
            error: absent(),
        }),
    }
}

pub(super) async fn addresses(_name: &str) -> io::Result<Vec<String>> {
    Err(absent())
}

pub(super) async fn connect(_addr: &str) -> io::Result<TcpStream> {
    Err(absent())
}

pub(super) async fn run(_command: &str) -> io::Result<Vec<String>> {
    Err(absent())
}

pub(crate) fn local_addresses() -> io::Result<Vec<IpAddr>> {
    Err(absent())
}

#[cfg(test)]
mod tests {
    use crate::{Args, Cx, Node, StartError};

    #[tokio::test]
    async fn a_node_without_a_network_has_local_ports() {
        let node = Node::builder().node_id("alone").start().await.unwrap();
        let port = node.untyped(|_: &mut Cx<'_>, _: Args| ());
        assert_eq!(port.id().node_id(), *node.id());
        node.stop().await;
    }

    #[tokio::test]
    async fn a_node_that_is_to_have_one_does_not_start() {
        let builder = || Node::builder().node_id("alone").secret("s3cret");
        for (builder, named) in [
            (builder().bind("127.0.0.1:0"), "binds"),
            (builder().seed("127.0.0.1:4040"), "seeds"),
        ] {
            let error = builder.start().await.unwrap_err();
            assert!(matches!(&error, StartError::Setting { setting, .. } if *setting == named));
            assert!(error.to_string().contains("feature `net`"), "{error}");
        }
    }
}
