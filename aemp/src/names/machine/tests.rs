//! Claims in a network that delays, cuts and crashes: a model of the database as the claims see it.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use aemp_proto::Random;

const STEP: Duration = Duration::from_millis(100);
/// The longest delay of a change. It is less than half of the settle time.
const DELAY: u64 = 4;
/// The number of steps after which a cut is noticed.
const NOTICE: u64 = 30;
const SETTLE: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(5);

type News = VecDeque<(u64, Option<Entry>)>;

/// One claim, and the news that are on their way to it.
struct Member {
    machine: Machine,
    entry: Option<Entry>,
    state: State,
    news: BTreeMap<usize, News>,
}

struct World {
    members: BTreeMap<usize, Member>,
    /// The pairs that are cut off from each other, with the step at which they notice it.
    cut: BTreeMap<(usize, usize), u64>,
    /// The step since which no pair is cut.
    whole: u64,
    step: u64,
    next: usize,
    random: Random,
    /// The number of times that a member lost the name to an older holder.
    lost: usize,
}

fn key(number: usize) -> String {
    format!("n{number:03}#1")
}

impl World {
    fn new(seed: u8) -> Self {
        Self {
            members: BTreeMap::new(),
            cut: BTreeMap::new(),
            whole: 0,
            step: 0,
            next: 0,
            random: Random::new([seed; 32]),
            lost: 0,
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random.up_to(n as u32 - 1).into()
    }

    fn now(&self) -> Duration {
        STEP * self.step as u32
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.contains_key(&(a.min(b), a.max(b)))
    }

    /// A new claim. It knows the reports of the connected members.
    fn join(&mut self) {
        let number = self.next;
        self.next += 1;
        let settings = Settings {
            settle: SETTLE,
            grace: GRACE,
            only_joined: false,
        };
        let mut member = Member {
            machine: Machine::new(key(number).into(), settings),
            entry: None,
            state: State::Waits(None),
            news: BTreeMap::new(),
        };
        let known = self.members.iter();
        let known = known.filter_map(|(n, other)| Some((key(*n), Some(other.entry.clone()?))));
        member.machine.all(self.now(), known.collect());
        self.members.insert(number, member);
        self.obey(number);
    }

    /// Carries out the commands of a member.
    fn obey(&mut self, number: usize) {
        let Some(member) = self.members.get_mut(&number) else {
            return;
        };
        let commands = member.machine.commands();
        for command in commands {
            match command {
                Command::Publish(entry) => {
                    self.members.get_mut(&number).unwrap().entry = Some(entry.clone());
                    self.tell(number, Some(&entry));
                }
                Command::Show(state) => self.members.get_mut(&number).unwrap().state = state,
            }
        }
        let member = &self.members[&number];
        if let State::Lost(_) = member.state {
            self.lost += 1;
            // As a program does: it claims the name again.
            self.leave(number);
            self.join();
        }
    }

    /// Lets a change travel to all members that are not cut off, in order for each pair.
    fn tell(&mut self, from: usize, entry: Option<&Entry>) {
        let to: Vec<usize> = self.members.keys().copied().collect();
        for to in to {
            if to == from || !self.is_cut(from, to) {
                self.send(from, to, entry.cloned());
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, entry: Option<Entry>) {
        let due = self.step + 1 + self.below(DELAY);
        let news = self.members.get_mut(&to).unwrap().news.entry(from);
        let news = news.or_default();
        let last = news.back().map_or(0, |(due, _)| *due);
        news.push_back((due.max(last), entry));
    }

    /// Ends a claim: its entry is deleted, also for those that were cut off from it.
    fn leave(&mut self, number: usize) {
        self.members.remove(&number);
        self.cut.retain(|(a, b), _| *a != number && *b != number);
        self.tell(number, None);
    }

    fn cut(&mut self, a: usize, b: usize) {
        let notice = self.step + 1 + self.below(NOTICE);
        self.cut.entry((a.min(b), a.max(b))).or_insert(notice);
    }

    fn heal(&mut self) {
        let cut: Vec<_> = std::mem::take(&mut self.cut).into_keys().collect();
        for (a, b) in cut {
            for (from, to) in [(a, b), (b, a)] {
                let entry = self.members[&from].entry.clone();
                self.send(from, to, entry);
            }
        }
        self.whole = self.step;
    }

    fn tick(&mut self) {
        self.step += 1;
        let noticed = self.cut.iter().filter(|(_, at)| **at == self.step);
        for (a, b) in noticed.map(|(pair, _)| *pair).collect::<Vec<_>>() {
            self.send(a, b, None);
            self.send(b, a, None);
        }
        let now = self.now();
        for number in self.members.keys().copied().collect::<Vec<_>>() {
            let Some(member) = self.members.get_mut(&number) else {
                continue;
            };
            let mut changes = Vec::new();
            for (from, news) in &mut member.news {
                while news.front().is_some_and(|(due, _)| *due <= self.step) {
                    let (_, entry) = news.pop_front().unwrap();
                    changes.push((key(*from), entry));
                }
            }
            if !changes.is_empty() {
                member.machine.changed(now, changes);
            }
            if member.machine.deadline().is_some_and(|due| due <= now) {
                member.machine.timeout(now, Standing::Joined);
            }
            self.obey(number);
        }
        self.check();
    }

    fn holders(&self) -> Vec<usize> {
        let holds =
            |(number, member): (&usize, &Member)| (member.state == State::Holds).then_some(*number);
        self.members.iter().filter_map(holds).collect()
    }

    /// In a network that has been whole for a while, there is at most one holder.
    fn check(&self) {
        let settled = self.cut.is_empty() && self.step > self.whole + NOTICE + 3 * DELAY;
        let holders = self.holders();
        assert!(!settled || holders.len() <= 1, "{holders:?} hold it");
    }

    fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.tick();
        }
    }
}

#[test]
fn the_first_gets_it_and_the_others_wait_in_line() {
    let mut world = World::new(1);
    for _ in 0..4 {
        world.join();
        world.run(20);
        assert_eq!(world.holders(), [0]);
    }
    for left in 1..4 {
        world.leave(left - 1);
        world.run(70);
        assert_eq!(world.holders(), [left], "in the order of their claims");
    }
}

#[test]
fn a_race_has_one_winner() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        for _ in 0..5 {
            world.join();
            let steps = world.below(DELAY);
            world.run(steps);
        }
        world.run(60);
        assert_eq!((world.holders().len(), world.lost), (1, 0), "seed {seed}");
    }
}

