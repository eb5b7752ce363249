//! The loss of a node, and the steps after its monitors have fired.

use super::{
    ConnId, Fired, GivenUp, Loss, LossId, Lost, MonitorId, Peer, State,
    mourning::{Mourning, Next},
};

impl Peer {
    /// Reports that the connection is lost.
    pub fn link_down(&mut self, conn: ConnId) -> Lost {
        if self.conn() == Some(conn) {
            self.lose()
        } else {
            Lost::Not
        }
    }

    /// Reports that no connection could be made. Does nothing if the node was not waiting for one.
    pub fn connect_failed(&mut self) -> Lost {
        match self.state {
            State::Connecting(_) | State::GivenUp(None, _) => self.lose(),
            _ => Lost::Not,
        }
    }

    /// Gives up the node, because a sender was told to have it given up ([`Urge::Overflow`](super::Urge::Overflow)).
    pub fn give_up(&mut self) -> GivenUp {
        match std::mem::replace(&mut self.state, State::Down) {
            State::GivenUp(conn, text) => {
                let lost = self.lose();
                GivenUp::Now { conn, text, lost }
            }
            state => {
                self.state = state;
                match &self.state {
                    State::Mourning(Mourning {
                        next: Next::Lost(text),
                        ..
                    }) => GivenUp::Later(text.clone()),
                    _ => GivenUp::Not,
                }
            }
        }
    }

    /// Reports that a monitor of a loss is about to be called. Messages to its port from now on come after it.
    pub fn begun(&mut self, loss: LossId, monitor: MonitorId) {
        if let State::Mourning(mourning) = &mut self.state
            && mourning.loss == loss
        {
            mourning.begun(monitor);
        }
    }

    /// Reports that all monitors of a loss have fired.
    pub fn fired(&mut self, loss: LossId) -> Fired {
        match std::mem::replace(&mut self.state, State::Down) {
            State::Mourning(mourning) if mourning.loss == loss => self.after(mourning.next),
            state => {
                self.state = state;
                Fired::Not
            }
        }
    }

    fn after(&mut self, next: Next) -> Fired {
        match next {
            Next::Kept(queue) if queue.is_empty() && !self.monitors.any() => Fired::Down,
            Next::Kept(queue) => {
                self.state = State::Connecting(queue);
                Fired::Connecting
            }
            Next::Lost(text) => match self.lose() {
                Lost::Fire(loss) => Fired::Again(loss, text),
                Lost::Not | Lost::Down => Fired::Down,
            },
        }
    }

    /// Drops the queue and hands out all monitors.
    pub(super) fn lose(&mut self) -> Lost {
        let monitors = self.monitors.take_all();
        if monitors.is_empty() {
            self.state = State::Down;
            return Lost::Down;
        }
        self.losses += 1;
        let id = LossId(self.losses);
        self.state = State::Mourning(Mourning::new(id, &monitors));
        let monitors = monitors.into_iter().map(|(monitor, _)| monitor).collect();
        Lost::Fire(Loss { id, monitors })
    }
}
