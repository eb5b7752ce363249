//! The seeds of fuzzing: packets that real nodes have sent, and packets that they might send.

mod config;
mod dataconn;
mod node;
mod relay;

use std::collections::{BTreeMap, BTreeSet};

use aemp_codec::{Format, Limits, Value};

use crate::transcript::{self, Transcript, without_end};

/// The seeds of a target by their names.
pub type Seeds = BTreeMap<String, Vec<u8>>;

/// The longest seed in octets. Short ones are worth more, because each of their octets counts.
const MOST: usize = 4096;

/// The seeds of all targets.
///
/// # Panics
///
/// When the transcripts cannot be read.
#[must_use]
pub fn all() -> BTreeMap<&'static str, Seeds> {
    let transcripts = transcript::all();
    [
        ("config", config::files()),
        ("dataconn", dataconn::connections()),
        ("greeting", greetings(&transcripts)),
        ("framing", streams(&transcripts)),
        ("node", node::scripts(&transcripts)),
        ("relay", relay::scripts()),
        ("typed", streams(&transcripts)),
    ]
    .into()
}

/// The lines that each end sends before the packets, once for each kind of conversation.
fn greetings(transcripts: &[Transcript]) -> Seeds {
    let (mut seeds, mut known) = (Seeds::new(), BTreeSet::new());
    for transcript in transcripts {
        for (conn, one, other, _) in transcript.connections() {
            for from in [one, other] {
                let lines = lines(transcript, conn, from);
                if !lines.is_empty() && known.insert(shape(&lines)) {
                    let seed = [b"\0\x0b".as_slice(), &lines, b"[\"\"]"].concat();
                    let name = format!("{}-{conn}-{from}", transcript.name);
                    seeds.insert(name.replace('/', "_"), seed);
                }
            }
        }
    }
    seeds
}

/// Greeting and authentication, with a star for each proof.
fn lines(transcript: &Transcript, conn: u64, from: &str) -> Vec<u8> {
    let mut lines = transcript.sent(conn, from, "greeting").concat();
    for auth in transcript.sent(conn, from, "auth") {
        let text = String::from_utf8_lossy(without_end(&auth)).into_owned();
        let mut fields = text.split(';');
        let mut field = || fields.next().unwrap_or_default();
        let (method, _, format) = (field(), field(), field());
        let proof = match method {
            "cleartext" => "67656865696d",
            _ => "*",
        };
        let rest: Vec<_> = fields.collect();
        let end = rest.iter().map(|field| format!(";{field}"));
        let end: String = end.collect();
        lines.extend(format!("{method};{proof};{format}{end}\n").bytes());
    }
    lines
}

/// A text without the parts that differ every time: numbers and random names.
fn shape(text: &[u8]) -> String {
    let random = |word: &&[u8]| word.len() > 15 || word.iter().any(u8::is_ascii_digit);
    let words = text.split(|byte| b";,\n=".contains(byte));
    let words = words.map(|word| if random(&word) { b"*" } else { word });
    words
        .map(String::from_utf8_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The packets of a kind that no other seed has, in every format there is.
fn streams(transcripts: &[Transcript]) -> Seeds {
    let (mut seeds, mut known) = (Seeds::new(), BTreeSet::new());
    for transcript in transcripts {
        let mut new: BTreeMap<u8, Vec<Vec<u8>>> = BTreeMap::new();
        for (packet, values) in packets(transcript) {
            let kind = u8::from(packet.first() != Some(&b'['));
            if packet.len() < MOST && known.insert((kind, signature(&values))) {
                new.entry(kind).or_default().push(packet);
                if let Some((kind, packet)) = others(kind, &values) {
                    new.entry(kind).or_default().push(packet);
                }
            }
        }
        for (kind, packets) in new {
            for (number, part) in parts(packets).into_iter().enumerate() {
                let seed = [&[kind, 3], &*part].concat();
                seeds.insert(format!("{}-{kind}-{number}", transcript.name), seed);
            }
        }
    }
    seeds
}

/// The packets of a recording, and their values.
fn packets(transcript: &Transcript) -> Vec<(Vec<u8>, Vec<Value>)> {
    let mut packets = Vec::new();
    for (conn, one, other, _) in transcript.connections() {
        for from in [one, other] {
            for packet in transcript.sent(conn, from, "data") {
                packets.extend(values(&packet).map(|values| (packet, values)));
            }
        }
    }
    packets
}

/// The values of a packet in JSON or CBOR.
fn values(packet: &[u8]) -> Option<Vec<Value>> {
    let format = match packet.first()? {
        b'[' => Format::Json,
        _ => Format::Cbor,
    };
    let reader = format.reader(packet, Limits::default());
    reader.and_then(|mut reader| reader.rest()).ok()
}

/// The same in the formats without recordings.
fn others(kind: u8, values: &[Value]) -> Option<(u8, Vec<u8>)> {
    let format = super::stream::format(2);
    if kind != 1 || format.name() != "postcard/1" {
        return None;
    }
    let mut out = Vec::new();
    let mut packet = format.writer(&mut out, Limits::default());
    values
        .iter()
        .try_for_each(|value| packet.value(value))
        .ok()?;
    packet.finish().ok()?;
    Some((2, out))
}

/// Packets of a size together that mutations can work on.
fn parts(packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for packet in packets {
        match parts.last_mut() {
            Some(last) if last.len() + packet.len() < 256 => last.extend(packet),
            _ => parts.push(packet),
        }
    }
    parts
}

/// The kind of a packet: its request, if it is one, and the kinds of its arguments.
pub(super) fn signature(values: &[Value]) -> String {
    let mut signature = String::new();
    for (place, value) in values.iter().enumerate() {
        match value {
            Value::Str(text) if place == 1 && text.len() < 20 => signature += text,
            other => signature += &kind(other),
        }
        signature.push(' ');
    }
    signature
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Int(n) => format!("int{}", n.unsigned_abs().leading_zeros() / 8),
        Value::UInt(_) => "uint".into(),
        Value::Float(x) => format!("float{}", x.fract() == 0.0),
        Value::Str(text) => format!("text{}{}", text.is_empty(), text.is_ascii()),
        Value::Bytes(_) => "bytes".into(),
        Value::Array(list) => format!("[{}]", list.first().map(kind).unwrap_or_default()),
        Value::Map(map) => format!("{{{}}}", map.values().next().map(kind).unwrap_or_default()),
    }
}
