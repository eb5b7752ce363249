//! Supervisors whose children live on other nodes.

use std::time::Duration;

use aemp::{
    CallError, Node, PortId, args, port, spawnable,
    supervisor::{Builder, Child, ChildState, Follow, OnLoss, Restart, Supervisor, SupervisorRef},
};

use crate::{
    common::{SECRET, soon, until, watch},
    nodes::{address, listening, pair, start},
};

struct Worker {
    name: String,
}

#[port]
impl Worker {
    #[rcv]
    fn name(&self) -> String {
        self.name.clone()
    }

    #[rcv(try, send)]
    fn fail(&self) -> Result<(), String> {
        Err("out of tea".into())
    }
}

#[spawnable(name = "Sup::worker")]
fn worker(name: String) -> Worker {
    Worker { name }
}

/// A tree that is spawned by name.
#[spawnable(name = "Sup::tree")]
fn tree() -> Builder {
    Supervisor::builder().child("leaf", Restart::Permanent, |node| {
        let name = "leaf".into();
        node.port(Worker { name })
    })
}

fn on(node: &str) -> Child {
    Child::on("worker", node, "Sup::worker", args!["w"])
}

async fn follow(sup: &SupervisorRef) -> Follow<WorkerRef> {
    soon(sup.follow("worker")).await.unwrap()
}

