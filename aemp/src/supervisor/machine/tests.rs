//! The machine without a runtime: each strategy, each kind of child, the limits, and random schedules.

use super::*;
use crate::supervisor::spec::{Loss, Restart};

const SECOND: Duration = Duration::from_secs(1);

/// A machine, and the incarnations that its commands have made.
struct World {
    machine: Machine,
    now: Duration,
    /// The live incarnations. Those in `deaf` do not end when they are asked to.
    alive: BTreeMap<Key, Run>,
    deaf: BTreeSet<Key>,
    /// Children whose incarnations cannot be made.
    barren: BTreeSet<Key>,
    absent: BTreeMap<Key, Run>,
    log: Vec<String>,
    over: Option<Reason>,
}

impl World {
    fn new(strategy: Strategy, specs: impl IntoIterator<Item = Spec>) -> Self {
        Self::limited(strategy, 3, 10 * SECOND, specs)
    }

    fn limited(
        strategy: Strategy,
        most: u32,
        period: Duration,
        specs: impl IntoIterator<Item = Spec>,
    ) -> Self {
        let mut world = Self {
            machine: Machine::new(strategy, most, period, 7),
            now: Duration::ZERO,
            alive: BTreeMap::new(),
            deaf: BTreeSet::new(),
            barren: BTreeSet::new(),
            absent: BTreeMap::new(),
            log: Vec::new(),
            over: None,
        };
        for spec in specs {
            world.machine.add(spec);
        }
        world
    }

    fn begun(mut self) -> Self {
        self.machine.begin(self.now);
        self.settle();
        self
    }

