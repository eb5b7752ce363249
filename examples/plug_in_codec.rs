//! A wire format of another crate: packets as netstrings (`LENGTH:JSON,`), negotiated by name like any other.
//!
//! A node without this format would still be understood: the connection would fall back to plain JSON.

use std::{error::Error, ops::Range, time::Duration};

use aemp::{
    Codec, DecodeError, EncodeError, Format, Limits, Node, Value,
    codec::{FrameError, FrameErrorKind, Framing},
    msg, port,
};

/// Packets with their length in front.
#[derive(Debug)]
struct Netstring;

impl Codec for Netstring {
    fn name(&self) -> &str {
        "netstring-json"
    }

    fn framer(&self, limits: Limits) -> Box<dyn Framing> {
        Box::new(Framer { limits })
    }

    fn encode(&self, packet: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut json = Vec::new();
        let mut writer = Format::Json.writer(&mut json, Limits::default());
        packet.iter().try_for_each(|value| writer.value(value))?;
        writer.finish()?;
        out.extend_from_slice(format!("{}:", json.len()).as_bytes());
        out.extend_from_slice(&json);
        out.push(b',');
        Ok(())
    }

    fn decode(&self, packet: &[u8], limits: Limits) -> Result<Vec<Value>, DecodeError> {
        let start = packet
            .iter()
            .position(|&octet| octet == b':')
            .map_or(0, |colon| colon + 1);
        let json = &packet[start..packet.len() - 1];
        Format::Json.reader(json, limits)?.rest()
    }
}

#[derive(Debug)]
struct Framer {
    limits: Limits,
}

impl Framing for Framer {
    fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        let Some(colon) = buffer.iter().take(9).position(|&octet| octet == b':') else {
            if buffer.len() >= 9 {
                return Err(malformed(0, "no length before the packet"));
            }
            return Ok(None);
        };
        let length = std::str::from_utf8(&buffer[..colon])
            .ok()
            .and_then(|text| text.parse().ok());
        let length: usize = length.ok_or_else(|| malformed(0, "the length is no number"))?;
        if length > self.limits.max_packet {
            return Err(malformed(0, "the packet is too long"));
        }
        let end = colon + 1 + length;
        match buffer.get(end) {
            None => Ok(None),
            Some(b',') => Ok(Some(0..end + 1)),
            Some(_) => Err(malformed(end, "no comma behind the packet")),
        }
    }
}

fn malformed(offset: usize, text: &str) -> FrameError {
    FrameError::new(offset, FrameErrorKind::Malformed(text.into()))
}

struct Echo;

#[port]
impl Echo {
    #[rcv]
    fn echo(&self, text: String) -> String {
        text
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Node::builder()
        .node_id("server")
        .secret("demo")
        .codec(Netstring);
    let server = server.bind("127.0.0.1:0").start().await?;
    let echo = server.port(Echo);

    let client = Node::builder()
        .node_id("client")
        .secret("demo")
        .codec(Netstring);
    let client = client.seed(server.listeners().remove(0)).start().await?;
    tokio::time::timeout(Duration::from_secs(5), client.until_up("server")).await?;
    let format = client
        .node_format("server")
        .ok_or("connected nodes have a format")?;
    println!("the nodes speak {format}");

    let far: EchoRef = client.handle(&echo.id());
    println!("typed call: {}", far.echo("tea?".into()).await?);
    println!(
        "untyped call: {:?}",
        client.cal(&echo.id(), msg!["echo", "tea!"]).await?
    );

    client.stop().await;
    server.stop().await;
    Ok(())
}
