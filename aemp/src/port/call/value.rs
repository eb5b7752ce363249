//! Untyped calls.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aemp_codec::{EncodeError, PacketWriter, PortId, Value};

use super::waiting::{CallMonitor, Far, Limit, Waiting};
use crate::{
    CallError, Node, Sent, UntypedMsg,
    exec::{
        circle, current, spans,
        tally::{CallEnd, Called},
    },
    port::{destination::Destination, reply::LocalReply, slot::Slot},
};

/// A call of a port by its ID: a future of the values of the answer. Made by [`Node::cal`].
#[must_use = "a call is sent when it is awaited; `.forget()` sends it and waits for no answer"]
pub struct ValueCall {
    to: Destination,
    /// True if this call may address a node's own port.
    of_node: bool,
    message: Option<Vec<Value>>,
    waiting: Waiting<Vec<Value>>,
}

impl ValueCall {
    pub(crate) fn new(to: Destination, message: Vec<Value>) -> Self {
        Self {
            to,
            of_node: false,
            message: Some(message),
            waiting: Waiting::new(Slot::new()),
        }
    }

    /// A call of a node's own port.
    pub(crate) fn of_node(to: Destination, message: Vec<Value>) -> Self {
        let mut call = Self::new(to, message);
        call.of_node = true;
        call
    }

    /// The node that calls.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.to.node
    }

    /// Waits at most this long, counted from the first poll; then the call ends with [`CallError::Timeout`]. See
    /// [`Call::timeout`](super::Call::timeout).
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.waiting.limit = Limit::set(limit);
        self
    }

    /// Sends the message now, without a reply port.
    pub fn forget(mut self) -> Sent {
        match self.message.take() {
            Some(_) if self.is_refused() => self.to.no_port(),
            Some(message) => self.to.send_values(message),
            None => Sent::ok(),
        }
    }

    /// True if the call is one of a port to a node's own port, which is not allowed.
    fn is_refused(&self) -> bool {
        self.to.is_node_port() && !self.of_node && current::runs_port()
    }

    fn send(&mut self, message: &[Value]) -> Result<(), CallError> {
        if self.is_refused() {
            return Ok(self.to.no_port().check()?);
        }
        let far = self.to.peer().is_some();
        let meter = &mut self.waiting.meter;
        meter.begin(|| &self.to.node, || Called::of::<UntypedMsg>(far, 0));
        self.waiting.begin(&self.to.node)?;
        let slot = &self.waiting.slot;
        let monitor = CallMonitor::new(&self.to, slot);
        let reply = LocalReply::open(&self.to.node, Arc::clone(slot), |answer| answer.rest());
        let id = reply.id_for(slot, self.to.reads_deadlines());
        let _calling = spans::calling(&self.to.node);
        let sent = self.to.send_with(|out| write_call(out, message, &id));
        self.waiting.far = Some(Far {
            reply: Some(reply),
            monitor,
            peer: self.to.peer().cloned(),
        });
        Ok(sent.check()?)
    }
}

fn write_call(
    out: &mut PacketWriter<'_>,
    message: &[Value],
    reply: &PortId,
) -> Result<(), EncodeError> {
    for value in message {
        out.value(value)?;
    }
    out.str(reply.as_str())
}

impl Future for ValueCall {
    type Output = Result<Vec<Value>, CallError>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(message) = this.message.take()
            && let Err(error) = this.send(&message)
        {
            return this.waiting.end(&this.to.node, Err(error));
        }
        let Poll::Ready(answer) = this.waiting.poll(&this.to.node, task) else {
            circle::see(|| this.to.id.clone());
            return Poll::Pending;
        };
        let answer = answer.unwrap_or(Err(CallError::NoReply));
        this.waiting.end(&this.to.node, answer)
    }
}

impl Drop for ValueCall {
    fn drop(&mut self) {
        let node = || &self.to.node;
        self.waiting.meter.end(node, CallEnd::Dropped);
    }
}

impl fmt::Debug for ValueCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueCall")
            .field("port", &self.to.id)
            .finish_non_exhaustive()
    }
}
