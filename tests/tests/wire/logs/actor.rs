//! Another node, which sends the recorded packets.

use std::sync::{Arc, Mutex};

use aemp_codec::{Format, Limits};
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

use aemp_tests::transcript::{format, packet_json};

pub(super) struct Actor {
    write: OwnedWriteHalf,
    send: Format,
    received: Arc<Mutex<Vec<Json>>>,
    reading: JoinHandle<()>,
}

impl Actor {
    /// Logs in with the recorded greeting. The formats are for its output and its input.
    pub(super) async fn login(
        mut stream: TcpStream,
        greeting: &[u8],
        secret: &str,
        [send, recv]: [&str; 2],
    ) -> Self {
        let secret: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let proof = format!("cleartext;{secret};{send}\n");
        stream.write_all(greeting).await.unwrap();
        stream.write_all(proof.as_bytes()).await.unwrap();
        let mut lines = Vec::new();
        while lines.iter().filter(|byte| **byte == b'\n').count() < 3 {
            lines.push(stream.read_u8().await.unwrap());
        }
        let proof = String::from_utf8(lines).unwrap();
        assert!(proof.ends_with(&format!(";{recv}\n")), "{proof}");
        let (read, write) = stream.into_split();
        let received = Arc::<Mutex<Vec<Json>>>::default();
        let reading = tokio::spawn(keep(read, format(recv).unwrap(), Arc::clone(&received)));
        Self {
            write,
            send: format(send).unwrap(),
            received,
            reading,
        }
    }

    pub(super) async fn send(&mut self, packet: &Json) {
        let mut bytes = Vec::new();
        let mut writer = self.send.writer(&mut bytes, Limits::default());
        let parts = packet.as_array().unwrap();
        parts.iter().for_each(|part| writer.arg(part).unwrap());
        writer.finish().unwrap();
        self.write.write_all(&bytes).await.unwrap();
    }

    /// The packets since the last time.
    pub(super) fn take(&self) -> Vec<Json> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Keeps each packet that says something.
async fn keep(mut read: OwnedReadHalf, format: Format, received: Arc<Mutex<Vec<Json>>>) {
    let mut buffer = Vec::new();
    while read.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        while let Some(range) = format.framer(Limits::default()).scan(&buffer).unwrap() {
            let end = range.end;
            let packet = packet_json(&format, &buffer[range]);
            buffer.drain(..end);
            let parts = packet.as_array().unwrap();
            if !parts.iter().all(|part| part == "") {
                received.lock().unwrap().push(packet);
            }
        }
    }
}
