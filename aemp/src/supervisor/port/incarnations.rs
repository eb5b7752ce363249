//! The incarnations of a supervisor's children: made, watched, ended.

use std::sync::Arc;

use aemp_codec::{PortId, Value};
use tokio::sync::oneshot;

use super::{Life, Living, Subtree, Supervisor, SupervisorMsg, SupervisorRef, stopped};
use crate::{
    Cx, Node, Reason,
    guard::{self, Foreign},
    log,
    port::{
        any::typed,
        monitor::{Action, Monitor},
    },
    supervisor::{
        ChildError, Restart,
        machine::{Ended, Key, Run},
        order::{Born, Event, Lifeline},
        remote,
        spec::{Made, Make, There},
    },
};

impl Supervisor {
    pub(super) fn make(&mut self, cx: &Cx<'_>, key: Key, run: Run) {
        let node = self.node.clone();
        let (Some(me), Some(member)) = (cx.me::<SupervisorRef>(), self.members.get_mut(&key))
        else {
            return;
        };
        let made = match &mut member.make {
            Some(Make::Here(make)) => guard::run(|| make(&node)).and_then(|made| made),
            Some(Make::There(there)) => {
                let port = spawn(&node, there, &me);
                if !node.port_is_local(&port) {
                    let other = there.node().to_owned();
                    self.adopt(cx, key, run, Made::at(port));
                    cx.spawn(async move {
                        remote::until_served(&node, &other).await;
                        me.notify(Event::Served { key, run });
                    });
                    return;
                }
                Ok(Made::at(port))
            }
            Some(Make::Later(make)) => match guard::run(|| make(node)) {
                Ok(future) => {
                    let (cancel, cancelled) = oneshot::channel();
                    let _cancel = cancel;
                    member.life = Life::Making { run, _cancel };
                    let (future, node) = (Foreign::new(future), self.node.clone());
                    cx.spawn(async move {
                        let made = tokio::select! {
                            biased;
                            _ = cancelled => return,
                            made = future => made.and_then(|made| made),
                        };
                        let made = made.map(|made| Born::new(&node, made));
                        me.notify(Event::Made { key, run, made });
                    });
                    return;
                }
                Err(reason) => Err(reason),
            },
            None => Err(Reason::die("it is made only once")),
        };
        self.made(cx, key, run, made);
    }

    /// An incarnation has been made on this node, or could not be made.
    pub(super) fn made(&mut self, cx: &Cx<'_>, key: Key, run: Run, made: Result<Made, Reason>) {
        match made {
            Ok(made) => {
                self.adopt(cx, key, run, made);
                self.served(key, run);
            }
            Err(reason) => {
                self.tell_failure(cx, key, &reason);
                self.ended(key, run, reason);
            }
        }
    }

    /// Logs that a child could not be made, unless a caller of `start_child` hears of it.
    fn tell_failure(&self, cx: &Cx<'_>, key: Key, reason: &Reason) {
        if let Some(member) = self.members.get(&key)
            && member.added.is_none()
        {
            let (name, me) = (&member.name, cx.id());
            log::warning!("the child {name:?} of the supervisor {me} cannot be made: {reason}");
        }
    }

    /// Watches a new incarnation.
    pub(super) fn adopt(&mut self, cx: &Cx<'_>, key: Key, run: Run, made: Made) {
        let (Some(me), Some(member)) = (cx.me::<SupervisorRef>(), self.members.get_mut(&key))
        else {
            return;
        };
        let Made { port, held } = made;
        let to = self.node.destination(&port);
        let here = held.0.or_else(|| to.local());
        let subtree = here.clone().and_then(typed::<SupervisorMsg>).map(|port| {
            let sup = SupervisorRef::from(crate::Handle::local(port));
            let lifeline = Lifeline::new(me.clone(), key, run);
            sup.notify(Event::Hold(lifeline));
            (sup, Subtree::Lives)
        });
        if subtree.is_some() {
            self.machine.takes_its_time(key);
        }
        member.life = Life::Lives(Living {
            run,
            port,
            arrived: false,
            subtree,
        });
        if member.restart == Restart::Temporary {
            guard::discard(member.make.take());
        }
        let tree = Arc::clone(&self.tree);
        let died = Action::Call(Box::new(move |reason| {
            let reason = reason.clone();
            me.notify(Event::Died { key, run, reason });
            drop(tree);
        }));
        let monitor = match &here {
            Some(here) => Monitor::local(here, died),
            None => to.monitor(died),
        };
        monitor.detach();
    }

