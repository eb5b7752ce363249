//! Streams of items in networks with faults: whole nodes, random schedules.
//!
//! Three nodes give streams to each other as arguments, ask each other for them as answers, and pass them on, unused or in
//! use. Either half may be dropped, or the sender may fail the stream. The schedule makes the network bad, cuts, splits and
//! crashes. Throughout:
//!
//! - the items that a consumer gets are consecutive: in order, none missing, none twice;
//! - a stream ends without an error only if the sender has finished it, and all items have come;
//! - in a schedule without faults each stream is whole, unless its plan says otherwise;
//! - both halves end.
//!
//! In the end, when all faults are over, no port of a stream is left.
//!
//! `AEMP_SCHEDULES` is the number of schedules, `AEMP_SCHEDULE` the first.

mod windows;

use std::time::Duration;

use aemp::{
    Cx, Node, port,
    sim::{Chance, Sim},
    streamed::{ItemSink, Streamed},
};

use super::{
    SECOND, Told, builder, each_schedule,
    trio::{self, NODES},
};

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Debug, PartialEq)]
enum Event {
    /// A half is at work on this node.
    Begun(usize),
    /// The sender has ended.
    Sent(Result<(), String>),
    /// A consumer has ended, with the number of the next item and the error, if there was one.
    Taken(u32, Result<(), String>),
    /// The half has been dropped, or passed on.
    Left,
}

type Events = Told<(u64, Half, Event)>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Half {
    Sender,
    Consumer,
}

/// The plan of a stream, which all of its halves know.
struct Plan {
    total: u32,
    /// The item at which the sender fails the stream, or drops its half.
    fails: Option<(u32, bool)>,
    /// The item at which the consumer drops its half.
    drops: Option<u32>,
    /// The items that the first consumer takes before it passes the stream on.
    passes: Option<u32>,
    /// The window that the consumer sets. Without one, it grows.
    window: Option<usize>,
    chance: Chance,
}

impl Plan {
    fn of(number: u64) -> Self {
        let mut chance = Chance::new(number);
        let total = [0, 1, 40, 600][chance.index(4)];
        let mut item = |share| {
            let place = chance.below(u64::from(total) + 1) as u32;
            chance.happens(share).then_some(place)
        };
        let (fails, drops, passes) = (item(0.2), item(0.2), item(0.4));
        Self {
            total,
            fails: fails.map(|item| (item, chance.happens(0.5))),
            drops,
            // Half of them are passed on unused.
            passes: passes.map(|item| if item % 2 == 0 { 0 } else { item }),
            window: [Some(1), Some(10), None, Some(1000)][chance.index(4)],
            chance,
        }
    }

    fn is_whole(&self) -> bool {
        self.fails.is_none() && self.drops.is_none()
    }
}

async fn send(number: u64, mut sink: ItemSink<u32>, events: Events) {
    let mut plan = Plan::of(number);
    let tell = |event| events.tell((number, Half::Sender, event));
    for item in 0..plan.total {
        if plan.fails.is_some_and(|(place, _)| place == item) {
            break;
        }
        if plan.chance.happens(0.02) {
            tokio::time::sleep(plan.chance.between(MS, 200 * MS)).await;
        }
        if let Err(error) = sink.send(item).await {
            return tell(Event::Sent(Err(error.to_string())));
        }
    }
    match plan.fails {
        None => sink.finish(),
        Some((_, true)) => sink.fail("planned"),
        Some(_) => drop(sink),
    }
    tell(Event::Sent(Ok(())));
}

/// Takes items from `next` on.
async fn take(number: u64, mut next: u32, items: Streamed<u32>, events: Events) {
    let mut plan = Plan::of(number);
    let mut items = match plan.window {
        Some(window) => items.window(window),
        None => items,
    };
    let tell = |event| events.tell((number, Half::Consumer, event));
    loop {
        if plan.drops.is_some_and(|place| place == next) {
            return tell(Event::Left);
        }
        if plan.chance.happens(0.02) {
            tokio::time::sleep(plan.chance.between(MS, 200 * MS)).await;
        }
        match items.next().await {
            Some(Ok(item)) => assert_eq!(item, next, "stream {number}"),
            Some(Err(error)) => {
                assert_eq!(items.next().await, None);
                return tell(Event::Taken(next, Err(error.to_string())));
            }
            None => return tell(Event::Taken(next, Ok(()))),
        }
        next += 1;
    }
}

