//! Lost nodes: their monitors fire, and a new connection waits for that.

use aemp_codec::NodeId;

use super::{
    Level, Mesh, Output, Peers,
    peer::{Contact, Pending},
};
use crate::{
    Time,
    peer::{ConnId, Fired, GivenUp, Loss, LossId, Lost},
};

/// The step that follows a loss.
enum Next {
    /// The monitors must fire first.
    Fire,
    /// There are no monitors: the connection that is ready, if any, follows at once.
    GoOn(Option<Pending>),
}

impl<P: Peers> Mesh<P> {
    /// Handles the loss of a node's connection. `next` is another connection that is ready.
    pub(super) fn lose(&mut self, now: Time, id: &NodeId, text: &str, next: Option<Pending>) {
        let Some((conn, since)) = self.node(id).take_up() else {
            return;
        };
        let lost = self.peers.with(id, |peer| peer.link_down(conn));
        self.down(now, id, (conn, since), lost, text, next);
    }

    fn down(
        &mut self,
        now: Time,
        id: &NodeId,
        (conn, since): (ConnId, Time),
        lost: Lost,
        text: &str,
        next: Option<Pending>,
    ) {
        self.losses += 1;
        self.conns.remove(&conn);
        self.relay_down(now, id, text);
        self.seeds.node_down(now, id, now - since, &mut self.random);
        let then = self.hand_out(id, lost, text, next);
        self.log(
            Level::Info,
            format!("{id} is down (transport_error {id} {text})."),
        );
        self.outputs
            .push_back(Output::NodeDown(id.clone(), text.into()));
        self.global_node_down(now, id);
        self.after_loss(now, id, then);
    }

    /// Gives up a peer whose queue is over its limit, or has a packet that cannot be sent.
    pub(super) fn give_up(&mut self, now: Time, id: &NodeId) {
        match self.peers.with(id, |peer| peer.give_up()) {
            // Its connection was lost or given up meanwhile.
            GivenUp::Not => {}
            GivenUp::Later(text) => self.log_given_up(now, id, &text),
            GivenUp::Now {
                conn: Some(conn),
                text,
                lost,
            } => {
                self.log_given_up(now, id, &text);
                self.outputs.push_back(Output::Close { conn });
                if let Some(up) = self.node(id).take_up() {
                    self.down(now, id, up, lost, &text, None);
                }
            }
            GivenUp::Now {
                conn: None,
                text,
                lost,
            } => {
                self.log_given_up(now, id, &text);
                self.end_attempts(now, id, &text);
                self.mourn(now, id, lost, &text, None);
            }
        }
    }

    pub(super) fn log_given_up(&mut self, now: Time, id: &NodeId, text: &str) {
        const LIMIT: &str = "max_queue_bytes";
        let limits = self.peers.with(id, |peer| peer.limits());
        let limit = limits.max_queue_bytes;
        if text != limits.overflow() {
            self.log(Level::Error, format!("{id} is given up ({text})"));
        } else if self.notices.is_due(now, LIMIT, id.as_str()) {
            let text = format!("{id}: {LIMIT} ({limit}) reached: it is given up");
            self.log(Level::Warn, text);
        }
    }

    /// Hands out the monitors of a loss. A connection that is ready must wait for them.
    fn hand_out(&mut self, id: &NodeId, lost: Lost, text: &str, next: Option<Pending>) -> Next {
        let Lost::Fire(Loss { id: loss, monitors }) = lost else {
            return Next::GoOn(next);
        };
        self.node(id).contact = Contact::Mourning { loss, next };
        self.outputs.push_back(Output::Fire {
            node: id.clone(),
            loss,
            monitors,
            text: text.into(),
        });
        Next::Fire
    }

    fn after_loss(&mut self, now: Time, id: &NodeId, step: Next) {
        if let Next::GoOn(next) = step {
            match next {
                Some(next) => self.bring_up(now, id, next),
                None => self.connect_node(now, id),
            }
            self.tidy(id);
        }
    }

    pub(super) fn mourn(
        &mut self,
        now: Time,
        id: &NodeId,
        lost: Lost,
        text: &str,
        next: Option<Pending>,
    ) {
        let then = self.hand_out(id, lost, text, next);
        self.after_loss(now, id, then);
    }

    /// Continues after the monitors of a loss have fired.
    pub(super) fn after_fire(&mut self, now: Time, id: &NodeId, loss: LossId) {
        let node = self.nodes.get_mut(id);
        let Some(next) = node.and_then(|node| node.end_mourning(loss)) else {
            return;
        };
        match self.peers.with(id, |peer| peer.fired(loss)) {
            Fired::Again(loss, text) => self.mourn(now, id, Lost::Fire(loss), &text, next),
            Fired::Not | Fired::Down | Fired::Connecting => {
                self.after_loss(now, id, Next::GoOn(next));
            }
        }
    }
}
