//! Streams in networks with faults: whole nodes, random schedules.
//!
//! Three nodes open streams to functions of each other, and send streams in messages. `c` has no listener, so that the
//! others are asked to connect to it, and it to them. The schedule makes the network bad, cuts, splits and crashes, in
//! every phase of the streams: announcement, dialling, handshake, connection back, use over the connection of the nodes, the
//! move from there to a connection. Either end may be dropped at any time. Throughout:
//!
//! - a stream is read to an end only if its other end has written everything, with the right bytes;
//! - in a schedule without faults each stream is read to its end, unless an end is dropped, and a stream in a message has a
//!   connection of its own only if it is long;
//! - each attempt to open one ends, within its time.
//!
//! In the end, when all faults are over, nothing of them is left: entries of the tables, counts, connections, ports.
//!
//! `AEMP_SCHEDULES` is the number of schedules, `AEMP_SCHEDULE` the first.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aemp::{
    Cx, Node, NodeBuilder, args,
    config::Encrypt,
    port,
    sim::{Chance, Conditions, Sim},
    stream::{ByteStream, INLINE},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    SECOND, Told, builder, each_schedule, mourn,
    trio::{self, NODES},
    wait_up,
};

const MS: Duration = Duration::from_millis(1);

/// The events of a stream, by its number and its end.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    /// It was asked for.
    Wanted,
    /// It could not be opened.
    Failed(String),
    Read(Result<usize, String>),
    Wrote(Result<(), String>),
    /// This end has been dropped. True if it had no connection of its own.
    Done(bool),
}

type Events = Told<(u64, usize, Event)>;

/// The plan of a stream, which both ends know.
struct Plan {
    /// The number of bytes that each end writes.
    totals: [usize; 2],
    /// The time after which each end is dropped.
    dropped: [Option<Duration>; 2],
    chance: Chance,
}

impl Plan {
    fn of(number: u64) -> Self {
        let mut chance = Chance::new(number);
        let mut total = || [0, 1, 5000, INLINE, INLINE + 1, 400_000][chance.index(6)];
        let totals = [total(), total()];
        let mut dropped = || {
            let is_dropped = chance.happens(0.2);
            is_dropped.then(|| chance.between(Duration::ZERO, SECOND))
        };
        let dropped = [dropped(), dropped()];
        Self {
            totals,
            dropped,
            chance,
        }
    }

    fn is_dropped(&self) -> bool {
        self.dropped.iter().any(Option::is_some)
    }
}

fn bytes(end: usize, size: usize) -> Vec<u8> {
    (0..size).map(|place| ((place + end) % 251) as u8).collect()
}

/// Uses one end of a stream as planned.
async fn run(number: u64, end: usize, stream: ByteStream, events: Events) {
    let mut plan = Plan::of(number);
    let (mut from, mut to) = tokio::io::split(stream);
    let tell = |event| events.tell((number, end, event));
    let content = bytes(end, plan.totals[end]);
    let (limit, pause) = (plan.dropped[end], plan.chance.between(MS / 10, 20 * MS));
    let writing = async {
        let wrote = async {
            for chunk in content.chunks(60_000) {
                to.write_all(chunk).await?;
                tokio::time::sleep(pause).await;
            }
            to.shutdown().await
        };
        tell(Event::Wrote(wrote.await.map_err(|error| error.to_string())));
    };
    let reading = async {
        let mut read = Vec::new();
        let result = from.read_to_end(&mut read).await;
        assert!(bytes(1 - end, read.len()) == read, "other bytes");
        tell(Event::Read(result.map_err(|error| error.to_string())));
    };
    let both = async { tokio::join!(writing, reading) };
    match limit {
        Some(limit) => drop(tokio::time::timeout(limit, both).await),
        None => drop(both.await),
    }
    let stream = format!("{:?}", from.unsplit(to));
    tell(Event::Done(stream.contains("inline")));
}

struct Driver {
    events: Events,
}

