//! Conversations with a real AnyEvent::MP 2.01 node, where Perl has it; elsewhere the tests are ignored, and counted as that.

mod command;
#[path = "../network/common.rs"]
mod common;
mod connecting;
mod each_other;
mod extremes;
mod failover;
mod formats;
mod from_perl;
mod globals;
mod inspect;
#[path = "../network/logs.rs"]
mod logs;
mod mixed;
mod perl;
mod perl_db;
mod plugged;
mod rust_db;
mod slaves;
mod tls;
mod to_perl;

use std::time::Duration;

use aemp::{Node, NodeBuilder, port, spawnable};

use crate::{
    common::{SECRET, soon},
    perl::Perl,
};

pub(crate) struct Counter {
    n: i64,
}

#[port(strict)]
impl Counter {
    #[rcv]
    fn inc(&mut self, by: i64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[rcv(try)]
    fn divide(&mut self, by: i64) -> Result<i64, String> {
        self.n = self.n.checked_div(by).ok_or("cannot divide by zero")?;
        Ok(self.n)
    }

    #[rcv]
    fn end(&self, cx: &mut aemp::Cx<'_>, #[rest] reason: aemp::Args) {
        cx.kill(reason);
    }
}

#[spawnable(name = "Test::counter")]
pub(crate) fn counter(n: i64) -> Counter {
    Counter { n }
}

/// The node that dials the other.
#[derive(Clone, Copy, Debug)]
enum Dial {
    Rust,
    Perl,
}

const BOTH: [Dial; 2] = [Dial::Rust, Dial::Perl];

/// A node of ours that listens.
fn rust() -> NodeBuilder {
    Node::builder()
        .node_id("rust")
        .secret(SECRET)
        .bind("127.0.0.1:0")
        .monitor_timeout(Duration::from_secs(10))
}

/// Our node and theirs, connected. `None` where there is no Perl.
async fn pair(dial: Dial) -> Option<(Node, Perl)> {
    let (node, perl) = match dial {
        Dial::Rust => {
            let perl = Perl::start("perl", &[]).await?;
            (rust().seed(&perl.address).start().await, perl)
        }
        Dial::Perl => {
            let node = rust().start().await;
            let address = node.as_ref().map(Node::listeners).unwrap_or_default();
            (node, Perl::start("perl", &address).await?)
        }
    };
    let (node, mut perl) = (node.expect("the node starts"), perl);
    soon(node.until_up("perl")).await;
    perl.expect("up").await;
    Some((node, perl))
}
