//! kameo: a task and a channel per actor, a type per message.

use std::convert::Infallible;

use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};

use crate::waiting::framework::{Framework, State, Wait, Waiter};

#[derive(Debug)]
pub(crate) struct Kameo;

pub(crate) struct Rester(State);

struct Rest(Wait);

impl Framework for Kameo {
    type Waiter = ActorRef<Rester>;

    fn start() -> Self {
        Self
    }

    /// The default mailbox has room for 64 messages; none of the other contenders has a bound.
    async fn waiter(&self, state: State) -> Self::Waiter {
        Rester::spawn_with_mailbox(Rester(state), mailbox::unbounded())
    }
}

impl kameo::Actor for Rester {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Rest> for Rester {
    type Reply = ();

    async fn handle(&mut self, Rest(wait): Rest, _: &mut Context<Self, ()>) {
        wait.wait().await;
        self.0.did_one();
    }
}

impl Waiter for ActorRef<Rester> {
    fn rest(&self, wait: Wait) {
        let _ = self.tell(Rest(wait)).try_send();
    }

    async fn rested(&self, wait: Wait) {
        self.ask(Rest(wait))
            .send()
            .await
            .expect("the actor answers");
    }
}
