//! The answering side of an inspection.

use std::{
    cmp::Reverse,
    sync::{Arc, atomic::Ordering},
};

use aemp_codec::{Map, PortId, Value, to_value};
use serde::Serialize;

use super::{
    ConnectionInfo, Connections, Direction, Families, FamilyInfo, Functions, MOST, NodeInfo,
    Owners, Role, SeedFailure, SeedFailureKind, SeedInfo, Traffic, ports, waits,
};
#[cfg(feature = "metrics")]
use crate::metrics::Link;
use crate::{
    Node, logs,
    node::peer::{Peer, account::Question, connection::Connection},
};
use aemp_proto::{
    global,
    handshake::PROVIDER,
    mesh::{self, SeedState},
    peer,
};

/// The subjects of questions.
const SUBJECTS: &str =
    "connections, counts, deaths, families, functions, node, owners, port, ports, traces, waits";
/// The greatest number of ports or connections that an answer lists.
const AT_MOST: usize = 10_000;

/// The number of entries to list.
pub(super) fn limit(most: Option<usize>) -> usize {
    most.unwrap_or(MOST).min(AT_MOST)
}

/// The WHAT of a request.
pub(super) fn question(
    subject: &str,
    most: Option<usize>,
    kind: Option<&str>,
    since: Option<u64>,
) -> Value {
    let mut options = Map::new();
    if let Some(most) = most {
        options.insert("most", most.min(AT_MOST) as u64);
    }
    if let Some(kind) = kind {
        options.insert("kind", kind);
    }
    if let Some(since) = since {
        options.insert("since", since);
    }
    if options.is_empty() {
        return subject.into();
    }
    vec![Value::from(subject), options.into()].into()
}

/// WHAT: the subject, the number of entries to list, their type, and the number of the first one.
#[derive(Debug, PartialEq)]
struct Asked {
    subject: String,
    most: usize,
    kind: Option<String>,
    since: u64,
}

/// Reads WHAT. Unknown options are ignored.
fn read(question: &Value) -> Asked {
    let (subject, options) = match question.as_array() {
        Some([subject, options, ..]) => (subject, options.as_map()),
        Some([subject]) => (subject, None),
        Some([]) | None => (question, None),
    };
    let most = options.and_then(|options| options.get("most")?.as_u64());
    let most = most.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    let kind = options.and_then(|options| Some(options.get("kind")?.text()?.into_owned()));
    let since = options.and_then(|options| options.get("since")?.as_u64());
    Asked {
        subject: subject.text().unwrap_or_default().into_owned(),
        most: limit(most),
        kind,
        since: since.unwrap_or(0),
    }
}

impl Node {
    /// Answers a question. An answer that takes long is made by another task.
    pub(in crate::node) fn inspected(
        &self,
        from: Option<&Arc<Peer>>,
        question: &Value,
        to: PortId,
        msg: Vec<Value>,
    ) {
        let Asked {
            subject,
            most,
            kind,
            since,
        } = read(question);
        match &*subject {
            "node" => self.send_answer(&to, msg, &self.info()),
            "connections" => self.send_answer(&to, msg, &self.connections(most)),
            "families" => self.send_answer(&to, msg, &self.families(most)),
            "owners" => {
                let family = kind.unwrap_or_default();
                self.send_answer(&to, msg, &self.owners(&family, most));
            }
            "functions" => self.send_answer(&to, msg, &self.functions()),
            "port" => {
                let name = kind.unwrap_or_default();
                self.send_answer(&to, msg, &self.fate(&name));
            }
            "deaths" => self.send_answer(&to, msg, &self.last_deaths(most)),
            "traces" => match self.sampled(since, most) {
                Ok(traces) => self.send_answer(&to, msg, &traces),
                Err(text) => self.fail(&to, msg, text),
            },
            "counts" | "ports" | "waits" => {
                let question = from.map(Question::of);
                if matches!(question, Some(None)) {
                    let text = "too many questions about ports wait already";
                    return self.fail(&to, msg, text);
                }
                let node = self.clone();
                self.scheduler().spawn(async move {
                    match &*subject {
                        "counts" => node.send_answer(&to, msg, &node.counts(most)),
                        "waits" => {
                            let waits = waits::find(&node, most).await;
                            node.send_answer(&to, msg, &waits);
                        }
                        _ => {
                            let ports = ports::count(&node, most, kind.as_deref()).await;
                            node.send_answer(&to, msg, &ports);
                        }
                    }
                    drop(question);
                });
            }
            _ => {
                let text = format!("cannot inspect {subject:?}: only {SUBJECTS}");
                self.fail(&to, msg, &text);
            }
        }
    }

