//! The permission of other nodes' requests.

use std::sync::Arc;

use super::name_of;
use crate::{
    Node, Reason,
    node::{delivery::Crowd, life::NODE_STOPPED, peer::Peer, short},
    port::any::AnyPort,
};
use aemp_proto::{mesh::Level, peer::ConnId, request::Request};

impl Node {
    /// True if a request is forbidden: by secure mode, by the list of allowed functions, or by the authentication
    /// method of the peer. A forbidden request is logged and not answered, as in the reference.
    pub(in crate::node) fn refuses(
        &self,
        from: Option<&Arc<Peer>>,
        request: &'static str,
        function: &str,
    ) -> bool {
        let Some(from) = from else { return false };
        let why = if from
            .connection()
            .is_some_and(|connection| !connection.trusted)
        {
            "not allowed to a peer that authenticated with tls_anon"
        } else if !self.permits(from, function) {
            "remote execution not allowed"
        } else {
            return false;
        };
        if from.account().may_complain() {
            let (from, function) = (from.id(), short(function));
            let request = match request {
                "spawn" => format!("spawn of {function}"),
                _ => function.to_owned(),
            };
            let text = format!("node port: {request} from {from}: {why}");
            self.complain(from, text);
        }
        true
    }

    /// True if the answer of a request, or the message that it passes on, would go to a node port. There it would be
    /// served as a request of this node. So such a request is logged and not served.
    pub(super) fn is_for_node_port(&self, from: Option<&Arc<Peer>>, request: &Request) -> bool {
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

    fn permits(&self, from: &Peer, function: &str) -> bool {
        match &self.0.rules.allow {
            Some(permits) => permits
                .iter()
                .any(|permit| permit.permits(from.id().as_str(), function)),
            None => !self.0.rules.secure,
        }
    }

    /// True if another node is not allowed to inspect this one. Secure mode alone does not forbid it.
    pub(super) fn may_not_inspect(&self, from: Option<&Arc<Peer>>) -> bool {
        self.0.rules.allow.is_some() && self.refuses(from, "inspect", "inspect")
    }

    /// True if a node already monitors as many ports as it may, without this one. Then the new monitor fires at once,
    /// because it must not wait for a death that will not be reported.
    pub(super) fn has_enough_monitors(&self, from: &Peer, port: &str, conn: ConnId) -> bool {
        let most = self.costs().max_monitors;
        if from.monitored_ports() < most || from.monitors(port) {
            return false;
        }
        let text = reached(
            from,
            "max_monitors",
            most,
            "no more ports are monitored for it",
        );
        let reason = Reason::new(vec!["monitor_refused".into(), text.into()]);
        from.report_dead(port, conn, &reason);
        true
    }

    /// Kills a port whose queue has reached its limit. Dropping a message would be a hole, and ending the connection
    /// would hit other ports. The queue and the monitors contain user code, so another task than that of the
    /// connection ends the port.
    ///
    /// Returns true if the queue is below the limit, but has a crowd of messages.
    pub(in crate::node) fn end_if_full(
        &self,
        from: &Peer,
        port: &Arc<dyn AnyPort>,
        name: &str,
    ) -> Crowd {
        let (waiting, most) = (port.behind().waiting, self.costs().max_port_queue);
        if waiting < most {
            return Crowd::of(port.number(), waiting, most);
        }
        let so = format!("{} takes no more, and is ended", short(name));
        let reason = Reason::die(reached(from, "max_port_queue", most, &so));
        let port = Arc::clone(port);
        self.aside(move || port.perish(&reason));
        Crowd::None
    }

    /// True if this node is draining. A monitor right after the spawn gets that as its reason.
    pub(super) fn spawns_no_more(&self, from: &Peer, port: &str) -> bool {
        let is_draining = self.life().is_draining();
        if is_draining {
            let stillborn = &from.account().stillborn;
            stillborn.remember(port, &Reason::die(NODE_STOPPED));
        }
        is_draining
    }

    /// True if a node has spawned as many ports as it may. A monitor right after the spawn gets this as its reason.
    pub(super) fn has_enough_ports(&self, from: &Arc<Peer>, port: &str) -> bool {
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

/// Logs, at a limited rate, that a node has reached a limit. Returns the text without the node.
pub(super) fn reached(from: &Peer, limit: &'static str, setting: usize, so: &str) -> String {
    let text = format!("{limit} ({setting}) reached: {so}");
    from.count_limit(limit);
    if from.account().is_news(limit) {
        from.remark(Level::Warn, format!("{}: {text}", from.id()));
    }
    text
}
