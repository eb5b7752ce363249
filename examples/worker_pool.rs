//! A pool of workers without configuration: processes know the address of one seed, find each other through the
//! distributed database, and share the work. One of them is killed with SIGKILL in the middle of the work; no job is
//! lost.
//!
//! The program starts all its processes on loopback.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use aemp::{
    Node, NodeBuilder,
    db::{FamilyEvent, Pick, Pool, Watch},
    port,
};
use tokio::{io::AsyncReadExt, task::JoinSet, time::timeout};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The family of the workers: port IDs as keys, names as values.
const WORKERS: &str = "workers";
const JOBS: u32 = 300;

/// Names of workers by their ports.
type Names = BTreeMap<String, String>;

struct Worker {
    name: String,
}

#[port]
impl Worker {
    /// A job: the number of primes among one thousand numbers. The answer contains the worker's name.
    #[rcv]
    fn primes(&self, thousand: u32) -> (String, usize) {
        let numbers = 1000 * thousand..1000 * (thousand + 1);
        let prime = |n: &u32| {
            *n > 1
                && (2..*n)
                    .take_while(|d| d * d <= *n)
                    .all(|d| !n.is_multiple_of(d))
        };
        (self.name.clone(), numbers.filter(prime).count())
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.as_slice() {
        [] => client().await,
        [seed] => run_seed(seed).await,
        [name, seed] => run_worker(name, seed).await,
        _ => Err("usage: worker_pool".into()),
    }
}

/// The common configuration of all nodes.
fn node(id: &str) -> NodeBuilder {
    let node = Node::builder().node_id(id).secret("demo");
    node.bind("127.0.0.1:0")
}

/// A process that serves as the seed.
async fn run_seed(id: &str) -> Outcome {
    let node = node(id).start().await?;
    println!("{}", node.listeners().remove(0));
    until_client_ends().await
}

/// A process that offers a worker.
async fn run_worker(name: &str, seed: &str) -> Outcome {
    let node = node(name).seed(seed).start().await?;
    let worker = node.port(Worker { name: name.into() });
    node.db_reg(WORKERS, &worker.id(), name)?;
    until_client_ends().await
}

async fn until_client_ends() -> Outcome {
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn client() -> Outcome {
    let mut seed = Process::start(&["seed"])?;
    let address = seed.first_line()?;
    println!("client: the seed, process {}, is at {address}", seed.0.id());

    let node = node("client").seed(&address).start().await?;
    let mut watch = node.family::<String>(WORKERS)?.watch();
    let mut workers = Names::new();
    let pool = Arc::new(node.pool::<WorkerRef>(WORKERS)?);
    let ant = Process::start(&["ant", &address])?;
    let mut bee = Process::start(&["bee", &address])?;
    let cat = Process::start(&["cat", &address])?;
    print_until(&mut watch, &mut workers, 3).await?;
    work(&pool, None).await?;

    work(&pool, Some(&mut bee)).await?;
    print_until(&mut watch, &mut workers, 2).await?;
    work(&pool, None).await?;

    let bee = Process::start(&["bee", &address])?;
    println!("client: started bee again, process {}", bee.0.id());
    print_until(&mut watch, &mut workers, 3).await?;
    work(&pool, None).await?;

    node.stop().await;
    drop((ant, bee, cat, seed));
    Ok(())
}

/// Prints the workers that come and go, until there are `count`.
async fn print_until(watch: &mut Watch<String>, workers: &mut Names, count: usize) -> Outcome {
    while workers.len() != count {
        let event = timeout(Duration::from_secs(20), watch.next()).await?;
        let (come, gone) = match event.ok_or("the node has stopped")? {
            FamilyEvent::All(contents) => (contents.entries, Vec::new()),
            FamilyEvent::Changes(changes) => (changes.added, changes.deleted),
        };
        for port in gone {
            let name = workers.remove(&port).unwrap_or_default();
            println!("client: {name} is gone, with worker {port}");
        }
        for (port, name) in come {
            println!("client: {name} has come, with worker {port}");
            workers.insert(port, name);
        }
    }
    Ok(())
}

/// Does all jobs, a dozen at a time, and kills a process after some of them.
async fn work(pool: &Arc<Pool<WorkerRef>>, mut victim: Option<&mut Process>) -> Outcome {
    let (mut left, mut jobs) = (0..JOBS, JoinSet::new());
    let (mut primes, mut again) = (0, 0);
    let mut done = BTreeMap::<String, u32>::new();
    loop {
        let free = 12 - jobs.len();
        for thousand in left.by_ref().take(free) {
            jobs.spawn(job(Arc::clone(pool), thousand));
        }
        let Some(job) = jobs.join_next().await else {
            break;
        };
        let (name, found, failures) = job?;
        primes += found;
        again += failures;
        *done.entry(name).or_default() += 1;
        if left.start == JOBS / 3
            && let Some(process) = victim.take()
        {
            println!("client: kill -9 {}", process.0.id());
            process.0.kill()?;
        }
    }
    let done: Vec<String> = done.iter().map(|(name, n)| format!("{name} {n}")).collect();
    let done = done.join(", ");
    println!("client: {JOBS} jobs ({done}; {again} tried again) have found {primes} primes");
    Ok(())
}

/// Does one job, with one worker after the other until one succeeds. Returns the worker's name, the answer, and the
/// number of failures.
async fn job(pool: Arc<Pool<WorkerRef>>, thousand: u32) -> (String, usize, u32) {
    let mut failures = 0;
    loop {
        let worker = pool.wait(Pick::RoundRobin).await;
        let worker = worker.expect("the node runs until the jobs are done");
        match worker.primes(thousand).await {
            Ok((name, found)) => return (name, found, failures),
            Err(_) => failures += 1,
        }
    }
}

/// A process of this program. It is killed when this is dropped.
struct Process(Child);

impl Process {
    fn start(args: &[&str]) -> std::io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).spawn().map(Self)
    }

    fn first_line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        let output = self.0.stdout.take().ok_or("it has been read before")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(line.trim_end().into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