    /// The node of a new incarnation has made it.
    pub(super) fn served(&mut self, key: Key, run: Run) {
        let now = self.now();
        let Some(member) = self.members.get_mut(&key) else {
            return;
        };
        match &mut member.life {
            Life::Lives(living) if living.run == run => {
                living.arrived = true;
                if let Some(added) = member.added.take() {
                    added.send(Ok(living.port.clone()));
                }
            }
            _ => return,
        }
        self.changed.push(key);
        self.machine.started(now, key, run);
    }

    /// The monitor of an incarnation has fired.
    pub(super) fn died(&mut self, key: Key, run: Run, reason: Reason) {
        if let Some(Life::Lives(living)) = self.members.get_mut(&key).map(|member| &mut member.life)
            && living.run == run
            && let Some((_, subtree @ Subtree::Lives)) = &mut living.subtree
        {
            *subtree = Subtree::Dying(reason);
            return self.changed.push(key);
        }
        self.ended(key, run, reason);
    }

    /// All children of a supervisor that is a child have ended.
    pub(super) fn gone(&mut self, key: Key, run: Run) {
        if let Some(Life::Lives(living)) = self.members.get_mut(&key).map(|member| &mut member.life)
            && living.run == run
            && let Some((_, subtree)) = &mut living.subtree
            && let Subtree::Dying(reason) = std::mem::replace(subtree, Subtree::Gone)
        {
            self.ended(key, run, reason);
        }
    }

    /// An incarnation has ended, or could not be made.
    pub(super) fn ended(&mut self, key: Key, run: Run, reason: Reason) {
        let now = self.now();
        let node = self.node.clone();
        let mut lost = false;
        if let Some(member) = self.members.get_mut(&key) {
            let present = match &member.life {
                Life::Making { run, .. } => Some(*run),
                Life::Lives(living) => Some(living.run),
                Life::None => Some(run),
            };
            if present != Some(run) {
                return;
            }
            if let Some(Make::There(there)) = &mut member.make {
                lost = is_loss(&reason, there.node());
                if lost {
                    there.next(&node);
                }
            }
            member.life = Life::None;
            member.reason = Some(reason.clone());
            if let Some(added) = member.added.take() {
                added.send(Err(ChildError::Failed(reason.clone())));
            }
        }
        self.changed.push(key);
        self.machine.ended(now, key, run, &Ended { reason, lost });
    }

    pub(super) fn await_node(&mut self, cx: &Cx<'_>, key: Key, run: Run) {
        let (Some(me), Some(member)) = (cx.me::<SupervisorRef>(), self.members.get(&key)) else {
            return;
        };
        if let Some(Make::There(there)) = &member.make {
            let (node, other) = (self.node.clone(), there.node().to_owned());
            cx.spawn(async move {
                remote::until_connected(&node, &other).await;
                me.notify(Event::Arrived { key, run });
            });
        }
    }

    pub(super) fn stop(&mut self, key: Key, run: Run) {
        let Some(member) = self.members.get_mut(&key) else {
            return;
        };
        match &member.life {
            Life::Lives(living) if living.run != run => {}
            Life::Lives(living) => match &living.subtree {
                Some((sup, _)) => drop(sup.notify(Event::Shutdown)),
                None => self.node.destination(&living.port).kill(stopped()),
            },
            Life::Making { .. } => self.ended(key, run, stopped()),
            Life::None => {}
        }
    }

    pub(super) fn kill(&mut self, key: Key, run: Run) {
        let Some(Life::Lives(living)) = self.members.get(&key).map(|member| &member.life) else {
            return;
        };
        if living.run != run || living.subtree.is_some() {
            return;
        }
        let to = self.node.destination(&living.port);
        match to.local() {
            Some(port) => port.perish(&stopped()),
            None => to.kill(stopped()),
        }
    }
}

/// True if this is the loss of a node.
fn is_loss(reason: &Reason, node: &str) -> bool {
    let of = reason.get(1).and_then(Value::as_str);
    reason.kind() == "transport_error" && of == Some(node)
}

fn spawn(node: &Node, there: &There, me: &SupervisorRef) -> PortId {
    remote::spawn(node, there.node(), &there.function, &there.args, &me.id())
}
