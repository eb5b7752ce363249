//! The sockets, names and commands of this machine (feature `net`). `absent.rs` has the same without the feature.

mod bind;
mod command;
mod interfaces;
mod names;
mod options;

use std::io;

use tokio::io::AsyncWriteExt;
pub(super) use tokio::net::{TcpListener, TcpStream};

pub(crate) use self::interfaces::local_addresses;
pub(super) use self::{
    bind::bind,
    command::run,
    names::{addresses, connect},
    options::{hold, is_near, prepare},
};

/// Writes no more: the other end reads all written bytes, then the end.
pub(super) async fn shutdown(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await
}
