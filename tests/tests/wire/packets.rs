//! Every recorded packet is read and written again, and the recorded monitors are set again.

use std::{collections::BTreeMap, time::Duration};

use aemp_codec::{Format, Limits, NodeId, PacketReader, Value};
use aemp_proto::{
    Time,
    link::Link,
    peer::{ConnId, Fired, Lost, MonitorId, Peer, PeerLimits, Standing},
    request::Request,
};
use serde_json::Value as Json;

use aemp_tests::transcript::{self, Transcript, packet_json as json};

/// Scenarios with packets that no request or message is; the codec has its own tests of them.
const ODD: [&str; 3] = ["snd_values", "snd_values_cbor", "snd_unencodable"];

/// A connection whose packets are in formats that are known here.
struct Line {
    conn: u64,
    a: String,
    b: String,
    /// The formats in which `a` and `b` write.
    formats: [Format; 2],
}

impl Line {
    fn format(&self, from: &str) -> &Format {
        &self.formats[usize::from(from == self.b)]
    }

    fn ends(&self) -> [&str; 2] {
        [&self.a, &self.b]
    }
}

fn lines(transcript: &Transcript) -> Vec<Line> {
    let lines = transcript.connections().filter_map(|(conn, a, b, record)| {
        let aemp = record["protocol"]
            .as_str()
            .is_none_or(|name| name == "aemp");
        let format = |from: &str, to: &str| {
            transcript::format(record["framing"][format!("{from}->{to}")].as_str()?)
        };
        aemp.then_some(Line {
            conn,
            a: a.into(),
            b: b.into(),
            formats: [format(a, b)?, format(b, a)?],
        })
    });
    lines.collect()
}

fn covered() -> Vec<Transcript> {
    let mut transcripts = transcript::all();
    transcripts.retain(|transcript| !ODD.contains(&transcript.name.as_str()));
    transcripts
}

fn reader<'a>(format: &'a Format, packet: &'a [u8]) -> PacketReader<'a> {
    format.reader(packet, Limits::default()).unwrap()
}

#[test]
fn packets_are_found_in_chunks_of_any_size() {
    for transcript in covered() {
        for line in lines(&transcript) {
            for from in line.ends() {
                let format = line.format(from);
                let packets = transcript.sent(line.conn, from, "data");
                for chunk in [1, 5, 4096] {
                    let found = found(format, &packets.concat(), chunk);
                    let recorded: Vec<_> =
                        packets.iter().map(|packet| json(format, packet)).collect();
                    assert_eq!(found, recorded, "{} {} {from}", transcript.name, line.conn);
                }
            }
        }
    }
}

fn found(format: &Format, bytes: &[u8], chunk: usize) -> Vec<Json> {
    let timeout = Duration::from_secs(30);
    let mut link = Link::new(
        Time::ZERO,
        format,
        Limits::default(),
        timeout,
        None,
        Vec::new(),
    );
    let mut found = Vec::new();
    for bytes in bytes.chunks(chunk) {
        link.received(Time::ZERO, bytes);
        while let Some(packet) = link.next_packet().unwrap() {
            found.push(json(format, packet));
        }
    }
    found
}

#[test]
fn requests_and_messages_are_read_and_written_as_they_were() {
    for format in [Format::Cbor, Format::Json] {
        let mut kinds = BTreeMap::new();
        for transcript in covered() {
            for line in lines(&transcript) {
                for from in line
                    .ends()
                    .into_iter()
                    .filter(|from| *line.format(from) == format)
                {
                    for packet in transcript.sent(line.conn, from, "data") {
                        let kind = check_packet(&transcript.name, &format, &packet);
                        *kinds.entry(kind).or_insert(0) += 1;
                    }
                }
            }
        }
        for kind in [
            "", "mon0", "mon1", "kil0", "kil1", "snd", "can", "time", "eval", "devnull", "g_slave",
            "message",
        ] {
            assert!(
                kinds.contains_key(kind),
                "{format}: no {kind:?} among {kinds:?}"
            );
        }
    }
}

