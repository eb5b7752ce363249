//! Carries a schedule out.

use std::{collections::BTreeMap, time::Duration};

use aemp::{
    PortId,
    sim::{Conditions, Crash, Member, Setup, World},
};
use aemp_proto::Time;

use crate::{
    checks::Checks,
    database::{Database, FAMILIES},
    plan::{Op, Plan},
};

const MONITOR_TIMEOUT: Duration = Duration::from_secs(10);
/// When all is well again for so long, everything must be in order.
const SETTLED: Duration = Duration::from_secs(30);

/// The longest time to find a node and to send it a message, without faults.
const FOUND: Duration = Duration::from_secs(5);

/// A world that a schedule happens to.
struct Run<'a> {
    plan: &'a Plan,
    world: World,
    members: Vec<Member>,
    ports: Vec<PortId>,
    checks: Checks,
    /// Messages that are still to be sent, by when, and by when they were thought of.
    talks: BTreeMap<(Time, usize), Talk>,
    talked: usize,
}

/// A series of messages.
struct Talk {
    from: Member,
    port: PortId,
    left: usize,
    every: Duration,
}

/// Carries out a schedule. The error describes the first fault.
pub(crate) fn run(plan: &Plan, traced: bool) -> Result<(), String> {
    let mut run = Run::new(plan);
    run.checks.traced = traced;
    run.world.set_logging(traced);
    for step in &plan.steps {
        run.pass(step.after)?;
        run.perform(&step.op)?;
        run.checks.observe(&mut run.world)?;
    }
    run.repair();
    run.pass(SETTLED)?;
    run.checks.check_end(&mut run.world)?;
    run.every_node_is_found()?;
    let asked = run.checks.database.ask_all(&mut run.world);
    run.pass(Database::patience())?;
    run.checks.database.check_end(&run.world, &asked)
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Self {
        let mut world = World::new(plan.seed);
        world.network().set_user_timeout(MONITOR_TIMEOUT);
        world.network().set_conditions(bad(plan));
        world.set_fire_delay(Duration::from_millis(300));
        for index in 0..plan.nodes {
            // A host that is not there yet refuses in another way than one without a listener.
            world.network().add_host(&format!("n{index}"));
        }
        let members = (0..plan.nodes).map(|index| world.add(setup(plan, index)));
        let members: Vec<_> = members.collect();
        let mut run = Self {
            plan,
            world,
            members,
            ports: Vec::new(),
            checks: Checks::default(),
            talks: BTreeMap::new(),
            talked: 0,
        };
        for index in 0..plan.nodes {
            run.open_port(index);
        }
        run
    }

    /// Lets time pass, looking at every step.
    fn pass(&mut self, time: Duration) -> Result<(), String> {
        let until = self.world.now() + time;
        while let Some(talk) = self
            .talks
            .first_entry()
            .filter(|talk| talk.key().0 <= until)
        {
            let ((at, place), talk) = talk.remove_entry();
            self.run_to(at)?;
            self.send(talk.from, &talk.port);
            if talk.left > 1 {
                let left = talk.left - 1;
                let next = (at + talk.every, place);
                self.talks.insert(next, Talk { left, ..talk });
            }
        }
        self.run_to(until)
    }

    fn run_to(&mut self, until: Time) -> Result<(), String> {
        while self.world.step(until) {
            self.checks.observe(&mut self.world)?;
        }
        self.checks.observe(&mut self.world)
    }

    fn perform(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::Send { from, port, count } => {
                let (from, port) = (self.member(from), self.port(port));
                (0..count).for_each(|_| self.send(from, &port));
            }
            Op::Talk {
                from,
                port,
                count,
                every,
            } => {
                let talk = Talk {
                    from: self.member(from),
                    port: self.port(port),
                    left: count,
                    every: Duration::from_millis(every),
                };
                self.talked += 1;
                self.talks.insert((self.world.now(), self.talked), talk);
            }
            Op::Crowd { from, port, count } => {
                let (from, port) = (self.member(from), self.port(port));
                if *self.world.id(from) != port.node_id() {
                    self.world.crowd(from, &port, count);
                }
            }
            Op::OpenPort(node) => self.open_port(node),
            Op::KillPort(port) => {
                let port = self.port(port);
                self.world.kill_port(&port, &["enough".into()]);
            }
            Op::Monitor { from, port } => {
                let (from, port) = (self.member(from), self.port(port));
                self.monitor(from, &port);
            }
            Op::MonitorNode { from, node } => {
                let (from, node) = (self.member(from), self.member(node));
                let port = PortId::from(self.world.id(node).clone());
                self.monitor(from, &port);
            }
            Op::Unmonitor(node) => self.unmonitor(self.member(node)),
            Op::Set {
                node,
                family,
                key,
                value,
            } => {
                let (member, key) = (self.member(node), format!("k{key}"));
                let value = i64::from(value).into();
                self.world.db_set(member, FAMILIES[family], &key, value);
            }
            Op::Del { node, family, key } => {
                let (member, key) = (self.member(node), format!("k{key}"));
                self.world.db_del(member, FAMILIES[family], &key);
            }
            Op::Watch { node, family } => {
                let member = self.member(node);
                let database = &mut self.checks.database;
                database.watch(&mut self.world, member, FAMILIES[family]);
            }
            Op::Unwatch(node) => {
                let member = self.member(node);
                self.checks.database.unwatch(&mut self.world, member);
            }
            Op::Query { node, family } => {
                let member = self.member(node);
                let database = &mut self.checks.database;
                database.ask(&mut self.world, member, FAMILIES[family]);
            }
            Op::Stop(node) => {
                let member = self.member(node);
                self.world.stop(member);
                self.checks.stopped(&mut self.world, member)?;
            }
            Op::Crash(node, machine) => {
                let member = self.member(node);
                let how = if machine {
                    Crash::Machine
                } else {
                    Crash::Process
                };
                self.world.crash(member, how);
                self.checks.crashed(&mut self.world, member)?;
            }
            Op::Start(node) => self.start(self.member(node)),
            Op::Cut(one, other) => {
                let (one, other) = (self.member(one), self.member(other));
                self.world.cut(one, other);
            }
            Op::Partition { members, one_way } => self.partition(members, one_way),
            Op::Heal => self.world.heal(),
        }
        Ok(())
    }

    fn member(&self, index: usize) -> Member {
        self.members[index % self.members.len()]
    }

    fn port(&self, index: usize) -> PortId {
        self.ports[index % self.ports.len()].clone()
    }

    fn open_port(&mut self, node: usize) {
        let member = self.member(node);
        if self.world.is_running(member) {
            let port = self.world.open_port(member);
            self.ports.push(port);
        }
    }

    fn send(&mut self, from: Member, port: &PortId) {
        if *self.world.id(from) == port.node_id() {
            return;
        }
        self.world.speak(from, port);
    }

    fn monitor(&mut self, from: Member, port: &PortId) {
        if *self.world.id(from) == port.node_id() {
            return;
        }
        let monitor = self.world.monitor(from, port);
        if let Some(monitor) = monitor {
            self.checks.monitored(from, monitor, port);
            self.checks.guarantee.shared(from, port);
        }
    }

    /// Takes back a monitor that no messages depend on.
    fn unmonitor(&mut self, member: Member) {
        let free = self
            .checks
            .of(member)
            .find(|(monitor, _)| !self.checks.guarantee.needs(member, *monitor));
        if let Some((monitor, port)) = free.map(|(monitor, port)| (monitor, port.clone())) {
            self.checks.monitors.remove(&(member, monitor));
            self.world.unmonitor(member, &port, monitor);
        }
    }

    fn start(&mut self, member: Member) {
        if !self.world.is_running(member) {
            self.world.start(member);
            self.open_port(member.index());
        }
    }

    /// Each node reaches the next one that is running, whether or not they have been connected before.
    fn every_node_is_found(&mut self) -> Result<(), String> {
        let running = self.members.iter().copied();
        let running: Vec<_> = running.filter(|one| self.world.is_running(*one)).collect();
        let mut sent = Vec::new();
        for (index, target) in running.iter().enumerate() {
            let from = running[(index + 1) % running.len()];
            let port = self.world.open_port(*target);
            self.send(from, &port);
            sent.push((from, port));
        }
        self.pass(FOUND)?;
        self.checks.guarantee.check_end(&self.world)?;
        let lost = |(from, port): &&(Member, PortId)| {
            let mut mine = self.checks.of(*from);
            let myself = *self.world.id(*from) == port.node_id();
            !myself && mine.all(|(_, monitored)| monitored != port)
        };
        match sent.iter().find(lost) {
            Some((from, port)) => Err(format!("{from:?} has not found {port}")),
            None => Ok(()),
        }
    }

    fn partition(&mut self, bits: u32, one_way: bool) {
        let members = self.members.iter().copied();
        let (some, rest): (Vec<_>, Vec<_>) =
            members.partition(|member| bits >> member.index() & 1 == 1);
        if one_way {
            self.world.partition_one_way(&some, &rest);
        } else {
            self.world.partition(&some, &rest);
        }
    }

    /// All faults end, but dead nodes stay dead.
    fn repair(&mut self) {
        self.world.heal();
        let good = Conditions {
            latency: bad(self.plan).latency,
            ..Conditions::default()
        };
        self.world.network().set_conditions(good);
        let seeds = self.members[..self.plan.seeds].to_vec();
        // Without any seed there is no way from one node to another.
        if !seeds.iter().any(|seed| self.world.is_running(*seed)) {
            self.start(seeds[0]);
        }
        self.world.hush();
    }
}

fn setup(plan: &Plan, index: usize) -> Setup {
    let setup = Setup::new(&format!("n{index}"))
        .monitor_timeout(MONITOR_TIMEOUT)
        .max_queue_bytes(plan.queue);
    let setup = if index >= plan.nodes - plan.private {
        setup.silent()
    } else {
        setup
    };
    (0..plan.seeds).fold(setup, |setup, seed| setup.seed(&format!("n{seed}")))
}

fn bad(plan: &Plan) -> Conditions {
    Conditions {
        latency: Duration::from_millis(1)..=Duration::from_millis(plan.latency),
        cut: f64::from(plan.cuts) / 1000.0,
        refuse: f64::from(plan.lost_dials) / 100.0,
        lose: f64::from(plan.lost_dials) / 100.0,
        window: plan.window,
        ..Conditions::default()
    }
}
