//! One process of the network: a node that follows the commands at its standard input.

use std::future;
use std::io::{self, BufRead};
use std::time::{SystemTime, UNIX_EPOCH};

use aemp::{Node, db::DbMonitor};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::resident::resident;
use crate::runtime;

/// The family of the keys.
const FAMILY: &str = "workers";
/// The family with a key that is set after all others.
const FINISHED: &str = "workers_finished";

/// The arguments of a process.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// The node's ID.
    pub(crate) name: String,
    pub(crate) global: bool,
    /// The addresses of its seeds.
    pub(crate) seeds: Vec<String>,
    /// If set, the process only reports when it has seen this number of keys of the family.
    pub(crate) join: Option<usize>,
}

impl Member {
    /// The arguments for the command line.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let join = self.join.map_or_else(String::new, |keys| keys.to_string());
        let global = self.global.to_string();
        vec![self.name.clone(), global, self.seeds.join(","), join]
    }

    /// Parses the arguments.
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let [name, global, seeds, join] = arguments else {
            return None;
        };
        Some(Self {
            name: name.clone(),
            global: global == "true",
            seeds: seeds.split_terminator(',').map(str::to_owned).collect(),
            join: join.parse().ok(),
        })
    }

    /// Runs the process.
    pub(crate) fn run(&self) {
        // On the runtime's own threads, as the `main` of a program would.
        let runtime = runtime::multi_thread();
        let member = self.clone();
        let task = runtime.spawn(async move {
            let node = member.start().await;
            match member.join {
                Some(keys) => join(&node, keys).await,
                None => serve(&node).await,
            }
        });
        runtime.block_on(task).expect("no member panics");
    }

    async fn start(&self) -> Node {
        let mut builder = Node::builder()
            .node_id(self.name.as_str())
            .secret("bench")
            // A fixed format, so that figures of different days can be compared.
            .framing_format(["json"])
            .bind("127.0.0.1:0")
            .global(self.global);
        for seed in &self.seeds {
            builder = builder.seed(seed.as_str());
        }
        builder.start().await.expect("loopback has free ports")
    }
}

/// Reports when the node has seen this number of keys, and then waits for its end.
async fn join(node: &Node, keys: usize) {
    let mut watch = Watch::new(node, FAMILY);
    watch.until(keys).await;
    println!("seen");
    let _ = tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await;
}

/// Prints its address, then follows commands, one in each line.
async fn serve(node: &Node) {
    println!("{}", node.listeners()[0]);
    let (lines, mut commands) = unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = commands.recv().await {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["until", other] => {
                node.until_up(other).await;
                println!("up");
            }
            ["set", keys] => set(node, number(keys)),
            ["watch", keys] => see(node, number(keys)).await,
            ["hold", keys] => hold(node, number(keys)).await,
            ["memory"] => println!("{}", resident().unwrap_or(f64::NAN)),
            _ => panic!("{line}: no such command"),
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("the parent writes numbers")
}

/// Sets the keys one by one, and reports the times of the begin and the end.
fn set(node: &Node, keys: usize) {
    let began = now();
    for number in 0..keys {
        let key = format!("worker/{number:06}");
        let set = node.db_set(FAMILY, &key, number);
        set.expect("names and values are allowed");
    }
    let ended = now();
    let set = node.db_set(FINISHED, "finished", keys);
    set.expect("names and values are allowed");
    println!("{began} {ended}");
}

/// Watches the family from now on, and reports when it holds this number of keys.
async fn see(node: &Node, keys: usize) {
    let mut watch = Watch::new(node, FAMILY);
    watch.until(0).await;
    println!("watching");
    tokio::spawn(async move {
        println!("{}", watch.until(keys).await);
        // The watch is kept, because its cost is measured later.
        future::pending::<()>().await;
        drop(watch);
    });
}

/// Reports when the node, a global one, holds this number of keys. It does not watch the family, which would need
/// memory.
async fn hold(node: &Node, keys: usize) {
    let mut watch = Watch::new(node, FINISHED);
    watch.until(0).await;
    println!("watching");
    let node = node.clone();
    tokio::spawn(async move {
        watch.until(1).await;
        while node.db_values(FAMILY).await.map_or(0, |all| all.len()) < keys {}
        println!("{}", now());
    });
}

/// A watch of the family's size.
struct Watch {
    _monitor: DbMonitor,
    /// The sizes with their times.
    sizes: UnboundedReceiver<(u128, usize)>,
    last: Option<(u128, usize)>,
}

impl Watch {
    fn new(node: &Node, family: &str) -> Self {
        let (sender, sizes) = unbounded_channel();
        let monitor = node.db_mon(family, move |change| {
            let _ = sender.send((now(), change.contents.len()));
        });
        Self {
            _monitor: monitor.expect("the family may be watched"),
            sizes,
            last: None,
        }
    }

    /// The time at which the family had this number of keys.
    async fn until(&mut self, keys: usize) -> u128 {
        loop {
            match self.last {
                Some((time, size)) if size >= keys => return time,
                _ => self.last = self.sizes.recv().await,
            }
        }
    }
}

/// The time in nanoseconds, by a clock that all processes share.
fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is later than 1970").as_nanos()
}
