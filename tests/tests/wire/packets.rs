//! Every recorded packet, read and written again; and what was monitored, done again.

use std::{collections::BTreeMap, time::Duration};

use aemp::proto::{
    Time,
    link::Link,
    peer::{ConnId, MonitorId, Peer, PeerLimits, Standing},
    request::Request,
};
use aemp_codec::{Format, Limits, NodeId, PacketReader, Value};
use serde_json::Value as Json;

use crate::transcript::{self, Transcript};

/// Scenarios with packets that are no JSON; the codec has its own tests of them.
const NOT_JSON: [&str; 2] = ["snd_values", "snd_unencodable"];

/// Connections whose packets are JSON in both directions.
fn json_connections(transcript: &Transcript) -> Vec<(u64, String, String)> {
    let connections = transcript.connections().filter(|(_, _, _, record)| {
        let framing = record["framing"].as_object();
        let json = framing.is_some_and(|framing| {
            framing.len() == 2 && framing.values().all(|name| name == "json")
        });
        json && record["protocol"]
            .as_str()
            .is_none_or(|protocol| protocol == "aemp")
    });
    connections
        .map(|(conn, a, b, _)| (conn, a.into(), b.into()))
        .collect()
}

fn covered() -> Vec<Transcript> {
    let mut transcripts = transcript::all();
    transcripts.retain(|transcript| !NOT_JSON.contains(&transcript.name.as_str()));
    transcripts
}

fn reader(packet: &[u8]) -> PacketReader<'_> {
    Format::Json.reader(packet, Limits::default()).unwrap()
}

