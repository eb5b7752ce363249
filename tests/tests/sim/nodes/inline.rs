//! Small streams in messages, over the connection of the nodes, in virtual time.

mod peers;

use std::{io, time::Duration};

use aemp::{
    Cx, Node, port,
    sim::{Conditions, Crash, Sim},
    stream::{ByteStream, INLINE},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{SECOND, Told, builder, pair, wait_up};

const MS: Duration = Duration::from_millis(1);

/// The bytes or the error of a stream, and its state at the end.
type Put = (Result<Vec<u8>, io::ErrorKind>, String);

/// Reads streams to their end, and answers.
struct Store {
    told: Told<Put>,
}

#[port]
impl Store {
    #[rcv]
    fn put(&self, cx: &Cx<'_>, mut bytes: ByteStream) {
        let told = self.told.clone();
        cx.spawn(async move {
            let mut content = Vec::new();
            let read = bytes.read_to_end(&mut content).await;
            let _ = bytes.write_all(b"thanks").await;
            let _ = bytes.shutdown().await;
            let read = read.map(|_| content).map_err(|error| error.kind());
            told.tell((read, format!("{bytes:?}")));
        });
    }

    /// Sends the bytes of a stream back.
    #[rcv]
    fn echo(&self, cx: &Cx<'_>, bytes: ByteStream) {
        cx.spawn(async move {
            let (mut from, mut to) = tokio::io::split(bytes);
            let _ = tokio::io::copy(&mut from, &mut to).await;
            let _ = to.shutdown().await;
        });
    }

    /// Takes a stream, and drops it after a time.
    #[rcv]
    fn hold(&self, cx: &Cx<'_>, mut bytes: ByteStream, seconds: u64) {
        cx.spawn(async move {
            let _ = bytes.connected().await;
            tokio::time::sleep(seconds as u32 * SECOND).await;
        });
    }

    #[rcv]
    fn ping(&self) -> bool {
        true
    }
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|place| (place % 251) as u8).collect()
}

/// Two connected nodes, and the store of the second one.
struct World {
    sim: Sim,
    a: Node,
    b: Node,
    store: StoreRef,
    puts: Told<Put>,
}

impl World {
    fn new() -> Self {
        let mut sim = Sim::new(1);
        let [a, b] = pair(&mut sim);
        let puts = Told::new();
        let store = b.port(Store { told: puts.clone() });
        let store = a.handle(&store.id());
        Self {
            sim,
            a,
            b,
            store,
            puts,
        }
    }

    /// A stream of which the first bytes have been written, and have arrived.
    fn begun(&mut self) -> ByteStream {
        let (mut mine, theirs) = self.a.stream();
        self.store.put(theirs);
        self.sim.block_on(async {
            mine.write_all(&bytes(5000)).await.unwrap();
            assert_eq!(mine.marks_end(), Some(true));
            assert!(format!("{mine:?}").contains("inline"), "{mine:?}");
            tokio::time::sleep(SECOND).await;
        });
        assert!(self.puts.all().is_empty());
        mine
    }

    /// The error with which the stream has ended at the store.
    fn error(&mut self) -> io::ErrorKind {
        let puts = self.puts.clone();
        assert!(self.sim.run_until(60 * SECOND, || !puts.all().is_empty()));
        let (read, _) = puts.all().remove(0);
        read.unwrap_err()
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.sim.block_on(async { drop(tokio::spawn(task)) });
    }

    fn write(&mut self, mine: &mut ByteStream) -> io::ErrorKind {
        let written = self.sim.block_on(mine.write_all(b"more"));
        written.unwrap_err().kind()
    }

    /// Checks that no trace of streams is left.
    fn tidy(mut self) {
        self.sim.run_for(60 * SECOND);
        for node in [&self.a, &self.b] {
            assert_eq!(node.stream_counts(), (0, 0), "{node:?}");
        }
        assert_eq!((self.a.port_count(), self.b.port_count()), (0, 1));
        assert_eq!(self.sim.connections(), 1);
    }
}

async fn give_and_read(mut mine: ByteStream, size: usize, told: Told<String>) {
    mine.write_all(&bytes(size)).await.unwrap();
    mine.shutdown().await.unwrap();
    let mut answer = String::new();
    mine.read_to_string(&mut answer).await.unwrap();
    assert_eq!(mine.progress().written(), size as u64);
    assert_eq!(mine.progress().read(), 6);
    // The other end has its connection as long as this one.
    tokio::time::sleep(SECOND).await;
    told.tell(format!("{answer}: {mine:?}"));
}

#[test]
fn only_a_long_stream_opens_a_connection() {
    let mut world = World::new();
    let kinds = [
        (0, false, 0),
        (5000, false, 0),
        (INLINE, false, 0),
        (INLINE + 1, false, 1),
        (1 << 20, false, 1),
        (5000, true, 1),
    ];
    for (size, is_bulk, connections) in kinds {
        let (mine, theirs) = match is_bulk {
            true => world.a.bulk_stream(),
            false => world.a.stream(),
        };
        world.store.put(theirs);
        let told = Told::new();
        let giving = give_and_read(mine, size, told.clone());
        world.spawn(giving);
        let mut most = 0;
        while told.all().is_empty() {
            world.sim.run_for(MS);
            most = most.max(world.sim.connections());
            assert!(world.sim.elapsed() < 600 * SECOND, "{size}");
        }
        assert_eq!(most, 1 + connections, "{size}");
        let state = ["inline", "connected"][connections];
        let told = told.all().remove(0);
        assert!(
            told.starts_with("thanks: ") && told.contains(state),
            "{told}"
        );
        let (read, there) = world.puts.all().pop().unwrap();
        assert!(read == Ok(bytes(size)), "{size}");
        assert!(there.contains(state), "{size}: {there}");
    }
    world.tidy();
}

