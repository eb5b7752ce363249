//! Beginning anew when a connection is lost: a callback that monitors and sends again.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use aemp::{Node, PortId, snd};

use crate::{
    common::{Inbox, soon},
    nodes::{address, listening, start},
    proxy::Proxy,
};

const CLIENTS: i64 = 5;
const CUTS: usize = 20;

/// The reasons for which a client's monitor has fired, in order.
type Told = Arc<Mutex<Vec<String>>>;

/// Monitors the port and sends its number there, now and whenever the port is lost.
fn begin(node: &Node, port: &PortId, client: i64, told: &Told) {
    let again = (node.clone(), port.clone(), Arc::clone(told));
    let monitor = node.mon(port, move |reason| {
        let (node, port, told) = again;
        told.lock().unwrap().push(reason.to_string());
        begin(&node, &port, client, &told);
    });
    monitor.detach();
    snd!(node, port, client).check().unwrap();
}

/// All clients have been heard.
async fn hear_all(inbox: &mut Inbox) {
    let mut heard = BTreeSet::new();
    while heard.len() < CLIENTS as usize {
        let message = inbox.next().await;
        heard.insert(message[0].as_i64().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_callback_is_called_once_for_each_loss_and_its_message_arrives() {
    let (here, there) = (
        start(listening("here")).await,
        start(listening("there")).await,
    );
    let proxy = Proxy::to(address(&there)).await;
    here.learn(there.id(), proxy.address());
    let mut inbox = Inbox::new(&there);
    let told: Vec<Told> = (0..CLIENTS).map(|_| Told::default()).collect();
    for (client, told) in (0..).zip(&told) {
        begin(&here, &inbox.id, client, told);
    }
    hear_all(&mut inbox).await;
    for _ in 0..CUTS {
        // Both ends must have seen the last loss: one that comes back too early is refused by the other.
        soon(there.until_up("here")).await;
        proxy.cut();
        hear_all(&mut inbox).await;
    }
    for told in told {
        let told = told.lock().unwrap();
        let lost = told.iter().filter(|why| !why.contains("connect timeout"));
        assert_eq!(lost.count(), CUTS, "{told:?}");
    }
}
