//! Credit: the number of messages that waiting senders may send to a port of another node.
//!
//! A sender that waits (`Handle::send`) spends *credit* that the other node has granted for the port. Plain sends and
//! calls do not use it. Two requests carry it between nodes whose greetings have the key `credit=1`. No other node ever
//! sees them:
//!
//! ```text
//! ["", "Aemp::room", PORT, TOKEN, LEFT]          how many messages may I send? I may still send LEFT
//! ["", "Aemp::credit", PORT, TOKEN, MESSAGES]    that many, counted from your question
//! ["", "Aemp::credit", PORT, TOKEN]              any number: the port has no bound
//! ```
//!
//! The question follows the message that has used up half of a grant. All earlier messages are therefore in the port's
//! queue when the question is read. The answer is an absolute number and replaces the old grant: the sender subtracts
//! the messages that it has sent since, and no side has to count arrivals. A grant is good for a second, so that a new bound, or
//! another sender, is noticed. Ports without a bound, and dead ports, grant any number. Messages to such a port are not
//! counted: a sender compares the tick of the last answer with the current one (`Told`), two atomic loads, and asks
//! again in the next tick of half a second. `table` has a semaphore for each port, where senders queue in order. One
//! question is out at a time. A permit is used up where the message is queued, so a send that is dropped before that
//! leaves it to others.
//!
//! While a connection to the node is being made, a sender waits until it is known that the node gives credit, or not,
//! or that there is no connection. Waiting ends with the connection (`end_line` closes the semaphores), with this node,
//! and with the port, whose death wakes the task that answers. Then the message goes its usual way.
//!
//! Dangers: a grant must not be awaited over a connection that did not carry the question, so `send_over` sends over
//! that connection or not at all, and tokens identify late answers. Senders would wait for ever if a peer were lost, or
//! a connection switched, without a call of `end_line` or `set_line`, or if a `Peer` went from connecting to lost
//! without `queue_shrunk`. Code that takes messages out of a bounded port's queue must wake `Bound.line`.

mod table;

use std::sync::{
    Arc, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

pub(crate) use self::table::Ask;
use self::table::{Balance, Granted, Table};
use super::Peer;
use crate::{SendError, guard, lock::Lock, port::credit::GOOD_FOR};
use aemp_proto::{mesh::Level, peer::ConnId, request::ROOM};

/// The credit for the ports of one node.
pub(super) struct Credits {
    table: Lock<Table>,
    /// The ticks of the table.
    ticks: Arc<AtomicU64>,
}

impl Default for Credits {
    fn default() -> Self {
        let table = Table::default();
        Self {
            ticks: table.ticks(),
            table: Lock::new(table),
        }
    }
}

impl Credits {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }
}

/// The latest report that a sender has about its port: the tick in which the port had no bound.
#[derive(Default)]
pub(crate) struct Told(AtomicU64);

impl Clone for Told {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Peer {
    /// Ready when a message may be sent to a port of the node: there is room in the queue for the node and, if the
    /// node gives credit, in the queue of the port. The result must be given to [`has_sent`](Self::has_sent). If it
    /// is dropped, other waiting senders get it.
    pub(crate) async fn leave_to_send(
        &self,
        port: &str,
        told: &Told,
    ) -> Option<OwnedSemaphorePermit> {
        let is_open = told.0.load(Ordering::Relaxed) == self.credits.ticks.load(Ordering::Relaxed);
        let leave = match port {
            _ if is_open => None,
            "" => None,
            port => self.credit(port, told).await,
        };
        self.room().await;
        leave
    }