    fn send_answer(&self, to: &PortId, mut msg: Vec<Value>, info: &impl Serialize) {
        let sent = to_value(info).map(|info| {
            let mut answer = msg.clone();
            answer.extend(["".into(), info]);
            self.relay(to, answer).check()
        });
        let error = match sent {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        msg.truncate(1);
        self.fail(to, msg, &format!("the answer cannot be sent: {error}"));
    }

    pub(in crate::node) fn fail(&self, to: &PortId, mut msg: Vec<Value>, text: &str) {
        msg.extend([text.into(), Value::Null]);
        self.relay(to, msg);
    }

    pub(crate) fn info(&self) -> NodeInfo {
        let (role, master) = self.part();
        NodeInfo {
            id: self.id().as_str().into(),
            provider: PROVIDER.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime: self.0.inspection.started.elapsed().as_secs_f64(),
            listeners: self.listeners(),
            seeds: self.seeds(),
            role: Some(role),
            master,
            secure: self.0.rules.secure || self.0.rules.allow.is_some(),
            ports: self.port_count() as u64,
            unwanted_calls: self.scheduler().unwanted().load(Ordering::Relaxed),
            process: std::process::id(),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            memory: memory(),
        }
    }

    /// The seeds of this node, with the last failure of each seed that is not connected.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = aemp::Node::builder().node_id("here").secret("s3cret").seed("127.0.0.1:1").start().await?;
    /// for seed in node.seeds() {
    ///     println!("{}: connected: {}", seed.address, seed.connected);
    ///     if let Some(failure) = seed.failure {
    ///         println!("  {}", failure.text);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn seeds(&self) -> Vec<SeedInfo> {
        let info = |address: &str, seed: SeedState<'_>| SeedInfo {
            address: address.into(),
            node: seed.node.map(|node| node.as_str().into()),
            connected: seed.connected,
            failure: seed.failure.as_ref().map(failure),
        };
        self.net().map(|net| net.seeds(info)).unwrap_or_default()
    }

    /// The node's role, and its master.
    fn part(&self) -> (Role, Option<String>) {
        match self.role() {
            global::Role::Alone => (Role::Alone, None),
            global::Role::Searching(_) => (Role::Searching, None),
            global::Role::Slave(master) => (Role::Slave, Some(master.as_str().into())),
            global::Role::Global => (Role::Global, None),
        }
    }

    pub(super) fn families(&self, most: usize) -> Families {
        let sizes = self.ask_database(|machine, _| machine.sizes());
        let total = sizes.len() as u64;
        let family = |(name, size): (Arc<str>, usize)| FamilyInfo {
            name: String::from(&*name),
            keys: size as u64,
        };
        let mut families: Vec<_> = sizes.into_iter().map(family).collect();
        families.sort_by(|a, b| (b.keys, &a.name).cmp(&(a.keys, &b.name)));
        families.truncate(most);
        Families { total, families }
    }

    pub(super) fn owners(&self, family: &str, most: usize) -> Owners {
        let owned = self.ask_database(|machine, _| machine.owners(family, most));
        let mut owners = Owners::default();
        for (key, owner) in owned {
            let keys = owners.owners.entry(owner.as_str().into()).or_default();
            keys.push((*key).into());
        }
        owners
    }

    pub(super) fn functions(&self) -> Functions {
        Functions {
            init: self.init_functions(),
            callable: self.callable(),
        }
    }

    /// The functions that other nodes may call, in order.
    fn callable(&self) -> Vec<String> {
        let registered = self.registry().function_names();
        let mut callable: Vec<String> = registered.map(Into::into).collect();
        callable.extend(logs::callable().map(Into::into));
        callable.sort();
        callable.dedup();
        callable
    }

    pub(super) fn connections(&self, most: usize) -> Connections {
        let peers = self.peers().all();
        let mut connections: Vec<_> = peers.iter().filter_map(connection).collect();
        let total = connections.len() as u64;
        if connections.len() > most {
            connections.sort_by_key(|connection| Reverse(connection.queued));
            connections.truncate(most);
        }
        connections.sort_by(|a, b| a.node.cmp(&b.node));
        Connections { total, connections }
    }
}

