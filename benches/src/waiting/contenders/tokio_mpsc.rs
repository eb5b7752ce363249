//! The baseline: a task that owns its state, and a channel to it.

use tokio::sync::{
    mpsc::{self, UnboundedReceiver, UnboundedSender},
    oneshot,
};

use crate::waiting::framework::{Framework, State, Wait, Waiter};

#[derive(Debug)]
pub(crate) struct Bare;

#[derive(Debug)]
pub(crate) enum Message {
    Rest(Wait),
    Call(Wait, oneshot::Sender<()>),
}

impl Framework for Bare {
    type Waiter = UnboundedSender<Message>;

    fn start() -> Self {
        Self
    }

    async fn waiter(&self, state: State) -> Self::Waiter {
        let (sender, queue) = mpsc::unbounded_channel();
        tokio::spawn(rest(queue, state));
        sender
    }
}

async fn rest(mut queue: UnboundedReceiver<Message>, mut state: State) {
    while let Some(message) = queue.recv().await {
        match message {
            Message::Rest(wait) => wait.wait().await,
            Message::Call(wait, reply) => {
                wait.wait().await;
                let _ = reply.send(());
            }
        }
        state.did_one();
    }
}

impl Waiter for UnboundedSender<Message> {
    fn rest(&self, wait: Wait) {
        let _ = self.send(Message::Rest(wait));
    }

    async fn rested(&self, wait: Wait) {
        let (reply, answer) = oneshot::channel();
        let _ = self.send(Message::Call(wait, reply));
        answer.await.expect("the task answers");
    }
}
