//! The port of a supervisor: it carries out the commands of the machine.
//!
//! Everything that happens elsewhere (a monitor, a timer, a closure that has to wait) comes back as an `Order`, a message
//! that cannot leave the process.
//!
//! A child that is a supervisor of this node has ended when its own children have ended as well. Each of its monitors
//! holds its `Tree`, and its parent puts a `Lifeline` there. When the last monitor has fired, the lifeline is dropped and
//! tells the parent. So the rule "a new incarnation starts after the old one has ended" holds for whole subtrees, even if
//! a supervisor was killed.

mod incarnations;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use aemp_codec::PortId;
use tokio::sync::oneshot;

use super::{
    Alarm, Child, ChildError, ChildInfo, Incarnation, SHUTDOWN, Strategy,
    machine::{Command, Key, Machine, Run},
    order::{Born, Event, Lifeline, Order},
    spec::Make,
};
use crate::{Cx, Local, Node, Reason, Reply, exec::spans, guard, lock::Lock, port};

/// The number of callers that may wait for the same thing. Other nodes decide how many there are.
const MOST_WAITING: usize = 16_384;

/// A port that starts, watches, restarts and ends other ports. See the [module](super).
#[doc(alias = "gen_server")]
pub struct Supervisor {
    node: Node,
    alarm: Alarm,
    machine: Machine,
    members: BTreeMap<Key, Member>,
    names: HashMap<Arc<str>, Key>,
    /// The callers that wait for another incarnation, by the child's name.
    waiting: HashMap<Arc<str>, Vec<Reply<Option<Incarnation>>>>,
    /// The number of the last news of a child.
    news: u64,
    /// The children with news that are not published yet.
    changed: Vec<Key>,
    tree: Arc<Tree>,
    ready: Readiness,
    ending: Vec<Reply<()>>,
}

/// Told to parents when everything of a supervisor has ended.
#[derive(Default)]
struct Tree(Lock<Vec<Lifeline>>);

enum Readiness {
    Awaited(Vec<Reply<()>>),
    Ready,
}

/// A child, and its present incarnation.
struct Member {
    name: Arc<str>,
    restart: super::Restart,
    /// `None` if it will not be made again.
    make: Option<Make>,
    life: Life,
    /// The number of the last news of it.
    news: u64,
    reason: Option<Reason>,
    added: Option<Reply<Result<PortId, ChildError>>>,
    removed: Vec<Reply<Result<(), ChildError>>>,
}

enum Life {
    None,
    /// Its closure waits. It is dropped with the sender.
    Making {
        run: Run,
        _cancel: oneshot::Sender<()>,
    },
    Lives(Living),
}

struct Living {
    run: Run,
    port: PortId,
    /// False until the other node has made it, as far as this node knows. Until then it is not shown, because a monitor
    /// of a third node could arrive there before it.
    arrived: bool,
    /// For a supervisor of this node: its handle, and how far its end has come.
    subtree: Option<(SupervisorRef, Subtree)>,
}

enum Subtree {
    Lives,
    /// The port has died with this reason, and some of its children have not.
    Dying(Reason),
    Gone,
}

impl Supervisor {
    /// A builder of a supervisor. Without further choices, its children restart alone, at most 5 times in 10 s.
    pub fn builder() -> super::Builder {
        super::Builder::new()
    }

    pub(super) fn new(
        node: &Node,
        strategy: Strategy,
        (most, period): (u32, Duration),
        children: Vec<Child>,
    ) -> Self {
        let mut seed = [0; 8];
        // Without randomness all pauses are those of one seed, which is no harm.
        let _ = node.place().fill_random(&mut seed);
        let seed = u64::from_le_bytes(seed);
        let mut supervisor = Self {
            node: node.clone(),
            alarm: Alarm::new(node),
            machine: Machine::new(strategy, most, period, seed),
            members: BTreeMap::new(),
            names: HashMap::new(),
            waiting: HashMap::new(),
            news: 0,
            changed: Vec::new(),
            tree: Arc::default(),
            ready: Readiness::Awaited(Vec::new()),
            ending: Vec::new(),
        };
        for child in children {
            supervisor.add(child, None);
        }
        supervisor
    }

    /// False if the machine accepts no children any more.
    fn add(&mut self, child: Child, added: Option<Reply<Result<PortId, ChildError>>>) -> bool {
        let Child { spec, make } = child;
        let (name, restart) = (Arc::clone(&spec.name), spec.restart);
        let Some(key) = self.machine.add(spec) else {
            if let Some(added) = added {
                added.send(Err(ChildError::Ending));
            }
            return false;
        };
        if !name.is_empty() {
            self.names.insert(Arc::clone(&name), key);
        }
        let member = Member {
            name,
            restart,
            make: Some(make),
            life: Life::None,
            news: 0,
            reason: None,
            added,
            removed: Vec::new(),
        };
        self.members.insert(key, member);
        true
    }

