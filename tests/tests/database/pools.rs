use aemp::{Node, db::Pick, port, spawnable};

use crate::{common::soon, start, stop};

struct Worker {
    name: String,
}

#[port]
impl Worker {
    #[rcv]
    fn name(&self) -> String {
        self.name.clone()
    }
}

#[spawnable(name = "Test::worker")]
fn worker(cx: &mut aemp::Cx<'_>, family: String) -> Result<Worker, aemp::DbError> {
    let node = cx.node();
    node.db_reg(&family, &cx.id(), ())?;
    let name = node.id().to_string();
    Ok(Worker { name })
}

#[tokio::test]
async fn workers_come_and_go_with_their_nodes() {
    let g = start("g", &[]).await;
    let (a, b) = (start("a", &[&g]).await, start("b", &[&g]).await);
    let pool = g.pool::<WorkerRef>("workers").unwrap();
    assert!(pool.is_empty() && pool.pick(Pick::RoundRobin).is_none());
    worker::on(&g, "a", "workers".into());
    let first = soon(pool.wait(Pick::Random)).await.unwrap();
    assert_eq!(soon(first.name()).await.unwrap(), "a");
    let second = worker::on(&g, "b", "workers".into());
    soon(async {
        while pool.len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(pool.ids().len(), 2);
    let one = pool.pick(Pick::RoundRobin).unwrap().id();
    let two = pool.pick(Pick::RoundRobin).unwrap().id();
    assert_ne!(one, two);
    let mine = pool.pick(Pick::Key("customer 7")).unwrap().id();
    assert_eq!(pool.pick(Pick::Key("customer 7")).unwrap().id(), mine);
    second.kill(());
    soon(async {
        while pool.len() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(pool.pick(Pick::Key("x")).unwrap().id(), first.id());
    a.stop().await;
    soon(async {
        while !pool.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop([b, g]).await;
}

#[tokio::test]
async fn a_pool_works_without_a_network() {
    let node = Node::local().unwrap();
    let pool = node.pool::<WorkerRef>("workers").unwrap();
    let port = node.port(Worker { name: "x".into() });
    node.db_reg("workers", &port.id(), ()).unwrap();
    node.db_set("workers", "no;port#x", ()).unwrap();
    assert_eq!(
        soon(pool.wait(Pick::RoundRobin))
            .await
            .unwrap()
            .name()
            .await
            .unwrap(),
        "x"
    );
    assert_eq!(pool.len(), 1);
}

#[tokio::test]
async fn waiting_for_a_worker_fails_on_a_stopped_node() {
    let networked = start("g", &[]).await;
    for node in [Node::local().unwrap(), networked] {
        let before = node.pool::<WorkerRef>("nobody").unwrap();
        let before = tokio::spawn(async move { before.wait(Pick::Random).await.err() });
        tokio::task::yield_now().await;
        stop([node.clone()]).await;
        let after = node.pool::<WorkerRef>("nobody").unwrap();
        for error in [
            soon(before).await.unwrap(),
            soon(after.wait(Pick::Random)).await.err(),
        ] {
            assert!(
                matches!(error, Some(aemp::db::PoolError::Stopped)),
                "{error:?}"
            );
        }
    }
}
