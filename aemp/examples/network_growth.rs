//! How a network's costs grow with its size: nodes join, a change spreads, a global node is lost.
//!
//! `cargo run --release -p aemp --features sim --example network_growth [NODES...]`

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aemp::{
    NodeId, Value,
    proto::{
        Time,
        global::{Role, WatchId, Watched},
        mesh::{Mesh, PeerMap},
    },
    sim::{Chance, Conditions, Crash, Member, Observation, Setup, World},
};

const GLOBALS: usize = 10;
/// How many of the global nodes each node knows as seeds.
const SEEDS: usize = 2;
const WATCHERS: usize = 10;
const FAMILY: &str = "workers";
/// How often it is looked whether the network has converged.
const GLANCE: Duration = Duration::from_millis(5);
/// Much longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// The cost of one event, such as a join.
struct Cost {
    packets: u64,
    bytes: u64,
    virtual_time: Duration,
    real_time: Duration,
}

struct Network {
    world: World,
    globals: Vec<Member>,
    others: Vec<Member>,
    /// How many keys each watch has told of, and how many watches are told something else.
    watches: BTreeMap<(Member, WatchId), usize>,
}

fn main() {
    let mut sizes: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|size| size.parse().ok())
        .collect();
    if sizes.is_empty() {
        sizes = vec![100, 1000, 5000];
    }
    println!(
        "| nodes | packets/join | bytes/join | converged after the last join | packets/change | bytes/change | seen by all after | packets when a global node is lost | converged after | real time | memory |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for size in sizes {
        run(size.max(2 * GLOBALS));
    }
}

fn run(size: usize) {
    let start = Instant::now();
    let before = resident();
    let mut network = Network::new();
    let join = network.join(size - GLOBALS);
    let change = network.change();
    let memory = resident().saturating_sub(before);
    let loss = network.lose_global();
    let joins = (size - GLOBALS) as u64;
    println!(
        "| {size} | {} | {} | {:.0?} | {} | {} | {:.1?} | {} | {:.1?} | {:.1?} | {} MiB |",
        join.packets / joins,
        join.bytes / joins,
        join.virtual_time,
        change.packets,
        change.bytes,
        change.virtual_time,
        loss.packets,
        loss.virtual_time,
        start.elapsed(),
        memory >> 20,
    );
    eprintln!(
        "{size} nodes: joining took {:.1?} of real time, the change {:.1?}, the loss {:.1?}",
        join.real_time, change.real_time, loss.real_time
    );
}

impl Network {
    /// The global nodes, which know each other.
    fn new() -> Self {
        let mut world = World::new(1);
        world.network().set_conditions(Conditions {
            latency: Duration::from_millis(1)..=Duration::from_millis(20),
            pieces: 1,
            ..Conditions::default()
        });
        for index in 0..GLOBALS {
            world.network().add_host(&format!("g{index}"));
        }
        let globals = (0..GLOBALS).map(|index| {
            let setup = Setup::new(&format!("g{index}")).global();
            let seeds = 0..GLOBALS;
            let setup = seeds.fold(setup, |setup, seed| setup.seed(&format!("g{seed}")));
            world.add(setup)
        });
        let globals = globals.collect();
        let mut network = Self {
            world,
            globals,
            others: Vec::new(),
            watches: BTreeMap::new(),
        };
        network.run_until(|network| network.all_globals_know("'g", GLOBALS));
        network
    }

    /// That many nodes join, one in each virtual millisecond, and set a key each. The first of them watch.
    fn join(&mut self, count: usize) -> Cost {
        let mut chance = Chance::new(2);
        let measure = Measure::start(self);
        for index in 0..count {
            let first = chance.index(GLOBALS);
            let setup = Setup::new(&format!("n{index}"));
            let setup = (0..SEEDS).fold(setup, |setup, seed| {
                setup.seed(&format!("g{}", (first + 3 * seed) % GLOBALS))
            });
            let member = self.world.add(setup);
            self.others.push(member);
            let key = format!("n{index}");
            self.world.db_set(member, FAMILY, &key, Value::from(1));
            if index < WATCHERS {
                let watch = self.world.db_watch(member, FAMILY);
                self.watches.extend(watch.map(|watch| ((member, watch), 0)));
            }
            self.world.run_for(Duration::from_millis(1));
        }
        let last = self.world.now();
        self.run_until(|network| network.all_see(count));
        Cost {
            virtual_time: self.world.now() - last,
            ..measure.cost(self)
        }
    }

    /// A node sets another key.
    fn change(&mut self) -> Cost {
        self.world.run_for(Duration::from_secs(3));
        self.see();
        let measure = Measure::start(self);
        let count = self.others.len();
        let member = self.others[count - 1];
        self.world.db_set(member, FAMILY, "another", Value::from(2));
        self.run_until(|network| network.all_see(count + 1));
        measure.cost(self)
    }

    /// A global node is lost: its slaves find another master, and the others forget it.
    fn lose_global(&mut self) -> Cost {
        let measure = Measure::start(self);
        let lost = self.globals.remove(0);
        self.world.crash(lost, Crash::Process);
        let (count, id) = (self.others.len(), self.world.id(lost).clone());
        self.run_until(|network| {
            network.all_see(count + 1)
                && network.all_globals_know("'g", GLOBALS - 1)
                && network.all_globals_know("'l", count + GLOBALS - 1)
                && network.all_have_left(&id)
        });
        measure.cost(self)
    }

    fn run_until(&mut self, mut done: impl FnMut(&Self) -> bool) {
        let end = self.world.now() + PATIENCE;
        loop {
            self.see();
            if done(self) {
                return;
            }
            assert!(self.world.now() < end, "it does not converge");
            self.world.run_for(GLANCE);
        }
    }

    /// Counts what watches have told.
    fn see(&mut self) {
        while let Some(observation) = self.world.observe() {
            let Observation::Watched { at, watch, told } = observation else {
                continue;
            };
            let count = self.watches.entry((at, watch)).or_default();
            match told {
                Watched::All(entries) => *count = entries.len(),
                Watched::Changes(changes) => {
                    for change in changes.iter() {
                        match (change.was, &change.value) {
                            (false, Some(_)) => *count += 1,
                            (true, None) => *count -= 1,
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    fn all_see(&self, count: usize) -> bool {
        self.watches.values().all(|seen| *seen == count) && self.all_globals_know(FAMILY, count)
    }

    fn all_globals_know(&self, family: &str, count: usize) -> bool {
        self.globals
            .iter()
            .filter_map(|global| self.world.mesh(*global))
            .all(|mesh| mesh.db_view(family).len() == count)
    }

    fn all_have_left(&self, lost: &NodeId) -> bool {
        let settled =
            |mesh: &Mesh<PeerMap>| matches!(mesh.role(), Role::Slave(master) if master != lost);
        self.others
            .iter()
            .filter_map(|other| self.world.mesh(*other))
            .all(settled)
    }
}

/// The totals at the beginning of an event.
struct Measure {
    packets: u64,
    bytes: u64,
    virtual_time: Time,
    real_time: Instant,
}

impl Measure {
    fn start(network: &Network) -> Self {
        Self {
            packets: network.world.packets(),
            bytes: network.world.traffic().bytes,
            virtual_time: network.world.now(),
            real_time: Instant::now(),
        }
    }

    fn cost(&self, network: &Network) -> Cost {
        Cost {
            packets: network.world.packets() - self.packets,
            bytes: network.world.traffic().bytes - self.bytes,
            virtual_time: network.world.now() - self.virtual_time,
            real_time: self.real_time.elapsed(),
        }
    }
}

/// The process's memory in bytes, where the system tells it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}
