//! Passing lines on: a task for each port of another node that catches them.

use std::{sync::Arc, time::Duration};

use aemp_codec::PortId;
use tokio::{sync::oneshot, task::coop::consume_budget, time::sleep};

use super::{
    LogLevel, LogLine,
    functions::Request,
    hub::{Added, Full, Source},
    layer::{LogLayer, sending},
    line::message,
    queue::Next,
};
use crate::{
    Monitor, Node, WeakNode,
    node::{log::Line, remote::Remote},
};
use aemp_proto::mesh::Level;

/// The time for which lines are gathered after some have been sent. It limits the lines that the sending of lines may
/// cause by ways that are not known here, such as the log of a driver.
const PAUSE: Duration = Duration::from_millis(10);

/// Starts to send lines to a port, until it dies. The error is the reason why no lines are sent.
pub(super) fn start(node: &Node, request: Request) -> Result<(), String> {
    let Request { port, level, since } = request;
    let hub = LogLayer::here();
    let hub = hub.ok_or("its program has not added `aemp::logs::layer()` to its subscriber")?;
    let source = match hub.add(&port, level, since) {
        Ok(Added::New(source)) => source,
        Ok(Added::Known) => return Ok(()),
        Err(Full(most)) => return Err(format!("{most} ports catch them already")),
    };
    let (tell, died) = oneshot::channel();
    let monitor = node.mon(&port, move |_| {
        let _ = tell.send(());
    });
    let text = format!("{port} catches the lines of this log, from level {level} on");
    node.say(Line::new(Level::Debug, text).of(port.to_string()));
    let passing = Passing {
        node: node.downgrade(),
        remote: node.remotes().of(node, port.node()),
        port,
        source,
        _monitor: monitor,
    };
    node.scheduler().spawn(passing.run(died));
    Ok(())
}

/// The task of one port.
struct Passing {
    node: WeakNode,
    remote: Arc<Remote>,
    port: PortId,
    source: Source,
    /// Reports the death of the port, also when the node is lost.
    _monitor: Monitor,
}

impl Passing {
    async fn run(self, died: oneshot::Receiver<()>) {
        tokio::select! {
            biased;
            _ = died => {}
            () = self.send() => {}
        }
    }

    /// Sends lines until the node has ended.
    async fn send(&self) {
        while self.send_all().await.is_some() {
            sleep(PAUSE).await;
            self.source.ready().await;
        }
    }

    /// Sends the lines that wait. `None` if the node has ended.
    async fn send_all(&self) -> Option<()> {
        loop {
            // The line is taken when there is room for it, so that the oldest ones are lost and not the newest.
            self.remote.room().await;
            let node = self.node.upgrade()?;
            let message = match self.source.next() {
                Next::One(line) => message(line.time, &line.target, line.level, &line.text),
                Next::Lost(lost) => self.lost(&node, lost),
                Next::Nothing => return Some(()),
            };
            sending(|| drop(node.relay(&self.port, message)));
            drop(node);
            consume_budget().await;
        }
    }

    /// The line in the place of lines that were lost.
    fn lost(&self, node: &Node, lost: u64) -> Vec<aemp_codec::Value> {
        let text = format!(
            "{lost} lines were left out here: {} takes them too slowly",
            self.remote.id()
        );
        let level = self.source.level().min(LogLevel::Warn);
        let line = LogLine::own(node.id(), level, text);
        message(line.time, &line.target, line.level, &line.text)
    }
}
