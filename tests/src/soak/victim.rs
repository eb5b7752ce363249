//! The node that is attacked.

use std::{error::Error, time::Duration};

use aemp::{Cx, DbError, Node, PortId, port, spawnable};
use tokio::io::{AsyncReadExt, stdin};

use super::{SECRET, system};

/// Counts its messages, and sends them back.
struct Sink {
    back: PortId,
    next: i64,
}

#[port]
impl Sink {
    /// Numbers have to come one after the other.
    #[rcv(try, send)]
    fn number(&mut self, cx: &mut Cx<'_>, n: i64) -> Result<(), String> {
        if n != self.next {
            return Err(format!("hole: {} was to come, not {n}", self.next));
        }
        self.next += 1;
        cx.node().snd(&self.back, vec![n.into()]);
        Ok(())
    }

    /// The number of messages that have arrived.
    #[rcv]
    fn count(&self) -> i64 {
        self.next
    }
}

/// The port for friends.
#[spawnable(name = "Soak::sink")]
fn sink(back: PortId) -> Sink {
    Sink { back, next: 0 }
}

/// The state of a port that attackers spawn and send to.
struct Prey;

#[port]
impl Prey {
    #[rcv]
    fn quick(&self, _text: String) {}
}

/// A port for attackers.
#[spawnable(name = "Soak::prey")]
fn prey() -> Prey {
    Prey
}

/// Sets an entry of the database for any node that asks.
#[spawnable(name = "Soak::entry")]
fn entry(cx: &mut Cx<'_>, key: String, value: String) -> Result<Prey, DbError> {
    let by = cx.origin();
    cx.node().db_set_for(by, "entries", &key, value)?;
    cx.kill(());
    Ok(Prey)
}

/// Runs until its standard input ends. It prints where it listens, logs to standard error, and has that many descriptors at most, if any
/// number is given.
///
/// # Errors
///
/// When the node cannot start.
pub async fn run(descriptors: Option<u64>) -> Result<(), Box<dyn Error>> {
    if let Some(most) = descriptors {
        system::limit_descriptors(most)?;
    }
    let node = Node::builder()
        .node_id("victim")
        .secret(SECRET)
        .bind("127.0.0.1:0")
        .global(true)
        .max_queue_bytes(8 << 20)
        .max_spawned_ports(20_000)
        .max_monitors(20_000)
        .max_db_keys(20_000)
        .max_db_bytes(8 << 20)
        .max_requests_per_second(50_000)
        .monitor_timeout(Duration::from_secs(20))
        .start()
        .await?;
    println!("listens {}", node.listeners().remove(0));
    stdin().read_to_end(&mut Vec::new()).await?;
    node.stop().await;
    Ok(())
}
