//! One connection of the attacker.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{Target, fresh_id};
use crate::soak::SECRET;

/// The time that the victim has for an answer before the attacker tries again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connects from that address.
pub(super) async fn connect(target: &Target, from: Ipv4Addr) -> io::Result<TcpStream> {
    let to: SocketAddr = target.address.parse().map_err(io::Error::other)?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((from, 0).into())?;
    let connected = tokio::time::timeout(PATIENCE, socket.connect(to)).await;
    connected.map_err(io::Error::other)?
}

/// An authenticated connection.
pub(super) struct Peer {
    pub(super) id: String,
    pub(super) write: OwnedWriteHalf,
    read: BufReader<OwnedReadHalf>,
}

impl Peer {
    /// Logs in as the minimal client of the protocol, three lines, under an ID that has never been used.
    pub(super) async fn login(target: &Target, from: Ipv4Addr) -> io::Result<Self> {
        Self::login_writing(target, from, "json").await
    }

    /// As one that writes another format.
    pub(super) async fn login_writing(
        target: &Target,
        from: Ipv4Addr,
        format: &str,
    ) -> io::Result<Self> {
        let id = fresh_id();
        let (read, mut write) = connect(target, from).await?.into_split();
        let secret: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        let lines = format!("aemp;1;{id};hmac_sha3_512;json\nnonce\ncleartext;{secret};{format}\n");
        write.write_all(lines.as_bytes()).await?;
        let mut read = BufReader::new(read);
        let handshake = async {
            for _ in 0..3 {
                let mut line = Vec::new();
                if read.read_until(b'\n', &mut line).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
            }
            Ok(())
        };
        let done = tokio::time::timeout(PATIENCE, handshake).await;
        done.map_err(io::Error::other)??;
        Ok(Self { id, write, read })
    }

    /// From now on all data of the victim is read and forgotten.
    pub(super) fn listen(self) -> OwnedWriteHalf {
        let mut read = self.read;
        tokio::spawn(async move { tokio::io::copy_buf(&mut read, &mut tokio::io::sink()).await });
        self.write
    }

    /// The victim's answers are never read, as long as the second part lives.
    pub(super) fn deaf(self) -> (OwnedWriteHalf, BufReader<OwnedReadHalf>) {
        (self.write, self.read)
    }
}
