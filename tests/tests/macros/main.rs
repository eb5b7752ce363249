//! The macros' output, used as users do.

mod answers;
pub mod docs;
mod errors;
mod generics;
mod hygiene;
mod local;
mod params;
pub mod protocol;
mod reserved;
mod spawn;
mod tags;
mod untyped;

use std::time::Duration;

use aemp::{Handle, Message, Node, Reason, Value};

/// A node without a network.
fn node() -> Node {
    Node::local().expect("tests run within a runtime")
}

/// The reason that a port dies with; panics if it lives on.
async fn death<M: Message>(port: &Handle<M>) -> Reason {
    let (tell, told) = tokio::sync::oneshot::channel();
    let _monitor = port.monitor(move |reason| {
        let _ = tell.send(reason.clone());
    });
    tokio::time::timeout(Duration::from_secs(5), told)
        .await
        .expect("the port lives")
        .expect("the monitor was dropped")
}

/// The text of a reason that is `die, TEXT`.
async fn last_words<M: Message>(port: &Handle<M>) -> String {
    let reason = death(port).await;
    assert_eq!(reason.kind(), "die");
    reason
        .get(1)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .into()
}
