//! The other end of the connection.

use std::collections::VecDeque;

use aemp_codec::{Format, Limits};
use serde_json::Value as Json;
use tokio::{io::AsyncReadExt, net::TcpStream};

use aemp_tests::transcript::packet_json;

pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) buffer: Vec<u8>,
    /// Packets that have been read while something else was waited for.
    pub(super) early: VecDeque<Json>,
    /// The format in which the node writes.
    pub(super) recv: Format,
    pub(super) send: Format,
}

impl Socket {
    /// The next packet that says something.
    pub(super) async fn read(&mut self, place: &str) -> Json {
        loop {
            let mut framer = self.recv.framer(Limits::default());
            if let Some(range) = framer.scan(&self.buffer).unwrap() {
                let end = range.end;
                let packet = packet_json(&self.recv, &self.buffer[range]);
                self.buffer.drain(..end);
                if !super::is_keepalive(&packet) {
                    return packet;
                }
            } else {
                let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
                assert_ne!(read, 0, "{place}: closed");
            }
        }
    }
}
