//! The node port: requests of other nodes, and of this one, to this node ([protocol](aemp_proto::protocol::requests)).

mod cost;
mod permit;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aemp_codec::{DecodeError, PacketReader, PortId, Value};

use super::{
    Given, Node, names,
    registry::{Function, perl_bool},
    remote::{Remote, credit::Ask},
    short,
};
use crate::{
    Reason,
    exec::scheduler,
    logs,
    message::Origin,
    port::{any::AnyPort, monitor, queue::Pushed},
    tap,
};
use aemp_proto::{
    mesh::RawRequest,
    peer::ConnId,
    request::{Request, RequestError},
};

/// The only code that a node without Perl can evaluate: `aemp trace` of the reference sends it ([protocol](aemp_proto::protocol::behaviour#the-aemp-command-as-a-client)).
const UP_NODES: &str = "AnyEvent::MP::Kernel::up_nodes";

/// The number of function calls of one node that may wait.
const MOST_CALLS: usize = 1024;

/// The longest port name that another node may choose, in bytes.
const LONGEST_NAME: usize = 255;

/// The results of delivering a connection's packets, other than messages to ports.
pub(crate) struct Brought {
    /// The connection.
    conn: ConnId,
    /// Requests for the mesh.
    pub(crate) for_mesh: Vec<RawRequest>,
    /// The cost of the requests, for `max_requests_per_second`.
    pub(crate) cost: u64,
    /// True if one of the ports has a crowd of messages in its queue.
    pub(crate) is_crowded: bool,
    /// The port of the last message, if its name is a number. The next message is often for the same port. If that
    /// has died meanwhile, the message vanishes whether the port is found or not.
    receiver: Receiver,
}

#[derive(Default)]
struct Receiver {
    name: String,
    port: Option<Arc<dyn AnyPort>>,
}

impl Brought {
    /// The port of the last message, if it has this name.
    #[inline]
    fn last_receiver(&self, name: &str) -> Option<&Arc<dyn AnyPort>> {
        let port = self.receiver.port.as_ref();
        port.filter(|_| self.receiver.name == name)
    }

    fn note_receiver(&mut self, name: &str, port: Arc<dyn AnyPort>) {
        self.receiver.name.clear();
        self.receiver.name.push_str(name);
        self.receiver.port = Some(port);
    }

    /// Forgets the port of the last message.
    pub(crate) fn forget_receiver(&mut self) {
        self.receiver.port = None;
    }

    /// The empty result for a connection.
    pub(crate) fn over(conn: ConnId) -> Self {
        Self {
            conn,
            for_mesh: Vec::new(),
            cost: 0,
            is_crowded: false,
            receiver: Receiver::default(),
        }
    }
}

impl Node {
    /// Delivers one packet from another node, to a port or to the node port. Requests for the mesh are added to
    /// `brought`.
    ///
    /// # Errors
    ///
    /// A syntax error, which ends the connection. All other errors concern the port, or are logged.
    pub(crate) fn deliver(
        &self,
        from: &Arc<Remote>,
        packet: &mut PacketReader<'_>,
        brought: &mut Brought,
    ) -> Result<(), DecodeError> {
        let name = match packet.text() {
            Ok(Some(name)) => name,
            Ok(None) => return Ok(()),
            Err(error) if error.is_malformed() => return Err(error),
            // The destination is a list or a map and names no port. The packet is dropped, as by the reference.
            Err(_) => return validate(packet),
        };
        if name.is_empty() {
            return self.deliver_request(from, packet, brought);
        }
        if let Some(port) = brought.last_receiver(&name) {
            let is_crowded = self.deliver_to(port, from, packet, &name)?;
            brought.is_crowded |= is_crowded;
            return Ok(());
        }
        let Some(port) = self.receiver(&name, packet) else {
            return validate(packet);
        };
        brought.is_crowded |= self.deliver_to(&port, from, packet, &name)?;
        if self.names().is_ours(&name) && names::of_list(&name).is_none() {
            brought.note_receiver(&name, port);
        }
        Ok(())
    }

