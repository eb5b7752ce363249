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
    /// Makes an untyped port from a closure, its default handler. The handler gets whole messages, tag first.
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

    /// Makes an untyped port without handlers; add them with [`rcv`](Self::rcv).
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

    /// Sets the handler of a tag of an untyped port of this node, in order with the caller's messages. The handler
    /// gets the arguments after the tag.
    ///
    /// # Errors
    ///
    /// [`RcvError`] if the port is not an untyped port of this node.
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

    /// Sets several handlers of an untyped port of this node at once: no message is handled in between. See
    /// [`Handlers`].
    ///
    /// # Errors
    ///
    /// [`RcvError`] if the port is not an untyped port of this node.
    pub fn rcv_all(&self, port: &PortId, handlers: Handlers) -> Result<(), RcvError> {
        self.change(port, handlers.0)
    }

    /// Sets the default handler of an untyped port of this node. The handler gets whole messages, tag first.
    ///
    /// # Errors
    ///
    /// [`RcvError`] if the port is not an untyped port of this node.
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
    /// [`RcvError`] if the port is not an untyped port of this node.
    pub fn rcv_remove(&self, port: &PortId, tag: &str) -> Result<(), RcvError> {
        let tag = Some(tag.into());
        self.change(port, vec![Change { tag, handler: None }])
    }

    /// Sends a message, tag first, to any port. This never blocks. A message to a dead or unknown port vanishes.
    ///
    /// A message to a node's own port (the `PortId` of a bare node ID) is a request, which that node serves in the
    /// name of this node. A handler of a port cannot send such a message. The destinations of answers and relayed
    /// messages mostly come from peers, and a peer could have its requests served in this node's name. Use
    /// [`snd_to_func`](Self::snd_to_func) for a request.
    ///
    /// # Errors
    ///
    /// [`Sent`] reports a value that cannot be encoded, and [`SendError::NodePort`].
    pub fn snd(&self, to: &PortId, message: Vec<Value>) -> Sent {
        let to = self.destination(to);
        if to.is_node_port() && current::runs_port() {
            return to.no_port();
        }
        to.send_values(message)
    }

    /// As [`snd`](Self::snd), for messages that peers have caused. They reach ports only, never a node port.
    pub(crate) fn relay(&self, to: &PortId, message: Vec<Value>) -> Sent {
        let to = self.destination(to);
        if to.is_node_port() {
            return to.no_port();
        }
        to.send_values(message)
    }

    /// Sends a message to a reply list: a port, and elements that are put before those of the message. Perl programs
    /// pass the destination of an answer in this form: `snd @$reply, ANSWER`.
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
    /// [`Sent`] reports the errors of [`snd`](Self::snd), and [`SendError::NoPort`].
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

    /// Kills any port with a reason. `()` is the reason of a normal end. The kill is in order with the caller's
    /// messages. A kill of a node port is ignored.
    pub fn kil(&self, port: &PortId, reason: impl Into<Reason>) {
        self.destination(port).kill(reason.into());
    }

    /// Calls `callback` once with the reason when the port dies or its node is lost, or at once if the port does not
    /// exist.
    ///
    /// Monitoring the node port (`PortId` of a bare node ID) connects to the node, and fires when the connection is
    /// lost or cannot be made.
    pub fn mon(&self, port: &PortId, callback: impl FnOnce(&Reason) + Send + 'static) -> Monitor {
        let action = Action::Call(Box::new(callback));
        self.destination(port).monitor(action)
    }

    /// Kills `other` with the same reason when `port` dies. A normal end is not passed on. Both may be ports of any
    /// node.
    pub fn mon_kil(&self, port: &PortId, other: &PortId) -> Monitor {
        let link = Action::LinkFar(Arc::new(self.destination(other)));
        self.destination(port).monitor(link)
    }

    /// Sends `message` to `to` when the port dies, with the elements of the reason appended.
    pub fn mon_snd(&self, port: &PortId, to: &PortId, message: Vec<Value>) -> Monitor {
        let action = Action::Send(self.clone(), to.clone(), message);
        self.destination(port).monitor(action)
    }

    /// Calls a port. A reply port is appended to the message as its last argument, and the future returns the message
    /// that this port receives. The called port is monitored meanwhile. Within a port, a call of a node's own port is
    /// refused, for the reason given at [`snd`](Self::snd); see [`cal_to_func`](Self::cal_to_func). An answer that is
    /// a list with one element is the same as that element here, as for callers in Perl.
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

    /// Runs `run` after a delay, unless the node ends first. A timer that must end with a port is set with
    /// [`Cx::after`].
    #[doc(alias = "send_after")]
    pub fn after(&self, delay: Duration, run: impl FnOnce() + Send + 'static) -> Timer {
        free(self, delay, run)
    }

    /// Calls a function that another node has registered, or any function of a Perl node that is not in secure mode.
    /// The name of the function contains `::`. There is no answer.
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

    /// Calls a request or a function of another node, such as `time`, that answers to the port in its last argument.
    /// It also works within a port, where [`cal`](Self::cal) reaches ports only.
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

    /// Makes another node send a message to a port. If the port belongs to this node, that is an echo.
    pub fn snd_on(&self, node: &str, to: &PortId, message: Vec<Value>) -> Sent {
        self.snd_to_func(node, "snd", Self::addressed(to, message))
    }

    /// Evaluates code on a Perl node. The future returns the error text (empty if there is no error), followed by the
    /// results. A node of this project answers with an error. A Perl node in secure mode does not answer.
    ///
    /// # Errors
    ///
    /// [`CallError`], as for any call.
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
