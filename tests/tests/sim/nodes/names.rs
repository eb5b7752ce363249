//! Names of the network in networks with faults: whole nodes, random schedules.
//!
//! `a` and `b` are global nodes, `c`, `d` and `e` their slaves. All five claim one name, each for a port that claims it
//! again when it has lost it, and all are candidates of one singleton. The schedule cuts, splits and crashes. When all
//! faults are over:
//!
//! - the name has one holder, all nodes find it, and each other claim waits for it;
//! - the singleton has one instance;
//! - each claim that has ended was told so.
//!
//! `AEMP_SCHEDULES` is the number of schedules, `AEMP_SCHEDULE` the first.

use std::{cell::RefCell, time::Duration};

use aemp::{
    Handle, Node, NodeBuilder, PortId, UntypedMsg,
    names::{Claim, ClaimEnd, ClaimState, Follow, Singleton, Terms},
    port,
    sim::{Conditions, Crash, Sim},
};

use super::{SECOND, Told, builder, each_schedule};

const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// `monitor_timeout` of all nodes (`builder`).
const TIMEOUT: Duration = Duration::from_secs(9);

fn member(id: &str) -> NodeBuilder {
    let seeds = ["a", "b"].into_iter().filter(|seed| *seed != id);
    let seeds = seeds.map(|seed| format!("{seed}:4040"));
    let node = seeds.fold(builder(id), NodeBuilder::seed);
    node.global(id < "c")
}

