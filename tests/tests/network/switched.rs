//! A connection that replaces another one, while that one still delivers packets that it has read.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use aemp::{Node, port};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    common::{PATIENCE, soon, until},
    nodes::{listening, start},
    raw::{Raw, hex_secret},
};

/// The flags for a reader at the gate, and for an open gate.
static GATE: (Mutex<(bool, bool)>, Condvar) = (Mutex::new((false, false)), Condvar::new());

/// A number whose reading takes long if it is 1.
#[derive(Serialize)]
struct Slow(u64);

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(from)?;
        if number == 1 {
            let mut gate = GATE.0.lock().unwrap();
            gate.0 = true;
            // A test that fails must not wait for ever.
            drop(GATE.1.wait_timeout_while(gate, PATIENCE, |gate| !gate.1));
        }
        Ok(Self(number))
    }
}

struct Numbers(UnboundedSender<u64>);

#[port]
impl Numbers {
    #[rcv]
    fn number(&mut self, number: Slow) {
        let _ = self.0.send(number.0);
    }
}

/// A connection of node `a`, which chooses between several, so that more than one of them may complete.
async fn half_open(node: &Node) -> Raw {
    let mut raw = Raw::connect(node).await;
    raw.send("aemp;1;a;hmac_sha3_512;json;arbiter=1\nnonce\n")
        .await;
    raw.handshake().await;
    raw
}

/// Wakes a worker now and then: one that blocks takes the sockets and clocks of the runtime with it until another looks for work.
fn keep_awake() -> Arc<()> {
    let (awake, runtime) = (Arc::new(()), tokio::runtime::Handle::current());
    let while_wanted = Arc::downgrade(&awake);
    std::thread::spawn(move || {
        while while_wanted.strong_count() > 0 {
            drop(runtime.spawn(async {}));
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    awake
}

async fn next(numbers: &mut UnboundedReceiver<u64>) -> u64 {
    soon(numbers.recv()).await.expect("the port lives")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn data_of_the_old_connection_comes_before_data_of_the_new_one() {
    let _awake = keep_awake();
    let node = start(listening("m")).await;
    let (keep, mut numbers) = unbounded_channel();
    let port = node.port(Numbers(keep)).id();
    let packet = |number: u64| format!(r#"["{}","number",{number}]"#, port.name());
    let proof = format!("cleartext;{};json\n", hex_secret());
    let (mut old, mut new) = (half_open(&node).await, half_open(&node).await);

    let ups = Arc::new(Mutex::new(0));
    let _observer = node.mon_nodes({
        let ups = Arc::clone(&ups);
        move |_, up, _| *ups.lock().unwrap() += u32::from(up)
    });
    old.send(&proof).await;
    until(|| *ups.lock().unwrap() == 1).await;
    old.send(packet(1) + &packet(2)).await;
    until(|| GATE.0.lock().unwrap().0).await;
    new.send(proof + &packet(3)).await;
    until(|| *ups.lock().unwrap() == 2).await;
    // The new connection is up. It has time enough to overtake the old one, if it can.
    let early = tokio::time::timeout(Duration::from_millis(250), numbers.recv());
    assert_eq!(early.await.ok(), None, "it has overtaken");
    GATE.0.lock().unwrap().1 = true;
    GATE.1.notify_all();
    let arrived = [
        next(&mut numbers).await,
        next(&mut numbers).await,
        next(&mut numbers).await,
    ];
    assert_eq!(arrived, [1, 2, 3]);
}
