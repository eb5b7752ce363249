//! Small streams with a node that speaks the protocol by itself: its rules, and their breach.

use aemp::{Args, PortId, Reason, Value, args, stream::WAIT};

use super::*;
use crate::nodes::mourn;

/// The request of a node for a stream.
const OPEN: &str = "Aemp::inline";

/// An end that the node `b` takes by hand.
struct ByHand {
    world: World,
    mine: ByteStream,
    id: String,
    /// The port of `b`, and its messages.
    own: PortId,
    got: Told<Args>,
    /// The port of the other end.
    there: PortId,
}

fn listens(node: &Node) -> (PortId, Told<Args>) {
    let got = Told::new();
    let tell = got.clone();
    let port = node.untyped(move |_: &mut Cx<'_>, message: Args| tell.tell(message));
    (port.id(), got)
}

/// Sends a stream to a port of `b` that does not use it. Returns its ID.
fn offered(world: &mut World, theirs: ByteStream) -> String {
    let (port, got) = listens(&world.b);
    let to: StoreRef = world.a.handle(&port);
    to.put(theirs);
    world.sim.run_for(SECOND);
    world.b.kil(&port, ());
    let Value::Array(stream) = got.all()[0][1].clone() else {
        panic!("{got:?}");
    };
    assert_eq!(stream[0].text().as_deref(), Some("a"));
    stream[1].text().unwrap().into_owned()
}

impl ByHand {
    fn new(most: usize) -> Self {
        let mut world = World::new();
        let (mine, theirs) = world.a.stream();
        let id = offered(&mut world, theirs);
        let (own, got) = listens(&world.b);
        let request = args![id.as_str(), own.as_str(), most];
        world.b.snd_to_func("a", OPEN, request);
        world.sim.run_for(SECOND);
        let open = got.all().remove(0);
        assert_eq!(
            (open[0].clone(), open[2].clone()),
            ("open".into(), INLINE.into())
        );
        let there = PortId::parse(&open[1].text().unwrap()).unwrap();
        Self {
            world,
            mine,
            id,
            own,
            got,
            there,
        }
    }

    fn send(&mut self, message: Args) {
        self.world.b.snd(&self.there, message);
        self.world.sim.run_for(SECOND);
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.world.sim.block_on(self.mine.read_to_end(&mut bytes));
        read.map(|_| bytes)
    }

    fn breaks(mut self, message: Args, rule: &str) {
        let deaths = mourn(&self.world.b, &self.there);
        self.send(message);
        let error = self.read().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains(rule), "{error}");
        let reason = deaths.all().remove(0);
        assert!(reason.to_string().contains(rule), "{reason}");
    }
}

fn octets(size: usize) -> Value {
    Value::bytes(vec![7; size])
}

#[test]
fn any_program_can_be_an_end() {
    let mut hand = ByHand::new(10);
    let mine = &mut hand.mine;
    hand.world.sim.block_on(async {
        mine.write_all(b"question").await.unwrap();
        mine.shutdown().await.unwrap();
    });
    hand.send(args!["data", Value::bytes("ans")]);
    hand.send(args!["data", Value::bytes("wer")]);
    hand.send(args!["end"]);
    assert_eq!(hand.read().unwrap(), b"answer");
    let got = hand.got.all();
    assert_eq!(
        got[1..],
        [args!["data", Value::bytes("question")], args!["end"]]
    );
}

#[test]
fn a_peer_that_breaks_the_rules_loses_the_stream() {
    ByHand::new(10).breaks(args!["data", octets(INLINE + 1)], "more bytes came");
    ByHand::new(10).breaks(args!["moved", 1], "another place");
    let mut hand = ByHand::new(10);
    hand.send(args!["data", octets(INLINE)]);
    hand.breaks(args!["data", octets(1)], "more bytes came");
    let mut hand = ByHand::new(10);
    hand.send(args!["end"]);
    let error = {
        let deaths = mourn(&hand.world.b, &hand.there);
        hand.send(args!["data", octets(1)]);
        deaths.all().remove(0)
    };
    assert!(error.to_string().contains("behind the last"), "{error}");
}

