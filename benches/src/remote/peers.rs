//! Many connections to one service.

use std::process;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::remote::contender::Remote;
use crate::remote::workloads::TEXT;
use crate::resident::kilobytes;

/// The number of connections that are opened at a time.
const AT_ONCE: usize = 50;
/// The messages that a connection sends before its memory is measured.
const TRAFFIC: u64 = 2_000;
/// The messages of all connections that may wait for the service. Nodes have a limit for a port.
const WAITING: u64 = 500_000;

/// The connections of the bench, each of which has been used.
pub(crate) async fn connect<R: Remote>(
    connect: impl Fn() -> JoinHandle<R>,
    count: usize,
) -> Vec<R> {
    let mut remotes = Vec::with_capacity(count);
    while remotes.len() < count {
        let more = AT_ONCE.min(count - remotes.len());
        for remote in (0..more).map(|_| connect()).collect::<Vec<_>>() {
            remotes.push(remote.await.expect("no contender panics"));
        }
    }
    remotes
}

/// Sends messages from all connections at the same time. Returns the number per second.
pub(crate) async fn put_all<R: Remote>(remotes: &[R], messages: u64) -> f64 {
    let share = messages / remotes.len() as u64;
    let burst = (WAITING / remotes.len() as u64).max(1);
    let all = |remote: R| async move {
        for number in 0..share {
            remote.put(number as i64, TEXT).await;
            if number % burst == burst - 1 {
                remote.call(0, TEXT).await;
            }
        }
        remote.call(0, TEXT).await;
    };
    let start = Instant::now();
    each(remotes, all).await;
    (share * remotes.len() as u64) as f64 / start.elapsed().as_secs_f64()
}

/// Calls one after another, on all connections at the same time. Returns the number per second.
pub(crate) async fn call_all<R: Remote>(remotes: &[R], calls: u64) -> f64 {
    let share = (calls / remotes.len() as u64).max(1);
    let all = |remote: R| async move {
        for number in 0..share {
            remote.call(number as i64, TEXT).await;
        }
    };
    let start = Instant::now();
    each(remotes, all).await;
    (share * remotes.len() as u64) as f64 / start.elapsed().as_secs_f64()
}

/// The memory of the service in kilobytes for each connection, this time after the traffic.
pub(crate) async fn memory<R: Remote>(
    open: impl Fn() -> JoinHandle<R>,
    count: usize,
    server: u32,
    quiet: Duration,
) -> f64 {
    let of_server = || {
        let status = format!("/proc/{server}/status");
        kilobytes(&status, "VmRSS:").map_or(f64::NAN, |kilobytes| kilobytes as f64)
    };
    let before = of_server();
    let remotes = connect(open, count).await;
    put_all(&remotes, TRAFFIC * count as u64).await;
    tokio::time::sleep(quiet).await;
    let after = of_server();
    drop(remotes);
    (after - before) / count as f64
}

async fn each<R, F>(remotes: &[R], run: impl Fn(R) -> F)
where
    R: Remote,
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = remotes
        .iter()
        .map(|one| tokio::spawn(run(one.clone())))
        .collect();
    for task in tasks {
        task.await.expect("no client panics");
    }
}

/// Ends the process of a client without the farewell of each of its connections.
pub(crate) fn leave(figure: f64) -> ! {
    println!("{figure}");
    process::exit(0)
}
