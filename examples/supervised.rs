//! A tree over three processes. One supervisor, in the first process, has a till of its own and two workers in the other
//! processes. A process is killed with SIGKILL: its worker moves to the other process, where the client finds it without
//! knowing. A worker that keeps failing reaches the limit of its own supervisor, whose parent starts that subtree again.
//!
//! The program starts all its processes on loopback.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader},
    process::{Child as Process, Command, Stdio},
    time::Duration,
};

use aemp::{
    Node, NodeBuilder, args, port, spawnable,
    supervisor::{Builder, Child, Follow, OnLoss, Restart, Supervisor, SupervisorRef},
};
use tokio::{io::AsyncReadExt, time::timeout};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Adds up, and forgets the sum when it dies.
struct Till {
    place: String,
    cents: i64,
}

#[port]
impl Till {
    #[rcv(try)]
    fn pay(&mut self, cents: i64) -> Result<(String, i64), String> {
        self.cents = self.cents.checked_add(cents).ok_or("too much money")?;
        Ok((self.place.clone(), self.cents))
    }
}

#[spawnable(name = "Supervised::till")]
fn till() -> Till {
    let place = env::args().nth(1).unwrap_or_else(|| "here".into());
    Till { place, cents: 0 }
}

/// A subtree, which is spawned as a whole.
#[spawnable(name = "Supervised::shop")]
fn shop() -> Builder {
    Supervisor::builder()
        .intensity(2, Duration::from_secs(60))
        .child("counter", Restart::Permanent, |node| node.port(till()))
}

#[tokio::main]
async fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.as_slice() {
        [] => supervise().await,
        [name, seed] => run_process(name, seed).await,
        _ => Err("usage: supervised".into()),
    }
}

/// The common configuration of all nodes.
fn node(id: &str) -> NodeBuilder {
    let node = Node::builder().node_id(id).secret("demo");
    node.bind("127.0.0.1:0")
        .connect_interval(Duration::from_millis(300))
}

/// A process that has nothing but its init functions.
async fn run_process(name: &str, seed: &str) -> Outcome {
    let node = node(name).seed(seed).start().await?;
    node.joined().await?;
    println!("ready");
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    node.stop().await;
    Ok(())
}

async fn supervise() -> Outcome {
    let node = node("boss").start().await?;
    let seed = node.listeners().remove(0);
    let mut ant = Started::new("ant", &seed)?;
    let bee = Started::new("bee", &seed)?;
    for name in ["ant", "bee"] {
        timeout(Duration::from_secs(20), node.until_up(name)).await?;
    }

    let moves = Child::on("far", "ant", "Supervised::till", args![])
        .on_loss(OnLoss::Elsewhere(vec!["bee".into()]));
    let sup = Supervisor::builder()
        .child("near", Restart::Permanent, |node| node.port(till()))
        .with_child(moves)
        .child_on("shop", "bee", "Supervised::shop", args![])
        .start(&node);
    sup.ready().await?;
    show("at first", &sup).await?;

    let far = sup.follow::<TillRef>("far").await?;
    println!("boss: {:?}", pay(&far, 5).await?);
    println!("boss: kill -9 {}", ant.0.id());
    ant.0.kill()?;
    let (place, cents) = pay(&far, 7).await?;
    println!("boss: {:?}", (&place, cents));
    if (place.as_str(), cents) != ("bee", 7) {
        return Err("the worker has not moved".into());
    }
    show("without ant", &sup).await?;

    let shop = sup.follow::<SupervisorRef>("shop").await?;
    let first = shop.wait().await?;
    let counter = first.follow::<TillRef>("counter").await?;
    while let Ok(counter) = counter.wait().await {
        // Twice this sum is too much for a till.
        for _ in 0..2 {
            let _ = counter.pay(i64::MAX).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    timeout(Duration::from_secs(20), async {
        while shop.get().is_none_or(|next| next == first) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await?;
    show("with a new shop", &sup).await?;

    sup.shutdown().await?;
    println!("boss: everything has ended");
    node.stop().await;
    drop((ant, bee));
    Ok(())
}

/// Pays, again if the till dies meanwhile: a payment that is lost with it does no harm here.
async fn pay(till: &Follow<TillRef>, cents: i64) -> Outcome<(String, i64)> {
    let call = till.call(move |till| till.pay(cents)).retry(10);
    Ok(timeout(Duration::from_secs(20), call.into_future()).await??)
}

async fn show(when: &str, sup: &SupervisorRef) -> Outcome {
    println!("boss: the tree {when}:");
    for child in sup.children().await? {
        let node = child.port.map(|port| port.node().to_owned());
        let (name, node) = (child.name, node.unwrap_or_else(|| "no node".into()));
        let reason = child.reason.map(|reason| reason.kind().to_owned());
        let reason = reason.map_or(String::new(), |reason| format!(", the last after {reason}"));
        println!("  {name} on {node}, {} restarts{reason}", child.restarts);
    }
    Ok(())
}

/// A process of this program. It is stopped when this is dropped.
struct Started(Process);

impl Started {
    fn new(name: &str, seed: &str) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args([name, seed]).stdin(Stdio::piped());
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("it has no output")?;
        BufReader::new(output).read_line(&mut String::new())?;
        println!("boss: started {name}, process {}", process.id());
        Ok(Self(process))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
