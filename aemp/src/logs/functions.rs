//! The functions that every node has for others: they are found after those of the program.

use std::sync::Arc;

use aemp_codec::{PacketReader, PortId, Value};

use super::{CATCH, CONNECT, LogLevel, LogLine, line::message};
use crate::{
    Args, Node, Origin,
    node::{registry::Function, short},
};

/// The function of this name, if the program has none.
pub(crate) fn built_in(node: &Node, name: &str) -> Option<Function> {
    let node = node.clone();
    match name {
        CONNECT => Some(Arc::new(move |origin, args| connect(&node, &origin, &args))),
        CATCH => Some(Arc::new(move |_, args| {
            node.spawn_here(CATCH, None, PacketReader::values(args));
        })),
        _ => None,
    }
}

/// The functions that a program has opted in to.
pub(crate) fn callable() -> impl Iterator<Item = &'static str> {
    #[cfg(feature = "logs")]
    let is_there = super::layer::LogLayer::here().is_some();
    #[cfg(not(feature = "logs"))]
    let is_there = false;
    is_there.then_some(CONNECT).into_iter()
}

/// A request for the lines of this node's log.
#[cfg_attr(
    not(any(feature = "logs", test)),
    expect(dead_code, reason = "without the feature each request is refused")
)]
pub(super) struct Request {
    pub(super) port: PortId,
    pub(super) level: LogLevel,
    /// The number of seconds before the request whose lines are wanted as well.
    pub(super) since: f64,
}

impl Request {
    /// Reads `(VERSION, PORT, LEVEL, SINCE)`. As in the reference, the version does not matter. Its nodes send three
    /// arguments.
    fn read(origin: &Origin, args: &[Value]) -> Result<Self, String> {
        let (port, level) = match args {
            [_, port, level, ..] => (port.text().unwrap_or_default(), level),
            _ => return Err(format!("three arguments are expected, not {}", args.len())),
        };
        let shown = short(&port);
        let port = PortId::parse(&port).map_err(|error| format!("{shown:?}: {error}"))?;
        if port.is_node_port() {
            return Err(format!("{shown:?} is a node port"));
        }
        // Another node could be flooded otherwise, and a port of this node that logs each line would never end.
        match origin {
            Origin::Local => return Err("a node does not catch its own lines".into()),
            Origin::Node(node) if node.as_str() != port.node() => {
                return Err(format!("{shown:?} belongs to another node"));
            }
            Origin::Node(_) => {}
        }
        let level = LogLevel::of_value(level);
        Ok(Self {
            port,
            level: level.ok_or("the third argument is no level")?,
            since: args.get(3).and_then(Value::as_f64).unwrap_or(0.0),
        })
    }
}

/// Serves [`CONNECT`]. It runs on the strand of the other node's calls, because subscribers are asked.
fn connect(node: &Node, origin: &Origin, args: &Args) {
    let request = match Request::read(origin, args) {
        Ok(request) => request,
        Err(text) => return refuse(node, origin, &text),
    };
    let port = request.port.clone();
    let Err(text) = start(node, request) else {
        return;
    };
    let text = format!("this node does not pass on the lines of its log: {text}");
    refuse(node, origin, &text);
    let line = LogLine::own(node.id(), LogLevel::Warn, text);
    let message = message(line.time, &line.target, line.level, &line.text);
    node.relay(&port, message);
}

#[cfg(feature = "logs")]
use super::connect::start;

#[cfg(not(feature = "logs"))]
fn start(_: &Node, _: Request) -> Result<(), String> {
    Err("its program is built without the feature `logs` of aemp".into())
}

/// Logs the reason of a refusal, at a limited rate.
fn refuse(node: &Node, origin: &Origin, text: &str) {
    let from = match origin {
        Origin::Local => "this node",
        Origin::Node(from) => from.as_str(),
    };
    let peer = node.peers().get(from);
    if peer.is_none_or(|peer| peer.account().may_complain()) {
        node.complain(from, format_args!("{CONNECT} from {from}: {text}"));
    }
}

#[cfg(test)]
mod tests {
    use aemp_codec::NodeId;

    use super::*;
    use crate::args;

    #[test]
    fn lines_go_to_ports_of_the_asking_node_only() {
        let far = Origin::Node(NodeId::new("far").unwrap());
        let read = |origin, args: Args| match Request::read(origin, &args) {
            Ok(request) => Ok((request.port.to_string(), request.level, request.since)),
            Err(text) => Err(text),
        };
        let asked = read(&far, args!["0", "far#port", "5"]);
        assert_eq!(asked, Ok(("far#port".into(), LogLevel::Warn, 0.0)));
        let asked = read(&far, args![7, Value::bytes(*b"far#port"), 9, 2.5, "more"]);
        assert_eq!(asked, Ok(("far#port".into(), LogLevel::Trace, 2.5)));
        for (args, text) in [
            (args![0, "far#port"], "three arguments are expected, not 2"),
            (args![0, "far", 5], "\"far\" is a node port"),
            (
                args![0, "third#port", 5],
                "\"third#port\" belongs to another node",
            ),
            (args![0, "far#port", ()], "the third argument is no level"),
        ] {
            assert_eq!(read(&far, args), Err(text.into()));
        }
        assert!(read(&far, args![0, args![1], 5]).is_err());
        assert!(read(&Origin::Local, args![0, "own#port", 5]).is_err());
    }
}
