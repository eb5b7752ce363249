//! The socket on which the watchdog hears one process of the node.
//!
//! Each process has a socket of its own. A message that a process has left behind at its end would otherwise count for
//! the next process: its `STOPPING=1` would end that one.

use std::{
    fs, io,
    os::unix::{fs::DirBuilderExt, net::UnixDatagram as Bound},
    path::PathBuf,
    time::Duration,
};

use tokio::net::UnixDatagram;

use crate::notify;

/// The socket for the notifications of the node: in a directory that only this user can enter.
pub(super) struct Ear {
    socket: UnixDatagram,
    directory: PathBuf,
}

impl Ear {
    pub(super) fn new() -> io::Result<Self> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        let directory = std::env::temp_dir().join(format!("aemp-{random:016x}"));
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let bound = Bound::bind(directory.join("notify")).and_then(|socket| {
            socket.set_nonblocking(true)?;
            UnixDatagram::from_std(socket)
        });
        match bound {
            Ok(socket) => Ok(Self { socket, directory }),
            Err(error) => {
                let _ = fs::remove_dir_all(&directory);
                Err(error)
            }
        }
    }

    /// Names the socket to a process, as systemd does.
    pub(super) fn name_to(&self, command: &mut std::process::Command, heartbeat: Duration) {
        command
            .env(notify::SOCKET, self.directory.join("notify"))
            .env(notify::HEARTBEAT, heartbeat.as_micros().to_string())
            .env_remove(notify::PROCESS);
    }

    /// Waits for the next word of the node.
    pub(super) async fn next(&self) -> Said {
        let mut text = [0; 256];
        match self.socket.recv(&mut text).await {
            Ok(length) => Said::of(&text[..length]),
            Err(error) => {
                tracing::warn!("the node cannot be heard: {error}");
                std::future::pending().await
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// One message of the node. Any message is a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) ready: bool,
    pub(super) stopping: bool,
}

impl Said {
    fn of(text: &[u8]) -> Self {
        let says = |word: &str| {
            text.split(|octet| *octet == b'\n')
                .any(|line| line == word.as_bytes())
        };
        Self {
            ready: says(notify::READY),
            stopping: says(notify::STOPPING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lines() {
        let said = |text: &str| Said::of(text.as_bytes());
        assert!(said("READY=1\nSTATUS=fine").ready);
        assert!(said("MAINPID=5\nSTOPPING=1\n").stopping);
        let beat = said("WATCHDOG=1");
        assert!(!beat.ready && !beat.stopping);
        assert!(!said("XREADY=1").ready);
    }
}