    /// Delivers a message to a port of this node. Returns whether the port has a crowd of messages in its queue.
    #[inline]
    fn deliver_to(
        &self,
        port: &Arc<dyn AnyPort>,
        from: &Arc<Remote>,
        packet: &mut PacketReader<'_>,
        name: &str,
    ) -> Result<bool, DecodeError> {
        match port.deliver(Some(from.id()), packet)? {
            Pushed::Wake => scheduler::schedule(Arc::clone(port)),
            Pushed::Backlog => return Ok(self.end_if_full(from, port, name)),
            Pushed::Queued | Pushed::Dead => {}
        }
        Ok(false)
    }

    fn deliver_request(
        &self,
        from: &Arc<Remote>,
        packet: &mut PacketReader<'_>,
        brought: &mut Brought,
    ) -> Result<(), DecodeError> {
        match Request::read(packet) {
            Ok(Request::Global { request, args }) => {
                brought.cost += 1;
                brought.for_mesh.push((request, args));
            }
            Ok(request) => {
                // Unused arguments must be valid as well.
                validate(packet)?;
                brought.cost += self.cost(from, &request);
                match request {
                    Request::Mon1(port) => self.watch(from, &port, brought.conn),
                    Request::Room { port, token, left } => {
                        let conn = brought.conn;
                        from.grant(self, &port, Ask { conn, token }, left);
                    }
                    Request::Credit {
                        port,
                        token,
                        messages,
                    } => {
                        let conn = brought.conn;
                        from.granted(&port, Ask { conn, token }, messages);
                    }
                    request => self.request(Some(from), request),
                }
            }
            Err(RequestError::Malformed(error)) => return Err(error),
            Err(error) => {
                brought.cost += 1;
                if from.account().may_complain() {
                    let (node, error) = (from.id(), error.to_string());
                    let text = format!("node port: request from {node}: {}", short(&error));
                    self.complain(node, text);
                }
                return validate(packet);
            }
        }
        Ok(())
    }

    /// Handles a request that this node sends to itself.
    pub(crate) fn request_locally(&self, message: Vec<Value>) {
        match Request::read(&mut PacketReader::values(message)) {
            Ok(request) => self.request(None, request),
            Err(error) => {
                crate::log::warning!("node port: request of this node: {error}");
            }
        }
    }

