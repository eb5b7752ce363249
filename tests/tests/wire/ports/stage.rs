//! A whole node, and a socket that is the other one.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use aemp::{Monitor, Node, PortId, Reason, Value, msg};
use aemp_codec::{Format, Limits};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::socket::Socket;
use crate::replay::story::Proved;
use aemp_tests::transcript::{Transcript, format, packet_json};

/// The secret of a recorded node, in hexadecimal, as an authentication line has it.
fn hex(secret: &str) -> String {
    secret.bytes().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) struct Stage {
    pub(super) own: String,
    other: String,
    secret: String,
    node: Node,
    socket: Option<Socket>,
    /// The names of ports that this node has chosen itself, by the recorded ones.
    names: BTreeMap<String, String>,
    /// The ports that the other node has sent something to. It may have killed them, so `die` leaves them alone.
    touched: Vec<String>,
    guards: BTreeMap<String, [Monitor; 2]>,
    fired: UnboundedReceiver<(String, Reason)>,
    fire: UnboundedSender<(String, Reason)>,
    /// The reports that monitors have to give: port and reason.
    deaths: Vec<(String, Json)>,
    received: UnboundedReceiver<Vec<Value>>,
    /// The messages that ports have to receive.
    messages: Vec<Json>,
}

impl Stage {
    /// A node like the recorded one, with those ports.
    pub(super) async fn new(
        transcript: &Transcript,
        own: &str,
        other: &str,
        ports: &[String],
    ) -> Self {
        let config = &transcript.json["nodes"][own];
        let formats = config["framing_format"].as_array();
        let formats = formats.map(|list| list.iter().map(|name| name.as_str().unwrap()));
        let secret = transcript.secret(own);
        let mut node = Node::builder().node_id(own).secret(secret);
        node = node.bind("127.0.0.1:0").secure(config["secure"] == true);
        if let Some(formats) = formats {
            node = node.framing_format(formats);
        }
        let node = node.start().await.unwrap();
        let (sender, received) = unbounded_channel();
        let collector = node.untyped(move |_: &mut aemp::Cx<'_>, message: aemp::Args| {
            let _ = sender.send(message);
        });
        let (function, to) = match own {
            "b" if transcript.name.starts_with("snd_values") => {
                ("Wire::echo", echoed(transcript, other))
            }
            "b" if !transcript.name.starts_with("connection_lost") => {
                ("Wire::actor", String::new())
            }
            _ => ("Wire::inbox", collector.id().as_str().to_owned()),
        };
        for port in ports {
            let mut message = msg!["AnyEvent::MP::_spawn", port.as_str(), function];
            message.extend((!to.is_empty()).then(|| to.as_str().into()));
            node.snd(&node.id().clone().into(), message);
        }
        let (fire, fired) = unbounded_channel();
        Self {
            own: own.into(),
            other: other.into(),
            secret: hex(secret),
            node,
            socket: None,
            names: BTreeMap::new(),
            touched: Vec::new(),
            guards: BTreeMap::new(),
            fired,
            fire,
            deaths: Vec::new(),
            received,
            messages: Vec::new(),
        }
    }

    /// The other node connects and logs in.
    pub(super) async fn connect(&mut self, proved: &Proved) {
        let address = self.node.listeners().remove(0);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (recv, send) = (
            proved.framing(&self.own, &self.other),
            proved.framing(&self.other, &self.own),
        );
        // It prefers the format in which the recorded end wrote to it.
        let (other, secret) = (&self.other, &self.secret);
        let lines = format!(
            "aemp;1;{other};hmac_sha3_512;{recv}\nnonce {}\ncleartext;{secret};{send}\n",
            self.touched.len()
        );
        stream.write_all(lines.as_bytes()).await.unwrap();
        let mut buffer = Vec::new();
        let proof = loop {
            let lines: Vec<_> = buffer.split(|byte| *byte == b'\n').collect();
            if let [_, _, proof, ..] = &lines[..lines.len() - 1] {
                break String::from_utf8_lossy(proof).into_owned();
            }
            assert_ne!(stream.read_buf(&mut buffer).await.unwrap(), 0, "closed");
        };
        assert!(proof.ends_with(&format!(";{recv}")), "{proof}");
        let after = lines_end(&buffer);
        buffer.drain(..after);
        self.socket = Some(Socket {
            stream,
            buffer,
            early: VecDeque::new(),
            recv: format(recv).unwrap(),
            send: format(send).unwrap(),
        });
        self.node.until_up(&self.other).await;
    }

    /// The connection is over, and everything that is monitored over there dies of it.
    pub(super) async fn hang_up(&mut self) {
        if self.socket.take().is_some() {
            while self
                .node
                .up_nodes()
                .iter()
                .any(|up| up.as_str() == self.other)
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let text = "Unexpected end-of-file";
            let reason = json!(["transport_error", self.other, text]);
            for port in std::mem::take(&mut self.guards).into_keys() {
                self.deaths.push((port.clone(), reason.clone()));
                self.deaths.push((port, reason.clone()));
            }
        }
    }

    fn remote(&self, name: &str) -> PortId {
        let name = self.names.get(name).map_or(name, |name| name);
        PortId::parse(&format!("{}#{name}", self.other)).unwrap()
    }

    /// Repeats the action by which the recorded node sent a packet.
    pub(super) async fn do_again(&mut self, packet: &Json, place: &str) {
        let values: Value = serde_json::from_value(packet.clone()).unwrap();
        let mut values = values.as_array().unwrap().to_vec();
        let name = if values.is_empty() {
            Value::Null
        } else {
            values.remove(0)
        };
        let name = name.text().unwrap().into_owned();
        let tag = packet[1].as_str().unwrap_or_default();
        let port = packet[2].as_str().unwrap_or_default();
        match (name.as_str(), tag) {
            ("", "kil0") => {
                self.settle(place).await;
                self.die(port, values.split_off(2));
            }
            ("", "mon1") if self.own == "a" => self.monitor(port),
            ("", "mon0") if self.own == "a" => drop(self.guards.remove(port)),
            ("", "kil1") => self.node.kil(&self.remote(port), values.split_off(2)),
            ("", "AnyEvent::MP::_spawn") => {
                let spawned = self.node.spawn(
                    &self.other,
                    packet[3].as_str().unwrap(),
                    values.split_off(3),
                );
                self.names.insert(port.into(), spawned.name().into());
            }
            // Messages from the ports of the other node's seat are answers.
            (name, _) if self.own == "a" || name.is_empty() => {
                self.node.snd(&self.remote(name), values);
            }
            _ => {}
        }
    }

    /// A port dies by itself, unless something that it was sent kills it.
    fn die(&self, name: &str, reason: Vec<Value>) {
        if !self.touched.iter().any(|touched| touched == name) {
            let port = PortId::parse(&format!("{}#{name}", self.own)).unwrap();
            self.node.kil(&port, reason);
        }
    }

    /// Two monitors, which are one to the other node.
    fn monitor(&mut self, name: &str) {
        let port = self.remote(name);
        let guards = [(); 2].map(|()| {
            let (fire, name) = (self.fire.clone(), name.to_owned());
            self.node.mon(&port, move |reason| {
                let _ = fire.send((name, reason.clone()));
            })
        });
        self.guards.insert(name.into(), guards);
    }

    /// A recorded packet with the names that this node has chosen.
    pub(super) fn translated(&self, packet: &Json) -> Json {
        let mut text = packet.to_string();
        for (recorded, name) in &self.names {
            text = text.replace(recorded, name);
        }
        serde_json::from_str(&text).unwrap()
    }

    /// The other node sends a packet.
    pub(super) async fn send(&mut self, packet: &Json, bytes: &[u8]) {
        let translated = self.translated(packet);
        let (port, request) = (packet[0].as_str().unwrap_or_default(), &packet[1]);
        match (port, request.as_str().unwrap_or_default()) {
            ("", "kil0") => {
                let (port, reason) = (packet[2].as_str().unwrap(), rest(&translated, 3));
                // They have fired when they are dropped.
                for guard in self.guards.remove(port).into_iter().flatten() {
                    guard.detach();
                }
                self.deaths
                    .extend([(port.into(), reason.clone()), (port.into(), reason)]);
            }
            ("", "kil1" | "AnyEvent::MP::_spawn") => {
                self.touched.push(packet[2].as_str().unwrap().into());
            }
            ("", _) => {}
            (port, _) => {
                self.touched.push(port.into());
                self.messages.push(translated.clone());
            }
        }
        let socket = self.socket.as_mut().unwrap();
        let bytes = if translated == *packet {
            bytes.to_vec()
        } else {
            encoded(&socket.send, &translated)
        };
        socket.stream.write_all(&bytes).await.unwrap();
    }

    /// The next packet that the node sends and that says something.
    pub(super) async fn next_packet(&mut self, place: &str) -> Json {
        let socket = self.socket.as_mut().expect("they are connected");
        match socket.early.pop_front() {
            Some(packet) => packet,
            None => socket.read(place).await,
        }
    }

    /// Everything that has been sent to the node has been dealt with.
    async fn settle(&mut self, place: &str) {
        let socket = self.socket.as_mut().expect("they are connected");
        let request = json!(["", "snd", format!("{}#settled", self.other)]);
        let request = encoded(&socket.send, &request);
        socket.stream.write_all(&request).await.unwrap();
        loop {
            match socket.read(place).await {
                packet if packet[0] == "settled" => return,
                packet => socket.early.push_back(packet),
            }
        }
    }

    /// Nothing else has been sent, and everything has arrived.
    pub(super) async fn end(mut self, place: &str) {
        super::soon(place, self.settle(place)).await;
        let more = self.socket.iter().flat_map(|socket| &socket.early);
        assert_eq!(more.collect::<Vec<_>>(), Vec::<&Json>::new(), "{place}");
        for (port, reason) in std::mem::take(&mut self.deaths) {
            let (fired, why) = super::soon(place, self.fired.recv()).await.unwrap();
            assert_eq!((&fired, json(&why)), (&port, reason), "{place}");
        }
        assert!(self.fired.try_recv().is_err(), "{place}");
        if self.own == "a" {
            for message in std::mem::take(&mut self.messages) {
                let received = super::soon(place, self.received.recv()).await.unwrap();
                assert_eq!(json(&received), message, "{place}");
            }
        }
        self.node.stop().await;
    }
}