fn silent(node: &Node) -> Handle<UntypedMsg> {
    node.untyped(|_: &mut aemp::Cx<'_>, _: aemp::Args| ())
}

thread_local! {
    /// The nodes that have an instance of the singleton. The simulation runs on one thread.
    static INSTANCES: RefCell<Vec<String>> = RefCell::default();
}

struct Only {
    node: String,
}

#[port]
impl Only {
    #[rcv(try, send)]
    fn fail(&self) -> Result<(), String> {
        Err("out of tea".into())
    }
}

impl Only {
    fn new(node: &Node) -> Self {
        let node = node.id().to_string();
        INSTANCES.with_borrow_mut(|all| all.push(node.clone()));
        Self { node }
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        INSTANCES.with_borrow_mut(|all| {
            let place = all.iter().position(|node| *node == self.node);
            all.remove(place.expect("it was there"));
        });
    }
}

/// A claimant on one node.
struct Claimant {
    node: Node,
    port: PortId,
    claim: Claim,
    follow: Follow<Handle<UntypedMsg>>,
    only: Singleton<OnlyRef>,
    told: Told<ClaimEnd>,
}

impl Claimant {
    fn new(node: &Node, told: &Told<ClaimEnd>) -> Self {
        let port = silent(node);
        Self {
            node: node.clone(),
            port: port.id(),
            claim: node.claim("boss", &port).unwrap(),
            follow: node.follow("boss").unwrap(),
            only: node
                .singleton("only", |node: &Node| node.port(Only::new(node)))
                .unwrap(),
            told: told.clone(),
        }
    }

    fn look(&mut self) {
        if let ClaimState::Ended(end) = self.claim.state() {
            assert!(matches!(end, ClaimEnd::Lost { .. }), "{end:?}");
            self.told.tell(end);
            let port: Handle<UntypedMsg> = self.node.handle(&self.port);
            self.claim = self.node.claim("boss", &port).unwrap();
        }
    }
}

struct World {
    sim: Sim,
    all: Vec<Claimant>,
    told: Told<ClaimEnd>,
    chance: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        INSTANCES.take();
        let mut sim = Sim::new(seed);
        let told = Told::new();
        let nodes = NODES.map(|id| sim.start(member(id)).unwrap());
        let all = nodes
            .iter()
            .map(|node| Claimant::new(node, &told))
            .collect();
        Self {
            sim,
            all,
            told,
            chance: seed,
        }
    }

    fn below(&mut self, n: u64) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n) as usize
    }

    fn run(&mut self, time: Duration) {
        let end = self.sim.elapsed() + time;
        while self.sim.elapsed() < end {
            self.sim.run_for(SECOND / 4);
            self.all.iter_mut().for_each(Claimant::look);
        }
    }

    fn crash(&mut self, node: &str, how: Crash) {
        if self.sim.is_running(node) {
            self.all.retain(|one| one.node.id().as_str() != node);
            self.sim.crash(node, how);
        }
    }

    fn restart(&mut self, node: &str) {
        if !self.sim.is_running(node) {
            let node = self.sim.restart(node).unwrap();
            self.all.push(Claimant::new(&node, &self.told));
        }
    }

    fn holders(&self) -> Vec<PortId> {
        let holds = |one: &&Claimant| one.claim.state() == ClaimState::Held;
        let all = self.all.iter().filter(holds);
        all.map(|one| one.port.clone()).collect()
    }

    fn step(&mut self) {
        let (one, count) = (NODES[self.below(5)], self.below(4) + 1);
        match self.below(10) {
            0 => {
                let other = NODES[self.below(5)];
                if one != other {
                    self.sim.cut(one, other);
                }
            }
            1 | 2 => self.sim.partition(&NODES[..count], &NODES[count..]),
            3 => {
                let others: Vec<&str> = NODES.into_iter().filter(|node| *node != one).collect();
                self.sim.partition(&[one], &others);
            }
            4 => self.crash(one, Crash::Process),
            5 => self.crash(one, Crash::Machine),
            6 => self.restart(one),
            7 => self.sim.heal(),
            8 => {
                if let Some(only) = self.all.first().and_then(|one| one.only.get()) {
                    only.fail();
                }
            }
            _ => {}
        }
        let time = SECOND / 4 * self.below(80) as u32;
        self.run(time);
    }

    /// Ends all faults, and checks that everything is as it should be.
    fn finish(&mut self) {
        self.sim.heal();
        self.sim.set_conditions(Conditions::default());
        for node in NODES {
            self.restart(node);
        }
        self.run(90 * SECOND);
        let holders = self.holders();
        assert_eq!(holders.len(), 1, "{holders:?}");
        let holder = holders[0].clone();
        for one in &self.all {
            assert_eq!(one.follow.get().map(|port| port.id()), Some(holder.clone()));
            let waits = ClaimState::Waiting {
                holder: Some(holder.clone()),
            };
            if one.port != holder {
                assert_eq!(one.claim.state(), waits, "{:?}", one.node);
            }
        }
        let found = self.all[0].node.look_up::<Handle<UntypedMsg>>("boss");
        let found = self.sim.block_on(found).unwrap().map(|port| port.id());
        assert_eq!(found, Some(holder));
        let instances = INSTANCES.with_borrow(Clone::clone);
        assert_eq!(instances.len(), 1, "{instances:?}");
        for one in &self.all {
            let instance = one.only.get().expect("it is found");
            assert_eq!(instance.id().node(), instances[0]);
        }
    }
}

#[test]
fn each_name_has_one_holder_when_all_faults_are_over() {
    let lost = std::sync::atomic::AtomicUsize::new(0);
    each_schedule(20, |seed| {
        let mut world = World::new(seed);
        world.run(5 * SECOND);
        for _ in 0..15 {
            world.step();
        }
        world.finish();
        let told = world.told.all().len();
        lost.fetch_add(told, std::sync::atomic::Ordering::Relaxed);
    });
    println!("{lost:?} claims were lost");
}

/// The two parts of a network have a holder each. When they meet, the younger one is told soon.
#[test]
fn the_younger_holder_is_told_when_parts_meet() {
    let mut world = World::new(3);
    world.run(10 * SECOND);
    let old = world.holders();
    assert_eq!(old.len(), 1, "{old:?}");
    let apart: Vec<&str> = NODES
        .into_iter()
        .filter(|node| *node != "a" && *node != "c")
        .collect();
    world.sim.partition(&["a", "c"], &apart);
    world.run(40 * SECOND);
    assert_eq!(world.holders().len(), 2);
    assert!(world.told.all().is_empty());
    world.sim.heal();
    // Attempts to connect have pauses of at most `monitor_timeout`.
    world.run(TIMEOUT + 2 * SECOND);
    assert_eq!(world.holders(), old);
    let told = world.told.all();
    assert_eq!(
        told,
        [ClaimEnd::Lost {
            to: old.first().cloned()
        }]
    );
    world.finish();
}