/// The connection to a node, if there is one.
fn connection(peer: &Arc<Peer>) -> Option<ConnectionInfo> {
    let (mut info, conn) = {
        let state = peer.state();
        let info = ConnectionInfo {
            node: peer.id().as_str().into(),
            format_out: state.format().map(|format| format.name().into()),
            sent: traffic(state.sent()?),
            queued: state.pending_bytes() as u64,
            monitors: state.monitors() as u64,
            ..ConnectionInfo::default()
        };
        (info, state.conn())
    };
    info.monitored = peer.monitored_ports() as u64;
    // A new connection has none yet.
    let connection = peer
        .connection()
        .filter(|connection| Some(connection.conn) == conn);
    if let Some(connection) = connection {
        add_connection(&mut info, &connection);
    }
    Some(info)
}

/// The connection to a node, for metrics.
#[cfg(feature = "metrics")]
pub(crate) fn link(peer: &Arc<Peer>) -> Option<Link> {
    let info = connection(peer)?;
    Some(Link {
        peer: crate::Shown(&info.node).to_string(),
        connection: peer.connection()?.conn.0,
        connected: peer.connected(),
        traffic: [
            info.received.packets,
            info.received.bytes,
            info.sent.packets,
            info.sent.bytes,
        ],
        queued: info.queued,
    })
}

fn add_connection(info: &mut ConnectionInfo, connection: &Connection) {
    let waiting = connection.waiting() as u64;
    info.sent.bytes = info.sent.bytes.saturating_sub(waiting);
    info.queued += waiting;
    info.provider.clone_from(&connection.provider);
    info.address = Some(connection.address.clone());
    info.direction = Some(if connection.dialed {
        Direction::Out
    } else {
        Direction::In
    });
    info.up = connection.since.elapsed().as_secs_f64();
    info.format_in = Some(connection.format.clone());
    info.tls.clone_from(&connection.tls);
    info.received = traffic(connection.traffic());
}

fn traffic(traffic: peer::Traffic) -> Traffic {
    Traffic {
        packets: traffic.packets,
        bytes: traffic.bytes,
    }
}

/// The memory that the process uses, in bytes.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    resident(&status)
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

fn failure(failure: &mesh::SeedFailure) -> SeedFailure {
    SeedFailure {
        kind: match failure.kind {
            mesh::SeedFailureKind::Unreachable => SeedFailureKind::Unreachable,
            mesh::SeedFailureKind::Silent => SeedFailureKind::Silent,
            mesh::SeedFailureKind::Closed => SeedFailureKind::Closed,
            mesh::SeedFailureKind::TurnedAway => SeedFailureKind::TurnedAway,
            mesh::SeedFailureKind::NoNode => SeedFailureKind::NoNode,
            mesh::SeedFailureKind::Refused => SeedFailureKind::Refused,
        },
        text: failure.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(subject: &str, most: usize) -> Asked {
        Asked {
            subject: subject.into(),
            most,
            kind: None,
            since: 0,
        }
    }

    #[test]
    fn questions_are_read_as_they_are_written() {
        for most in [None, Some(0), Some(7)] {
            for kind in [None, Some("my::Counter")] {
                for since in [None, Some(u64::MAX)] {
                    let read = read(&question("ports", most, kind, since));
                    let kind = kind.map(str::to_owned);
                    let expected = Asked {
                        kind,
                        since: since.unwrap_or(0),
                        ..asked("ports", most.unwrap_or(MOST))
                    };
                    assert_eq!(read, expected);
                }
            }
        }
        let read = read(&question("ports", Some(usize::MAX), None, None));
        assert_eq!(read, asked("ports", AT_MOST));
    }

    #[test]
    fn nonsense_asks_for_nothing() {
        for question in [Value::Null, Value::Array(vec![]), vec![Value::Null].into()] {
            assert_eq!(read(&question), asked("", MOST), "{question}");
        }
        let odd = vec![Value::from("ports"), "most".into(), 5.into()];
        assert_eq!(read(&odd.into()), asked("ports", MOST));
    }

    #[test]
    fn memory_is_read_from_the_system() {
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t    1234 kB\n"),
            Some(1234 * 1024)
        );
        assert_eq!(resident("Name:\tx\n"), None);
        #[cfg(target_os = "linux")]
        assert!(memory().is_some_and(|bytes| bytes > 100_000));
    }
}
