//! A reply to a reply port: it leaves the process, or is encoded.

use std::{
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use aemp_codec::{PacketWriter, PortId};
use serde::Serialize;
use tokio::time::Instant;

use super::FarCaller;
use crate::{
    Node, Reason,
    exec::scheduler,
    guard,
    message::Decoding,
    node::{delivery::heard, names, peer::Peer},
    port::{
        monitor::{Action, Monitor},
        queue::Pushed,
    },
};

/// The destination of an answer, and the known state of its caller.
pub(crate) struct FarReply {
    node: Node,
    to: PortId,
    /// The number of the called port.
    called: u64,
    /// The time at which the caller gives up, if it has said so.
    deadline: Option<Instant>,
    watch: OnceLock<CallerWatch>,
}

impl FarReply {
    pub(crate) fn new(cx: &Decoding<'_>, to: PortId) -> Self {
        let (to, limit) = names::without_limit(to);
        // The limit is the word of a peer, and may be out of range.
        let deadline = limit.and_then(|limit| heard().checked_add(limit));
        Self {
            node: cx.node.clone(),
            to,
            called: cx.port,
            deadline,
            watch: OnceLock::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn to(&self) -> &PortId {
        &self.to
    }

    /// The ID for another port. With `limited`, it says how long the call still waits, if that is limited.
    pub(crate) fn into_port(self, limited: bool) -> PortId {
        match self.deadline.filter(|_| limited) {
            Some(deadline) => names::with_limit(&self.to, deadline - Instant::now()),
            None => self.to,
        }
    }

    /// True if the destination is a reply port of a node of this project. Nothing but a call waits at such a port.
    fn is_reply_port(&self) -> bool {
        names::is_reply_port(&self.to)
    }

    /// Records news of the caller from now on, if its node reports them.
    pub(super) fn hold(&self) {
        if self.is_reply_port() && !self.node.port_is_local(&self.to) {
            self.watch();
        }
    }

    fn watch(&self) -> &CallerWatch {
        self.watch
            .get_or_init(|| CallerWatch::begin(&self.node, &self.to))
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.watch().caller.is_gone()
    }

    /// True if the caller's node has reported that it no longer waits. Other nodes do not report that, and are not asked.
    pub(super) fn is_left(&self) -> bool {
        self.is_reply_port() && !self.is_wanted()
    }

    pub(super) fn poll_unwanted(&self, task: &Context<'_>) -> Poll<()> {
        self.watch().caller.poll_gone(task)
    }

    pub(super) fn answer<T: Serialize>(&self, answer: &T) {
        let is_list = self.is_reply_port()
            && guard::run(|| PacketWriter::is_short_list(answer)).unwrap_or(false);
        let mut to = self.node.destination(&self.to);
        if is_list {
            to.id = names::for_list(&to.id);
        }
        let sent = to.send_with(|out| out.answer(answer));
        sent.log("an answer", &self.to);
        if let Err(error) = sent.check() {
            self.fail(Reason::no_answer(&error));
        }
    }

    /// Ends the call without an answer. Killing its reply port does not notify a Perl caller; an answer without
    /// values does, and is the reference's sign of a failure. Any other port gets the reason by the kill.
    pub(super) fn fail(&self, reason: Reason) {
        let to = self.node.destination(&self.to);
        if !self.is_reply_port() && to.peer().is_some() {
            to.send_with(|_| Ok(())).log("the end of a call", &self.to);
        }
        to.kill(reason);
    }

    /// Reports to the caller that the call was not understood.
    pub(crate) fn refuse(self, text: &str) {
        self.fail(Reason::not_understood(text));
    }

    /// Handles a dropped reply. The caller is told only if the port lives on; its monitor reports a death. A
    /// failing handler drops its message before the port is marked as dead. So a job at the end of the port's queue
    /// shows whether the port lives on.
    pub(super) fn dropped(self) {
        if !self.is_reply_port() {
            return;
        }
        let Some(port) = self.node.find_number(self.called) else {
            return;
        };
        let pushed = port.job(Box::new(move |_| {
            self.fail(Reason::no_reply());
            Ok(())
        }));
        if pushed == Pushed::Wake {
            scheduler::schedule(port);
        }
    }
}

impl std::fmt::Debug for FarReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FarReply({})", self.to)
    }
}

/// A subscription to news of a caller.
struct CallerWatch {
    caller: Arc<FarCaller>,
    source: Source,
}

enum Source {
    /// The caller's node reports without being asked.
    Told(Arc<Peer>, Box<str>),
    Monitor {
        _monitor: Monitor,
    },
}

impl CallerWatch {
    fn begin(node: &Node, to: &PortId) -> Self {
        let caller = FarCaller::new();
        let destination = node.destination(to);
        if let Some(peer) = destination.peer()
            && names::is_reply_port(to)
        {
            peer.hold_caller(to.name(), &caller);
            let source = Source::Told(Arc::clone(peer), to.name().into());
            return Self { caller, source };
        }
        let leaving = Arc::clone(&caller);
        let monitor = destination.monitor(Action::Call(Box::new(move |_| leaving.leave())));
        let source = Source::Monitor { _monitor: monitor };
        Self { caller, source }
    }
}

impl Drop for CallerWatch {
    fn drop(&mut self) {
        if let Source::Told(peer, name) = &self.source {
            peer.release_caller(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Reply, message::Encoding};

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_is_passed_on_keeps_its_limit() {
        let node = Node::local().unwrap();
        let passed_on = async |to: &str, deadlines| {
            let to = PortId::parse(to).unwrap();
            let reply = Reply::<u8>::to_port(
                &Decoding {
                    node: &node,
                    port: 0,
                },
                to,
            );
            tokio::time::advance(Duration::from_millis(100)).await;
            let to = reply.into_port(&mut Encoding::new(&node, true, deadlines));
            to.unwrap().to_string()
        };
        assert_eq!(passed_on("other#abc?300", true).await, "other#abc?200");
        assert_eq!(passed_on("other#abc?50", true).await, "other#abc?0");
        assert_eq!(passed_on("other#abc?300", false).await, "other#abc?");
        assert_eq!(passed_on("other#abc?", true).await, "other#abc?");
        assert_eq!(passed_on("other#abc", true).await, "other#abc");
    }
}
