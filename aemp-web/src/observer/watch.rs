//! The one collector of an observer, however many browsers look.
//!
//! A task asks the nodes once a second, or less often in a large network, and only for the things that open pages show.
//! Its answers go into one state, which all pages are made of. Pages hear of a new state by a tick, at most five times
//! a second.
//!
//! A first viewer would wait for the next round, and then for the next tick. So it makes the round begin, and the tick comes as soon as
//! all nodes have answered.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use aemp::Node;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use super::{
    demand::{Demand, Look, Thing},
    history::History,
};
use crate::{
    collect::{Collector, News},
    network::{Network, node_of},
};

/// The time between two rounds in a small network.
const ROUND: Duration = Duration::from_secs(1);
/// The number of nodes that are asked in a second, at most.
const NODES_PER_SECOND: usize = 250;
/// The least time between two ticks.
const FRAME: Duration = Duration::from_millis(200);
/// The number of ports that are looked at.
const PORTS: usize = 64;
/// The age up to which a state is shown without waiting for a newer one.
const FRESH: Duration = Duration::from_secs(5);
/// The time for which a page waits for a state.
const PATIENCE: Duration = Duration::from_secs(2);

/// The state that pages are made of.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) network: Network,
    pub(crate) history: History,
    /// The time of the last answer, in seconds since the start.
    pub(crate) now: f64,
    /// The last time at which every node had answered, or had failed to.
    settled: Option<Instant>,
}

impl State {
    /// A state in which nothing has been asked yet.
    pub(crate) fn new(network: Network, history: History) -> Self {
        Self {
            network,
            history,
            now: 0.0,
            settled: None,
        }
    }

    /// True if it may be shown without waiting for a newer one.
    fn is_fresh(&self) -> bool {
        self.settled.is_some_and(|at| at.elapsed() < FRESH)
    }
}

/// The state, and the ways to it.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    node: Node,
    state: Arc<RwLock<State>>,
    demand: Demand,
    ticks: watch::Sender<u64>,
    /// Notified when a page shows something that no other page shows.
    wake: Arc<Notify>,
}

impl Watch {
    /// Nothing is collected before [`collect`](Self::collect).
    pub(crate) fn new(node: &Node) -> Self {
        let state = State::new(Network::new(node.id().as_str()), History::default());
        Self {
            node: node.clone(),
            state: Arc::new(RwLock::new(state)),
            demand: Demand::default(),
            ticks: watch::Sender::new(0),
            wake: Arc::default(),
        }
    }

    /// The node that asks.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// The state. Only code of this crate runs while it is read.
    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A viewer of some things.
    pub(crate) fn viewer(&self, things: Vec<Thing>) -> Look {
        let (look, is_new) = self.demand.viewer(things);
        if is_new {
            self.wake.notify_one();
        }
        look
    }

    /// The ticks, one for each new state.
    pub(crate) fn ticks(&self) -> watch::Receiver<u64> {
        self.ticks.subscribe()
    }

    /// Waits until the state is not old, and has these things, but not for long.
    pub(crate) async fn refreshed(&self, things: &[Thing]) {
        let mut ticks = self.ticks();
        let is_ready = || {
            let state = self.state();
            let has = |thing: &Thing| match thing {
                Thing::Family(family) => state.network.opened.contains_key(family),
                Thing::Deaths(node) => state.network.has_told_deaths(node),
                Thing::Port(port) => state.network.is_told_of(port),
                Thing::Messages(port) => state.network.is_tapping(port),
                _ => true,
            };
            state.is_fresh() && things.iter().all(has)
        };
        let ready = async { while !is_ready() && ticks.changed().await.is_ok() {} };
        // A node that does not answer must not keep a page from being shown.
        let _ = timeout(PATIENCE, ready).await;
    }

    /// Collects until it is dropped.
    pub(crate) async fn collect(self) {
        let wake = Arc::clone(&self.wake);
        let mut work = Work {
            collector: Collector::new(&self.node),
            next_round: Instant::now(),
            soonest: Instant::now(),
            dirty: false,
            watch: self,
        };
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                news = work.collector.next() => work.take(news),
                () = sleep_until(work.next_round) => work.round(),
                () = wake.notified() => work.next_round = work.next_round.min(work.soonest),
                _ = frames.tick(), if work.dirty => {
                    work.tick();
                }
            }
        }
    }
}

/// The collector's own state.
struct Work {
    watch: Watch,
    collector: Collector,
    next_round: Instant,
    /// The time before which there is no round for a new viewer.
    soonest: Instant,
    /// True if the state has changed since the last tick.
    dirty: bool,
}

impl Work {
    /// Tells the pages that the state is new.
    fn tick(&mut self) {
        self.dirty = false;
        self.watch.ticks.send_modify(|tick| *tick += 1);
    }

    /// Follows the log from the least urgent level that is wanted.
    fn follow_logs(&mut self, wanted: &[Thing]) {
        let levels = wanted.iter().filter_map(|thing| match thing {
            Thing::Logs(level) => Some(*level),
            _ => None,
        });
        match levels.max() {
            None => self.collector.leave_logs(),
            Some(level) if self.collector.follow_logs(level) => {
                // They come again.
                self.watch.write().network.logs.clear();
            }
            Some(_) => {}
        }
    }