    fn request(&self, from: Option<&Arc<Remote>>, request: Request) {
        if self.is_for_node_port(from, &request) {
            return;
        }
        match request {
            // A node does not monitor its own ports by requests, nor ask them for room.
            Request::Keepalive
            | Request::Devnull
            | Request::Mon1(_)
            | Request::Room { .. }
            | Request::Credit { .. } => {}
            Request::Mon0(port) => {
                if let Some(from) = from {
                    from.unwatch(&port);
                }
            }
            Request::Kil0 { port, reason } => {
                if let Some(from) = from {
                    if names::is_reply_name(&port) {
                        from.caller_gone(&port);
                    }
                    from.port_died(self, &port, Reason::new(reason));
                }
            }
            Request::Kil1 { port, reason } => self.kill_for(from, &port, reason),
            Request::Snd { to, msg } => self.answer(from, &to, msg, Vec::new()),
            Request::Can { request, to, msg } => {
                let known = Request::is_fixed(&request);
                self.answer(from, &to, msg, vec![perl_bool(known)]);
            }
            Request::Time { to, msg } => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0.0, |since| since.as_secs_f64());
                self.answer(from, &to, msg, vec![now.into()]);
            }
            Request::Eval { code, to, msg } => self.eval(from, &code, to, msg),
            Request::Inspect { what, to, msg } => self.inspect_for(from, &what, to, msg),
            Request::Spawn {
                port,
                function,
                args,
            } => self.spawn_for(from, &port, &function, args),
            Request::Call { function, args } => self.call_function(from, &function, args),
            Request::Global { request, .. } => {
                crate::log::warning!(
                    "node port: {request}: a node cannot send this request to itself"
                );
            }
        }
    }

    fn answer(
        &self,
        from: Option<&Arc<Remote>>,
        to: &PortId,
        mut message: Vec<Value>,
        answer: Vec<Value>,
    ) {
        message.extend(answer);
        if from.is_none_or(|from| self.passes_on(from, to, &message)) {
            self.relay(to, message);
        }
    }

    fn inspect_for(&self, from: Option<&Arc<Remote>>, what: &Value, to: PortId, msg: Vec<Value>) {
        if !from.is_none_or(|from| self.passes_on(from, &to, &msg)) {
            return;
        }
        if self.may_not_inspect(from) {
            return self.fail(&to, msg, "not allowed here");
        }
        self.inspected(from, what, to, msg);
    }

    /// Sets a monitor of another node on a port of this node, over this connection.
    fn watch(&self, from: &Arc<Remote>, name: &str, conn: ConnId) {
        if name.is_empty() {
            return;
        }
        if let Some(port) = self.find(name)
            && (self.has_enough_monitors(from, name, conn) || from.watch(&port, name, conn))
        {
            return;
        }
        let no_such_port = || Reason::no_such_port(PortId::new(self.id(), name).as_str());
        let stillborn = from.account().stillborn.take(name);
        let reason = stillborn.unwrap_or_else(no_such_port);
        from.report_dead(name, conn, &reason);
    }

    fn kill_for(&self, from: Option<&Arc<Remote>>, name: &str, reason: Vec<Value>) {
        if name.is_empty() {
            if from.is_none_or(|from| from.account().may_complain()) {
                let from = name_of(from);
                self.complain(from, format!("node port: {from} tried to kill it: refused"));
            }
        } else if let Some(port) = self.find(name) {
            monitor::kill(&port, Reason::new(reason));
        }
    }

    /// Answers that code is never executed. In secure mode there is no answer, as in the reference.
    fn eval(&self, from: Option<&Arc<Remote>>, code: &str, to: Option<PortId>, msg: Vec<Value>) {
        if self.refuses(from, "eval", "eval") {
            return;
        }
        let Some(to) = to else { return };
        if code.trim() == UP_NODES {
            let mut answer = vec!["".into()];
            answer.extend(self.up_nodes().iter().map(|node| node.as_str().into()));
            return self.answer(from, &to, msg, answer);
        }
        let text = "this node is not written in Perl: it evaluates no code";
        self.answer(from, &to, msg, vec![text.into()]);
    }

    fn spawn_for(&self, from: Option<&Arc<Remote>>, name: &str, function: &str, args: Vec<Value>) {
        if self.refuses(from, "spawn", function) {
            return;
        }
        let taken = name.is_empty()
            || name.len() > LONGEST_NAME
            || self.names().is_ours(name)
            || self.find(name).is_some();
        if taken {
            if from.is_none_or(|from| from.account().may_complain()) {
                let (from, name) = (name_of(from), short(name));
                let text =
                    format!("node port: spawn from {from}: the port name {name:?} cannot be given");
                self.complain(from, text);
            }
            return;
        }
        if from.is_some_and(|from| self.has_enough_ports(from, name)) {
            return;
        }
        let given = Given { name, by: from };
        self.spawn_here(function, Some(given), PacketReader::values(args));
    }

    fn call_function(&self, from: Option<&Arc<Remote>>, function: &str, args: Vec<Value>) {
        if self.refuses(from, "call", function) {
            return;
        }
        let origin = from.map_or(Origin::Local, |from| Origin::Node(from.id().clone()));
        let registered = self.registry().function(function).map(Arc::clone);
        match registered.or_else(|| built_in(self, function)) {
            Some(run) => {
                let strand = from.map_or(&self.0.functions, |from| from.functions());
                let taken = strand.try_run(self, MOST_CALLS, move || run(origin, args));
                if !taken && from.is_none_or(|from| from.account().is_news("function")) {
                    let (from, function) = (name_of(from), short(function));
                    let text = format!(
                        "{from} calls {function:?} faster than it returns: calls are dropped"
                    );
                    self.complain(from, text);
                }
            }
            None if from.is_none_or(|from| from.account().may_complain()) => {
                let (from, function) = (name_of(from), short(function));
                let text = format!(
                    "error processing node message from {from}: unable to resolve function '{function}'"
                );
                self.complain(from, text);
            }
            None => {}
        }
    }
}

/// The function of this name that every node has, unless its program has one.
fn built_in(node: &Node, function: &str) -> Option<Function> {
    logs::built_in(node, function).or_else(|| tap::built_in(node, function))
}

/// The node's name for the log.
fn name_of(from: Option<&Arc<Remote>>) -> &str {
    from.map_or("this node", |from| from.id().as_str())
}

/// Checks the syntax of the rest of a packet.
fn validate(packet: &mut PacketReader<'_>) -> Result<(), DecodeError> {
    while packet.skip()? {}
    Ok(())
}
