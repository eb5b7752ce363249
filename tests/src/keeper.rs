//! A port that keeps the replies of its callers.

use aemp::{Cx, Local, Reply, port};
use tokio::sync::oneshot;

/// Keeps its replies.
#[derive(Debug, Default)]
pub struct Keeper {
    kept: Vec<Reply<u8>>,
}

#[port]
impl Keeper {
    #[rcv]
    fn keep(&mut self, reply: Reply<u8>) {
        self.kept.push(reply);
    }

    #[rcv]
    fn kept(&self) -> usize {
        self.kept.len()
    }

    #[rcv]
    fn wanted(&self) -> usize {
        self.kept.iter().filter(|reply| reply.is_wanted()).count()
    }

    /// Reports when the first caller has stopped waiting.
    #[rcv]
    fn watch(&mut self, cx: &mut Cx<'_>, tell: Local<oneshot::Sender<()>>) {
        let mut reply = self.kept.remove(0);
        cx.spawn(async move {
            reply.closed().await;
            let _ = tell.0.send(());
        });
    }

    #[rcv]
    fn forget(&mut self) {
        self.kept.clear();
    }

    #[rcv]
    fn panics(&mut self) -> u8 {
        panic!("in a handler")
    }

    #[rcv]
    fn panics_with_reply(&mut self, _reply: Reply<u8>) {
        panic!("in a handler")
    }

    /// Handles nothing else meanwhile.
    #[rcv]
    async fn sleep(&mut self, until: Local<oneshot::Receiver<()>>) {
        let _ = until.0.await;
    }
}