    /// Carries out all commands.
    fn settle(&mut self) {
        loop {
            let commands = self.machine.commands();
            if commands.is_empty() {
                return;
            }
            for command in commands {
                self.obey(command);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        assert!(self.over.is_none(), "{command:?} after the end");
        match command {
            Command::Start(key, run) => {
                self.log.push(format!("start {key}"));
                assert!(!self.alive.contains_key(&key), "two incarnations of {key}");
                if self.barren.contains(&key) {
                    self.machine.ended(self.now, key, run, &died("no"));
                } else {
                    self.alive.insert(key, run);
                    self.machine.started(self.now, key, run);
                }
            }
            Command::Await(key, run) => drop(self.absent.insert(key, run)),
            Command::Stop(key, run) => {
                self.log.push(format!("stop {key}"));
                // It may have failed to start meanwhile.
                if self.alive.get(&key) != Some(&run) {
                    assert!(self.barren.contains(&key));
                    return;
                }
                if !self.deaf.contains(&key) {
                    self.alive.remove(&key);
                    self.machine.ended(self.now, key, run, &died("shutdown"));
                }
            }
            Command::Kill(key, run) => {
                self.log.push(format!("kill {key}"));
                assert_eq!(self.alive.remove(&key), Some(run));
                self.machine.ended(self.now, key, run, &died("killed"));
            }
            Command::Forget(key) => {
                assert!(!self.alive.contains_key(&key));
                self.log.push(format!("forget {key}"));
            }
            Command::Ready => self.log.push("ready".into()),
            Command::End(reason) => {
                assert!(self.alive.is_empty(), "{:?} outlive it", self.alive);
                self.log.push("end".into());
                self.over = Some(reason);
            }
        }
    }

    fn die(&mut self, key: Key, ended: &Ended) {
        let run = self.alive.remove(&key).expect("it lives");
        self.machine.ended(self.now, key, run, ended);
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.machine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.machine.timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn logged(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}

fn died(kind: &str) -> Ended {
    let reason = match kind {
        "" => Reason::normal(),
        kind => Reason::from(kind),
    };
    Ended {
        reason,
        lost: false,
    }
}

fn lost() -> Ended {
    Ended {
        reason: Reason::transport_error("there", "reset"),
        lost: true,
    }
}

fn permanent(names: &[&str]) -> Vec<Spec> {
    let one = |name: &&str| Spec::of(name, Restart::Permanent);
    names.iter().map(one).collect()
}

#[test]
fn children_start_in_order_and_end_in_reverse() {
    let mut world = World::new(Strategy::OneForOne, permanent(&["a", "b", "c"])).begun();
    assert_eq!(world.logged(), ["start 0", "start 1", "start 2", "ready"]);
    world.machine.shutdown(world.now, Reason::normal());
    world.settle();
    assert_eq!(world.logged(), ["stop 2", "stop 1", "stop 0", "end"]);
    assert!(world.over.is_some_and(|reason| reason.is_normal()));
}

#[test]
fn one_for_one_restarts_the_child_alone() {
    let mut world = World::new(Strategy::OneForOne, permanent(&["a", "b", "c"])).begun();
    world.logged();
    world.die(1, &died("x"));
    assert!(world.logged().is_empty(), "it backs off first");
    world.pass(SECOND);
    assert_eq!(world.logged(), ["start 1"]);
}

#[test]
fn one_for_all_restarts_all_in_order() {
    let mut world = World::new(Strategy::OneForAll, permanent(&["a", "b", "c"])).begun();
    world.logged();
    world.die(1, &died("x"));
    assert_eq!(world.logged(), ["stop 2", "stop 0"]);
    world.pass(SECOND);
    assert_eq!(world.logged(), ["start 0", "start 1", "start 2"]);
}

#[test]
fn rest_for_one_restarts_those_behind_it() {
    let mut world = World::new(Strategy::RestForOne, permanent(&["a", "b", "c", "d"])).begun();
    world.logged();
    world.die(1, &died("x"));
    assert_eq!(world.logged(), ["stop 3", "stop 2"]);
    world.pass(SECOND);
    assert_eq!(world.logged(), ["start 1", "start 2", "start 3"]);
}

#[test]
fn a_group_waits_for_a_child_that_does_not_end() {
    let mut world = World::new(Strategy::OneForAll, permanent(&["a", "b", "c"])).begun();
    world.deaf.insert(2);
    world.logged();
    world.die(0, &died("x"));
    assert_eq!(world.logged(), ["stop 2"]);
    world.pass(4 * SECOND);
    assert!(world.logged().is_empty());
    world.pass(SECOND);
    let all = ["kill 2", "stop 1", "start 0", "start 1", "start 2"];
    assert_eq!(world.logged(), all);
}

#[test]
fn kinds_of_children_restart_after_their_ends() {
    let kinds = [Restart::Permanent, Restart::Transient, Restart::Temporary];
    let table = [
        ("", [true, false, false]),
        ("shutdown", [true, false, false]),
        ("x", [true, true, false]),
    ];
    for (reason, restarted) in table {
        for (kind, again) in kinds.into_iter().zip(restarted) {
            let mut world = World::new(Strategy::OneForOne, [Spec::of("a", kind)]).begun();
            world.die(0, &died(reason));
            world.pass(SECOND);
            assert_eq!(world.alive.contains_key(&0), again, "{kind:?} {reason:?}");
            let forgotten = world.machine.shown(0).is_none();
            assert_eq!(forgotten, kind == Restart::Temporary);
        }
    }
}

#[test]
fn too_many_restarts_end_the_supervisor() {
    let mut world = World::new(Strategy::OneForOne, permanent(&["a", "b"])).begun();
    for _ in 0..3 {
        world.die(0, &died("x"));
        world.pass(SECOND);
    }
    world.logged();
    world.die(0, &died("tea"));
    assert_eq!(world.logged(), ["stop 1", "end"]);
    let reason = world.over.unwrap();
    assert_eq!(reason.kind(), "restart_limit");
    assert!(reason.to_string().contains("`a`: tea"), "{reason}");
}

#[test]
fn restarts_that_are_long_ago_do_not_count() {
    let mut world = World::new(Strategy::OneForOne, permanent(&["a"])).begun();
    for _ in 0..50 {
        world.die(0, &died("x"));
        world.pass(11 * SECOND);
    }
    assert!(world.over.is_none() && world.alive.len() == 1);
}

#[test]
fn the_pause_doubles_is_jittered_and_resets() {
    let specs = permanent(&["a"]);
    let mut world = World::limited(Strategy::OneForOne, u32::MAX, SECOND, specs).begun();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        world.die(0, &died("x"));
        let due = world.machine.deadline().unwrap();
        pauses.push(due - world.now);
        world.pass(due - world.now);
    }
    for (n, pause) in pauses.iter().enumerate() {
        let full = Duration::from_millis(50 << n).min(10 * SECOND);
        assert!(*pause >= full / 2 && *pause <= full, "{n}: {pause:?}");
    }
    world.pass(10 * SECOND);
    world.die(0, &died("x"));
    assert!(world.machine.deadline().unwrap() - world.now <= Duration::from_millis(50));
}

#[test]
fn a_child_that_cannot_be_made_is_tried_again_and_holds_up_those_behind_it() {
    let mut world = World::new(Strategy::OneForOne, permanent(&["a", "b"]));
    world.barren.insert(0);
    let mut world = world.begun();
    assert_eq!(world.logged(), ["start 0"]);
    world.barren.clear();
    world.pass(SECOND);
    assert_eq!(world.logged(), ["start 0", "start 1", "ready"]);
}

#[test]
fn a_significant_child_ends_its_supervisor() {
    for (reason, kind) in [("", "shutdown"), ("x", "child_ended")] {
        let mut specs = permanent(&["a", "b"]);
        specs[0].significant = true;
        specs[0].restart = Restart::Temporary;
        let mut world = World::new(Strategy::OneForOne, specs).begun();
        world.die(0, &died(reason));
        assert_eq!(world.over.unwrap().kind(), kind);
        assert!(world.alive.is_empty());
    }
}

#[test]
fn losses_do_as_they_were_told() {
    let mut specs = permanent(&["wait", "elsewhere", "stop"]);
    specs[1].loss = Loss::Elsewhere;
    specs[1].grace = 3 * SECOND;
    specs[2].loss = Loss::Stop;
    let mut world = World::limited(Strategy::OneForOne, 1, SECOND, specs).begun();
    world.logged();
    for _ in 0..5 {
        world.die(0, &lost());
        world.pass(60 * SECOND);
        assert!(world.logged().is_empty());
        let run = world.absent.remove(&0).unwrap();
        world.machine.arrived(world.now, 0, run);
        world.settle();
        assert_eq!(world.logged(), ["start 0"]);
    }
    world.die(1, &lost());
    world.pass(2 * SECOND);
    assert!(world.logged().is_empty());
    world.pass(SECOND);
    assert_eq!(world.logged(), ["start 1"]);
    world.die(2, &lost());
    assert_eq!(world.over.unwrap().kind(), "child_ended");
}

#[test]
fn dynamic_children_come_and_go() {
    let mut world = World::new(Strategy::OneForAll, permanent(&["a"])).begun();
    world.logged();
    let dynamic = |restart| Spec {
        dynamic: true,
        ..Spec::of("", restart)
    };
    let keys: Vec<Key> = (0..1000)
        .map(|_| world.machine.add(dynamic(Restart::Temporary)).unwrap())
        .collect();
    let lasting = world.machine.add(dynamic(Restart::Permanent)).unwrap();
    world.settle();
    world.logged();
    for key in &keys[..900] {
        world.die(*key, &died("x"));
    }
    assert!(world.logged().iter().all(|line| line.starts_with("forget")));
    assert_eq!(world.machine.children.len(), 102);
    // It restarts alone, and with the group.
    world.die(lasting, &died("x"));
    world.pass(SECOND);
    assert_eq!(world.logged(), [format!("start {lasting}")]);
    world.die(0, &died("x"));
    world.pass(SECOND);
    let log = world.logged();
    assert_eq!(log.last(), Some(&format!("start {lasting}")));
    assert_eq!(
        world.machine.children.len(),
        2,
        "temporary ones do not restart"
    );
}

#[test]
fn a_dynamic_child_that_cannot_be_made_is_not_tried_again() {
    let mut world = World::new(Strategy::OneForOne, []).begun();
    world.barren.insert(0);
    let spec = Spec {
        dynamic: true,
        ..Spec::of("a", Restart::Permanent)
    };
    world.machine.add(spec);
    world.settle();
    assert_eq!(world.logged(), ["ready", "start 0", "forget 0"]);
}

#[test]
fn an_ending_supervisor_is_not_held_up() {
    let mut world = World::new(Strategy::OneForOne, permanent(&["a", "b", "c"])).begun();
    world.deaf.insert(1);
    world.logged();
    world.machine.shutdown(world.now, Reason::normal());
    world.settle();
    assert_eq!(world.machine.add(Spec::of("d", Restart::Permanent)), None);
    assert_eq!(world.logged(), ["stop 2", "stop 1"]);
    world.pass(5 * SECOND);
    assert_eq!(world.logged(), ["kill 1", "stop 0", "end"]);
}

/// Random events in random orders: `World` checks that there are never two incarnations, and none after the end. When
/// all is quiet, every permanent child lives.
#[test]
fn random_schedules_end_well() {
    for seed in 0..3000 {
        let mut chance = Chance::new(seed);
        let mut below = |n: usize| (chance.fraction() * n as f64) as usize % n;
        let strategies = [
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
        ];
        let kinds = [Restart::Permanent, Restart::Transient, Restart::Temporary];
        let losses = [Loss::Wait, Loss::Elsewhere, Loss::Stop];
        let strategy = strategies[below(3)];
        let specs: Vec<Spec> = (0..1 + below(5))
            .map(|n| Spec {
                loss: losses[below(3)],
                significant: below(20) == 0,
                ..Spec::of(&n.to_string(), kinds[below(3)])
            })
            .collect();
        let most = if below(3) == 0 { 4 } else { u32::MAX };
        let mut world = World::limited(strategy, most, 5 * SECOND, specs).begun();
        for _ in 0..80 {
            if world.over.is_some() {
                break;
            }
            let keys: Vec<Key> = world.machine.children.keys().copied().collect();
            let key = keys.get(below(keys.len().max(1))).copied().unwrap_or(0);
            match below(14) {
                0..3 if world.alive.contains_key(&key) => world.die(key, &died("x")),
                3 if world.alive.contains_key(&key) => world.die(key, &died("")),
                4 | 5 if world.alive.contains_key(&key) => world.die(key, &lost()),
                6 => drop(world.barren.insert(key)),
                7 => world.barren.clear(),
                8 => drop(world.deaf.insert(key)),
                9 => {
                    for (key, run) in std::mem::take(&mut world.absent) {
                        world.machine.arrived(world.now, key, run);
                        world.settle();
                    }
                }
                10 => drop(world.machine.add(Spec {
                    dynamic: true,
                    ..Spec::of("", kinds[below(3)])
                })),
                11 if below(4) == 0 => drop(world.machine.remove(world.now, key)),
                12 if below(40) == 0 => world.machine.shutdown(world.now, Reason::normal()),
                _ => world.pass(SECOND * below(4) as u32 / 3),
            }
            world.settle();
        }
        world.barren.clear();
        for _ in 0..4 {
            for (key, run) in std::mem::take(&mut world.absent) {
                world.machine.arrived(world.now, key, run);
                world.settle();
            }
            world.pass(60 * SECOND);
        }
        if world.over.is_some() {
            assert!(world.alive.is_empty(), "seed {seed}");
            continue;
        }
        assert!(world.machine.halt.is_empty() && world.machine.order.is_empty());
        for (key, child) in &world.machine.children {
            let lives = world.alive.get(key) == Some(&child.run);
            let running = matches!(child.phase, Phase::Running { .. });
            assert_eq!(lives, running, "seed {seed}: {child:?}");
            let permanent = child.spec.restart == Restart::Permanent;
            assert!(running || !permanent, "seed {seed}: {child:?}");
        }
    }
}