#[test]
fn a_cut_in_the_middle_is_an_error_at_both_ends() {
    let mut world = World::new();
    let mut mine = world.begun();
    world.sim.cut("a", "b");
    assert_eq!(world.error(), io::ErrorKind::UnexpectedEof);
    wait_up(&mut world.sim, &world.a, "b");
    // The nodes are connected again. Nothing more arrives there.
    assert_eq!(world.write(&mut mine), io::ErrorKind::BrokenPipe);
    let mut rest = Vec::new();
    let read = world.sim.block_on(mine.read_to_end(&mut rest));
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    drop(mine);
    world.tidy();
}

#[test]
fn an_end_that_is_dropped_is_an_error_at_the_other() {
    let mut world = World::new();
    let mine = world.begun();
    drop(mine);
    assert_eq!(world.error(), io::ErrorKind::UnexpectedEof);
    let (mut mine, theirs) = world.a.stream();
    world.store.hold(theirs, 1);
    world.sim.block_on(mine.write_all(b"x")).unwrap();
    world.sim.run_for(2 * SECOND);
    assert_eq!(world.write(&mut mine), io::ErrorKind::BrokenPipe);
    let ended = world.sim.block_on(mine.shutdown()).unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::BrokenPipe);
    let read = world.sim.block_on(mine.read_u8()).unwrap_err();
    assert_eq!(read.kind(), io::ErrorKind::UnexpectedEof);
    drop(mine);
    world.tidy();
}

#[test]
fn the_death_of_a_node_is_an_error() {
    for how in [Crash::Process, Crash::Machine] {
        let mut world = World::new();
        let mine = world.begun();
        world.sim.crash("a", how);
        assert_eq!(world.error(), io::ErrorKind::UnexpectedEof, "{how:?}");
        drop(mine);
        let mut world = World::new();
        let mut mine = world.begun();
        world.sim.crash("b", how);
        world.sim.run_for(60 * SECOND);
        assert_eq!(world.write(&mut mine), io::ErrorKind::BrokenPipe, "{how:?}");
    }
}

#[test]
fn a_stream_that_has_moved_outlives_its_node() {
    let mut world = World::new();
    let (mine, theirs) = world.a.stream();
    world.store.echo(theirs);
    let (mut read, mut write) = tokio::io::split(mine);
    let size = 2 * INLINE;
    world.sim.block_on(async {
        let mut back = vec![0; size];
        let content = bytes(size);
        let (written, came) = tokio::join!(write.write_all(&content), read.read_exact(&mut back));
        assert!(written.is_ok() && came.is_ok() && back == content);
        tokio::time::sleep(SECOND).await;
    });
    assert_eq!((world.a.port_count(), world.b.port_count()), (0, 1));
    let a = world.a.clone();
    world.sim.block_on(async {
        a.stop().await;
        tokio::time::sleep(SECOND).await;
        write.write_all(b"more").await.unwrap();
        write.shutdown().await.unwrap();
        let mut rest = String::new();
        read.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "more");
    });
}

/// A hundred streams have much more to send than a slow network takes at once.
#[test]
fn calls_do_not_wait_behind_small_streams() {
    let mut world = World::new();
    world.sim.set_conditions(Conditions {
        latency: 10 * MS..=10 * MS,
        // A megabyte in a second.
        window: 10_000,
        ..Conditions::default()
    });
    let written = Told::new();
    for _ in 0..100 {
        let (mut mine, theirs) = world.a.stream();
        world.store.hold(theirs, 60);
        let written = written.clone();
        world.spawn(async move {
            mine.write_all(&bytes(INLINE)).await.unwrap();
            written.tell(());
            tokio::time::sleep(60 * SECOND).await;
        });
    }
    world.sim.run_for(SECOND);
    for _ in 0..5 {
        let before = world.sim.elapsed();
        assert!(
            world
                .sim
                .block_on(async { world.store.ping().await })
                .unwrap()
        );
        let waited = world.sim.elapsed() - before;
        assert!(waited < SECOND, "a call has waited for {waited:?}");
    }
    assert!(written.all().len() < 90, "there is no bulk");
    world.sim.run_for(30 * SECOND);
    assert_eq!(written.all().len(), 100);
    assert_eq!(world.sim.connections(), 1);
}

/// A node that is not connected to that of the stream makes one connection, and that is the stream's.
#[test]
fn a_node_that_is_not_connected_takes_a_connection_for_the_stream() {
    let mut world = World::new();
    let c = builder("c").global(false).seed("b:4040");
    let c = world.sim.start(c).unwrap();
    wait_up(&mut world.sim, &c, "b");
    let puts = Told::new();
    let far = c.port(Store { told: puts.clone() }).id();
    let between = world
        .b
        .untyped(move |cx: &mut Cx<'_>, message: aemp::Args| {
            cx.node().snd(&far, message);
        });
    let between: StoreRef = world.a.handle(&between.id());
    let (mine, theirs) = world.a.stream();
    between.put(theirs);
    let told = Told::new();
    let giving = give_and_read(mine, 5000, told.clone());
    world.spawn(giving);
    assert!(world.sim.run_until(60 * SECOND, || !told.all().is_empty()));
    let (read, there) = puts.all().pop().unwrap();
    assert!(
        read == Ok(bytes(5000)) && there.contains("connected"),
        "{there}"
    );
}