    fn now(&mut self) -> Duration {
        self.alarm.now()
    }

    /// Carries out the commands of the machine, and those that come of it. Then publishes the news.
    fn act(&mut self, cx: &mut Cx<'_>) {
        self.obey_all(cx);
        // A child without a pause is made at once. Only once, so that a child that cannot be made does not occupy the port.
        let now = self.now();
        if self.machine.deadline().is_some_and(|due| due <= now) {
            self.machine.timeout(now);
            self.obey_all(cx);
        }
        self.publish();
        let restarts = self.machine.take_restarts();
        cx.node().scheduler().past().restarted(restarts);
        spans::restarted(cx.port(), restarts);
        if let Some(me) = cx.me::<SupervisorRef>() {
            let tick = move || drop(me.notify(Event::Tick));
            self.alarm.set(cx, self.machine.deadline(), tick);
        }
    }

    fn obey_all(&mut self, cx: &mut Cx<'_>) {
        loop {
            let commands = self.machine.commands();
            if commands.is_empty() {
                return;
            }
            for command in commands {
                self.obey(cx, command);
            }
        }
    }

    fn obey(&mut self, cx: &mut Cx<'_>, command: Command) {
        match command {
            Command::Start(key, run) => self.make(cx, key, run),
            Command::Await(key, run) => self.await_node(cx, key, run),
            Command::Stop(key, run) => self.stop(key, run),
            Command::Kill(key, run) => self.kill(key, run),
            Command::Forget(key) => self.forget(key),
            Command::Ready => {
                let ready = std::mem::replace(&mut self.ready, Readiness::Ready);
                if let Readiness::Awaited(callers) = ready {
                    callers.into_iter().for_each(|caller| caller.send(()));
                }
            }
            Command::End(reason) => {
                self.ending.drain(..).for_each(|caller| caller.send(()));
                cx.kill(reason);
            }
        }
    }

    fn forget(&mut self, key: Key) {
        let Some(mut member) = self.members.remove(&key) else {
            return;
        };
        if self.names.get(&member.name) == Some(&key) {
            self.names.remove(&member.name);
        }
        self.answer(&member.name, None);
        for caller in member.removed.drain(..) {
            caller.send(Ok(()));
        }
        guard::discard(member);
    }

    /// Answers the callers that wait for news of the changed children. A child that has ended and is made again within
    /// one message is one piece of news.
    fn publish(&mut self) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        for key in changed {
            let Some(member) = self.members.get_mut(&key) else {
                continue;
            };
            self.news += 1;
            member.news = self.news;
            if !self.waiting.is_empty() {
                let name = Arc::clone(&member.name);
                let news = self.news_of(key);
                self.answer(&name, news.as_ref());
            }
        }
    }

    /// The present incarnation of a child, for its followers.
    fn news_of(&self, key: Key) -> Option<Incarnation> {
        let member = self.members.get(&key)?;
        let port = member.port();
        let is_done = port.is_none() && self.machine.is_done(key);
        Some(Incarnation {
            number: member.news,
            port,
            done: member.reason.clone().filter(|_| is_done),
        })
    }

    fn answer(&mut self, name: &str, news: Option<&Incarnation>) {
        for caller in self.waiting.remove(name).into_iter().flatten() {
            caller.send(news.cloned());
        }
    }
}

impl Living {
    /// True between its arrival and its death.
    fn is_shown(&self) -> bool {
        self.arrived && !matches!(self.subtree, Some((_, Subtree::Dying(_))))
    }
}

impl Member {
    /// The port of its present incarnation.
    fn port(&self) -> Option<PortId> {
        match &self.life {
            Life::Lives(living) if living.is_shown() => Some(living.port.clone()),
            Life::None | Life::Making { .. } | Life::Lives(_) => None,
        }
    }
}

/// The reason of a child that its supervisor has ended.
pub(super) fn stopped() -> Reason {
    Reason::new(vec![SHUTDOWN.into(), "ended by its supervisor".into()])
}

/// Keeps the reply to a caller that waits. Callers that are gone are forgotten. Of too many, the last gets no answer.
pub(crate) fn keep<T>(callers: &mut Vec<Reply<T>>, reply: Reply<T>) {
    if callers.len().is_power_of_two() {
        callers.retain(Reply::is_wanted);
    }
    if callers.len() < MOST_WAITING {
        callers.push(reply);
    }
}

impl Supervisor {
    fn infos(&self) -> impl Iterator<Item = ChildInfo> {
        let info = |(key, member): (&Key, &Member)| {
            let shown = self.machine.shown(*key)?;
            Some(ChildInfo {
                name: member.name.as_ref().into(),
                port: member.port(),
                state: shown.state,
                restart: member.restart,
                restarts: shown.restarts,
                reason: member.reason.clone(),
            })
        };
        self.members.iter().filter_map(info)
    }
}