    async fn credit(&self, port: &str, told: &Told) -> Option<OwnedSemaphorePermit> {
        loop {
            let (account, ask) = self.credits.lock().account(port, Instant::now());
            self.ask_for_room(port, ask);
            match account {
                Balance::Unknown => {
                    if !self.is_credit_pending() {
                        return None;
                    }
                    self.credit_known().await;
                }
                Balance::None => return None,
                Balance::Open(tick) => {
                    told.0.store(tick, Ordering::Relaxed);
                    return None;
                }
                Balance::Counted(credit) => {
                    // An error means that the connection or the bound has gone.
                    if let Ok(leave) = credit.acquire_owned().await {
                        return Some(leave);
                    }
                }
            }
        }
    }

    /// Records that a message has been sent.
    pub(crate) fn has_sent(&self, port: &str, leave: OwnedSemaphorePermit) {
        let ask = self.credits.lock().spent(port, leave, Instant::now());
        self.ask_for_room(port, ask);
    }

    /// Handles an answer of the node.
    pub(crate) fn granted(self: &Arc<Self>, port: &str, ask: Ask, messages: Option<u64>) {
        let granted = self
            .credits
            .lock()
            .granted(port, ask, messages, Instant::now());
        // Senders are woken outside of the lock.
        match granted {
            Some(Granted::Counted(credit, more)) => {
                guard::shielded(|| credit.add_permits(more));
                // Dropped, so that only waiting senders hold the semaphore.
                drop(credit);
                let ask = self.credits.lock().ask_again(port);
                self.ask_for_room(port, ask);
            }
            Some(Granted::Open { closed, begins }) => {
                close(closed.as_slice());
                if begins {
                    self.tick_later();
                }
            }
            None => {}
        }
    }

    fn tick_later(self: &Arc<Self>) {
        if let Some(node) = self.node() {
            let peer = Arc::downgrade(self);
            node.after(GOOD_FOR / 2, move || {
                if let Some(peer) = peer.upgrade()
                    && peer.credits.lock().tick()
                {
                    peer.tick_later();
                }
            });
        }
    }

    /// Asks for room, after all earlier messages, so that the answer takes them into account.
    fn ask_for_room(&self, port: &str, ask: Option<(Ask, usize)>) {
        let Some((ask, left)) = ask else { return };
        let sent = self.send_over(ask.conn, |out| {
            out.str(ROOM)?;
            out.str(port)?;
            out.arg(&ask.token)?;
            out.arg(&left)
        });
        self.check_credit(ask.conn, sent);
    }

    /// Ends the use of credit on a connection whose format cannot encode the question.
    pub(super) fn check_credit(&self, conn: ConnId, sent: Result<(), SendError>) {
        if let Err(error) = sent {
            self.remark(
                Level::Error,
                format!(
                    "a message about the room in a port cannot be encoded for {}: {error}",
                    self.id
                ),
            );
            self.end_credit(conn);
            self.begin_credit(conn, false);
        }
    }

    /// Records whether the node of a new connection gives credit.
    pub(super) fn begin_credit(&self, conn: ConnId, gives: bool) {
        let closed = self.credits.lock().begin(conn, gives);
        close(&closed);
        self.queue_shrunk();
    }

    /// Ends the waits of senders after a connection has ended. Their messages are then sent without credit.
    pub(super) fn end_credit(&self, conn: ConnId) {
        let closed = self.credits.lock().end(conn);
        close(&closed);
    }

    /// Ends the waits of senders after our own node has ended.
    pub(super) fn close_credit(&self) {
        let closed = self.credits.lock().close();
        close(&closed);
    }

    /// True if it will soon be known if the node gives credit.
    fn is_credit_pending(&self) -> bool {
        self.state().is_settling()
    }

    /// Ready when the node's support of credit is known, or there will be no connection.
    pub(super) async fn credit_known(&self) {
        loop {
            let changed = self.taken.notified();
            if self.credits.lock().is_known() || !self.is_credit_pending() {
                return;
            }
            changed.await;
        }
    }
}

/// Ends the waits of senders. The caller must hold no lock.
fn close(credits: &[Arc<Semaphore>]) {
    for credit in credits {
        guard::shielded(|| credit.close());
    }
}