/// The port to which a recorded node sends its messages back.
fn echoed(transcript: &Transcript, other: &str) -> String {
    let (_, from, ..) = transcript.connections().next().unwrap();
    assert_eq!(from, other);
    let sent = transcript.sent(1, "b", "data").remove(0);
    let framing = transcript.json["connections"][0]["framing"]["b->a"].as_str();
    let packet = packet_json(&format(framing.unwrap()).unwrap(), &sent);
    format!("{other}#{}", packet[0].as_str().unwrap())
}

/// Behind the third line.
fn lines_end(buffer: &[u8]) -> usize {
    let ends = buffer.iter().enumerate();
    let mut ends = ends.filter(|(_, byte)| **byte == b'\n');
    ends.nth(2).unwrap().0 + 1
}

fn rest(packet: &Json, from: usize) -> Json {
    packet.as_array().unwrap()[from..].to_vec().into()
}

fn json(values: &[Value]) -> Json {
    let text = Value::from(values.to_vec()).to_string();
    serde_json::from_str(&text).unwrap()
}

fn encoded(format: &Format, packet: &Json) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = format.writer(&mut bytes, Limits::default());
    let parts = packet.as_array().unwrap();
    parts.iter().for_each(|part| writer.arg(part).unwrap());
    writer.finish().unwrap();
    bytes
}
