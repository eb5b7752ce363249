//! ractor: a task and four channels per actor, one message enum.

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, rpc::CallResult};

use crate::waiting::framework::{self, Framework, State, Wait};

#[derive(Debug)]
pub(crate) struct Ractor;

struct Rester;

#[derive(Debug)]
pub(crate) enum Message {
    Rest(Wait),
    Call(Wait, RpcReplyPort<()>),
}

impl Framework for Ractor {
    type Waiter = ActorRef<Message>;

    fn start() -> Self {
        Self
    }

    async fn waiter(&self, state: State) -> Self::Waiter {
        let spawned = Actor::spawn(None, Rester, state).await;
        spawned.expect("an actor without a name always starts").0
    }
}

impl Actor for Rester {
    type Msg = Message;
    type State = State;
    type Arguments = State;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        state: State,
    ) -> Result<State, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Rest(wait) => wait.wait().await,
            Message::Call(wait, reply) => {
                wait.wait().await;
                let _ = reply.send(());
            }
        }
        state.did_one();
        Ok(())
    }
}

impl framework::Waiter for ActorRef<Message> {
    fn rest(&self, wait: Wait) {
        let _ = self.cast(Message::Rest(wait));
    }

    async fn rested(&self, wait: Wait) {
        let called = self.call(|reply| Message::Call(wait, reply), None).await;
        assert!(matches!(called, Ok(CallResult::Success(()))));
    }
}