/// A writer sends as much as the other end takes, and then wants a connection. The offer of it ends.
#[test]
fn a_stream_that_cannot_move_fails_at_both_ends() {
    let mut hand = ByHand::new(10);
    let deaths = mourn(&hand.world.b, &hand.there);
    let begun = hand.world.sim.elapsed();
    let mine = &mut hand.mine;
    let error = hand
        .world
        .sim
        .block_on(mine.write_all(&[7; 11]))
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{error}");
    assert!(hand.world.sim.elapsed() - begun <= WAIT + SECOND);
    let got = hand.got.all();
    assert_eq!(got[1..], [args!["connect"], args!["data", octets(10)]]);
    hand.world.sim.run_for(SECOND);
    assert_eq!(deaths.all(), [Reason::normal()]);
    assert_eq!(
        hand.read().unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
    assert_eq!(hand.world.a.stream_counts(), (0, 0));
}

/// The offer of a connection ends with the end that was dropped.
#[test]
fn an_end_that_is_dropped_gives_its_move_up() {
    let mut hand = ByHand::new(10);
    hand.send(args!["connect"]);
    hand.send(args!["connect"]);
    assert_eq!(hand.got.all()[1..], [args!["connect"]]);
    assert_eq!(hand.world.a.stream_counts(), (1, 0));
    drop(hand.mine);
    assert_eq!(hand.world.a.stream_counts(), (0, 0));
}

#[test]
fn a_stream_is_for_one_asker() {
    let mut hand = ByHand::new(10);
    let (late, got) = listens(&hand.world.b);
    let deaths = mourn(&hand.world.b, &late);
    let request = args![hand.id.as_str(), late.as_str(), 10];
    hand.world.b.snd_to_func("a", OPEN, request);
    hand.world.sim.run_for(SECOND);
    let reason = deaths.all().remove(0).to_string();
    assert!(reason.contains("is not expected there"), "{reason}");
    assert!(got.all().is_empty());
    hand.send(args!["end"]);
    assert_eq!(hand.read().unwrap(), b"");
    assert_ne!(hand.own, late);
}

/// Messages of a third node could make a stream look whole.
#[test]
fn a_third_node_has_no_say() {
    let mut hand = ByHand::new(10);
    let c = builder("c").seed("a:4040");
    let c = hand.world.sim.start(c).unwrap();
    wait_up(&mut hand.world.sim, &c, "a");
    for message in [args!["data", octets(3)], args!["end"], args!["connect"]] {
        c.snd(&hand.there, message);
    }
    hand.world.sim.run_for(SECOND);
    assert_eq!(hand.world.a.stream_counts(), (0, 0));
    hand.send(args!["data", Value::bytes("mine")]);
    hand.send(args!["end"]);
    assert_eq!(hand.read().unwrap(), b"mine");
}

#[test]
fn requests_that_name_something_else_take_nothing() {
    let mut world = World::new();
    let (_mine, theirs) = world.a.stream();
    let id = offered(&mut world, theirs);
    let (_bulk, theirs) = world.a.bulk_stream();
    let bulk = offered(&mut world, theirs);
    let (own, got) = listens(&world.b);
    let of_another = PortId::new(world.a.id(), "x");
    for request in [
        args![id.as_str(), of_another.as_str(), 10],
        args![id.as_str(), "b", 10],
        args![id.as_str(), own.as_str(), -1],
        args![id.as_str(), own.as_str()],
        args![id.as_str(), own.as_str(), 10, 10],
    ] {
        world.b.snd_to_func("a", OPEN, request);
    }
    world.sim.run_for(SECOND);
    assert_eq!(world.a.stream_counts(), (2, 0));
    let deaths = mourn(&world.b, &own);
    let request = args![bulk.as_str(), own.as_str(), 10];
    world.b.snd_to_func("a", OPEN, request);
    world.sim.run_for(SECOND);
    assert_eq!((world.a.stream_counts(), deaths.all().len()), ((2, 0), 1));
    assert!(got.all().is_empty());
}
