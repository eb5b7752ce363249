//! Handles of services that are not written in Rust.

use aemp::{Args, Cx, Map, PortId, Value, args, msg, protocol};

use crate::node;

/// A service somewhere.
#[protocol]
pub trait Shelf {
    /// The number of them.
    fn count(&self) -> i64;

    /// Puts something there.
    #[rcv("put it")]
    fn put(&self, key: String, value: Value);

    /// A further message that it may know.
    #[rcv(default)]
    fn other(&self, tag: &str, args: Args);

    /// Many at once.
    fn many(&self, first: u8, #[rest] rest: Args) -> Vec<u8>;

    /// As it is.
    fn raw(&self) -> Map;

    /// Answers when it is done.
    #[rcv(call)]
    fn flush(&self, #[rest] answer: Args);
}

#[tokio::test]
async fn messages_are_as_described() {
    let node = node();
    let mut messages = Vec::new();
    // Stands in for a service in another language: it knows neither type nor macro.
    let service = node.untyped(move |cx: &mut Cx<'_>, mut message: Args| {
        let last = message
            .last()
            .and_then(Value::as_str)
            .and_then(|to| PortId::parse(to).ok());
        match last.filter(|to| !to.name().is_empty()) {
            Some(reply) if message[0] == Value::from("count") => {
                cx.node().snd(&reply, msg![messages.len()]);
            }
            Some(reply) => {
                message.pop();
                message.remove(0);
                cx.node().snd(&reply, message);
            }
            None => messages.push(message),
        }
    });
    let shelf: ShelfRef = node.handle(&service.id());
    shelf.put("a".into(), Value::Null);
    shelf.other("free style", args![1]);
    assert_eq!(shelf.count().await.unwrap(), 2);
    assert_eq!(shelf.many(1, args![2, 3]).await.unwrap(), [1, 2, 3]);
    assert!(shelf.raw().await.is_err());
    for answer in [args![], args![Value::Null], args![1]] {
        let () = shelf.flush(answer).await.unwrap();
    }
}
