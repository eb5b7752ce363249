//! The untyped functions with AEMP's names: `snd`, `kil`, `mon`, `cal`, `rcv`, and requests to other nodes.

use std::{sync::Arc, time::Duration};

use aemp_codec::{PortId, Value};

use super::Node;
use crate::{
    Args, CallError, Cx, RcvError, Reason, SendError, Sent,
    exec::current,
    message::Outcome,
    port::{
        Handle, Handlers, Monitor, Timer, Untyped, UntypedMsg, ValueCall,
        any::typed,
        bound::free,
        monitor::Action,
        untyped::{self, Change, Kind},
    },
};

impl Node {
    /// Makes an untyped port of a closure, which is its default handler: it is given whole messages, tag first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aemp::StartError> {
    /// let node = aemp::Node::local()?;
    /// let port = node.untyped(|_cx: &mut aemp::Cx<'_>, message: aemp::Args| println!("{message:?}"));
    /// node.snd(&port.id(), aemp::msg!["hello", 1]);
    /// # Ok(()) }
    /// ```
    pub fn untyped<O: Outcome>(
        &self,
        run: impl FnMut(&mut Cx<'_>, Args) -> O + Send + 'static,
    ) -> Handle<UntypedMsg> {
        self.port(Untyped::new(Some(untyped::handler(run))))
    }

    /// Makes an untyped port without any handler; add them with [`rcv`](Self::rcv).
    pub fn empty_port(&self) -> Handle<UntypedMsg> {
        self.port(Untyped::new(None))
    }

    fn change(&self, port: &PortId, changes: Vec<Change>) -> Result<(), RcvError> {
        if !self.port_is_local(port) {
            return Err(RcvError::Remote(port.clone()));
        }
        let found = self.find(port.name());
        let found = found.ok_or_else(|| RcvError::Dead(port.clone()))?;
        let untyped = typed::<UntypedMsg>(found).ok_or_else(|| RcvError::Typed(port.clone()))?;
        Handle::local(untyped).post(UntypedMsg(Kind::Change(changes)));
        Ok(())
    }

    /// Sets the handler of a tag of an untyped port of this node, in order with the caller's messages. It is given
    /// the arguments behind the tag.
    ///
    /// # Errors
    ///
    /// [`RcvError`], if the port is not an untyped one of this node.
    pub fn rcv<O: Outcome>(
        &self,
        port: &PortId,
        tag: &str,
        run: impl FnMut(&mut Cx<'_>, Args) -> O + Send + 'static,
    ) -> Result<(), RcvError> {
        let handler = Some(untyped::handler(run));
        let tag = Some(tag.into());
        self.change(port, vec![Change { tag, handler }])
    }

    /// Sets many handlers of an untyped port of this node at once: no message comes between. See [`Handlers`].
    ///
    /// # Errors
    ///
    /// [`RcvError`], if the port is not an untyped one of this node.
    pub fn rcv_all(&self, port: &PortId, handlers: Handlers) -> Result<(), RcvError> {
        self.change(port, handlers.0)
    }

    /// Sets the default handler of an untyped port of this node. It is given whole messages, tag first.
    ///
    /// # Errors
    ///
    /// [`RcvError`], if the port is not an untyped one of this node.
    pub fn rcv_default<O: Outcome>(
        &self,
        port: &PortId,
        run: impl FnMut(&mut Cx<'_>, Args) -> O + Send + 'static,
    ) -> Result<(), RcvError> {
        let handler = Some(untyped::handler(run));
        self.change(port, vec![Change { tag: None, handler }])
    }

    /// Removes the handler of a tag of an untyped port of this node.
    ///
    /// # Errors
    ///
    /// [`RcvError`], if the port is not an untyped one of this node.
    pub fn rcv_remove(&self, port: &PortId, tag: &str) -> Result<(), RcvError> {
        let tag = Some(tag.into());
        self.change(port, vec![Change { tag, handler: None }])
    }

    /// Sends a message, tag first, to a port anywhere. Never blocks; a message to a dead or unknown port vanishes.
    ///
    /// A message to a node's own port (`PortId` of a bare node ID) is a request, which that node serves in the name of this one. The handlers
    /// of a port cannot send one like that: where a port sends an answer, or passes something on, is mostly what others have told it, and they would
    /// have their requests served in this node's name. A port that means a request says so with [`snd_to_func`](Self::snd_to_func).
    ///
    /// # Errors
    ///
    /// [`Sent`] tells of a value that cannot be encoded, and of [`SendError::NodePort`].
    pub fn snd(&self, to: &PortId, message: Vec<Value>) -> Sent {
        let to = self.destination(to);
        if to.is_node_port() && current::runs_port() {
            return to.no_port();
        }
        to.send_values(message)
    }

    /// As [`snd`](Self::snd), for messages that others have caused: they reach ports only, never a node port.
    pub(crate) fn relay(&self, to: &PortId, message: Vec<Value>) -> Sent {
        let to = self.destination(to);
        if to.is_node_port() {
            return to.no_port();
        }
        to.send_values(message)
    }

    /// Sends a message to a reply list: a port, and elements that come before those of the message. This is how Perl programs say where an
    /// answer goes: `snd @$reply, ANSWER`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use aemp::{Args, Cx, Node, args, msg};
    ///
    /// let node = Node::local()?;
    /// let (heard, hears) = tokio::sync::oneshot::channel();
    /// let mut heard = Some(heard);
    /// let port = node.untyped(move |_: &mut Cx<'_>, message: Args| drop(heard.take().map(|to| to.send(message))));
    /// node.snd_list(&args![port.id().to_string(), "answer", 7], args!["yes"]);
    /// assert_eq!(hears.await?, msg!["answer", 7, "yes"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Sent`] tells of what [`snd`](Self::snd) does, and of [`SendError::NoPort`].
    pub fn snd_list(&self, reply: &[Value], message: Vec<Value>) -> Sent {
        let first = reply.first().and_then(Value::text).unwrap_or_default();
        let to = match PortId::parse(&first) {
            Ok(to) => to,
            Err(error) => return Sent::from(Err(SendError::NoPort(error.to_string()))),
        };
        let mut whole = reply[1..].to_vec();
        whole.extend(message);
        self.snd(&to, whole)
    }

    /// Kills a port anywhere with a reason; `()` is a normal end. In order with what the caller sent before.
    pub fn kil(&self, port: &PortId, reason: impl Into<Reason>) {
        self.destination(port).kill(reason.into());
    }

    /// Calls `callback` once with the reason when the port dies, does not exist, or its node is lost.
    ///
    /// Monitoring the node port (`PortId` of a bare node ID) connects to the node, and fires when the connection is
    /// lost or cannot be made.
    pub fn mon(&self, port: &PortId, callback: impl FnOnce(&Reason) + Send + 'static) -> Monitor {
        let action = Action::Call(Box::new(callback));
        self.destination(port).monitor(action)
    }

    /// Kills `other`, a port anywhere, with the same reason when `port` dies of something.
    pub fn mon_kil(&self, port: &PortId, other: &PortId) -> Monitor {
        let link = Action::LinkFar(Arc::new(self.destination(other)));
        self.destination(port).monitor(link)
    }

    /// Sends `message` to `to`, with the reason's elements appended, when the port dies.
    pub fn mon_snd(&self, port: &PortId, to: &PortId, message: Vec<Value>) -> Monitor {
        let action = Action::Send(self.clone(), to.clone(), message);
        self.destination(port).monitor(action)
    }

    /// Calls a port: a reply port is appended to the message as its last argument, and the future is what it is
    /// sent. The port is monitored meanwhile. Within a port, calls of a node's own port are refused, for the reason that [`snd`](Self::snd) gives;
    /// see [`cal_to_func`](Self::cal_to_func). A list of one that is the answer is here, as for callers in Perl, what its element alone
    /// would be.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use aemp::{Args, Cx, Node, PortId, msg};
    ///
    /// let node = Node::local()?;
    /// let echo = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
    ///     let reply = message.pop().and_then(|to| to.text().and_then(|to| PortId::parse(&to).ok()));
    ///     if let Some(reply) = reply {
    ///         cx.node().snd(&reply, message);
    ///     }
    /// });
    /// assert_eq!(node.cal(&echo.id(), msg!["hi", 1]).await?, msg!["hi", 1]);
    /// # Ok(()) }
    /// ```
    pub fn cal(&self, to: &PortId, message: Vec<Value>) -> ValueCall {
        ValueCall::new(self.destination(to), message)
    }

    /// Runs `run` after a delay, from wherever it is set, unless the node ends before. What must not outlive a port is set with [`Cx::after`].
    pub fn after(&self, delay: Duration, run: impl FnOnce() + Send + 'static) -> Timer {
        free(self, delay, run)
    }

    /// Calls a function that another node has registered, or any function of a Perl node that is not in secure mode. The
    /// function's name contains `::`; nothing comes back.
    pub fn snd_to_func(&self, node: &str, function: &str, args: Args) -> Sent {
        let to = match self.node_port(node) {
            Ok(to) => to,
            Err(error) => {
                crate::log::error!("a call of {function}: {error}");
                return Sent::from(Err(error));
            }
        };
        let mut message = Vec::with_capacity(args.len() + 1);
        message.push(function.into());
        message.extend(args);
        self.destination(&to).send_values(message)
    }

    /// Calls a request or a function of another node that answers to the port that comes last in its arguments, such as `time`: also from
    /// within a port, where [`cal`](Self::cal) reaches ports only.
    ///
    /// # Errors
    ///
    /// [`SendError::NoNode`].
    pub fn cal_to_func(
        &self,
        node: &str,
        function: &str,
        args: Args,
    ) -> Result<ValueCall, SendError> {
        let to = self.node_port(node)?;
        let mut message = Vec::with_capacity(args.len() + 1);
        message.push(function.into());
        message.extend(args);
        Ok(ValueCall::of_node(self.destination(&to), message))
    }

    /// Has another node send a message to a port, from there: an echo if the port is one of ours.
    pub fn snd_on(&self, node: &str, to: &PortId, message: Vec<Value>) -> Sent {
        self.snd_to_func(node, "snd", Self::addressed(to, message))
    }

    /// Has a Perl node evaluate code; the future is the error text (empty if none), followed by the results. A node
    /// of this project answers with an error, a Perl node in secure mode not at all.
    ///
    /// # Errors
    ///
    /// [`CallError`], as of any call.
    pub async fn eval_on(
        &self,
        node: &str,
        code: &str,
        timeout: Duration,
    ) -> Result<Vec<Value>, CallError> {
        let call = self.cal_to_func(node, "eval", vec![code.into()])?;
        call.timeout(timeout).await
    }

    pub(crate) fn addressed(to: &PortId, message: Vec<Value>) -> Args {
        let mut args = Vec::with_capacity(message.len() + 1);
        args.push(to.as_str().into());
        args.extend(message);
        args
    }
}
