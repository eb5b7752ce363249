//! A network of five processes, two of them global nodes, and its invariants.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::member::{Member, Seen};

/// The `monitor_timeout` of the members, in milliseconds. A member that is killed is noticed at once.
const TIMEOUT: &str = "3000";

/// The time in which the network must have recovered: a silence that is noticed, the longest wait of a seed,
/// the time for which deletions are held back; and as much again for a machine that is busy.
pub(crate) const RECOVERY: Duration = Duration::from_secs(40);

/// A pause between two looks at a network that is not well yet.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) const GLOBALS: [&str; 2] = ["g1", "g2"];
pub(crate) const SLAVES: [&str; 3] = ["a", "b", "c"];

/// The place of a member: its network namespace, if it has one, and the address that it binds to.
pub(crate) type Place = (Option<String>, String);

pub(crate) struct Cluster {
    places: BTreeMap<&'static str, Place>,
    members: BTreeMap<&'static str, Member>,
    /// The addresses of the global nodes, which are the seeds of all members.
    seeds: Vec<String>,
    /// The groups of members that see each other.
    sides: Vec<BTreeSet<&'static str>>,
    /// Members that may have been lost since the network was well.
    excused: BTreeSet<&'static str>,
    /// Members that may have lost others.
    blind: BTreeSet<&'static str>,
}

impl Cluster {
    /// Starts a network on loopback.
    pub(crate) fn start() -> Self {
        Self::start_at(|_| (None, "127.0.0.1:0".into()))
    }

    /// Starts a network, each member in its place.
    pub(crate) fn start_at(place: impl Fn(&str) -> Place) -> Self {
        let all = || GLOBALS.into_iter().chain(SLAVES);
        let mut cluster = Self {
            places: all().map(|id| (id, place(id))).collect(),
            members: BTreeMap::new(),
            seeds: Vec::new(),
            sides: vec![all().collect()],
            excused: BTreeSet::new(),
            blind: BTreeSet::new(),
        };
        for id in all() {
            cluster.run(id);
        }
        cluster.settles();
        cluster
    }

    /// Runs a member in its place; from the first time on at the same address.
    fn run(&mut self, id: &'static str) {
        let global = GLOBALS.contains(&id);
        let role = if global { "global" } else { "slave" };
        let (namespace, bind) = &self.places[id];
        let member = Member::start(namespace.as_deref(), [id, bind, TIMEOUT, role], &self.seeds);
        let address = member.child.address.clone();
        if global && !self.seeds.contains(&address) {
            self.seeds.push(address.clone());
        }
        if let Some((_, bind)) = self.places.get_mut(id) {
            *bind = address;
        }
        self.excused.insert(id);
        self.members.insert(id, member);
    }

    /// Kills a member with -9.
    pub(crate) fn kill(&mut self, id: &'static str) {
        self.excused.insert(id);
        let mut member = self.members.remove(id).expect("it lives");
        member.child.kill();
    }

    /// Starts a member that was killed, with the same ID and at the same address.
    pub(crate) fn restart(&mut self, id: &'static str) {
        assert!(!self.members.contains_key(id));
        self.run(id);
    }

    /// Stops a member, which loses all others when it goes on.
    pub(crate) fn stop(&mut self, id: &'static str) {
        self.excused.insert(id);
        self.blind.insert(id);
        self.members[id].child.signal("STOP");
    }

    /// Lets a stopped member go on.
    pub(crate) fn go_on(&mut self, id: &'static str) {
        self.excused.insert(id);
        self.blind.insert(id);
        self.members[id].child.signal("CONT");
    }

    /// From now on only members of one side see each other.
    pub(crate) fn part(&mut self, sides: &[&[&'static str]]) {
        let sides = sides.iter().map(|side| side.iter().copied().collect());
        self.sides = sides.collect();
    }

    /// From now on all members see each other.
    pub(crate) fn unite(&mut self) {
        self.sides = vec![self.sides.iter().flatten().copied().collect()];
    }

    /// The master of a slave.
    pub(crate) fn master_of(&mut self, id: &str) -> &'static str {
        let member = self.members.get_mut(id).expect("it lives");
        let master = member.master(Instant::now() + RECOVERY);
        let known = GLOBALS.into_iter();
        let mut known = known.filter(|id| master.as_deref() == Some(*id));
        known.next().expect("one of the global nodes is its master")
    }

    /// Waits until every member sees exactly those of its side, and has seen no loss meanwhile of a member that was there
    /// all the time. Stopped members are left out.
    pub(crate) fn settles_without(&mut self, stopped: &[&str]) {
        let deadline = Instant::now() + RECOVERY;
        while let Err(problem) = self.check(stopped, deadline) {
            assert!(Instant::now() < deadline, "{problem}");
            std::thread::sleep(PAUSE);
        }
        self.nothing_was_invented(stopped);
    }

    pub(crate) fn settles(&mut self) {
        self.settles_without(&[]);
    }

    fn check(&mut self, stopped: &[&str], deadline: Instant) -> Result<(), String> {
        let process = |(id, member): (&&'static str, &Member)| (*id, member.child.id());
        let all: BTreeMap<&'static str, u32> = self.members.iter().map(process).collect();
        for (id, member) in &mut self.members {
            if stopped.contains(id) {
                continue;
            }
            let side = self.sides.iter().find(|side| side.contains(id));
            let seen = |other: &str| {
                !stopped.contains(&other) && side.is_some_and(|side| side.contains(other))
            };
            let expected: Seen = all
                .iter()
                .filter(|(other, _)| seen(other))
                .map(|(other, process)| ((*other).to_owned(), *process))
                .collect();
            let problem = member.check(&expected, deadline);
            problem.map_err(|problem| format!("{id}: {problem}"))?;
        }
        Ok(())
    }

    fn nothing_was_invented(&mut self, stopped: &[&str]) {
        for (id, member) in &mut self.members {
            let side = self.sides.iter().find(|side| side.contains(id));
            let constant = |lost: &str| {
                !self.excused.contains(lost) && side.is_some_and(|side| side.contains(lost))
            };
            let lost = std::mem::take(&mut member.lost);
            let invented = lost.into_iter().find(|lost| constant(lost));
            assert!(
                invented.is_none() || self.blind.contains(id) || self.excused.contains(id),
                "{id} was told that {} is gone, which was there all the time",
                invented.unwrap_or_default()
            );
        }
        if stopped.is_empty() {
            self.excused.clear();
            self.blind.clear();
        }
    }
}
