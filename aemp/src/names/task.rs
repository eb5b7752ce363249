//! The task behind a claim: it carries out the decisions of the machine.
//!
//! It watches the family of the name, monitors the port, and takes the orders of the claim's owner. It ends when the
//! claim has ended, whatever the reason, or with the node. Its entry ends with it. The entry of a claim that has
//! ended in order stays for a moment and says so, so that the next in line need not wait for the grace.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use aemp_codec::{PortId, Value};
use tokio::{sync::mpsc, time::Instant};

use super::{
    claim::{ClaimEnd, ClaimState, Shared, lost},
    machine::{Command, Machine, Standing, State},
    view::Entry,
};
use crate::{
    Node,
    db::{DbGuard, FamilyEvent, Role, Watch},
    port::Watched,
};

/// An order of the owner of a claim.
pub(super) enum Order {
    /// The name stands for this port.
    Port(PortId),
    /// The port dies if the name is lost.
    Link,
    /// The claim lasts without its owner.
    Keep,
}

pub(super) struct Task {
    pub(super) node: Node,
    pub(super) family: String,
    pub(super) key: Arc<str>,
    pub(super) machine: Machine,
    pub(super) settle: Duration,
    pub(super) watch: Watch<Value>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) shared: Weak<Shared>,
    pub(super) origin: Instant,
    pub(super) port: Option<Watched>,
    pub(super) linked: bool,
    pub(super) kept: bool,
    pub(super) entry: Option<DbGuard>,
}

/// The changes of the claims in an event of their family.
pub(super) enum Claims {
    All(Vec<(String, Option<Entry>)>),
    Changes(Vec<(String, Option<Entry>)>),
}

impl Claims {
    pub(super) fn of(event: FamilyEvent<Value>) -> Self {
        let read = |(key, value): (String, Value)| (key, Entry::read(&value));
        match event {
            FamilyEvent::All(contents) => {
                Self::All(contents.entries.into_iter().map(read).collect())
            }
            FamilyEvent::Changes(changes) => {
                let set = changes.added.into_iter().chain(changes.changed).map(read);
                let deleted = changes.deleted.into_iter().map(|key| (key, None));
                Self::Changes(set.chain(deleted).collect())
            }
        }
    }
}

impl Task {
    pub(super) async fn run(mut self) {
        let end = loop {
            if let Some(end) = self.obey() {
                break end;
            }
            let deadline = self.machine.deadline();
            let due = async {
                match deadline {
                    Some(due) => tokio::time::sleep_until(self.origin + due).await,
                    None => std::future::pending().await,
                }
            };
            let died = async {
                match &mut self.port {
                    Some(port) => (&mut port.died).await.unwrap_or_default(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                event = self.watch.next() => match event {
                    Some(event) => self.learn(Claims::of(event)),
                    None => break ClaimEnd::Stopped,
                },
                reason = died => {
                    self.machine.release();
                    self.obey();
                    break ClaimEnd::Died(reason);
                }
                order = self.orders.recv(), if !self.kept => match order {
                    Some(order) => self.follow(order),
                    None => self.machine.release(),
                },
                () = due => {
                    let standing = self.standing();
                    self.machine.timeout(self.origin.elapsed(), standing);
                }
            }
        };
        self.over(end).await;
    }

    fn learn(&mut self, claims: Claims) {
        let now = self.origin.elapsed();
        match claims {
            Claims::All(entries) => self.machine.all(now, entries),
            Claims::Changes(changes) => self.machine.changed(now, changes),
        }
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::Port(port) => {
                self.machine.port(port.clone());
                self.port = Some(Watched::new(&self.node, port));
            }
            Order::Link => self.linked = true,
            Order::Keep => self.kept = true,
        }
    }

    /// Carries out the commands. Returns the end of the claim, if it has ended.
    fn obey(&mut self) -> Option<ClaimEnd> {
        loop {
            let commands = self.machine.commands();
            if commands.is_empty() {
                return None;
            }
            for command in commands {
                match command {
                    Command::Publish(entry) => self.publish(&entry),
                    Command::Show(state) => {
                        if let Some(end) = self.show(state) {
                            return Some(end);
                        }
                    }
                }
            }
        }
    }

    fn publish(&mut self, entry: &Entry) {
        // The family and the key are valid, and the value is small.
        if let Ok(set) = self.node.db_set(&self.family, &self.key, entry.value()) {
            let before = self.entry.replace(set.guard());
            before.into_iter().for_each(DbGuard::detach);
        }
    }

    fn show(&mut self, state: State) -> Option<ClaimEnd> {
        let shown = match state {
            State::Waits(holder) => ClaimState::Waiting { holder },
            State::Holds => {
                if let Some(port) = &self.port {
                    self.machine.port(port.port.clone());
                }
                ClaimState::Held
            }
            State::Lost(to) => return Some(ClaimEnd::Lost { to }),
            State::CutOff => return Some(ClaimEnd::CutOff),
            State::Released => return Some(ClaimEnd::Released),
        };
        if let Some(shared) = self.shared.upgrade() {
            shared.show(shown);
        }
        None
    }

    fn standing(&self) -> Standing {
        if self.node.net().is_none() {
            return Standing::Joined;
        }
        match self.node.role() {
            Role::Global | Role::Slave(_) => Standing::Joined,
            Role::Searching(_) => Standing::Searching,
            // A node without seeds is its own network.
            Role::Alone if self.node.seeds().is_empty() => Standing::Joined,
            Role::Alone => Standing::CutOff,
        }
    }

    /// Tells of the end of the claim.
    async fn over(mut self, end: ClaimEnd) {
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            self.follow(order);
        }
        if let Some(port) = self.port.take()
            && end.is_loss()
            && self.linked
        {
            let reason = lost(&end);
            self.node.kil(&port.port, reason);
        }
        let in_order = !matches!(end, ClaimEnd::Stopped);
        if let Some(shared) = self.shared.upgrade() {
            shared.show(ClaimState::Ended(end));
        }
        if in_order {
            tokio::time::sleep(self.settle).await;
        }
    }
}
