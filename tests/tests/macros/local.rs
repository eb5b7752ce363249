//! Ports that only their own process talks to.

use std::{
    fmt, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use aemp::{CallError, Cx, Local, Node, Origin, Reply, SendError, msg, port};
use tokio::sync::{mpsc, oneshot};

use crate::{last_words, node};

/// Neither argument nor answer of any other port.
#[derive(Debug, PartialEq, Eq)]
struct Thing(u8);

type Job = Box<dyn FnOnce(u8) -> u8 + Send>;

#[derive(Default)]
struct Store {
    things: Vec<Thing>,
    waiting: Vec<Reply<Thing>>,
}

#[port(local)]
impl Store {
    #[rcv]
    fn put(&mut self, thing: Thing) {
        match self.waiting.pop() {
            Some(reply) => reply.send(thing),
            None => self.things.push(thing),
        }
    }

    #[rcv]
    fn take(&mut self) -> Option<Thing> {
        self.things.pop()
    }

    #[rcv]
    fn wait(&mut self, reply: Reply<Thing>) {
        self.waiting.push(reply);
    }

    #[rcv]
    fn watch(&self, to: mpsc::UnboundedSender<Thing>, done: oneshot::Sender<usize>) {
        let _ = to.send(Thing(9));
        let _ = done.send(self.things.len());
    }

    #[rcv("run it")]
    async fn run(&mut self, cx: &mut Cx<'_>, origin: Origin, job: Job) -> Result<u8, io::Error> {
        assert_eq!(origin, Origin::Local);
        assert!(cx.node().port_is_local(&cx.id()));
        tokio::task::yield_now().await;
        Ok(job(1))
    }

    #[rcv]
    fn boxed(&self) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
        Err("as it is".into())
    }

    #[rcv(try)]
    fn fail(&self) -> Result<Thing, Box<dyn std::error::Error>> {
        Err("for good".into())
    }

    #[rcv]
    fn other(&self, store: StoreRef) -> StoreRef {
        store
    }
}

/// Of anything that can be sent between threads.
struct Shelf<T>(Vec<T>);

#[port(local)]
impl<T: fmt::Debug> Shelf<T> {
    #[rcv]
    fn put(&mut self, thing: T) {
        self.0.push(thing);
    }

    #[rcv]
    fn all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.0)
    }
}

#[port(local, handle = IdleRef)]
struct Idle(#[expect(dead_code, reason = "it makes the state `!Sync`")] std::cell::Cell<u8>);

struct Travelling;

#[port]
impl Travelling {
    #[rcv]
    fn carry(&self, store: Local<StoreRef>) {
        store.0.put(Thing(5));
    }
}

#[tokio::test]
async fn anything_can_be_sent() {
    let node = node();
    let store: StoreRef = node.port(Store::default());
    store.put(Thing(1));
    assert_eq!(store.take().await.unwrap(), Some(Thing(1)));
    assert_eq!(store.take().await.unwrap(), None);
    let waiting = tokio::spawn(store.wait());
    // The call is sent when it is first polled.
    tokio::task::yield_now().await;
    store.put(Thing(2));
    assert_eq!(waiting.await.unwrap().unwrap(), Thing(2));
    let (to, mut things) = mpsc::unbounded_channel();
    let (done, has) = oneshot::channel();
    store.watch(to, done);
    assert_eq!(things.recv().await, Some(Thing(9)));
    assert_eq!(has.await.unwrap(), 0);
    let captured = Arc::new(Mutex::new(41));
    let job: Job = Box::new(move |n| *captured.lock().unwrap() + n);
    assert_eq!(store.run(job).await.unwrap().unwrap(), 42);
    let error = store.boxed().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "as it is");
    assert_eq!(store.other(store.clone()).await.unwrap(), store);
    let travelling = node.port(Travelling);
    travelling.carry(Local(store.clone()));
    while store.take().await.unwrap() != Some(Thing(5)) {}
    assert!(store.fail().await.is_err());
}

#[tokio::test]
async fn of_any_type() {
    let node = node();
    let shelf: ShelfRef<Thing> = node.port(Shelf(Vec::new()));
    shelf.put(Thing(3));
    assert_eq!(shelf.all().await.unwrap(), [Thing(3)]);
    let idle: IdleRef = node.port(Idle(std::cell::Cell::new(1)));
    idle.kill("enough");
}

#[tokio::test]
async fn other_nodes_do_not_reach_it() {
    let there = Node::builder()
        .node_id("there")
        .secret("local")
        .bind("127.0.0.1:0");
    let there = there.start().await.unwrap();
    let here = Node::builder()
        .node_id("here")
        .secret("local")
        .seed(there.listeners().remove(0));
    let here = here.start().await.unwrap();
    let store = there.port(Store::default());
    store.put(Thing(1));
    // By its ID, as a port that does not know the tag.
    here.snd(&store.id(), msg!["put", 1]);
    let error = here.cal(&store.id(), msg!["take"]).await.unwrap_err();
    let CallError::Refused(text) = error else {
        panic!("{error}");
    };
    assert_eq!(text, "no callback found for message 'take'");
    // A typed handle of a local port does not make its messages travel.
    let far: StoreRef = here.handle(&store.id());
    assert!(matches!(
        far.put(Thing(2)).check(),
        Err(SendError::Encode(_))
    ));
    let error = far
        .take()
        .timeout(Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot be encoded: a message of a `#[port(local)]` cannot leave its process"
    );
    // It lives on, and can be monitored and killed from there.
    assert_eq!(store.take().await.unwrap(), Some(Thing(1)));
    assert_eq!(store.take().await.unwrap(), None);
    // Untyped messages of its own node are no better.
    assert!(matches!(
        there.cal(&store.id(), msg!["take"]).await,
        Err(CallError::Refused(_))
    ));
    far.kill(msg!["die", "from afar"]);
    assert_eq!(last_words(&store).await, "from afar");
    here.stop().await;
    there.stop().await;
}