#[test]
fn the_older_holder_stays_when_parts_meet() {
    let mut world = World::new(3);
    world.join();
    world.run(20);
    world.join();
    world.run(20);
    world.cut(0, 1);
    world.run(NOTICE + 100);
    assert_eq!(world.holders(), [0, 1]);
    // Even if the younger claim has the smaller number.
    world.members.get_mut(&1).unwrap().machine.number = 0;
    world.heal();
    world.run(3 * DELAY);
    assert_eq!((world.holders(), world.lost), (vec![0], 1));
}

#[test]
fn a_name_that_is_given_up_in_order_is_free_at_once() {
    for (in_order, steps) in [(true, 15), (false, 50)] {
        let mut world = World::new(4);
        world.join();
        world.run(20);
        world.join();
        world.run(20);
        if in_order {
            world.members.get_mut(&0).unwrap().machine.release();
            world.obey(0);
            world.run(DELAY + 1);
        }
        world.leave(0);
        world.run(steps);
        assert_eq!(world.holders().len(), usize::from(in_order));
        world.run(50);
        assert_eq!(world.holders(), [1]);
    }
}

#[test]
fn a_holder_that_comes_back_within_the_grace_keeps_the_name() {
    let mut world = World::new(5);
    world.join();
    world.run(20);
    world.join();
    world.run(20);
    world.cut(0, 1);
    world.run(NOTICE + 20);
    world.heal();
    world.run(100);
    assert_eq!((world.holders(), world.lost), (vec![0], 0));
}

#[test]
fn a_claim_waits_while_its_node_searches() {
    let settings = Settings {
        settle: SETTLE,
        grace: GRACE,
        only_joined: true,
    };
    let mut machine = Machine::new("k".into(), settings);
    let mut now = Duration::ZERO;
    machine.all(now, Vec::new());
    assert_eq!(machine.commands(), [Command::Publish(Entry::Waits(1))]);
    assert_eq!(machine.deadline(), None, "it has not come back yet");
    machine.changed(now, [("k".into(), Some(Entry::Waits(1)))]);
    for standing in [Standing::Searching, Standing::CutOff] {
        now = machine.deadline().unwrap();
        machine.timeout(now, standing);
        assert!(machine.commands().is_empty());
    }
    now = machine.deadline().unwrap();
    machine.timeout(now, Standing::Joined);
    assert_eq!(machine.commands()[1], Command::Show(State::Holds));
    now = machine.deadline().unwrap();
    machine.timeout(now, Standing::Searching);
    assert!(machine.commands().is_empty());
    now = machine.deadline().unwrap();
    machine.timeout(now, Standing::CutOff);
    assert_eq!(machine.commands()[1], Command::Show(State::CutOff));
    assert_eq!(machine.deadline(), None);
}

/// Random cuts of single pairs and of whole parts, deaths and births. Then all faults end, and one of the living holds
/// the name.
#[test]
fn random_schedules_end_with_one_holder() {
    let mut lost = 0;
    for seed in 0..255 {
        let mut world = World::new(seed);
        for _ in 0..4 {
            world.join();
        }
        for _ in 0..40 {
            let all: Vec<usize> = world.members.keys().copied().collect();
            let count = all.len() as u64;
            let (a, b) = (world.below(count) as usize, world.below(count) as usize);
            match world.below(8) {
                0 if a != b => world.cut(all[a], all[b]),
                1 => {
                    for one in &all[..a] {
                        for other in &all[a..] {
                            world.cut(*one, *other);
                        }
                    }
                }
                2 | 3 => world.heal(),
                4 if count > 1 => world.leave(all[a]),
                5 if count < 7 => world.join(),
                _ => {}
            }
            let steps = world.below(80);
            world.run(steps);
        }
        world.heal();
        world.run(200);
        assert_eq!(world.holders().len(), 1, "seed {seed}");
        let told = world
            .members
            .values()
            .filter(|member| member.state != State::Holds);
        let holder = world.holders()[0];
        for member in told {
            assert!(matches!(member.state, State::Waits(_)), "seed {seed}");
            assert_eq!(
                &**member.machine.view.first().unwrap().key(),
                key(holder),
                "seed {seed}"
            );
        }
        lost += world.lost;
    }
    assert!(lost > 100, "{lost} losses: the schedules are too tame");
}
