//! A transcript as one sequence of events, in the order of the recording.

use std::{collections::BTreeSet, time::Duration};

use aemp_codec::Format;
use serde_json::Value as Json;

use aemp_tests::transcript::{Transcript, base64, format, packet_json};

/// Something that happened, and when.
pub(crate) struct Happening {
    pub(crate) at: Duration,
    pub(crate) what: What,
}

pub(crate) enum What {
    /// An action for which the recording has only a text.
    Step(String),
    /// One node has dialled another, and both have sent their names.
    Open(Open),
    /// Both have proved themselves.
    Proved(Proved),
    /// One node has sent another a packet.
    Packet {
        conn: u64,
        from: String,
        to: String,
        format: Format,
        bytes: Vec<u8>,
        packet: Json,
    },
    /// One node has closed the connection, or its process has ended.
    Close { conn: u64, by: String, died: bool },
}

/// A connection's beginning.
pub(crate) struct Open {
    pub(crate) conn: u64,
    pub(crate) initiator: End,
    pub(crate) acceptor: End,
}

/// A connection that is up, and the format of each end.
pub(crate) struct Proved {
    pub(crate) conn: u64,
    pub(crate) framing: Json,
}

impl Proved {
    /// The format in which one end writes to the other.
    pub(crate) fn framing(&self, from: &str, to: &str) -> &str {
        self.framing[format!("{from}->{to}")].as_str().unwrap()
    }
}

pub(crate) struct End {
    pub(crate) node: String,
    pub(crate) greeting: Vec<u8>,
}

/// Where a node connects to itself, its ends are told apart by a number.
fn plain(end: &str) -> String {
    end.split('(').next().unwrap_or_default().into()
}

/// The events of a transcript, in order.
pub(crate) fn of(transcript: &Transcript) -> Vec<Happening> {
    let mut teller = Teller {
        transcript,
        opened: BTreeSet::new(),
        proofs: BTreeSet::new(),
        killed: false,
        now: Duration::ZERO,
        story: Vec::new(),
    };
    let events = transcript.json["events"].as_array().unwrap();
    events.iter().for_each(|event| teller.event(event));
    teller.story
}

struct Teller<'a> {
    transcript: &'a Transcript,
    opened: BTreeSet<u64>,
    /// The connections and ends whose authentication lines have been sent.
    proofs: BTreeSet<(u64, String)>,
    /// True if the next to close a connection is one that was killed.
    killed: bool,
    now: Duration,
    story: Vec<Happening>,
}

impl Teller<'_> {
    fn event(&mut self, event: &Json) {
        if let Some(step) = event["step"].as_str() {
            self.killed = step.contains("killed");
            return self.tell(What::Step(step.into()));
        }
        self.now = Duration::from_secs_f64(event["t_ms"].as_f64().unwrap() / 1000.0);
        let conn = event["conn"].as_u64().unwrap();
        let (from, to) = event["dir"].as_str().unwrap().split_once("->").unwrap();
        match event["phase"].as_str().unwrap() {
            "greeting" if self.opened.insert(conn) => self.open(conn),
            "auth" => {
                self.proofs.insert((conn, from.into()));
                if self.proofs.contains(&(conn, to.into())) {
                    let framing = self.record(conn)["framing"].clone();
                    self.tell(What::Proved(Proved { conn, framing }));
                }
            }
            "data" => self.packet(conn, [from, to], &event["bytes_b64"]),
            "close" => {
                let died = std::mem::take(&mut self.killed);
                let by = plain(from);
                self.tell(What::Close { conn, by, died });
            }
            _ => {}
        }
    }

    fn open(&mut self, number: u64) {
        let mut connections = self.transcript.connections();
        let (_, initiator, acceptor, _) = connections.find(|(conn, ..)| *conn == number).unwrap();
        let end = |name: &str| End {
            node: plain(name),
            greeting: self.transcript.sent(number, name, "greeting").concat(),
        };
        let open = Open {
            conn: number,
            initiator: end(initiator),
            acceptor: end(acceptor),
        };
        self.tell(What::Open(open));
    }

    fn record(&self, number: u64) -> &Json {
        let mut connections = self.transcript.connections();
        connections.find(|(conn, ..)| *conn == number).unwrap().3
    }

    fn packet(&mut self, conn: u64, [from, to]: [&str; 2], bytes: &Json) {
        let framing = &self.record(conn)["framing"][format!("{from}->{to}")];
        let format = format(framing.as_str().unwrap()).unwrap();
        let bytes = base64(bytes.as_str().unwrap());
        let packet = packet_json(&format, &bytes);
        self.tell(What::Packet {
            conn,
            from: plain(from),
            to: plain(to),
            format,
            bytes,
            packet,
        });
    }

    fn tell(&mut self, what: What) {
        self.story.push(Happening { at: self.now, what });
    }
}

/// Just before the next thing that has a time.
pub(crate) fn before_next(rest: &[Happening]) -> Duration {
    let timed = rest
        .iter()
        .find(|happening| !matches!(happening.what, What::Step(_)));
    match timed {
        Some(next) => next.at.saturating_sub(Duration::from_micros(400)),
        None => rest[0].at + Duration::from_millis(150),
    }
}