fn check_packet(name: &str, format: &Format, packet: &[u8]) -> String {
    let mut packet_reader = reader(format, packet);
    let port = packet_reader
        .text()
        .unwrap()
        .unwrap_or_default()
        .into_owned();
    let mut out = Vec::new();
    let mut writer = format.writer(&mut out, Limits::default());
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
    // Those two have no effect, with any arguments.
    if !matches!(kind.as_str(), "" | "devnull") {
        assert_eq!(json(format, &out), json(format, packet), "{name}");
    }
    kind
}

/// One end of all connections between two nodes, which repeats its recording.
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

    fn up(&mut self, conn: u64, format: &Format) {
        self.down();
        self.conn = ConnId(conn);
        let _ = self.peer.link_up(self.conn, format.clone());
    }

    /// Everything that is still monitored fires.
    fn down(&mut self) {
        let fired = match self.peer.link_down(self.conn) {
            Lost::Not => return,
            Lost::Down => 0,
            Lost::Fire(loss) => {
                assert_eq!(self.peer.fired(loss.id), Fired::Down);
                loss.monitors.len()
            }
        };
        assert_eq!(fired, self.monitors.len(), "{}", self.name);
        self.monitors.clear();
        assert!(self.peer.is_idle());
    }

    fn send(&mut self, format: &Format, packet: &[u8]) {
        let mut values = reader(format, packet).rest().unwrap();
        let port = if values.is_empty() {
            Value::Null
        } else {
            values.remove(0)
        };
        match request(format, packet) {
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
        let written = json(format, &out);
        if written != serde_json::json!([""]) {
            assert_eq!(written, json(format, packet), "{}", self.name);
        }
    }

    fn receive(&mut self, format: &Format, packet: &[u8]) {
        if let Some(Request::Kil0 { port, .. }) = request(format, packet) {
            let fired = self.peer.port_died(&port);
            let set = self.monitors.remove(&port);
            assert_eq!(fired, Vec::from_iter(set), "{}", self.name);
            self.fired += fired.len();
        }
    }
}

fn request(format: &Format, packet: &[u8]) -> Option<Request> {
    let mut packet = reader(format, packet);
    let port = packet.text().unwrap().unwrap_or_default();
    port.is_empty().then(|| Request::read(&mut packet).unwrap())
}

#[test]
fn a_peer_writes_the_bytes_of_the_reference() {
    let mut fired = 0;
    for transcript in covered() {
        let mut replays: BTreeMap<(String, String), Replay> = BTreeMap::new();
        for line in lines(&transcript) {
            let (conn, [a, b]) = (line.conn, line.ends());
            for (own, other) in [(a, b), (b, a)] {
                let replay = replays
                    .entry((own.to_owned(), other.to_owned()))
                    .or_insert_with(|| Replay::new(&transcript.name, other));
                replay.up(conn, line.format(own));
                for event in transcript
                    .events(conn)
                    .iter()
                    .filter(|event| event.phase == "data")
                {
                    if event.from == own {
                        replay.send(line.format(own), &event.bytes);
                    } else {
                        replay.receive(line.format(other), &event.bytes);
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
    assert!(fired > 20, "only {fired} monitors fired");
}

/// A node of ours ends the connection, of which the reference would hear nothing any more either (`aemp_proto::protocol::packets`, "Malformed packets").
#[test]
fn invalid_json_is_an_error() {
    let transcript = transcript::one("snd_unencodable");
    let packets = transcript.sent(1, "a", "data");
    let sound: Vec<_> = packets.iter().map(|packet| is_sound(packet)).collect();
    // The greeting, infinities and not-a-numbers, half a surrogate pair, and U+FFFF.
    assert_eq!(sound, [true, false, false, false, false, true]);
}

fn is_sound(packet: &[u8]) -> bool {
    let limits = Limits::default();
    let Ok(Some(range)) = Format::Json.framer(limits).scan(packet) else {
        return false;
    };
    let reader = Format::Json.reader(&packet[range], limits);
    reader.is_ok_and(|mut reader| reader.rest().is_ok())
}
