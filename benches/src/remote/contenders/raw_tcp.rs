//! The baseline: TCP, with packets that are written and parsed in the fastest way that other crates offer for each
//! format.
//!
//! A packet is its length in four bytes and an array of port, tag, integer and text or bytes. A call has the name of
//! its reply port as a fifth element, and its answer goes to that port. There are no node IDs, no handshake, no table
//! of ports and no keepalive: this is the least cost of such a service.

mod packet;
mod writer;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::remote::codec::Codec;
use crate::remote::contender::{Delivered, Remote};
use crate::remote::contenders::raw_tcp::packet::{Content, Packet};
use crate::remote::contenders::raw_tcp::writer::{ROOM, Writer};

/// The client's side.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    shared: Arc<Client>,
}

#[derive(Debug)]
struct Client {
    writer: Writer,
    waiting: Mutex<Waiting>,
}

/// The calls that have no answer yet, by the number of their reply port.
#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    calls: HashMap<u64, oneshot::Sender<u64>>,
}

impl Remote for Raw {
    async fn serve(
        codec: Codec,
        delivered: &'static Delivered,
        announce: impl FnOnce(String) + Send + 'static,
    ) {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has free ports");
        announce(listener.local_addr().expect("it is bound").to_string());
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(codec, stream, delivered));
        }
    }

    async fn connect(codec: Codec, address: &str) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the service listens");
        stream.set_nodelay(true).expect("a TCP option");
        let (reader, writer) = stream.into_split();
        let client = Client {
            writer: Writer::start(codec, writer),
            waiting: Mutex::default(),
        };
        let shared = Arc::new(client);
        tokio::spawn(collect(codec, reader, Arc::clone(&shared)));
        Self { shared }
    }

    async fn put(&self, number: i64, text: &str) {
        self.put_content(number, Content::Text(text)).await;
    }

    async fn put_bytes(&self, number: i64, bytes: &Arc<[u8]>) {
        self.put_content(number, Content::Bytes(bytes)).await;
    }

    async fn call(&self, number: i64, text: &str) -> u64 {
        let (sender, answer) = oneshot::channel();
        let port = self.shared.waits(sender).to_string();
        let packet = Packet {
            port: "service",
            tag: "call",
            number,
            content: Content::Text(text),
            reply: Some(&port),
        };
        self.shared.writer.send(&packet);
        answer.await.expect("the service answers")
    }
}

impl Raw {
    async fn put_content(&self, number: i64, content: Content<'_>) {
        let packet = Packet {
            port: "service",
            tag: "put",
            number,
            content,
            reply: None,
        };
        if self.shared.writer.send(&packet) > ROOM {
            self.shared.writer.room().await;
        }
    }
}

impl Client {
    fn waits(&self, sender: oneshot::Sender<u64>) -> u64 {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.last += 1;
        let port = waiting.last;
        waiting.calls.insert(port, sender);
        port
    }

    fn answered(&self, port: &str) -> Option<oneshot::Sender<u64>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.calls.remove(&port.parse().ok()?)
    }
}

/// The service's side of one connection. The answers to all requests of one read leave in one write.
async fn answer(codec: Codec, stream: TcpStream, delivered: &'static Delivered) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut receiver = Receiver::new(codec, reader);
    let mut answers = Vec::new();
    loop {
        receiver
            .batch(|packet| match (packet.port, packet.tag, packet.reply) {
                ("service", "put", None) => match packet.content {
                    Content::Text(text) => delivered.put(packet.number, text),
                    Content::Bytes(bytes) => delivered.put_bytes(packet.number, bytes),
                },
                ("service", "call", Some(port)) => {
                    let number = delivered.count() as i64;
                    let answer = Packet {
                        port,
                        tag: "answer",
                        number,
                        content: Content::Text(""),
                        reply: None,
                    };
                    answer.write(codec, &mut answers);
                }
                _ => {}
            })
            .await?;
        writer.write_all(&answers).await?;
        answers.clear();
    }
}

/// The client's reader, which completes the calls.
async fn collect(codec: Codec, reader: OwnedReadHalf, client: Arc<Client>) -> io::Result<()> {
    let mut receiver = Receiver::new(codec, reader);
    loop {
        receiver
            .batch(|packet| {
                if let Some(call) = client.answered(packet.port) {
                    let _ = call.send(packet.number as u64);
                }
            })
            .await?;
    }
}

/// Reads packets.
struct Receiver {
    codec: Codec,
    reader: OwnedReadHalf,
    buffer: Vec<u8>,
    filled: usize,
}

impl Receiver {
    fn new(codec: Codec, reader: OwnedReadHalf) -> Self {
        // Holds more than the longest packet.
        Self {
            codec,
            reader,
            buffer: vec![0; 1 << 18],
            filled: 0,
        }
    }

    /// Reads once, and hands over all packets that are whole.
    async fn batch(&mut self, mut handle: impl FnMut(Packet<'_>)) -> io::Result<()> {
        match self.reader.read(&mut self.buffer[self.filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => self.filled += read,
        }
        let mut rest = &self.buffer[..self.filled];
        while let Some((body, after)) = packet::split(rest) {
            handle(Packet::parse(self.codec, body).ok_or(io::ErrorKind::InvalidData)?);
            rest = after;
        }
        let left = rest.len();
        self.buffer.copy_within(self.filled - left..self.filled, 0);
        self.filled = left;
        Ok(())
    }
}
