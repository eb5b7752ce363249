//! Sockets without a node: they see every packet, and send packets that no node would send.

use aemp::Node;
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    common::{SECRET, soon},
    nodes::address,
};

/// One connection to a node.
pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The secret in clear text, in hexadecimal.
pub(crate) fn hex_secret() -> String {
    SECRET.bytes().map(|byte| format!("{byte:02x}")).collect()
}

impl Raw {
    /// Connects and says nothing.
    pub(crate) async fn connect(node: &Node) -> Self {
        let stream = TcpStream::connect(address(node)).await;
        Self {
            stream: stream.expect("the node listens"),
            buffer: Vec::new(),
        }
    }

    /// Connects and logs in as the minimal client of the protocol, three lines.
    pub(crate) async fn login(node: &Node, id: &str) -> Self {
        Self::login_writing(node, id, "json").await
    }

    /// The same as a client that writes another format than the JSON that it reads.
    pub(crate) async fn login_writing(node: &Node, id: &str, format: &str) -> Self {
        Self::login_with(node, id, "", format).await
    }

    /// The same as a client with more keys in its greeting.
    pub(crate) async fn login_saying(node: &Node, id: &str, keys: &str) -> Self {
        Self::login_with(node, id, keys, "json").await
    }

    async fn login_with(node: &Node, id: &str, keys: &str, format: &str) -> Self {
        let mut raw = Self::connect(node).await;
        let secret = hex_secret();
        let lines =
            format!("aemp;1;{id};hmac_sha3_512;json{keys}\nnonce\ncleartext;{secret};{format}\n");
        raw.send(lines).await;
        raw.handshake().await;
        soon(node.until_up(id)).await;
        raw
    }

    /// Reads the node's three lines; the greeting's first.
    pub(crate) async fn handshake(&mut self) -> String {
        let greeting = self.line().await;
        self.line().await;
        let proof = self.line().await;
        assert!(proof.starts_with("hmac_sha3_512;"), "{proof}");
        assert!(proof.ends_with(";json"), "{proof}");
        greeting
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = soon(self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the node takes it");
    }

    /// Sends as much as the node takes, which may have had enough.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon(self.stream.write_all(bytes.as_ref())).await;
    }

    pub(crate) async fn line(&mut self) -> String {
        let line = self.try_line().await;
        line.expect("closed in the middle of a line")
    }

    /// The next line, unless the node closes.
    pub(crate) async fn try_line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(String::from_utf8(line).expect("text").trim_end().into());
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next packet that is no keepalive, and not about global nodes.
    pub(crate) async fn packet(&mut self) -> Json {
        // As a whole, because keepalives would make each single read come soon.
        soon(self.some_packet()).await
    }

    async fn some_packet(&mut self) -> Json {
        loop {
            let mut packets =
                serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Json>();
            if let Some(Ok(packet)) = packets.next() {
                let end = packets.byte_offset();
                self.buffer.drain(..end);
                let request = packet[1].as_str().unwrap_or_default();
                let global = packet[0] == "" && request.starts_with("g_");
                if packet != Json::Array(Vec::new()) && !global {
                    return packet;
                }
            } else {
                assert!(self.read().await, "closed");
            }
        }
    }

    async fn read(&mut self) -> bool {
        let read = soon(self.stream.read_buf(&mut self.buffer)).await;
        read.is_ok_and(|count| count > 0)
    }

    /// Reads until the node closes the connection. Returns the octets that had not been read.
    pub(crate) async fn closed(mut self) -> String {
        let reading = async { while self.read().await {} };
        soon(reading).await;
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Writes no more. The other end reads all sent data, then the end.
    pub(crate) async fn end(&mut self) {
        let ended = soon(self.stream.shutdown()).await;
        ended.expect("the socket is open");
    }

    /// Closes so that the other end gets a reset.
    pub(crate) fn reset(self) {
        let socket = self.stream.into_std().expect("a socket");
        let socket = socket2::SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO));
        socket.expect("lingering can be set");
    }
}
