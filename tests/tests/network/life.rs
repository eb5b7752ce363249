//! The end of nodes with a network, which leave nothing behind.

use std::{
    borrow::Cow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use aemp::{
    CallError, Codec, DecodeError, EncodeError, Ended, Limits, Node, PortId, Value, args,
    codec::{
        Contents, Cursor, Decoding, Encoding, Framing, Item, ListKind, PacketReader, PacketWriter,
    },
    msg,
};

use crate::{
    common::{Inbox, soon, until, watch},
    msgpack::MessagePack,
    nodes::{CounterRef, address, counter, listening, node_port, pair, start},
    plugged,
};

#[tokio::test]
async fn connected_nodes_are_freed_when_they_have_stopped() {
    let probe = Arc::new(());
    for _ in 0..5 {
        let held = || {
            let held = Arc::clone(&probe);
            move |_, _| drop(Arc::clone(&held))
        };
        let a = start(listening("a").function("Test::f", held())).await;
        let b = start(listening("b").seed(address(&a)).function("Test::f", held())).await;
        soon(a.until_up("b")).await;
        let far: CounterRef = counter::on(&a, "b", 1);
        assert_eq!(soon(far.get()).await.unwrap(), 1);
        let (itself, other) = (a.clone(), b.clone());
        far.monitor(move |_| drop((itself, other))).detach();
        let (itself, other) = (a.clone(), b.clone());
        let observer = a.mon_nodes(move |_, _, _| drop((itself.clone(), other.clone())));
        let pool = a.pool::<CounterRef>("family").unwrap();
        soon(async { tokio::join!(a.stop(), b.stop()) }).await;
        drop((far, observer, pool));
    }
    until(|| Arc::strong_count(&probe) == 1).await;
}

#[tokio::test]
async fn waits_for_another_node_end_with_the_own_node() {
    let (a, _b) = pair().await;
    let far = counter::on(&a, "b", 1);
    let waits = |node: &Node| {
        let (up, cal, eval, info) = (node.clone(), node.clone(), node.clone(), node.clone());
        let (far, port) = (far.clone(), far.id());
        let wait = async move {
            assert!(!up.until_up("nowhere").await);
            assert!(matches!(far.ponder().await, Err(CallError::Died(_))));
            let answer = cal.cal(&port, msg!["ponder"]).await;
            assert!(matches!(answer, Err(CallError::Died(_))));
            let answer = eval.eval_on("b", "1", Duration::from_secs(3600)).await;
            assert!(matches!(answer, Err(CallError::Died(_))));
            assert!(info.inspect("b").ports().await.is_err());
        };
        tokio::spawn(wait)
    };
    let (before, calling) = (waits(&a), tokio::spawn(far.ponder()));
    assert_eq!(soon(far.get()).await.unwrap(), 1);
    soon(a.stop()).await;
    soon(before).await.unwrap();
    assert!(matches!(
        soon(calling).await.unwrap(),
        Err(CallError::Died(_))
    ));
    soon(waits(&a)).await.unwrap();
    for _ in 0..3 {
        let reason = watch(&a, &far.id()).await.to_string();
        assert_eq!(reason, "transport_error b node stopped");
    }
    assert!(a.snd(&far.id(), msg!["inc", 1]).check().is_ok());
}

/// Many more bytes than a connection takes, for a node that reads nothing.
#[tokio::test]
async fn waits_for_room_of_another_node_end_with_the_own_node() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let seed = silent.local_addr().unwrap().to_string();
    let node = listening("a").address("b", &seed);
    let node = start(node).await;
    let notes: CounterRef = node.handle(&PortId::parse("b#c").unwrap());
    let text = Value::from("x".repeat(1 << 20));
    node.snd(&notes.id(), vec![text]);
    let waiting = tokio::spawn({
        let notes = notes.clone();
        async move { notes.send(crate::nodes::CounterMsg::Inc(1)).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    soon(node.stop()).await;
    assert!(soon(waiting).await.unwrap().is_ok());
}

/// A callback that blocks until it is told to go on.
struct Gate(mpsc::Receiver<()>);

fn gate() -> (mpsc::Sender<()>, Gate) {
    let (open, gate) = mpsc::channel();
    (open, Gate(gate))
}

impl Gate {
    fn wait(self) {
        let _ = self.0.recv();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn blocking_callbacks_delay_only_their_own_strand() {
    let hub = start(listening("hub").function("Test::block", {
        let (held, gate) = gate();
        let gate = std::sync::Mutex::new((held, Some(gate)));
        move |_, _| {
            let gate = gate.lock().unwrap().1.take();
            if let Some(gate) = gate {
                let _ = gate.0.recv_timeout(Duration::from_secs(3));
            }
        }
    }))
    .await;
    let (a, b) = (listening("a"), listening("b"));
    let a = start(a.seed(address(&hub))).await;
    let b = start(b.seed(address(&hub))).await;
    soon(hub.until_up("a")).await;
    soon(hub.until_up("b")).await;
    // The death of a port there, the loss of a node, its observers, and a function that is called.
    let port = hub.spawn("a", "Net::counter", args![1]);
    let (first, on_death) = gate();
    let (second, on_loss) = gate();
    let (third, on_change) = gate();
    hub.mon(&port, move |_| on_death.wait()).detach();
    hub.mon(&node_port(&a), move |_| on_loss.wait()).detach();
    let mut on_change = Some(on_change);
    let _slow = hub.mon_nodes(move |_, _, _| {
        if let Some(gate) = on_change.take() {
            gate.wait();
        }
    });
    let changes = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&changes);
    let _quick = hub.mon_nodes(move |_, _, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    b.snd_to_func("hub", "Test::block", args![]);
    hub.kil(&port, ());
    let mut inbox = Inbox::new(&hub);
    b.snd(&inbox.id, msg!["first"]);
    assert_eq!(inbox.next().await, msg!["first"]);
    soon(a.stop()).await;
    until(|| changes.load(Ordering::Relaxed) == 1).await;
    // Another node comes and goes meanwhile, and its monitor fires.
    let told = watch(&hub, &node_port(&b));
    b.snd(&inbox.id, msg!["second"]);
    assert_eq!(inbox.next().await, msg!["second"]);
    soon(b.stop()).await;
    assert_eq!(told.await.kind(), "transport_error");
    drop((first, second, third));
    soon(hub.stop()).await;
}

/// A format that panics when it reads a packet with a certain text.
#[derive(Debug)]
struct Fragile;

impl Fragile {
    fn decode(packet: &[u8], limits: Limits) -> Result<Vec<Value>, DecodeError> {
        let values = plugged::decode(packet, limits)?;
        assert!(
            values.last().and_then(Value::as_str) != Some("poison"),
            "poisoned"
        );
        Ok(values)
    }
}

impl Codec for Fragile {
    fn name(&self) -> &str {
        "fragile"
    }

    fn framer(&self, limits: Limits) -> Box<dyn Framing> {
        plugged::framer(limits)
    }

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        PacketWriter::encoded(out, limits, plugged::encode)
    }

    fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError> {
        Self::decode(packet, limits).map(PacketReader::values)
    }
}

#[tokio::test]
async fn a_connection_with_a_failed_task_counts_as_lost() {
    let a = start(listening("a").codec(Fragile)).await;
    let b = start(listening("b").codec(Fragile).seed(address(&a))).await;
    soon(b.until_up("a")).await;
    soon(a.until_up("b")).await;
    assert_eq!(a.node_format("b").as_deref(), Some("fragile"));
    for _ in 0..3 {
        let mut inbox = Inbox::new(&a);
        let deaths = [
            watch(&a, &node_port(&b)),
            watch(&b, &node_port(&a)),
            watch(&b, &inbox.id),
        ];
        b.snd(&inbox.id, msg!["sound"]);
        assert_eq!(inbox.next().await, msg!["sound"]);
        b.snd(&inbox.id, msg!["poison"]);
        for death in deaths {
            assert_eq!(death.await.kind(), "transport_error");
        }
        // No ghost is in the way of the next connection, which is made because it is wanted.
        b.snd(&inbox.id, msg!["again"]);
        assert_eq!(inbox.next().await, msg!["again"]);
        soon(b.until_up("a")).await;
        soon(a.until_up("b")).await;
    }
    soon(a.stop()).await;
    assert_eq!(a.has_ended(), Some(Ended::Stopped));
    soon(b.stop()).await;
}

/// A format that looks at its node, and sends over it, when it writes something: not for ever, because that is written as well.
#[derive(Debug, Default)]
struct Nosy {
    node: OnceLock<Node>,
    busy: AtomicBool,
    times: AtomicU32,
}

impl Nosy {
    fn look(&self) {
        if let Some(node) = self.node.get()
            && !self.busy.swap(true, Ordering::AcqRel)
            && self.times.fetch_add(1, Ordering::AcqRel) < 30
        {
            let _ = (
                node.node_is_up("a"),
                node.node_is_up("b"),
                node.port_count(),
            );
            for id in ["a", "b"] {
                let nobody = PortId::parse(&format!("{id}#nobody")).unwrap();
                node.snd(&nobody, msg!["between"]);
                drop(node.mon(&nobody, |_| ()));
            }
            self.busy.store(false, Ordering::Release);
        }
    }
}

#[derive(Debug)]
struct Shared(Arc<Nosy>);

impl Shared {
    fn encode(&self, packet: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.look();
        plugged::encode(packet, out)
    }
}

impl Codec for Shared {
    fn name(&self) -> &str {
        "nosy"
    }

    fn framer(&self, limits: Limits) -> Box<dyn Framing> {
        plugged::framer(limits)
    }

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        PacketWriter::encoded(out, limits, |packet, out| self.encode(packet, out))
    }

    fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError> {
        plugged::decode(packet, limits).map(PacketReader::values)
    }
}

/// The same of one that writes and reads item by item: MessagePack that looks with each.
#[derive(Debug)]
struct Straight(Arc<Nosy>);

impl Codec for Straight {
    fn name(&self) -> &str {
        "nosy"
    }

    fn framer(&self, limits: Limits) -> Box<dyn Framing> {
        MessagePack.framer(limits)
    }

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        PacketWriter::encoding(self, out, limits)
    }

    fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError> {
        PacketReader::decoding(self, packet, limits)
    }
}

macro_rules! look_and_encode {
    ($($method:ident($($arg:ident: $type:ty),*) $result:ty;)*) => {$(
        fn $method(&self, out: &mut Vec<u8>, $($arg: $type),*) -> $result {
            self.0.look();
            Encoding::$method(&MessagePack, out, $($arg),*)
        }
    )*};
}

impl Encoding for Straight {
    look_and_encode! {
        begin() ();
        end(start: usize, count: usize) Result<(), EncodeError>;
        null() ();
        bool(b: bool) ();
        int(n: i64) ();
        unsigned(n: u64) ();
        float(x: f64) ();
        text(text: &str) ();
        bytes(octets: &[u8]) ();
        key(key: &str) ();
        open(kind: ListKind, count: usize) ();
    }
}

impl Decoding for Straight {
    fn packet(&self, cursor: &mut Cursor<'_>) -> Result<Contents, DecodeError> {
        self.0.look();
        MessagePack.packet(cursor)
    }

    fn item<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Item<'de, Contents>, DecodeError> {
        self.0.look();
        MessagePack.item(cursor)
    }

    fn key<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Cow<'de, str>, DecodeError> {
        Decoding::key(&MessagePack, cursor)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_format_from_elsewhere_runs_under_no_lock() {
    looks_under_no_lock(Shared).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_format_that_writes_item_by_item_runs_under_no_lock() {
    looks_under_no_lock(Straight).await;
}

async fn looks_under_no_lock<C: Codec>(codec: fn(Arc<Nosy>) -> C) {
    let nosy = Arc::new(Nosy::default());
    let a = start(listening("a").codec(codec(Arc::default()))).await;
    let b = listening("b").codec(codec(Arc::clone(&nosy)));
    let b = start(b.seed(address(&a))).await;
    assert!(nosy.node.set(b.clone()).is_ok());
    let mut inbox = Inbox::new(&a);
    // Before the connection is up, and after that.
    b.snd(&inbox.id, msg!["early"]);
    let early = watch(&b, &inbox.id);
    soon(b.until_up("a")).await;
    assert_eq!(b.node_format("a").as_deref(), Some("nosy"));
    b.snd(&inbox.id, msg!["late"]);
    let late = watch(&b, &inbox.id);
    for expected in ["early", "late"] {
        assert_eq!(inbox.next().await, msg![expected]);
    }
    a.kil(&inbox.id, "gone");
    assert_eq!(early.await.kind(), "gone");
    assert_eq!(late.await.kind(), "gone");
    assert!(nosy.times.load(Ordering::Acquire) > 3);
    soon(b.stop()).await;
    soon(a.stop()).await;
}

/// The runtime of one node goes away; the other one finds a connection that has ended.
#[test]
fn a_node_ends_with_its_runtime() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let (theirs, ours) = (runtime(), runtime());
    let probe = Arc::new(());
    let held = Arc::clone(&probe);
    let a = listening("a").function("Test::f", move |_, _| drop(Arc::clone(&held)));
    let a = theirs.block_on(start(a));
    let b = ours.block_on(start(listening("b").seed(address(&a))));
    ours.block_on(async {
        soon(b.until_up("a")).await;
        soon(a.until_up("b")).await;
        let far = counter::on(&a, "b", 1);
        assert_eq!(soon(far.get()).await.unwrap(), 1);
        let (lost, losing) = (watch(&b, &node_port(&a)), watch(&a, &far.id()));
        let waiting = tokio::spawn(far.ponder());
        // The port does nothing else once it has that.
        until(|| a.port_count() == 1).await;
        theirs.shutdown_background();
        assert_eq!(losing.await.kind(), "transport_error");
        assert_eq!(lost.await.kind(), "transport_error");
        assert!(matches!(
            soon(waiting).await.unwrap(),
            Err(CallError::Died(_))
        ));
        assert_eq!(soon(a.ended()).await, Ended::RuntimeGone);
        assert!(a.listeners().is_empty());
        drop((a, far));
        until(|| Arc::strong_count(&probe) == 1).await;
        soon(b.stop()).await;
    });
}