struct Driver {
    place: usize,
    events: Events,
}

#[port]
impl Driver {
    /// Sends a stream to a port, which may pass it on to another one.
    #[rcv]
    fn give(&self, cx: &Cx<'_>, to: DriverRef, then: DriverRef, number: u64) {
        to.take(number, then, self.rows(cx, number));
    }

    /// A stream as an answer.
    #[rcv]
    fn rows(&self, cx: &Cx<'_>, number: u64) -> Streamed<u32> {
        let begun = Event::Begun(self.place);
        self.events.tell((number, Half::Sender, begun));
        let (sink, items) = cx.node().streamed();
        cx.spawn(send(number, sink, self.events.clone()));
        items
    }

    #[rcv]
    fn fetch(&self, cx: &Cx<'_>, from: DriverRef, then: DriverRef, number: u64) {
        let (place, events) = (self.place, self.events.clone());
        cx.spawn(async move {
            if let Ok(items) = from.rows(number).await {
                begin(number, place, items, then, events).await;
            }
        });
    }

    #[rcv]
    fn take(&self, cx: &Cx<'_>, number: u64, then: DriverRef, items: Streamed<u32>) {
        let events = self.events.clone();
        cx.spawn(begin(number, self.place, items, then, events));
    }

    #[rcv]
    fn finish(&self, cx: &Cx<'_>, number: u64, next: u32, items: Streamed<u32>) {
        let begun = Event::Begun(self.place);
        self.events.tell((number, Half::Consumer, begun));
        cx.spawn(take(number, next, items, self.events.clone()));
    }
}

/// Takes a stream, or some items of it before it is passed on.
async fn begin(
    number: u64,
    place: usize,
    mut items: Streamed<u32>,
    then: DriverRef,
    events: Events,
) {
    events.tell((number, Half::Consumer, Event::Begun(place)));
    let Some(passes) = Plan::of(number).passes else {
        return take(number, 0, items, events).await;
    };
    for next in 0..passes {
        match items.next().await {
            Some(Ok(item)) => assert_eq!(item, next, "stream {number}"),
            Some(Err(error)) => {
                let ended = Event::Taken(next, Err(error.to_string()));
                return events.tell((number, Half::Consumer, ended));
            }
            None => return events.tell((number, Half::Consumer, Event::Taken(next, Ok(())))),
        }
    }
    events.tell((number, Half::Consumer, Event::Left));
    then.finish(number, passes, items);
}

