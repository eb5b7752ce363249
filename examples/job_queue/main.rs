//! A job queue with HTTP in front: `POST /jobs` submits a job to a dispatcher, workers in other processes pull the jobs, `GET /events` shows
//! their progress in the browser. `POST /kill` kills a worker with SIGKILL: another one does the jobs that it had begun, with a mark.
//!
//! `job_queue serve 127.0.0.1:8080` is for the browser. Without arguments, the program visits its own page, and ends.

mod visit;

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{collections::BTreeMap, env, error::Error, fmt::Display, pin::Pin, process::Stdio};

use aemp::work::{Attempt, Dispatcher, Failure, Jobs, Submitted, Worker};
use aemp::{Node, NodeBuilder};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Router, extract::State, http::StatusCode, response::Html};
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::{io::AsyncReadExt, net::TcpListener};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
type Answer = Result<String, (StatusCode, String)>;

/// The family in which the dispatcher, its submitter and its workers find each other.
const JOBS: &str = "example_jobs";

/// A line of the page. Workers report it as the progress of a job; its last form is the result.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Line {
    percent: u32,
    worker: String,
    attempt: u32,
    primes: Option<usize>,
}

#[tokio::main]
async fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => visit::visit(&open("127.0.0.1:0").await?).await,
        ["serve", address] => {
            println!("boss: http://{}", open(address).await?);
            std::future::pending().await
        }
        [name, seed] => run_worker(name, seed).await,
        _ => Err("usage: job_queue [serve ADDRESS]".into()),
    }
}

fn node(id: &str) -> NodeBuilder {
    let node = Node::builder()
        .node_id(id)
        .secret("demo")
        .bind("127.0.0.1:0");
    node.connect_interval(Duration::from_millis(300))
}

/// A process with a worker, which does two jobs at once.
async fn run_worker(name: &str, seed: &str) -> Outcome {
    let (node, name) = (node(name).seed(seed).start().await?, name.to_owned());
    let worker = Worker::builder(JOBS).at_once(2);
    worker.start(&node, move |attempt| count(name.clone(), attempt))?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Counts primes, and reports each twentieth part. It sleeps, so that there is something to see.
async fn count(worker: String, attempt: Attempt<u32>) -> Result<Line, Failure> {
    let prime = |n: &u32| *n > 1 && (2..=n.isqrt()).all(|d| !n.is_multiple_of(d));
    let mut line = Line {
        worker,
        attempt: attempt.number(),
        ..Line::default()
    };
    let mut primes = 0;
    for part in 0..20 {
        let first = 20_000 * attempt.job + 1000 * part;
        primes += (first..first + 1000).filter(prime).count();
        line.percent = 5 * (part + 1);
        attempt.progress(&line)?;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    line.primes = Some(primes);
    Ok(line)
}

#[derive(Clone)]
struct App {
    jobs: Jobs<u32, Line>,
    /// All lines of the page.
    board: watch::Sender<Vec<Line>>,
    workers: Arc<Mutex<BTreeMap<String, Child>>>,
    seed: String,
}

/// Starts the dispatcher, two workers, and the HTTP server. Returns its address.
async fn open(address: &str) -> Outcome<String> {
    let node = node("boss").start().await?;
    Dispatcher::builder().register(JOBS).start(&node)?;
    let app = App {
        jobs: Jobs::new(&node, JOBS)?,
        board: watch::Sender::new(Vec::new()),
        workers: Arc::default(),
        seed: node.listeners().remove(0),
    };
    app.hire("ant")?;
    app.hire("bee")?;
    let router = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/jobs", post(submit))
        .route("/kill", post(kill))
        .route("/events", get(events))
        .with_state(app);
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(address)
}

impl App {
    fn hire(&self, name: &str) -> Outcome {
        let mut command = Command::new(env::current_exe()?);
        command.args([name, &self.seed]).stdin(Stdio::piped());
        let child = command.kill_on_drop(true).spawn()?;
        let workers = self.workers.lock();
        workers.map_err(|_| "a panic")?.insert(name.into(), child);
        Ok(())
    }
}

fn failed(error: impl Display) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// Submits a job. The answer is sent when the dispatcher has accepted it: then it is not lost any more.
async fn submit(State(app): State<App>, number: String) -> Answer {
    let number: u16 = number.parse().map_err(failed)?;
    let submitted = app.jobs.submit(&number.into()).await.map_err(failed)?;
    let mut job = 0;
    app.board.send_modify(|board| {
        job = board.len();
        board.push(Line::default());
    });
    tokio::spawn(follow(app.board, job, submitted));
    Ok(job.to_string())
}

/// Shows a job until it has ended.
async fn follow(board: watch::Sender<Vec<Line>>, job: usize, submitted: Submitted<Line>) {
    let show = |line| board.send_modify(|board| board[job] = line);
    let mut reports = submitted.progress();
    while let Some(Ok(report)) = reports.next().await {
        show(report);
    }
    show(submitted.result().await.unwrap_or_else(|error| Line {
        worker: error.to_string(),
        ..Line::default()
    }));
}

/// Kills a worker, and starts another one of its name.
async fn kill(State(app): State<App>, name: String) -> Answer {
    let victim = app.workers.lock().map_err(failed)?.remove(&name);
    let mut victim = victim.ok_or_else(|| failed("no such worker"))?;
    victim.kill().await.map_err(failed)?;
    app.hire(&name).map_err(failed)?;
    Ok(name)
}

/// The page as a stream of its states. A browser that is slow misses some, and sees the last.
async fn events(State(app): State<App>) -> Sse<States> {
    let (sender, states) = mpsc::channel(1);
    let mut board = app.board.subscribe();
    board.mark_changed();
    tokio::spawn(async move {
        while board.changed().await.is_ok() {
            let state = serde_json::to_string(&*board.borrow_and_update());
            let event = state.map(|state| Event::default().data(state));
            if sender.send(event).await.is_err() {
                return;
            }
        }
    });
    Sse::new(States(states))
}

struct States(mpsc::Receiver<serde_json::Result<Event>>);

impl Stream for States {
    type Item = serde_json::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(task)
    }
}
