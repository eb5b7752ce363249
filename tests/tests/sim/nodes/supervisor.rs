//! Supervised children in networks with faults: whole nodes, random schedules.
//!
//! `boss` supervises one child that waits for `w1`, one that goes from `w1` elsewhere, and one of its own. `user` follows
//! them. The schedule cuts, splits and crashes; a new `boss` starts a new supervisor, as a program does. Throughout:
//!
//! - a follower shows another incarnation only after the monitor of the one before has fired at its node, and never
//!   shows one again that it has left;
//! - two incarnations of the child that moves live together for no longer than `monitor_timeout` and the slack of its
//!   clock; those of the others never do.
//!
//! In the end, when all faults are over, every permanent child lives exactly once.
//!
//! `AEMP_SCHEDULES` is the number of schedules, `AEMP_SCHEDULE` the first.

use std::{cell::RefCell, time::Duration};

use aemp::{
    Node, NodeBuilder, PortId, args, port,
    sim::{Conditions, Crash, Sim},
    spawnable,
    supervisor::{Child, ChildState, Follow, OnLoss, Supervisor, SupervisorRef},
};

use super::{SECOND, Told, builder, each_schedule, mourn};

const STEP: Duration = Duration::from_millis(250);
/// `monitor_timeout` of all nodes (`builder`), a round of keepalives, and two steps.
const BOUND: Duration = Duration::from_millis(9_000 + 1_000);
const NAMES: [&str; 3] = ["waits", "moves", "stays"];
const NODES: [&str; 5] = ["boss", "w1", "w2", "w3", "user"];

/// The life of one incarnation.
#[derive(Clone, Debug)]
struct Life {
    name: String,
    begin: Duration,
    end: Option<Duration>,
}

thread_local! {
    /// All incarnations of this schedule. The simulation runs on one thread.
    static LIVES: RefCell<(Duration, Vec<Life>)> = RefCell::default();
}

struct Worker {
    number: usize,
}

#[port]
impl Worker {
    #[rcv(try, send)]
    fn fail(&self) -> Result<(), String> {
        Err("out of tea".into())
    }
}

#[spawnable(name = "Sim::Supervised::worker")]
fn worker(name: String) -> Worker {
    LIVES.with_borrow_mut(|(now, lives)| {
        lives.push(Life {
            name,
            begin: *now,
            end: None,
        });
        Worker {
            number: lives.len() - 1,
        }
    })
}

impl Drop for Worker {
    fn drop(&mut self) {
        LIVES.with_borrow_mut(|(now, lives)| lives[self.number].end = Some(*now));
    }
}

fn member(id: &str) -> NodeBuilder {
    let seeds = NODES.iter().map(|seed| format!("{seed}:4040"));
    seeds.fold(builder(id), NodeBuilder::seed)
}

fn supervise(node: &Node, grace: Duration) -> SupervisorRef {
    let on = |name: &str| Child::on(name, "w1", "Sim::Supervised::worker", args![name]);
    let elsewhere = OnLoss::Elsewhere(vec!["w2".into(), "w3".into()]);
    Supervisor::builder()
        .intensity(u32::MAX, SECOND)
        .with_child(on("waits"))
        .with_child(on("moves").on_loss(elsewhere).grace(grace))
        .with_child(Child::new("stays", |node| {
            node.port(worker("stays".into()))
        }))
        .start(node)
}

/// The incarnations that a follower has shown.
struct Seen {
    follow: Follow<WorkerRef>,
    shown: Option<PortId>,
    died: Option<Told<aemp::Reason>>,
    left: Vec<PortId>,
}

impl Seen {
    fn new(follow: Follow<WorkerRef>) -> Self {
        Self {
            follow,
            shown: None,
            died: None,
            left: Vec::new(),
        }
    }

    fn look(&mut self, user: &Node) {
        let Some(now) = self.follow.get().map(|worker| worker.id()) else {
            return;
        };
        if self.shown.as_ref() == Some(&now) {
            if self
                .died
                .as_ref()
                .is_some_and(|died| !died.all().is_empty())
            {
                self.died = Some(mourn(user, &now));
            }
            return;
        }
        assert!(!self.left.contains(&now), "{now} is shown again");
        if let (Some(before), Some(died)) = (self.shown.take(), &self.died) {
            assert!(!died.all().is_empty(), "{now} is shown, and {before} lives");
            self.left.push(before);
        }
        self.died = Some(mourn(user, &now));
        self.shown = Some(now);
    }
}

struct World {
    sim: Sim,
    user: Node,
    sup: Option<SupervisorRef>,
    seen: Vec<Seen>,
    chance: u64,
    grace: Duration,
}

impl World {
    fn new(seed: u64, grace: Duration) -> Self {
        LIVES.set(Default::default());
        let mut sim = Sim::new(seed);
        let mut nodes = NODES.map(|id| sim.start(member(id)).unwrap()).to_vec();
        let user = nodes.remove(4);
        let mut world = Self {
            sup: None,
            sim,
            user,
            seen: Vec::new(),
            chance: seed,
            grace,
        };
        world.run(3 * SECOND);
        world.begin();
        world
    }

