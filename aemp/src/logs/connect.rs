//! Passing lines on to ports of other nodes that catch them.

use aemp_codec::{NodeId, Value};

use super::{
    LogLevel, LogLine,
    functions::Request,
    hub::{Added, Full, Source},
    layer::LogLayer,
    line::message,
};
use crate::{
    Node,
    node::log::Remark,
    passing::{self, Supply, queue::Next},
};
use aemp_proto::mesh::Level;

/// Starts to send lines to a port, until it dies. The error is the reason why no lines are sent.
pub(super) fn start(node: &Node, request: Request) -> Result<(), String> {
    let Request { port, level, since } = request;
    let hub = LogLayer::here();
    let hub = hub.ok_or("its program has not added `aemp::logs::layer()` to its subscriber")?;
    let source = match hub.add(node.id(), &port, level, since) {
        Ok(Added::New(source)) => source,
        Ok(Added::Known) => return Ok(()),
        Err(Full(most)) => return Err(format!("{most} ports catch them already")),
    };
    let text = format!("{port} catches the lines of this log, from level {level} on");
    node.remark(Remark::new(Level::Debug, text).of(port.to_string()));
    let to = port.node_id();
    passing::start(node, port, Lines { source, to });
    Ok(())
}

/// The lines for a port of this node.
struct Lines {
    source: Source,
    to: NodeId,
}

impl Supply for Lines {
    async fn ready(&self) {
        self.source.ready().await;
    }

    fn next(&self, node: &Node) -> Option<Vec<Value>> {
        Some(match self.source.next() {
            Next::One(line) => message(line.time, &line.target, line.level, &line.text),
            Next::Lost(lost) => {
                let text = format!(
                    "{lost} lines were left out here: {} takes them too slowly",
                    self.to
                );
                let level = self.source.level().min(LogLevel::Warn);
                let line = LogLine::own(node.id(), level, text);
                message(line.time, &line.target, line.level, &line.text)
            }
            Next::Nothing => return None,
        })
    }
}
