//! The node port: requests of other nodes, and of this one, to this node ([protocol](aemp_proto::protocol::requests)).

mod cost;
mod permit;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aemp_codec::{DecodeError, PacketReader, PortId, Value};

#[cfg(feature = "net")]
use super::streams;
use super::{
    Given, Node,
    delivery::{Brought, validate},
    names,
    peer::{Peer, credit::Ask},
    registry::{Function, perl_bool},
    short,
};
use crate::{
    Reason,
    exec::spans,
    logs,
    message::Origin,
    port::{any::AnyPort, monitor, stop},
    supervisor::remote,
    tap,
};
use aemp_proto::{
    peer::ConnId,
    request::{Request, RequestError},
};

/// The only code that a node without Perl can evaluate: `aemp trace` of the reference sends it ([protocol](aemp_proto::protocol::behaviour#the-aemp-command-as-a-client)).
const UP_NODES: &str = "AnyEvent::MP::Kernel::up_nodes";

/// The number of function calls of one node that may wait.
const MOST_CALLS: usize = 1024;

/// The longest port name that another node may choose, in bytes.
const LONGEST_NAME: usize = 255;

impl Node {
    /// Handles a request of another node to the node port.
    pub(super) fn deliver_request(
        &self,
        from: &Arc<Peer>,
        packet: &mut PacketReader<'_>,
        brought: &mut Brought,
    ) -> Result<(), DecodeError> {
        match Request::read(packet) {
            Ok(Request::Global { request, args } | Request::Relay { request, args }) => {
                brought.cost += 1;
                brought.for_mesh.push((request, args));
            }
            Ok(Request::Traced {
                parent,
                state,
                called,
                port,
            }) if spans::TAKES_CONTEXTS && !port.is_empty() => {
                let _arriving = match spans::from_peer(self, &parent, &state, called) {
                    Ok(noting) => spans::arriving(noting),
                    Err(error) => {
                        self.complain_of(from, brought, format_args!("a context: {error}"));
                        spans::arriving(spans::Noting::default())
                    }
                };
                return self.deliver_message(from, &port, packet, brought);
            }
            Ok(Request::Traced { .. }) => {
                let text = "a message with a context, which this node has not asked for";
                self.complain_of(from, brought, format_args!("{text}"));
                return validate(packet);
            }
            Ok(request) => {
                // Unused arguments must be valid as well.
                validate(packet)?;
                brought.cost += self.cost(from, &request);
                match request {
                    Request::Mon1(port) => self.monitor_for(from, &port, brought.conn),
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
                self.complain_of(from, brought, format_args!("{error}"));
                return validate(packet);
            }
        }
        Ok(())
    }

    /// Logs a wrong request, which costs the peer as any request.
    #[cold]
    fn complain_of(&self, from: &Peer, brought: &mut Brought, problem: fmt::Arguments<'_>) {
        brought.cost += 1;
        if from.account().may_complain() {
            let (node, problem) = (from.id(), problem.to_string());
            let text = format!("node port: request from {node}: {}", short(&problem));
            self.complain(node, text);
        }
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

    fn request(&self, from: Option<&Arc<Peer>>, request: Request) {
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
                    from.unmonitor_port(&port);
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
            Request::Stop { port, within } => {
                self.stop_for(from, &port, within.map(Duration::from_millis));
            }
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
            Request::Inspect { subject, to, msg } => self.inspect_for(from, &subject, to, msg),
            Request::Spawn {
                port,
                function,
                args,
            } => self.spawn_for(from, &port, &function, args),
            Request::Call { function, args } => self.call_function(from, &function, args),
            Request::Global { .. } | Request::Relay { .. } | Request::Traced { .. } => {
                let request = request.name();
                crate::log::warning!(
                    "node port: {request}: a node cannot send this request to itself"
                );
            }
        }
    }

    fn answer(
        &self,
        from: Option<&Arc<Peer>>,
        to: &PortId,
        mut message: Vec<Value>,
        answer: Vec<Value>,
    ) {
        message.extend(answer);
        if from.is_none_or(|from| self.passes_on(from, to, &message)) {
            self.relay(to, message);
        }
    }

    fn inspect_for(&self, from: Option<&Arc<Peer>>, subject: &Value, to: PortId, msg: Vec<Value>) {
        if !from.is_none_or(|from| self.passes_on(from, &to, &msg)) {
            return;
        }
        if self.may_not_inspect(from) {
            return self.fail(&to, msg, "not allowed here");
        }
        self.inspected(from, subject, to, msg);
    }

    /// Sets a monitor of another node on a port of this node, over this connection.
    fn monitor_for(&self, from: &Arc<Peer>, name: &str, conn: ConnId) {
        if name.is_empty() {
            return;
        }
        if let Some(port) = self.find(name)
            && (self.has_enough_monitors(from, name, conn) || from.monitor_port(&port, name, conn))
        {
            return;
        }
        let no_such_port = || Reason::no_such_port(PortId::new(self.id(), name).as_str());
        let stillborn = from.account().stillborn.take(name);
        let reason = stillborn.unwrap_or_else(no_such_port);
        from.report_dead(name, conn, &reason);
    }

    fn kill_for(&self, from: Option<&Arc<Peer>>, name: &str, reason: Vec<Value>) {
        if let Some(port) = self.mortal(from, name) {
            monitor::kill(&port, Reason::new(reason));
        }
    }

    fn stop_for(&self, from: Option<&Arc<Peer>>, name: &str, within: Option<Duration>) {
        if let Some(port) = self.mortal(from, name) {
            stop::stop(&port, within);
        }
    }

    /// The port of this name, for its end. The node port has none.
    fn mortal(&self, from: Option<&Arc<Peer>>, name: &str) -> Option<Arc<dyn AnyPort>> {
        if !name.is_empty() {
            return self.find(name);
        }
        if from.is_none_or(|from| from.account().may_complain()) {
            let from = name_of(from);
            self.complain(from, format!("node port: {from} tried to kill it: refused"));
        }
        None
    }

    /// Answers that code is never executed. In secure mode there is no answer, as in the reference.
    fn eval(&self, from: Option<&Arc<Peer>>, code: &str, to: Option<PortId>, msg: Vec<Value>) {
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

    fn spawn_for(&self, from: Option<&Arc<Peer>>, name: &str, function: &str, args: Vec<Value>) {
        let by = from.map(|from| from.id().as_str());
        // The function of a supervised child counts for the permission.
        let Some(asked) = remote::asked(by, function, args) else {
            return;
        };
        if self.refuses(from, "spawn", &asked.function) {
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
        if from.is_some_and(|from| {
            self.spawns_no_more(from, name) || self.has_enough_ports(from, name)
        }) {
            return;
        }
        let given = Given { name, by: from };
        let args = PacketReader::values(asked.args);
        let port = self.spawn_here(&asked.function, Some(given), args);
        if let Some(supervisor) = &asked.supervisor {
            remote::tie(self, &port, supervisor);
        }
    }

    fn call_function(&self, from: Option<&Arc<Peer>>, function: &str, args: Vec<Value>) {
        #[cfg(feature = "net")]
        match (from, function) {
            // The function of the stream counts for the permission.
            (Some(from), streams::EXPECT) => return self.expect_for(from, args),
            (Some(from), streams::CONNECT) => return self.connect_for(from, &args),
            (Some(from), streams::INLINE_OPEN) => return self.open_inline_for(from, &args),
            _ => {}
        }
        if self.refuses(from, "call", function) {
            return;
        }
        let origin = from.map_or(Origin::Local, |from| Origin::Node(from.id().clone()));
        let registered = self.registry().function(function).map(Arc::clone);
        match registered.or_else(|| built_in(self, function)) {
            Some(run) => {
                let strand = from.map_or(&self.0.strands.functions, |from| from.functions());
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
fn name_of(from: Option<&Arc<Peer>>) -> &str {
    from.map_or("this node", |from| from.id().as_str())
}
