//! `snd!`, `cal!`, `msg!` and `args!`.

use std::time::Duration;

use aemp::{Args, CallError, Cx, Node, Value, args, cal, msg, port, snd};

use crate::node;

struct Relay {
    heard: Vec<Value>,
}

#[port]
impl Relay {
    #[rcv]
    fn pass(&self, cx: &mut Cx<'_>, to: aemp::PortId) {
        snd!(cx, to, "passed", 1,);
        snd!(&cx, &to, "again");
        snd!(cx.node(), cx.id(), "self");
    }

    #[rcv(default)]
    fn other(&mut self, tag: String, args: Vec<Value>) {
        self.heard.push(tag.into());
        self.heard.extend(args);
    }

    #[rcv]
    fn heard(&self) -> Vec<Value> {
        self.heard.clone()
    }
}

#[tokio::test]
async fn sent_from_nodes_and_contexts() {
    let node: Node = node();
    let near = node.port(Relay { heard: msg![] });
    let far = node.port(Relay { heard: msg![] });
    near.pass(far.id());
    // The message to itself comes behind the first call.
    assert_eq!(near.heard().await.unwrap(), msg![]);
    assert_eq!(near.heard().await.unwrap(), msg!["self"]);
    assert_eq!(
        cal!(&node, &far, "heard").await.unwrap(),
        msg!["passed", 1, "again"]
    );
}

#[test]
fn values_of_anything() {
    let empty: Args = args![];
    assert_eq!(empty, msg![]);
    let nested = msg!["tag", args![1, 2.5], true, Value::Null, "x".to_owned(),];
    assert_eq!(nested.len(), 5);
}

#[tokio::test]
async fn calls_can_time_out() {
    let node = node();
    let deaf = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    let call = cal!(node, deaf, "hello").timeout(Duration::from_millis(5));
    assert!(matches!(call.await, Err(CallError::Timeout)));
}