/// A slave that is cut off gives the name up before another node takes it over.
#[test]
fn with_a_long_grace_a_node_that_is_cut_off_gives_up_first() {
    let mut sim = Sim::new(1);
    let nodes = NODES.map(|id| sim.start(member(id)).unwrap());
    sim.run_for(5 * SECOND);
    let terms = Terms::default().only_joined().grace(2 * TIMEOUT);
    let claim = |node: &Node| {
        let port = silent(node);
        node.claim_with("boss", &port, &terms).unwrap().linked()
    };
    let first = claim(&nodes[4]);
    sim.run_for(5 * SECOND);
    let second = claim(&nodes[0]);
    sim.run_for(5 * SECOND);
    assert_eq!(first.state(), ClaimState::Held);
    sim.partition(&["e"], &["a", "b", "c", "d"]);
    let mut ended = None;
    for step in 0..240 {
        sim.run_for(SECOND / 4);
        if ended.is_none() && first.state() == ClaimState::Ended(ClaimEnd::CutOff) {
            ended = Some(step);
        }
        if second.state() == ClaimState::Held {
            assert!(ended.is_some(), "two hold it");
            return;
        }
    }
    panic!("no candidate has taken it over");
}

#[test]
fn a_port_that_loses_its_name_dies_if_it_is_linked() {
    let mut sim = Sim::new(2);
    let nodes = ["a", "b"].map(|id| sim.start(member(id)).unwrap());
    sim.run_for(3 * SECOND);
    sim.partition(&["a"], &["b"]);
    sim.run_for(20 * SECOND);
    let old = silent(&nodes[0]);
    let _old = nodes[0].claim("boss", &old).unwrap();
    sim.run_for(10 * SECOND);
    let young = silent(&nodes[1]);
    nodes[1].claim("boss", &young).unwrap().linked().detach();
    let deaths = super::mourn(&nodes[1], &young.id());
    sim.run_for(10 * SECOND);
    assert!(deaths.all().is_empty());
    sim.heal();
    assert!(sim.run_until(TIMEOUT + 2 * SECOND, || !deaths.all().is_empty()));
    assert_eq!(deaths.all()[0].kind(), "name_lost");
}

/// A program may have the link set only after it has heard that it holds the name, and the name may be lost by then.
#[test]
fn a_port_dies_also_if_the_name_was_lost_before_it_was_linked() {
    let mut sim = Sim::new(2);
    let nodes = ["a", "b"].map(|id| sim.start(member(id)).unwrap());
    sim.run_for(3 * SECOND);
    sim.partition(&["a"], &["b"]);
    sim.run_for(20 * SECOND);
    let _old = nodes[0].claim("boss", &silent(&nodes[0])).unwrap();
    sim.run_for(10 * SECOND);
    let young = silent(&nodes[1]);
    let claim = nodes[1].claim("boss", &young).unwrap();
    let deaths = super::mourn(&nodes[1], &young.id());
    sim.run_for(10 * SECOND);
    assert_eq!(claim.state(), ClaimState::Held);
    sim.heal();
    let is_lost = || matches!(claim.state(), ClaimState::Ended(ClaimEnd::Lost { .. }));
    assert!(sim.run_until(TIMEOUT + 2 * SECOND, is_lost));
    sim.run_for(5 * SECOND);
    assert!(deaths.all().is_empty(), "it is not linked");
    drop(claim.linked());
    sim.run_for(SECOND);
    assert_eq!(deaths.all()[0].kind(), "name_lost");
}
