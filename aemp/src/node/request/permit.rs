//! The permission of other nodes' requests.

use std::sync::Arc;

use super::name_of;
use crate::{
    Node, Reason,
    node::{remote::Remote, short},
    port::any::AnyPort,
};
use aemp_proto::{mesh::Level, peer::ConnId, request::Request};

/// A port with so many messages in its queue does not keep up with its senders. They are slowed down.
const CROWD: usize = 32_768;

impl Node {
    /// Whether secure mode, the list of what is allowed, or the way in which it has logged in forbids what another node asks
    /// for. Logs it if so; there is no answer, as in the reference.
    pub(super) fn refuses(
        &self,
        from: Option<&Arc<Remote>>,
        what: &'static str,
        function: &str,
    ) -> bool {
        let Some(from) = from else { return false };
        let why = if from.line().is_some_and(|line| !line.trusted) {
            "not allowed to who has logged in with tls_anon"
        } else if !self.permits(from, function) {
            "remote execution not allowed"
        } else {
            return false;
        };
        if from.account().may_complain() {
            let (from, function) = (from.id(), short(function));
            let what = match what {
                "spawn" => format!("spawn of {function}"),
                _ => function.to_owned(),
            };
            let text = format!("node port: {what} from {from}: {why}");
            self.complain(from, text);
        }
        true
    }

    /// True if the answer of a request, or what it passes on, would go to a node port. That would serve it as a request of this node, whoever has
    /// asked for it: so it is not served at all. Logs it.
    pub(super) fn is_for_node_port(&self, from: Option<&Arc<Remote>>, request: &Request) -> bool {
        let (Request::Snd { to, .. }
        | Request::Can { to, .. }
        | Request::Time { to, .. }
        | Request::Inspect { to, .. }
        | Request::Eval { to: Some(to), .. }) = request
        else {
            return false;
        };
        if !to.is_node_port() {
            return false;
        }
        if from.is_none_or(|from| from.account().may_complain()) {
            let (from, request) = (name_of(from), request.name());
            let to = short(to.as_str());
            let text = format!("node port: {request} from {from}: {to} is a node port: refused");
            self.complain(from, text);
        }
        true
    }

    fn permits(&self, from: &Remote, function: &str) -> bool {
        match &self.0.allow {
            Some(permits) => permits
                .iter()
                .any(|permit| permit.permits(from.id().as_str(), function)),
            None => !self.0.secure,
        }
    }

    /// Whether looking into this node is not among what is allowed to another. Secure mode alone does not forbid it.
    pub(super) fn may_not_inspect(&self, from: Option<&Arc<Remote>>) -> bool {
        self.0.allow.is_some() && self.refuses(from, "inspect", "inspect")
    }

    /// Whether a node monitors as many ports as it may, and not this one. Its monitor fires at once then: it must not
    /// wait for what it will not be told.
    pub(super) fn has_enough_monitors(&self, from: &Remote, port: &str, conn: ConnId) -> bool {
        let most = self.costs().max_monitors;
        if from.watching() < most || from.watches(port) {
            return false;
        }
        let text = reached(
            from,
            "max_monitors",
            most,
            "no more ports are monitored for it",
        );
        let reason = Reason::new(vec!["monitor_refused".into(), text.into()]);
        from.tell_dead(port, conn, &reason);
        true
    }

    /// Ends a port for which as many messages wait as may: dropping one would be a hole, and its connection is also that of others. What
    /// is dropped then, and what its monitors do, is the user's, and so not for the task that reads the connection.
    ///
    /// True if fewer messages wait, but a crowd of them.
    pub(super) fn end_if_full(&self, from: &Remote, port: &Arc<dyn AnyPort>, name: &str) -> bool {
        let (waiting, most) = (port.queue_len(), self.costs().max_port_queue);
        if waiting < most {
            return waiting >= CROWD;
        }
        let so = format!("{} takes no more, and is ended", short(name));
        let reason = Reason::die(reached(from, "max_port_queue", most, &so));
        let port = Arc::clone(port);
        self.aside(move || port.perish(&reason));
        false
    }

    /// Whether a node has spawned as many ports as it may. A monitor right behind the spawn hears so.
    pub(super) fn has_enough_ports(&self, from: &Arc<Remote>, port: &str) -> bool {
        let most = self.costs().max_spawned_ports;
        if from.account().spawned() < most {
            return false;
        }
        let text = reached(
            from,
            "max_spawned_ports",
            most,
            "no more are spawned for it",
        );
        let stillborn = &from.account().stillborn;
        stillborn.remember(port, &Reason::die(text));
        true
    }
}

/// Logs, once in a while, that a node has reached a limit. The text, without the node.
pub(super) fn reached(from: &Remote, limit: &'static str, setting: usize, so: &str) -> String {
    let text = format!("{limit} ({setting}) reached: {so}");
    if from.account().is_news(limit) {
        from.say(Level::Warn, format!("{}: {text}", from.id()));
    }
    text
}