#[port(crate = crate)]
impl Supervisor {
    /// Its children, in the order in which they start.
    ///
    /// The answer grows with the number of children. Ask a supervisor with a hundred thousand of them on its own node, or for
    /// its [`first_children`](SupervisorRef::first_children).
    #[doc(alias = "which_children")]
    #[rcv]
    pub fn children(&self) -> Vec<ChildInfo> {
        self.infos().collect()
    }

    /// The number of its children, and the first `most` of them, in the order in which they start.
    #[rcv]
    pub fn first_children(&self, most: u32) -> (u64, Vec<ChildInfo>) {
        let first = self.infos().take(most as usize).collect();
        (self.members.len() as u64, first)
    }

    /// Waits until all children of the builder have been started. If the supervisor gives up before, the call ends with
    /// its death.
    #[rcv]
    pub fn ready(&mut self, reply: Reply<()>) {
        match &mut self.ready {
            Readiness::Ready => reply.send(()),
            Readiness::Awaited(callers) => keep(callers, reply),
        }
    }

    /// Ends all children, the last first, and then the supervisor, with a normal reason. The answer comes when all
    /// children have ended.
    #[rcv]
    pub fn shutdown(&mut self, cx: &mut Cx<'_>, reply: Reply<()>) {
        keep(&mut self.ending, reply);
        self.end(cx);
    }

    /// Ends a child and forgets it. The answer comes when it has ended.
    #[doc(alias = "terminate_child")]
    #[doc(alias = "delete_child")]
    #[rcv]
    pub fn stop_child(
        &mut self,
        cx: &mut Cx<'_>,
        name: String,
        reply: Reply<Result<(), ChildError>>,
    ) {
        let key = self.names.get(name.as_str()).copied();
        let Some((key, member)) = key.and_then(|key| Some((key, self.members.get_mut(&key)?)))
        else {
            return reply.send(Err(ChildError::NoChild(name)));
        };
        keep(&mut member.removed, reply);
        let now = self.now();
        self.machine.remove(now, key);
        self.act(cx);
    }

    /// The incarnation of a child. With the number of the last one that is known, the answer comes when there is
    /// another. [`Follow`](super::Follow) uses it.
    #[doc(hidden)]
    #[rcv]
    pub fn incarnation(
        &mut self,
        name: String,
        seen: Option<u64>,
        reply: Reply<Option<Incarnation>>,
    ) {
        let key = self.names.get(name.as_str());
        let Some(news) = key.and_then(|key| self.news_of(*key)) else {
            return reply.send(None);
        };
        if seen != Some(news.number) {
            return reply.send(Some(news));
        }
        keep(self.waiting.entry(name.into()).or_default(), reply);
    }

    #[rcv]
    fn add_child(
        &mut self,
        cx: &mut Cx<'_>,
        child: Local<Child>,
        reply: Reply<Result<PortId, ChildError>>,
    ) {
        let mut child = child.0;
        if self.names.contains_key(&child.spec.name) {
            let name = child.spec.name.as_ref().into();
            return reply.send(Err(ChildError::Taken(name)));
        }
        child.spec.dynamic = true;
        self.add(child, Some(reply));
        self.act(cx);
    }

    #[rcv("aemp order")]
    fn order(&mut self, cx: &mut Cx<'_>, order: Local<Order>) {
        let now = self.now();
        match order.0.0 {
            Event::Begin => self.machine.begin(now),
            Event::Tick => {
                self.alarm.rang();
                self.machine.timeout(now);
            }
            Event::Made { key, run, made } => {
                let making = self.members.get(&key).map(|member| &member.life);
                let expected = matches!(making, Some(Life::Making { run: at, .. }) if *at == run);
                // An incarnation that is no longer expected is killed when it is dropped.
                if expected {
                    self.made(cx, key, run, made.map(Born::keep));
                }
            }
            Event::Served { key, run } => self.served(key, run),
            Event::Died { key, run, reason } => self.died(key, run, reason),
            Event::Gone { key, run } => self.gone(key, run),
            Event::Arrived { key, run } => self.machine.arrived(now, key, run),
            Event::Shutdown => return self.end(cx),
            Event::Hold(lifeline) => self.tree.0.lock().push(lifeline),
        }
        self.act(cx);
    }
}

impl Supervisor {
    fn end(&mut self, cx: &mut Cx<'_>) {
        let now = self.now();
        self.machine.shutdown(now, Reason::normal());
        self.act(cx);
    }
}

impl Drop for Supervisor {
    /// Kills the remaining children, the last first.
    fn drop(&mut self) {
        if self.node.life().has_vanished() {
            return;
        }
        for member in self.members.values().rev() {
            if let Life::Lives(living) = &member.life {
                self.node.destination(&living.port).kill(stopped());
            }
        }
    }
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor")
            .field("children", &self.members.len())
            .finish_non_exhaustive()
    }
}
