//! An honest node that uses the victim and counts.

use std::{
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aemp::{Args, Cx, Node, PortId, Value, args, cal, snd};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use super::SECRET;

/// Between two calls, and between two numbered messages.
const PAUSE: Duration = Duration::from_millis(1);
/// Numbered messages that may be on their way.
const ON_THE_WAY: i64 = 1000;

#[derive(Default)]
struct Count {
    /// Microseconds of each call since last asked.
    calls: Mutex<Vec<u32>>,
    failed: AtomicU64,
    sent: AtomicI64,
    back: AtomicI64,
    holes: AtomicU64,
    fired: AtomicU64,
}

/// Uses the victim at `seed` until the standard input ends. It answers each line that it reads with the counts since
/// the last one.
///
/// # Errors
///
/// When the node cannot start.
pub async fn run(id: &str, seed: &str) -> Result<(), Box<dyn Error>> {
    let node = Node::builder().node_id(id).secret(SECRET).seed(seed);
    let node = node.start().await?;
    node.until_up("victim").await;
    let count = Arc::new(Count::default());
    let sink = watched_sink(&node, &count);
    tokio::spawn(send_numbers(node.clone(), sink.clone(), Arc::clone(&count)));
    tokio::spawn(call(node.clone(), sink, Arc::clone(&count)));
    println!("ready");
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line == "settle" {
            settle(&count).await;
        }
        println!("{}", count.line());
    }
    node.stop().await;
    Ok(())
}

fn watched_sink(node: &Node, count: &Arc<Count>) -> PortId {
    let kept = Arc::clone(count);
    let inbox = node.untyped(move |_: &mut Cx<'_>, message: Args| {
        let number = message.first().and_then(Value::as_i64);
        let expected = kept.back.fetch_add(1, Ordering::Relaxed);
        if number != Some(expected) {
            kept.holes.fetch_add(1, Ordering::Relaxed);
        }
    });
    let sink = node.spawn("victim", "Soak::sink", args![inbox.id()]);
    let (kept, id) = (Arc::clone(count), node.id().clone());
    node.mon(&sink, move |reason| {
        eprintln!("{id}: the sink has died: {reason}");
        kept.fired.fetch_add(1, Ordering::Relaxed);
    })
    .detach();
    sink
}

async fn send_numbers(node: Node, sink: PortId, count: Arc<Count>) {
    let mut ticks = tokio::time::interval(PAUSE);
    loop {
        ticks.tick().await;
        let sent = count.sent.load(Ordering::Relaxed);
        if sent - count.back.load(Ordering::Relaxed) < ON_THE_WAY {
            count.sent.store(sent + 1, Ordering::Relaxed);
            snd!(node, sink, "number", sent);
        }
    }
}

async fn call(node: Node, sink: PortId, count: Arc<Count>) {
    loop {
        let began = Instant::now();
        let answer = cal!(node, sink, "count").await;
        let took = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
        if let Err(error) = answer {
            eprintln!("{}: a call has failed: {error}", node.id());
            count.failed.fetch_add(1, Ordering::Relaxed);
        } else {
            count.calls.lock().expect("no thread panics").push(took);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits, for some seconds at most, until as much has come back as has been sent by now.
async fn settle(count: &Count) {
    let sent = count.sent.load(Ordering::Relaxed);
    for _ in 0..2000 {
        if count.back.load(Ordering::Relaxed) >= sent {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    count.holes.fetch_add(1, Ordering::Relaxed);
}

impl Count {
    fn line(&self) -> String {
        let calls = std::mem::take(&mut *self.calls.lock().expect("no thread panics"));
        let calls: Vec<_> = calls.iter().map(u32::to_string).collect();
        let [failed, holes, fired] = [&self.failed, &self.holes, &self.fired]
            .map(|count| count.load(Ordering::Relaxed).to_string());
        let back = self.back.load(Ordering::Relaxed);
        format!("{failed} {holes} {fired} {back} {}", calls.join(","))
    }
}