    /// Follows the messages that are wanted, of ports whose nodes answer, and forgets ports without a viewer.
    fn follow_messages(&mut self, wanted: &[Thing]) {
        let mut state = self.watch.write();
        let network = &mut state.network;
        let is_wanted = |port: &String| wanted.contains(&Thing::Port(port.clone()));
        network.looked.retain(|port, _| is_wanted(port));
        let tapped: Vec<&str> = wanted
            .iter()
            .filter_map(|thing| match thing {
                Thing::Messages(port) => Some(&**port),
                _ => None,
            })
            .filter(|port| network.answers(node_of(port)))
            .collect();
        for port in &tapped {
            network.looked.entry((*port).into()).or_default();
        }
        for (port, looked) in &mut network.looked {
            match tapped.contains(&&**port) {
                true => drop(looked.tapped.get_or_insert_default()),
                false => looked.tapped = None,
            }
        }
        drop(state);
        self.collector.follow_messages(tapped);
    }

    /// Asks for everything that is wanted.
    fn round(&mut self) {
        let wanted = self.watch.demand.wanted();
        self.next_round = Instant::now() + ROUND;
        self.soonest = Instant::now() + FRAME;
        self.follow_logs(&wanted);
        self.follow_messages(&wanted);
        let now = self.collector.now();
        let mut state = self.watch.write();
        let State {
            network, history, ..
        } = &mut *state;
        let is_wanted = |family: &String| wanted.contains(&Thing::Family(family.clone()));
        network.opened.retain(|family, _| is_wanted(family));
        if !wanted.contains(&Thing::Waits) {
            network
                .nodes
                .values_mut()
                .for_each(|seen| seen.waiting = None);
        }
        network.traces.tidy(now);
        if wanted.is_empty() {
            return;
        }
        history.sample(now, network);
        for node in self.watch.node.up_nodes() {
            network.know(node.as_str(), now);
        }
        network.forget(now);
        let names: Vec<String> = network.names().map(str::to_owned).collect();
        if names.is_empty() {
            // There is nothing to wait for.
            state.settled = Some(Instant::now());
        }
        let is_alone = names.is_empty();
        drop(state);
        self.dirty = true;
        if is_alone {
            self.tick();
        }
        let seconds = names.len().div_ceil(NODES_PER_SECOND).max(1);
        self.next_round = Instant::now() + ROUND * u32::try_from(seconds).unwrap_or(u32::MAX);
        if seconds > 1 {
            self.soonest = self.next_round;
        }
        let names = || names.iter().map(String::as_str);
        self.collector.ask(names());
        for thing in &wanted {
            match thing {
                Thing::Trees => self.collector.ask_for_trees(names()),
                Thing::Waits => self.collector.ask_for_waits(names()),
                Thing::Traces => self.collector.ask_for_traces(names()),
                Thing::Functions(node) => self.collector.ask_for_functions(node),
                Thing::Deaths(node) => self.collector.ask_for_deaths(node),
                // They are asked already, or followed.
                Thing::Nodes | Thing::Logs(_) | Thing::Port(_) | Thing::Messages(_) => {}
                Thing::Family(family) => {
                    let network = &self.watch.state().network;
                    self.collector.open(family, network);
                }
            }
        }
        let ports = wanted.iter().filter_map(|thing| match thing {
            Thing::Port(port) => Some(port),
            _ => None,
        });
        ports
            .take(PORTS)
            .for_each(|port| self.collector.ask_for_port(port));
    }

    fn take(&mut self, news: News) {
        let is_settled = self.collector.is_settled();
        let at = self.collector.now();
        let mut state = self.watch.write();
        state.now = at;
        let network = &mut state.network;
        match news {
            News::Node(report) => network.add_report(report),
            News::Family(opened) => network.open(opened),
            News::Trees(trees) => network.add_trees(trees),
            News::Waits { node, waits } => network.add_waits(&node, waits),
            News::Traces { node, at, traces } => network.add_traces(&node, at, traces),
            News::Functions { node, functions } => network.add_functions(&node, functions),
            News::Deaths { node, at, deaths } => network.add_deaths(&node, at, deaths),
            News::Port { port, at, fate } => network.add_port(&port, at, fate),
            News::Messages { port, tapped } => network.add_messages(&port, tapped),
            News::Log(line) => network.logs.add(line),
        }
        let was_fresh = state.is_fresh();
        if is_settled {
            state.settled = Some(Instant::now());
        }
        drop(state);
        self.dirty = true;
        if is_settled && !was_fresh {
            self.tick();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Not for the next round, nor for the next tick.
    #[tokio::test(start_paused = true)]
    async fn a_first_viewer_is_shown_something_at_once() {
        let node = Node::local().expect("there is a runtime");
        let watch = Watch::new(&node);
        let collecting = tokio::spawn(watch.clone().collect());
        let things = [Thing::Nodes];
        for pause in [250, 999, 60_000] {
            sleep(Duration::from_millis(pause)).await;
            let began = Instant::now();
            let _look = watch.viewer(things.to_vec());
            watch.refreshed(&things).await;
            assert!(began.elapsed() < FRAME, "{pause}: {:?}", began.elapsed());
        }
        collecting.abort();
    }

    /// Viewers of many things do not make more rounds than there are frames.
    #[tokio::test(start_paused = true)]
    async fn new_viewers_do_not_make_rounds_without_end() {
        let node = Node::local().expect("there is a runtime");
        let watch = Watch::new(&node);
        let collecting = tokio::spawn(watch.clone().collect());
        let began = Instant::now();
        let before = *watch.ticks().borrow();
        for number in 0..1000 {
            let _look = watch.viewer(vec![Thing::Functions(number.to_string())]);
            sleep(Duration::from_millis(1)).await;
        }
        let ticks = *watch.ticks().borrow() - before;
        let most = 2 * began.elapsed().as_millis() / FRAME.as_millis() + 2;
        assert!(u128::from(ticks) <= most, "{ticks}");
        collecting.abort();
    }
}