fn json(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn packets_are_found_whatever_the_chunks() {
    for transcript in covered() {
        for (conn, a, b) in json_connections(&transcript) {
            for from in [&a, &b] {
                let packets = transcript.sent(conn, from, "data");
                for chunk in [1, 5, 4096] {
                    let timeout = Duration::from_secs(30);
                    let (limits, leftover) = (Limits::default(), Vec::new());
                    let mut link =
                        Link::new(Time::ZERO, &Format::Json, limits, timeout, None, leftover);
                    let mut found = Vec::new();
                    for bytes in packets.concat().chunks(chunk) {
                        link.received(Time::ZERO, bytes);
                        while let Some(packet) = link.next_packet().unwrap() {
                            found.push(json(packet));
                        }
                    }
                    let recorded: Vec<_> = packets.iter().map(|packet| json(packet)).collect();
                    assert_eq!(found, recorded, "{} {conn} {from}", transcript.name);
                }
            }
        }
    }
}

#[test]
fn requests_and_messages_are_read_and_written_as_they_were() {
    let mut kinds = BTreeMap::new();
    for transcript in covered() {
        for (conn, a, b) in json_connections(&transcript) {
            for packet in [a, b]
                .iter()
                .flat_map(|from| transcript.sent(conn, from, "data"))
            {
                let kind = check_packet(&transcript.name, &packet);
                *kinds.entry(kind).or_insert(0) += 1;
            }
        }
    }
    for kind in [
        "", "mon0", "mon1", "kil0", "kil1", "snd", "can", "time", "eval", "devnull", "g_slave",
        "message",
    ] {
        assert!(kinds.contains_key(kind), "no {kind:?} among {kinds:?}");
    }
}

fn check_packet(name: &str, packet: &[u8]) -> String {
    let mut packet_reader = reader(packet);
    let port = packet_reader
        .text()
        .unwrap()
        .unwrap_or_default()
        .into_owned();
    let mut out = Vec::new();
    let mut writer = Format::Json.writer(&mut out, Limits::default());
    writer.str(&port).unwrap();
    let kind = if port.is_empty() {
        let request = Request::read(&mut packet_reader).unwrap();
        request.write(&mut writer).unwrap();
        request.name().to_owned()
    } else {
        let values = packet_reader.rest().unwrap();
        values.iter().for_each(|value| writer.value(value).unwrap());
        "message".to_owned()
    };
    writer.finish().unwrap();
    // Those two say nothing, whatever their arguments are.
    if !matches!(kind.as_str(), "" | "devnull") {
        assert_eq!(json(&out), json(packet), "{name}");
    }
    kind
}

/// One end of all connections between two nodes, doing again what it did.
struct Replay {
    name: String,
    peer: Peer,
    conn: ConnId,
    monitors: BTreeMap<String, MonitorId>,
    last: u64,
    fired: usize,
}

impl Replay {
    fn new(name: &str, other: &str) -> Self {
        let packet = Limits::default();
        let limits = PeerLimits {
            max_queue_bytes: 1 << 20,
            packet,
        };
        Self {
            name: name.into(),
            peer: Peer::new(NodeId::new(other).unwrap(), limits),
            conn: ConnId(0),
            monitors: BTreeMap::new(),
            last: 0,
            fired: 0,
        }
    }

    fn up(&mut self, conn: u64) {
        self.down();
        self.conn = ConnId(conn);
        let _ = self.peer.link_up(self.conn, Format::Json);
    }

    /// Everything that is still monitored fires.
    fn down(&mut self) {
        if let Some(fired) = self.peer.link_down(self.conn) {
            assert_eq!(fired.len(), self.monitors.len(), "{}", self.name);
            self.monitors.clear();
            assert!(self.peer.drained().is_empty() && self.peer.is_idle());
        }
    }

    fn send(&mut self, packet: &[u8]) {
        let mut values = reader(packet).rest().unwrap();
        let port = if values.is_empty() {
            Value::Null
        } else {
            values.remove(0)
        };
        match request(packet) {
            Some(Request::Mon1(port)) => {
                self.last += 1;
                self.monitors.insert(port.clone(), MonitorId(self.last));
                let _ = self.peer.monitor(&port, MonitorId(self.last));
            }
            Some(Request::Mon0(port)) => {
                let id = self.monitors.remove(&port).expect("it was monitored");
                let _ = self.peer.unmonitor(&port, id);
            }
            _ => {
                let port = port.text().unwrap().into_owned();
                let write = |packet: &mut aemp_codec::PacketWriter<'_>| {
                    values.iter().try_for_each(|value| packet.value(value))
                };
                let _ = self.peer.send(&port, write).unwrap();
            }
        }
        let mut out = Vec::new();
        assert!(self.peer.swap_output(self.conn, &mut out));
        let written = json(&out);
        let written = if written == serde_json::json!([""]) {
            json(packet)
        } else {
            written
        };
        assert_eq!(written, json(packet), "{}", self.name);
    }

    fn receive(&mut self, packet: &[u8]) {
        if let Some(Request::Kil0 { port, .. }) = request(packet) {
            let fired = self.peer.port_died(&port);
            let set = self.monitors.remove(&port);
            assert_eq!(fired, Vec::from_iter(set), "{}", self.name);
            self.fired += fired.len();
        }
    }
}

fn request(packet: &[u8]) -> Option<Request> {
    let mut packet = reader(packet);
    let port = packet.text().unwrap().unwrap_or_default();
    port.is_empty().then(|| Request::read(&mut packet).unwrap())
}

#[test]
fn a_peer_writes_what_the_reference_wrote() {
    let mut fired = 0;
    for transcript in covered() {
        let mut replays: BTreeMap<(String, String), Replay> = BTreeMap::new();
        for (conn, a, b) in json_connections(&transcript) {
            for (own, other) in [(&a, &b), (&b, &a)] {
                let replay = replays
                    .entry((own.clone(), other.clone()))
                    .or_insert_with(|| Replay::new(&transcript.name, other));
                replay.up(conn);
                for event in transcript
                    .events(conn)
                    .iter()
                    .filter(|event| event.phase == "data")
                {
                    if event.from == own {
                        replay.send(&event.bytes);
                    } else {
                        replay.receive(&event.bytes);
                    }
                }
                assert_eq!(replay.peer.standing(), Standing::Up(ConnId(conn)));
            }
        }
        for mut replay in replays.into_values() {
            replay.down();
            fired += replay.fired;
        }
    }
    assert!(fired > 10, "only {fired} monitors fired");
}