struct World {
    sim: Sim,
    chance: Chance,
    events: Events,
    nodes: Vec<(Node, DriverRef)>,
    number: u64,
    /// True if nothing is to go wrong.
    is_calm: bool,
    /// The nodes that have crashed, and the number of events by then.
    crashes: Vec<(usize, usize)>,
    numbers: Vec<u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let events = Events::new();
        let mut sim = Sim::new(seed);
        let mut nodes = Vec::new();
        for (place, id) in NODES.into_iter().enumerate() {
            let node = sim.start(member(id)).unwrap();
            let driver = node.port(Driver {
                place,
                events: events.clone(),
            });
            nodes.push((node, driver));
        }
        trio::all_up(&mut sim, [0, 1, 2].map(|place| &nodes[place].0));
        let is_calm = chance.happens(0.25);
        Self {
            sim,
            chance,
            events,
            nodes,
            number: seed << 16,
            is_calm,
            crashes: Vec::new(),
            numbers: Vec::new(),
        }
    }

    fn step(&mut self) {
        let (one, other) = (self.chance.index(3), self.chance.index(3));
        match self.chance.below(if self.is_calm { 10 } else { 16 }) {
            0..=5 => self.begin(one, other),
            6..=9 => trio::a_while(&mut self.sim, &mut self.chance, 2 * SECOND),
            10 | 11 => trio::spoil(&mut self.sim, &mut self.chance),
            kind @ 12..=14 => trio::cut_or_heal(&mut self.sim, kind - 12, one, other),
            _ => self.crash(one),
        }
        trio::perhaps_a_moment(&mut self.sim, &mut self.chance);
    }

    fn begin(&mut self, one: usize, other: usize) {
        self.number += 1;
        self.numbers.push(self.number);
        let third = self.chance.index(3);
        let at_one = |port: usize| self.nodes[one].0.handle(&self.nodes[port].1.id());
        let (to, then): (DriverRef, DriverRef) = (at_one(other), at_one(third));
        let driver = &self.nodes[one].1;
        match self.chance.happens(0.5) {
            true => driver.give(to, then, self.number),
            false => driver.fetch(to, then, self.number),
        };
    }

    fn crash(&mut self, which: usize) {
        trio::crash(&mut self.sim, &mut self.chance, which);
        self.crashes.push((which, self.events.all().len()));
        let node = trio::start_again(&mut self.sim, &mut self.chance, which);
        let driver = node.port(Driver {
            place: which,
            events: self.events.clone(),
        });
        self.nodes[which] = (node, driver);
    }

    fn finish(mut self) {
        trio::calm(&mut self.sim);
        let events = self.events.all();
        for number in &self.numbers {
            let of = |half: Half| {
                let events = events.iter().enumerate();
                let of = events.filter(|(_, event)| (event.0, event.1) == (*number, half));
                of.map(|(place, event)| (place, event.2.clone()))
                    .collect::<Vec<_>>()
            };
            let seen = [of(Half::Sender), of(Half::Consumer)];
            self.check(*number, &seen);
        }
        for (node, driver) in &self.nodes {
            assert_eq!(node.port_count(), 1, "{node:?} {driver:?}");
        }
    }

    fn check(&self, number: u64, [sender, consumer]: &[Vec<(usize, Event)>; 2]) {
        let plan = Plan::of(number);
        let text = || format!("stream {number}: {sender:#?} {consumer:#?}");
        self.check_ends(sender, &text);
        self.check_ends(consumer, &text);
        let mut whole = 0;
        for (_, event) in consumer {
            if let Event::Taken(next, Ok(())) = event {
                assert!(*next == plan.total && plan.fails.is_none(), "{}", text());
                whole += 1;
            }
        }
        assert!(whole <= 1, "{}", text());
        let is_passed_late = plan.passes.is_some() && plan.drops.is_some();
        if self.is_calm && plan.is_whole() && !is_passed_late {
            assert_eq!(whole, 1, "{}", text());
            assert!(
                sender.iter().any(|event| event.1 == Event::Sent(Ok(()))),
                "{}",
                text()
            );
        }
    }

    /// Each half that has begun has ended, unless its node has crashed since.
    fn check_ends(&self, events: &[(usize, Event)], text: &dyn Fn() -> String) {
        let mut begun: Vec<(usize, usize)> = Vec::new();
        for (at, event) in events {
            match event {
                Event::Begun(place) => begun.push((*at, *place)),
                _ => {
                    // The oldest one, unless its node has crashed.
                    let living = begun
                        .iter()
                        .position(|begun| !self.has_crashed(*begun, *at));
                    begun.remove(living.unwrap_or(0));
                }
            }
        }
        for begun in begun {
            assert!(
                self.has_crashed(begun, usize::MAX),
                "has not ended: {}",
                text()
            );
        }
    }

    fn has_crashed(&self, (since, place): (usize, usize), by: usize) -> bool {
        let in_time = |(which, at): &(usize, usize)| *which == place && *at > since && *at <= by;
        self.crashes.iter().any(in_time)
    }
}

fn member(id: &str) -> aemp::NodeBuilder {
    let seeds = ["a", "b"].into_iter().filter(|seed| *seed != id);
    seeds.fold(builder(id).global(true), |node, seed| {
        node.seed(format!("{seed}:4040"))
    })
}

#[test]
fn items_or_an_error_arrive_in_order_under_all_faults() {
    each_schedule(60, |seed| {
        let mut world = World::new(seed);
        for _ in 0..25 {
            world.step();
        }
        world.finish();
    });
}
