//! The origins of messages, as far as they are known.

use aemp::{Cx, Node, Origin, Port, PortRef, Reason, port};

use crate::{Journal, node, settle};

/// Notes the origin before the port that it wraps does.
struct Wrapper<P>(P, Journal);

impl<P: Port> Port for Wrapper<P> {
    type Msg = P::Msg;
    type Ref = P::Ref;

    fn handle(&mut self, cx: &mut Cx<'_>, message: P::Msg) -> Result<(), Reason> {
        self.1.note(format!("{:?}", cx.origin()));
        self.0.handle(cx, message)
    }

    fn waits(message: &P::Msg) -> bool {
        P::waits(message)
    }

    async fn handle_async<'a>(
        &'a mut self,
        cx: &'a mut Cx<'_>,
        message: P::Msg,
    ) -> Result<(), Reason> {
        self.1.note(format!("{:?}", cx.origin()));
        self.0.handle_async(cx, message).await
    }
}

struct Plain;

#[port]
impl Plain {
    #[rcv]
    fn at_once(&self) {}

    #[rcv]
    async fn later(&self) {}
}

struct Asks;

#[port]
impl Asks {
    #[rcv]
    fn ask(&self, cx: &mut Cx<'_>) {
        assert_eq!(cx.origin(), Some(Origin::Local));
    }
}

async fn code_is_of_this_node<R: PortRef>(port: &R) {
    port.handle().peval(|cx: &mut Cx<'_>| {
        assert_eq!(cx.origin(), Some(Origin::Local));
        let psub = cx.psub(|cx, ()| assert_eq!(cx.origin(), Some(Origin::Local)));
        psub.call(());
        cx.after(std::time::Duration::ZERO, |cx| {
            assert_eq!(cx.origin(), Some(Origin::Local));
        });
    });
    settle(port.handle()).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_without_an_origin_parameter_has_none() {
    let node: Node = node();
    let journal = Journal::default();
    let port = node.port(Wrapper(Plain, journal.clone()));
    port.at_once();
    port.later();
    settle(&port).await;
    assert_eq!(journal.take(), ["None", "None"]);
    code_is_of_this_node(&port).await;
    let port = node.port(Wrapper(Asks, journal.clone()));
    port.ask();
    settle(&port).await;
    assert_eq!(journal.take(), ["Some(Local)"]);
    code_is_of_this_node(&port).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    settle(&port).await;
    assert!(port.queue_len().is_some(), "all was as expected");
}
