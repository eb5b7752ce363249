//! A member of a network in a process of its own, for tests: `aemp-test-member NODE BIND TIMEOUT-MS ROLE [SEED...]`, where the
//! role is `global` or `slave`.
//!
//! It puts itself into the family `members`, with its process as value, and a worker into the family `workers`; it watches the
//! first and has a pool of the second. It prints the address that it listens on, then, as lines of words,
//!
//! - `holds NODE=PROCESS...` whenever its view of `members` changes, and before that `lost NODE...` if entries have gone;
//! - the answers to its input, a line each: `ask` for the content of `members` (`asked ...`), `work` (a round of calls through
//!   the pool: `worked NODE=CALLS...`), `reach NODE` (a call of that node's worker: `reached NODE=PROCESS`), `role`.
//!
//! It ends with its standard input.

use std::{collections::BTreeMap, env, error::Error, fmt::Display, time::Duration};

use aemp::{
    Node,
    db::{DbMonitor, Pick, Pool, Role},
    port,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    time::timeout,
};

/// The time limit of a worker's call. Calls to a process that is stopped are never answered.
const CALL: Duration = Duration::from_secs(1);

/// Calls in a round of work.
const ROUND: u32 = 10;

struct Worker {
    node: String,
}

#[port]
impl Worker {
    #[rcv]
    fn own_process(&self) -> (String, u32) {
        (self.node.clone(), std::process::id())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [id, bind, timeout, role, seeds @ ..] = args.as_slice() else {
        return Err("usage: aemp-test-member NODE BIND TIMEOUT-MS global|slave [SEED...]".into());
    };
    let node = Node::builder()
        .node_id(id)
        .secret("between friends")
        .bind(bind)
        .global(role == "global")
        .monitor_timeout(Duration::from_millis(timeout.parse()?));
    let node = seeds.iter().fold(node, |node, seed| node.seed(seed));
    let node = node.start().await?;
    println!("listens {}", node.listeners().remove(0));
    node.db_set("members", id, std::process::id())?;
    let worker = node.port(Worker { node: id.clone() });
    node.db_reg("workers", &worker.id(), ())?;
    let _watch = watch(&node)?;
    let pool = node.pool::<WorkerRef>("workers")?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        obey(&node, &pool, &line).await;
    }
    node.stop().await;
    Ok(())
}

/// Prints its view of the members.
fn watch(node: &Node) -> Result<DbMonitor, aemp::DbError> {
    node.db_mon("members", |change| {
        if !change.deleted.is_empty() {
            println!("lost {}", change.deleted.join(" "));
        }
        let seen = change.contents.iter();
        println!("holds {}", pairs(&seen.collect::<BTreeMap<_, _>>()));
    })
}

fn pairs(all: &BTreeMap<impl Display, impl Display>) -> String {
    let pairs: Vec<String> = all
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(" ")
}

async fn obey(node: &Node, pool: &Pool<WorkerRef>, order: &str) {
    match order.split_once(' ') {
        Some(("reach", other)) => println!("reached {}", reach(node, pool, other).await),
        None if order == "work" => println!("worked {}", pairs(&work(pool).await)),
        None if order == "role" => println!("role {}", role(&node.role())),
        None if order == "ask" => match node.db_family("members").await {
            Ok(all) => println!("asked {}", pairs(&all.iter().collect())),
            Err(error) => println!("asked {error}"),
        },
        _ => println!("unknown order: {order:?}"),
    }
}

fn role(role: &Role) -> String {
    match role {
        Role::Global => "global".into(),
        Role::Slave(master) => format!("slave {master}"),
        Role::Searching(_) | Role::Alone => "alone".into(),
    }
}

/// The number of jobs of one round that each node has done. A call that fails is made again by the next worker.
async fn work(pool: &Pool<WorkerRef>) -> BTreeMap<String, u32> {
    let mut done = BTreeMap::new();
    for _ in 0..ROUND {
        let Ok(worker) = pool.wait(Pick::RoundRobin).await else {
            break;
        };
        if let Ok(Ok((node, _))) = timeout(CALL, worker.own_process()).await {
            *done.entry(node).or_default() += 1;
        }
    }
    done
}

/// Calls a node's worker: the node that answers, and its process.
async fn reach(own: &Node, pool: &Pool<WorkerRef>, node: &str) -> String {
    let known = pool.ids().into_iter().find(|id| id.node() == node);
    let Some(worker) = known else {
        return format!("{node}: no worker known");
    };
    let worker: WorkerRef = own.handle(&worker);
    match timeout(CALL, worker.own_process()).await {
        Ok(Ok((node, process))) => format!("{node}={process}"),
        Ok(Err(error)) => format!("{node}: {error}"),
        Err(_) => format!("{node}: no answer"),
    }
}