/// The node on which an incarnation lives that answers.
async fn place(worker: &Follow<WorkerRef>) -> String {
    let living = async {
        loop {
            let worker = worker.wait().await.unwrap();
            if worker.name().await.is_ok() {
                return worker.id().node().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(living).await
}

#[tokio::test]
async fn a_child_on_another_node_is_restarted_there() {
    let (a, b) = pair().await;
    let sup = Supervisor::builder().with_child(on("b")).start(&a);
    let worker = follow(&sup).await;
    let first = soon(worker.wait()).await.unwrap();
    assert_eq!(soon(first.name()).await.unwrap(), "w");
    assert!(b.port_is_local(&first.id()));
    first.fail();
    assert_eq!(place(&worker).await, "b");
    let children = soon(sup.children()).await.unwrap();
    assert_eq!(children[0].restarts, 1);
    assert_eq!(
        children[0].reason.as_ref().unwrap().to_string(),
        "die out of tea"
    );
    soon(sup.shutdown()).await.unwrap();
    until(|| b.port_count() == 0).await;
}

#[tokio::test]
async fn a_child_waits_for_its_lost_node() {
    let at = aemp_tests::free_address();
    let b = || Node::builder().node_id("b").secret(SECRET).bind(&at);
    let a = start(listening("a").seed(&at)).await;
    let first = start(b()).await;
    soon(a.until_up("b")).await;
    let sup = Supervisor::builder().with_child(on("b")).start(&a);
    let worker = follow(&sup).await;
    assert_eq!(place(&worker).await, "b");
    first.stop().await;
    drop(first);
    let absent = async {
        while sup.children().await.unwrap()[0].state != ChildState::Absent {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(absent).await;
    let _second = start(b()).await;
    assert_eq!(place(&worker).await, "b");
}

#[tokio::test]
async fn a_child_goes_elsewhere_or_ends_its_supervisor() {
    let a = start(listening("a")).await;
    let others = ["b", "c"].map(|id| listening(id).seed(address(&a)));
    let [b, c] = others;
    let (b, _c) = (start(b).await, start(c).await);
    soon(a.until_up("b")).await;
    soon(a.until_up("c")).await;
    let elsewhere = on("b").on_loss(OnLoss::Elsewhere(vec!["c".into()]));
    let sup = Supervisor::builder().with_child(elsewhere).start(&a);
    let stop = Supervisor::builder()
        .with_child(on("b").on_loss(OnLoss::Stop))
        .start(&a);
    let worker = follow(&sup).await;
    assert_eq!(place(&worker).await, "b");
    assert_eq!(place(&follow(&stop).await).await, "b");
    let ended = watch(&a, &stop.id());
    b.stop().await;
    assert_eq!(place(&worker).await, "c");
    assert_eq!(ended.await.kind(), "child_ended");
}

#[tokio::test]
async fn a_child_ends_with_its_supervisor_and_with_its_node() {
    let (a, b) = pair().await;
    for stop in [false, true] {
        let sup = Supervisor::builder().with_child(on("b")).start(&a);
        let worker = soon(follow(&sup).await.wait()).await.unwrap();
        soon(worker.name()).await.unwrap();
        let dead = watch(&b, &worker.id());
        if stop {
            a.stop().await;
        } else {
            sup.kill("tea");
        }
        assert_eq!(dead.await.kind(), "shutdown");
    }
    until(|| b.port_count() == 0).await;
}

#[tokio::test]
async fn a_follower_works_from_another_node() {
    let (a, b) = pair().await;
    let sup = Supervisor::builder().with_child(on("b")).start(&a);
    let far: SupervisorRef = b.handle(&sup.id());
    let worker = follow(&far).await;
    let first = soon(worker.wait()).await.unwrap();
    assert!(first.is_local(), "its port is on the follower's node");
    first.fail();
    assert_eq!(place(&worker).await, "b");
    assert!(worker.get().unwrap() != first);
    let children = soon(far.children()).await.unwrap();
    assert_eq!(children[0].name, "worker");
    // A closure does not travel.
    let closure = Child::new("here", |node: &Node| node.empty_port());
    let error = soon(far.start_child(closure)).await.unwrap_err();
    assert!(matches!(error, CallError::Send(_)), "{error}");
    a.stop().await;
    let ended = soon(async {
        while worker.get().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    ended.await;
}

/// Calls a followed worker until it answers.
struct Desk;

#[port]
impl Desk {
    #[rcv]
    async fn ask(&mut self, whom: Follow<WorkerRef>) -> String {
        let answer = whom.call(|worker| worker.name()).retry(5).await;
        answer.unwrap_or_else(|error| error.to_string())
    }
}

#[tokio::test]
async fn a_follower_travels_to_another_node() {
    let (a, b) = pair().await;
    let sup = Supervisor::builder().with_child(on("a")).start(&a);
    let desk: DeskRef = a.handle(&b.port(Desk).id());
    let worker = follow(&sup).await;
    assert_eq!(soon(desk.ask(worker.clone())).await.unwrap(), "w");
    // Outside of a message there is no node that it could belong to.
    let text = serde_json::to_string(&worker).unwrap();
    assert!(serde_json::from_str::<Follow<WorkerRef>>(&text).is_err());
    soon(sup.shutdown()).await.unwrap();
    let answer = soon(desk.ask(worker)).await.unwrap();
    assert!(answer.contains("no_such_port"), "{answer}");
}

#[tokio::test]
async fn a_tree_is_spawned_by_name() {
    let (a, b) = pair().await;
    let sup = tree::on(&a, "b");
    soon(sup.ready()).await.unwrap();
    let leaf = soon(sup.follow::<WorkerRef>("leaf")).await.unwrap();
    let name = leaf.call(|leaf| leaf.name()).into_future();
    assert_eq!(soon(name).await.unwrap(), "leaf");
    // And as a child of a supervisor.
    let top = Supervisor::builder()
        .child_on("tree", "b", "Sup::tree", args![])
        .start(&a);
    let tree = soon(top.follow::<SupervisorRef>("tree")).await.unwrap();
    soon(soon(tree.wait()).await.unwrap().ready())
        .await
        .unwrap();
    sup.kill("tea");
    soon(top.shutdown()).await.unwrap();
    until(|| b.port_count() == 0).await;
}

#[tokio::test]
async fn the_permit_of_the_function_counts() {
    let a = start(listening("a")).await;
    let b = listening("b").seed(address(&a)).allow("a", "Sup::worker");
    let b = start(b).await;
    soon(a.until_up("b")).await;
    let sup = Supervisor::builder()
        .intensity(0, Duration::from_secs(1))
        .child_on("tree", "b", "Sup::tree", args![])
        .start(&a);
    assert_eq!(watch(&a, &sup.id()).await.kind(), "restart_limit");
    let sup = Supervisor::builder().with_child(on("b")).start(&a);
    assert_eq!(place(&follow(&sup).await).await, "b");
    assert_eq!(b.port_count(), 1);
}

/// A node cannot let another node monitor a port of a third.
#[tokio::test]
async fn a_supervisor_is_a_port_of_the_node_that_spawns() {
    let (a, b) = pair().await;
    let local = b.empty_port().id();
    let third = PortId::parse("third#port").unwrap();
    for supervisor in [local, third, PortId::parse("a").unwrap()] {
        let args = args![supervisor.as_str(), "Sup::worker", "w"];
        let port = a.spawn("b", "Aemp::supervised", args);
        assert_eq!(watch(&a, &port).await.kind(), "no_such_port");
    }
    assert_eq!(b.port_count(), 1);
}