    fn below(&mut self, n: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    /// Lets the present `boss` supervise, and `user` follow.
    fn begin(&mut self) {
        let boss = self.sim.node("boss").unwrap().clone();
        let sup = supervise(&boss, self.grace);
        self.seen = NAMES
            .iter()
            .map(|name| Seen::new(self.sim.block_on(sup.follow(name)).unwrap()))
            .collect();
        let id = sup.id();
        let far: SupervisorRef = self.user.handle(&id);
        self.seen.extend(NAMES.iter().filter_map(|name| {
            let follow = async {
                let limit = tokio::time::timeout(SECOND / 100, far.follow(name));
                limit.await.ok()?.ok()
            };
            self.sim.block_on(follow).map(Seen::new)
        }));
        self.sup = Some(sup);
    }

    fn run(&mut self, time: Duration) {
        let end = self.sim.elapsed() + time;
        while self.sim.elapsed() < end {
            LIVES.with_borrow_mut(|(now, _)| *now = self.sim.elapsed());
            self.sim.run_for(STEP);
            let boss = self.sim.node("boss").cloned();
            for (n, seen) in self.seen.iter_mut().enumerate() {
                match &boss {
                    Some(boss) if n < NAMES.len() => seen.look(boss),
                    _ if n >= NAMES.len() => seen.look(&self.user),
                    _ => {}
                }
            }
        }
        LIVES.with_borrow_mut(|(now, _)| *now = self.sim.elapsed());
    }

    fn restart(&mut self, node: &str) {
        if !self.sim.is_running(node) {
            self.sim.restart(node).unwrap();
            if node == "boss" {
                self.begin();
            }
        }
    }

    fn step(&mut self) {
        let one = NODES[self.below(4) as usize];
        match self.below(10) {
            0 => {
                let other = NODES[self.below(5) as usize];
                if one != other {
                    self.sim.cut(one, other);
                }
            }
            1 | 2 => {
                let others: Vec<&str> = NODES.into_iter().filter(|node| *node != one).collect();
                self.sim.partition(&[one], &others);
            }
            3 => {
                let others: Vec<&str> = NODES.into_iter().filter(|node| *node != one).collect();
                self.sim.partition_one_way(&[one], &others);
            }
            4 => self.sim.crash(one, Crash::Process),
            5 => self.sim.crash(one, Crash::Machine),
            6 => self.restart(one),
            7 => self.sim.heal(),
            8 => {
                let seen = self.below(self.seen.len() as u64) as usize;
                if let Some(worker) = self.seen[seen].follow.get() {
                    worker.fail();
                }
            }
            _ => {}
        }
        let time = STEP * self.below(60) as u32;
        self.run(time);
    }

    /// Ends all faults, and checks that everything is as it should be.
    fn finish(mut self) {
        self.sim.heal();
        self.sim.set_conditions(Conditions::default());
        for node in NODES {
            self.restart(node);
        }
        self.run(60 * SECOND);
        let sup = self.sup.clone().unwrap();
        let children = self.sim.block_on(sup.children()).unwrap();
        assert_eq!(children.len(), 3);
        for child in &children {
            assert_eq!(child.state, ChildState::Running, "{child:?}");
        }
        for seen in &self.seen {
            let child = children
                .iter()
                .find(|child| child.name == seen.follow.name());
            assert_eq!(seen.follow.get().map(|it| it.id()), child.unwrap().port);
        }
        LIVES.with_borrow(|(now, lives)| {
            for name in NAMES {
                let of: Vec<&Life> = lives.iter().filter(|life| life.name == name).collect();
                let alive = of.iter().filter(|life| life.end.is_none()).count();
                assert_eq!(alive, 1, "{name}: {of:?}");
                for (n, one) in of.iter().enumerate() {
                    for other in &of[..n] {
                        let end = other.end.unwrap_or(*now).min(one.end.unwrap_or(*now));
                        let both = end.saturating_sub(one.begin);
                        let bound = if name == "moves" {
                            BOUND
                        } else {
                            Duration::ZERO
                        };
                        assert!(both <= bound, "{name}: {other:?} and {one:?}");
                    }
                }
            }
        });
    }
}

#[test]
fn supervised_children_live_once_under_all_faults() {
    each_schedule(40, |seed| {
        let mut world = World::new(seed, Duration::ZERO);
        for _ in 0..20 {
            world.step();
        }
        world.finish();
    });
}

/// The worst case: the supervisor's node no longer hears the child's node, which still hears it for a while and notices
/// that much later.
#[test]
fn two_incarnations_live_together_for_at_most_the_monitor_timeout() {
    for (grace, together) in [(Duration::ZERO, true), (BOUND, false)] {
        let mut world = World::new(1, grace);
        world.run(3 * SECOND);
        // The system would otherwise give the connection up before the node does.
        world.sim.set_user_timeout(60 * SECOND);
        let others = ["boss", "w2", "w3", "user"];
        world.sim.partition_one_way(&["w1"], &others);
        world.run(5 * SECOND);
        world.sim.partition(&["w1"], &others);
        world.run(30 * SECOND);
        world.finish();
        let both = LIVES.with_borrow(|(_, lives)| {
            let moves: Vec<&Life> = lives.iter().filter(|life| life.name == "moves").collect();
            assert!(moves.len() >= 2, "{moves:?}");
            moves[0].end.unwrap().saturating_sub(moves[1].begin)
        });
        println!("two live for {both:?}");
        assert!(both <= BOUND, "{both:?}");
        assert_eq!(both > Duration::ZERO, together, "{both:?}");
    }
}