#[port]
impl Driver {
    #[rcv]
    fn open(&self, cx: &Cx<'_>, to: String, number: u64, within: u64) {
        let within = within as u32 * MS;
        let opening = cx.node().open_stream(to, "Sim::end", args![number]);
        let events = self.events.clone();
        events.tell((number, 0, Event::Wanted));
        cx.spawn(async move {
            let begun = tokio::time::Instant::now();
            let opened = opening.timeout(within).await;
            assert!(begun.elapsed() <= within + MS, "too late");
            match opened {
                Ok(stream) => run(number, 0, stream, events).await,
                Err(error) => events.tell((number, 0, Event::Failed(error.to_string()))),
            }
        });
    }

    #[rcv]
    fn give(&self, cx: &Cx<'_>, to: DriverRef, number: u64) {
        let (mine, theirs) = cx.node().stream();
        let events = self.events.clone();
        events.tell((number, 0, Event::Wanted));
        to.take(number, theirs);
        cx.spawn(run(number, 0, mine, events));
    }

    #[rcv]
    fn take(&self, cx: &Cx<'_>, number: u64, stream: ByteStream) {
        self.events.tell((number, 1, Event::Wanted));
        cx.spawn(run(number, 1, stream, self.events.clone()));
    }
}

struct World {
    sim: Sim,
    chance: Chance,
    events: Events,
    nodes: Vec<(Node, DriverRef)>,
    number: u64,
    /// True if nothing is to go wrong.
    is_calm: bool,
    /// The streams of nodes that have crashed.
    crashed: Vec<(u64, usize)>,
    /// The streams in messages to other nodes.
    given: Vec<u64>,
    /// The nodes of each stream's ends.
    ends: Vec<(u64, [usize; 2])>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let encrypt = match chance.happens(0.3) {
            true => Encrypt::Always,
            false => Encrypt::Never,
        };
        let events = Events::new();
        let mut sim = Sim::new(seed);
        let mut nodes = Vec::new();
        for id in NODES {
            let told = events.clone();
            let node =
                member(id)
                    .encrypt(encrypt)
                    .stream_function("Sim::end", move |_, args, stream| {
                        let number = args[0].as_i64().unwrap() as u64;
                        told.tell((number, 1, Event::Wanted));
                        run(number, 1, stream, told.clone())
                    });
            let node = sim.start(node).unwrap();
            let driver = node.port(Driver {
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
            crashed: Vec::new(),
            given: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn step(&mut self) {
        let (one, other) = (self.chance.index(3), self.chance.index(3));
        match self.chance.below(if self.is_calm { 8 } else { 16 }) {
            0..=2 => self.open(one, other),
            3..=5 => self.give(one, other),
            6..=10 => trio::a_while(&mut self.sim, &mut self.chance, 2 * SECOND),
            11 => trio::spoil(&mut self.sim, &mut self.chance),
            kind @ 12..=14 => trio::cut_or_heal(&mut self.sim, kind - 12, one, other),
            _ => self.crash(one),
        }
        trio::perhaps_a_moment(&mut self.sim, &mut self.chance);
    }

    fn next(&mut self, one: usize, other: usize) -> u64 {
        self.number += 1;
        self.ends.push((self.number, [one, other]));
        self.number
    }

    fn open(&mut self, one: usize, other: usize) {
        let number = self.next(one, other);
        let within = match self.is_calm {
            true => 60_000,
            false => 10 + self.chance.below(20_000),
        };
        self.nodes[one].1.open(NODES[other].into(), number, within);
    }

    fn give(&mut self, one: usize, other: usize) {
        let number = self.next(one, other);
        if one != other {
            self.given.push(number);
        }
        let to = self.nodes[one].0.handle(&self.nodes[other].1.id());
        self.nodes[one].1.give(to, number);
    }

    fn crash(&mut self, which: usize) {
        let crashed = self.ends.iter().flat_map(|(number, ends)| {
            let crashed = (0..2).filter(|end| ends[*end] == which);
            crashed.map(|end| (*number, end))
        });
        self.crashed.extend(crashed);
        trio::crash(&mut self.sim, &mut self.chance, which);
        let node = trio::start_again(&mut self.sim, &mut self.chance, which);
        let driver = node.port(Driver {
            events: self.events.clone(),
        });
        self.nodes[which] = (node, driver);
    }

    /// Returns the numbers of ends of streams in messages that were dropped without and with a connection of their own.
    fn finish(mut self) -> [usize; 2] {
        trio::calm(&mut self.sim);
        let events = self.events.all();
        for (number, nodes) in &self.ends {
            let of = |end: usize| {
                let of = |event: &&(u64, usize, Event)| (event.0, event.1) == (*number, end);
                let events = events.iter().filter(of).map(|event| event.2.clone());
                events.collect::<Vec<_>>()
            };
            let seen = [of(0), of(1)];
            let text = format!("stream {number} of {nodes:?}: {seen:#?}");
            self.check(*number, &seen, &text);
        }
        for (node, driver) in &self.nodes {
            assert_eq!(node.stream_counts(), (0, 0), "{node:?}");
            assert_eq!(node.port_count(), 1, "{driver:?}");
        }
        // Each pair of nodes has one connection for packets. One that is being made may be a second one.
        let is_tidy = (0..10).any(|_| {
            self.sim.run_for(SECOND);
            self.sim.connections() <= 3
        });
        assert!(is_tidy, "{} connections", self.sim.connections());
        [true, false].map(|inline| {
            let of = |(number, _, event): &&(u64, usize, Event)| {
                self.given.contains(number) && *event == Event::Done(inline)
            };
            events.iter().filter(of).count()
        })
    }

    fn check(&self, number: u64, seen: &[Vec<Event>; 2], text: &str) {
        let plan = Plan::of(number);
        for (end, events) in seen.iter().enumerate() {
            let has_crashed = self.crashed.contains(&(number, end));
            let is_wanted = events.contains(&Event::Wanted);
            let is_over = |event: &Event| matches!(event, Event::Done(_) | Event::Failed(_));
            assert!(
                !is_wanted || has_crashed || events.iter().any(is_over),
                "has not ended: {text}"
            );
            for event in events {
                if let Event::Read(Ok(size)) = event {
                    assert_eq!(*size, plan.totals[1 - end], "looks whole: {text}");
                }
            }
            if self.is_calm && !plan.is_dropped() {
                let whole = Event::Read(Ok(plan.totals[1 - end]));
                assert!(events.contains(&whole), "fails without a fault: {text}");
                assert!(events.contains(&Event::Wrote(Ok(()))), "{text}");
                let is_short = plan.totals.iter().all(|total| *total <= INLINE);
                let is_inline = self.given.contains(&number) && is_short;
                assert!(events.contains(&Event::Done(is_inline)), "{text}");
            }
        }
    }
}

fn member(id: &str) -> NodeBuilder {
    let node = match id {
        "c" => Node::builder()
            .node_id(id)
            .secret("s")
            .monitor_timeout(9 * SECOND),
        _ => builder(id).global(true),
    };
    let seeds = ["a", "b"].into_iter().filter(|seed| *seed != id);
    seeds.fold(node, |node, seed| node.seed(format!("{seed}:4040")))
}

#[test]
fn streams_are_whole_or_an_error_whatever_happens() {
    let ways = [AtomicUsize::new(0), AtomicUsize::new(0)];
    each_schedule(60, |seed| {
        let mut world = World::new(seed);
        for _ in 0..25 {
            world.step();
        }
        for (way, count) in ways.iter().zip(world.finish()) {
            way.fetch_add(count, Ordering::Relaxed);
        }
    });
    let [inline, connected] = ways.map(AtomicUsize::into_inner);
    assert!(inline > 0 && connected > 0, "{inline} and {connected}");
}

/// A peer announces a stream and never connects, or asks for a connection to addresses at which it is not.
#[test]
fn the_port_of_a_stream_that_does_not_come_is_killed() {
    let mut sim = Sim::new(1);
    let a = sim
        .start(
            builder("a")
                .global(true)
                .stream_function("Sim::end", |_, _, _| async {}),
        )
        .unwrap();
    let c = sim.start(member("c")).unwrap();
    wait_up(&mut sim, &c, "a");
    wait_up(&mut sim, &a, "c");
    for asks in [false, true] {
        let port = c.untyped(|_: &mut Cx<'_>, _: aemp::Args| ()).id();
        let deaths = mourn(&c, &port);
        let expect = args!["x@c", port.as_str(), 20, "Sim::end"];
        c.snd_to_func("a", "AnyEvent::MP::DataConn::_expect", expect);
        sim.run_for(SECOND);
        assert_eq!(a.stream_counts(), (1, 1));
        if asks {
            // It has no listeners.
            c.snd_to_func("a", "AnyEvent::MP::DataConn::_connect", args!["x@c", "c"]);
            sim.run_for(SECOND);
            let text = "AnyEvent::MP::DataConn c: no listeners found";
            assert_eq!(deaths.all()[0].to_string(), text);
        } else {
            sim.run_for(18 * SECOND);
            assert!(deaths.all().is_empty());
            sim.run_for(2 * SECOND);
            let reason =
                aemp::Reason::new(vec!["AnyEvent::MP::DataConn".into(), aemp::Value::Null]);
            assert_eq!(deaths.all(), [reason]);
        }
        assert_eq!(a.stream_counts(), (0, 0));
    }
}

/// A node publishes addresses without end that never answer. Few of them are dialled, and only while the stream is
/// expected.
#[test]
fn a_stream_has_a_limit_of_addresses() {
    let mut sim = Sim::new(1);
    let patient = |id: &str| member(id).monitor_timeout(3600 * SECOND);
    let a = patient("a").stream_function("Sim::end", |_, _, _| async {});
    let a = sim.start(a).unwrap();
    let b = sim.start(patient("b").global(false)).unwrap();
    let c = sim.start(patient("c")).unwrap();
    for (one, other) in [(&a, "b"), (&a, "c"), (&b, "c")] {
        wait_up(&mut sim, one, other);
    }
    let lost = Conditions {
        lose: 1.0,
        ..Conditions::default()
    };
    sim.set_link("a", "b", lost);
    sim.set_user_timeout(3600 * SECOND);
    sim.run_for(30 * SECOND);
    let addresses = vec!["b:4040"; 50];
    let listed = serde_json::json!({"'l": {"c": addresses}});
    let listed = aemp_codec::to_value(&listed).unwrap();
    let master = aemp::PortId::new(a.id(), "");
    c.snd(&master, vec!["g_slave".into(), listed]);
    sim.run_for(SECOND);
    let listed = sim.block_on(a.db_family("'l")).unwrap();
    assert!(listed.contains_key("c"), "{listed:?}");
    let before = sim.connections();
    let port = c.untyped(|_: &mut Cx<'_>, _: aemp::Args| ()).id();
    let deaths = mourn(&c, &port);
    let expect = args!["x@c", port.as_str(), 120, "Sim::end"];
    c.snd_to_func("a", "AnyEvent::MP::DataConn::_expect", expect);
    for _ in 0..5 {
        let connect = args!["x@c", "c"];
        c.snd_to_func("a", "AnyEvent::MP::DataConn::_connect", connect);
    }
    sim.run_for(100 * SECOND);
    assert_eq!(a.stream_counts(), (1, 1), "{deaths:?}");
    assert_eq!(sim.connections() - before, 8);
    sim.run_for(30 * SECOND);
    assert_eq!(a.stream_counts(), (0, 0));
    assert_eq!(sim.connections(), before);
}
