//! Reading the transcripts (`fixtures/transcripts/README.md` has their contents).

use std::{fs, path::Path};

use aemp_codec::{Format, Limits, Value};
use serde_json::Value as Json;

/// One recorded scenario.
#[derive(Debug)]
pub struct Transcript {
    /// Its name: the file's, without its end.
    pub name: String,
    /// All of it.
    pub json: Json,
}

/// An event of one connection: octets that one end sent, or its closing.
#[derive(Debug)]
pub struct Event<'a> {
    /// The name of the end that sent it.
    pub from: &'a str,
    /// The name of the other end.
    pub to: &'a str,
    /// The part of the conversation: `greeting`, `auth`, `data`, `raw`, and others.
    pub phase: &'a str,
    /// The octets that were sent.
    pub bytes: Vec<u8>,
}

/// All transcripts whose name does not say that they are about something else.
pub fn all() -> Vec<Transcript> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    let mut transcripts: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| Transcript::read(&path))
        .filter(|transcript| transcript.name != "index")
        .collect();
    transcripts.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(
        transcripts.len() > 60,
        "only {} transcripts",
        transcripts.len()
    );
    transcripts
}

/// The transcript of that name.
pub fn one(name: &str) -> Transcript {
    all()
        .into_iter()
        .find(|transcript| transcript.name == name)
        .unwrap()
}

impl Transcript {
    fn read(path: &Path) -> Self {
        // One scenario sends half a surrogate pair, which its description repeats.
        let text = fs::read_to_string(path)
            .unwrap()
            .replace("\\ud800", "\\ufffd");
        Self {
            name: path.file_stem().unwrap().to_str().unwrap().into(),
            json: serde_json::from_str(&text).unwrap(),
        }
    }

    /// The connections: number, initiator, acceptor, and the record itself.
    pub fn connections(&self) -> impl Iterator<Item = (u64, &str, &str, &Json)> {
        self.json["connections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|conn| {
                let end = |which: &str| conn[which].as_str().unwrap();
                (
                    conn["id"].as_u64().unwrap(),
                    end("initiator"),
                    end("acceptor"),
                    conn,
                )
            })
    }

    /// The events of a connection, in order.
    pub fn events(&self, conn: u64) -> Vec<Event<'_>> {
        let events = self.json["events"].as_array().unwrap();
        let here = events.iter().filter(|event| event["conn"] == conn);
        here.map(|event| {
            let (from, to) = event["dir"].as_str().unwrap().split_once("->").unwrap();
            let bytes = event["bytes_b64"].as_str().map(base64).unwrap_or_default();
            let phase = event["phase"].as_str().unwrap();
            Event {
                from,
                to,
                phase,
                bytes,
            }
        })
        .collect()
    }

    /// The octets that one end of a connection sent in one phase, piece by piece.
    pub fn sent(&self, conn: u64, from: &str, phase: &str) -> Vec<Vec<u8>> {
        let events = self.events(conn).into_iter();
        events
            .filter(|event| event.from == from && event.phase == phase)
            .map(|event| event.bytes)
            .collect()
    }

    /// The secret of a node.
    pub fn secret(&self, node: &str) -> &str {
        let own = self.json["nodes"][node]["secret"].as_str();
        own.unwrap_or_else(|| self.json["secret"].as_str().unwrap_or_default())
    }

    /// The log lines of the nodes, as one text.
    pub fn logged(&self) -> String {
        self.json["logged"].to_string()
    }
}

/// A line without its end.
pub fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The format of that name, if it is built in.
pub fn format(name: &str) -> Option<Format> {
    Format::built_in()
        .into_iter()
        .find(|format| format.name() == name)
}

/// A packet as JSON, in which CBOR's two kinds of strings are one.
///
/// # Panics
///
/// If it is no packet.
pub fn packet_json(format: &Format, packet: &[u8]) -> Json {
    let mut reader = format.reader(packet, Limits::default()).unwrap();
    let values = Value::from(reader.rest().unwrap());
    serde_json::from_str(&values.to_string()).unwrap()
}

/// The octets of a text in base 64.
///
/// # Panics
///
/// If it is none.
pub fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut octets, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for digit in text.trim_end_matches('=').chars() {
        bits = bits << 6 | u32::try_from(DIGITS.find(digit).unwrap()).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count & 0xff) as u8);
        }
    }
    octets
}
