//! The node port: what another node, or this one, asks this node to do (PROTOCOL.md section 5).

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aemp_codec::{DecodeError, PacketReader, PortId, Value};

use super::{Node, registry::perl_bool, remote::Remote};
use crate::{
    Reason,
    message::Origin,
    port::{
        monitor::{self, Action},
        queue::Pushed,
        scheduler,
    },
    proto::{
        mesh::RawRequest,
        request::{Request, RequestError},
    },
};

/// The one piece of code that a node without Perl can answer: what `aemp trace` asks (REFERENCE.md).
const UP_NODES: &str = "AnyEvent::MP::Kernel::up_nodes";

impl Node {
    /// Delivers one packet from another node: to a port, or to the node port. What is the mesh's business is appended to
    /// `for_mesh`.
    ///
    /// # Errors
    ///
    /// A syntax error, which ends the connection. Everything else is the port's affair, or logged.
    pub(crate) fn deliver(
        &self,
        from: &Arc<Remote>,
        packet: &mut PacketReader<'_>,
        for_mesh: &mut Vec<RawRequest>,
    ) -> Result<(), DecodeError> {
        let name = match packet.text() {
            Ok(Some(name)) => name,
            Ok(None) => return Ok(()),
            Err(error) if error.is_malformed() => return Err(error),
            // A structure names no port: dropped, as the reference does.
            Err(_) => return validate(packet),
        };
        if name.is_empty() {
            return self.deliver_request(from, packet, for_mesh);
        }
        match self.find(&name) {
            Some(port) => {
                if port.deliver(Some(from.id()), packet)? == Pushed::Wake {
                    scheduler::schedule(port);
                }
                Ok(())
            }
            None => validate(packet),
        }
    }

    fn deliver_request(
        &self,
        from: &Arc<Remote>,
        packet: &mut PacketReader<'_>,
        for_mesh: &mut Vec<RawRequest>,
    ) -> Result<(), DecodeError> {
        match Request::read(packet) {
            Ok(Request::Global { request, args }) => for_mesh.push((request, args)),
            Ok(request) => {
                // Arguments that nobody looks at have to be sound as well.
                validate(packet)?;
                self.request(Some(from), request);
            }
            Err(RequestError::Malformed(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(node = %from.id(), "node port: request from {}: {error}", from.id());
                return validate(packet);
            }
        }
        Ok(())
    }

    /// Handles a request that this node sends to itself.
    pub(crate) fn request_locally(&self, message: Vec<Value>) {
        match Request::read(&mut PacketReader::values(message)) {
            Ok(request) => self.request(None, request),
            Err(error) => tracing::warn!("node port: request of this node: {error}"),
        }
    }

    fn request(&self, from: Option<&Arc<Remote>>, request: Request) {
        match request {
            Request::Keepalive | Request::Devnull => {}
            Request::Mon1(port) => self.watch(from, &port),
            Request::Mon0(port) => {
                if let Some(from) = from {
                    from.unwatch(&port);
                }
            }
            Request::Kil0 { port, reason } => {
                if let Some(from) = from {
                    from.port_died(&port, &Reason::new(reason));
                }
            }
            Request::Kil1 { port, reason } => self.kill_for(from, &port, reason),
            Request::Snd { to, msg } => drop(self.snd(&to, msg)),
            Request::Can { request, to, msg } => {
                let known = Request::is_fixed(&request);
                self.answer(&to, msg, vec![perl_bool(known)]);
            }
            Request::Time { to, msg } => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0.0, |since| since.as_secs_f64());
                self.answer(&to, msg, vec![now.into()]);
            }
            Request::Eval { code, to, msg } => self.eval(from, &code, to, msg),
            Request::Inspect { what, to, msg } => self.inspected(&what, to, msg),
            Request::Spawn {
                port,
                function,
                args,
            } => self.spawn_for(from, &port, &function, args),
            Request::Call { function, args } => self.call_function(from, &function, args),
            Request::Global { request, .. } => {
                tracing::warn!("node port: {request}: a node does not ask that of itself");
            }
        }
    }

    fn answer(&self, to: &PortId, mut message: Vec<Value>, answer: Vec<Value>) {
        message.extend(answer);
        self.snd(to, message);
    }

    /// Another node monitors a port of ours.
    fn watch(&self, from: Option<&Arc<Remote>>, name: &str) {
        let Some(from) = from else { return };
        match self.find(name) {
            Some(port) => from.watch(&port, name),
            None if name.is_empty() => {}
            None => {
                let no_such_port = || Reason::no_such_port(PortId::new(self.id(), name).as_str());
                let reason = self.stillborn().take(name).unwrap_or_else(no_such_port);
                Action::Tell(Arc::clone(from), name.into()).fire(&reason);
            }
        }
    }

    fn kill_for(&self, from: Option<&Arc<Remote>>, name: &str, reason: Vec<Value>) {
        if name.is_empty() {
            let from = from.map_or("this node", |from| from.id().as_str());
            tracing::warn!("node port: {from} wants to kill it: refused");
        } else if let Some(port) = self.find(name) {
            monitor::kill(&port, Reason::new(reason));
        }
    }

    /// Code is never executed; who asks is told so, except in secure mode, in which the reference is silent as well.
    fn eval(&self, from: Option<&Arc<Remote>>, code: &str, to: Option<PortId>, msg: Vec<Value>) {
        if self.refuses(from, "eval") {
            return;
        }
        let Some(to) = to else { return };
        if code.trim() == UP_NODES {
            let mut answer = vec!["".into()];
            answer.extend(self.up_nodes().iter().map(|node| node.as_str().into()));
            return self.answer(&to, msg, answer);
        }
        let text = "this node is not written in Perl: it evaluates no code";
        self.answer(&to, msg, vec![text.into()]);
    }

    /// Whether secure mode forbids what another node asks for. Logs it if so.
    fn refuses(&self, from: Option<&Arc<Remote>>, what: &str) -> bool {
        match from {
            Some(from) if self.0.secure => {
                let from = from.id();
                tracing::warn!(node = %from, "node port: {what} from {from}: remote execution not allowed");
                true
            }
            Some(from) if from.line().is_some_and(|line| !line.trusted) => {
                let from = from.id();
                tracing::warn!(node = %from, "node port: {what} from {from}: not allowed to who has logged in with tls_anon");
                true
            }
            _ => false,
        }
    }

    fn spawn_for(&self, from: Option<&Arc<Remote>>, name: &str, function: &str, args: Vec<Value>) {
        if self.refuses(from, &format!("spawn of {function}")) {
            return;
        }
        let taken = name.is_empty() || self.names().is_ours(name) || self.find(name).is_some();
        if taken {
            let from = from.map_or("this node", |from| from.id().as_str());
            tracing::warn!("node port: spawn from {from}: the port name {name:?} cannot be given");
            return;
        }
        self.spawn_here(function, Some(name), PacketReader::values(args));
    }

    fn call_function(&self, from: Option<&Arc<Remote>>, function: &str, args: Vec<Value>) {
        if self.refuses(from, function) {
            return;
        }
        let origin = from.map_or(Origin::Local, |from| Origin::Node(from.id().clone()));
        match self.registry().function(function) {
            Some(run) => crate::port::work::shielded(|| run(origin, args)),
            None => tracing::warn!(
                "error processing node message from {}: unable to resolve function '{function}'",
                from.map_or("this node", |from| from.id().as_str())
            ),
        }
    }
}

/// Reads what is left for its syntax alone.
fn validate(packet: &mut PacketReader<'_>) -> Result<(), DecodeError> {
    while packet.skip()? {}
    Ok(())
}
