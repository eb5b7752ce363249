//! ractor: a task and four channels per actor, one message enum.

use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::oneshot;

use crate::local::framework::{self, Done, Framework, Job, Latch, Place};

#[derive(Debug, Clone)]
pub(crate) struct Ractor;

impl Framework for Ractor {
    type Counter = ActorRef<CounterMessage>;
    type Relay = ActorRef<RelayMessage>;
    type Labourer = ActorRef<LabourerMessage>;

    fn start() -> Self {
        Self
    }

    async fn counter(&self, _: Place, life: Option<Latch>) -> Self::Counter {
        spawn(Counter, life).await
    }

    async fn relay(&self, _: Place, done: Done) -> Self::Relay {
        spawn(Relay, done).await
    }

    async fn labourer(&self, _: usize) -> Self::Labourer {
        spawn(Labourer, ()).await
    }

    async fn tree(&self, depth: u32) -> u64 {
        let (sender, report) = oneshot::channel();
        let _ = plant(Parent::Caller(sender))
            .await
            .cast(NodeMessage::Grow(depth));
        report.await.expect("the root reports")
    }
}

/// `spawn_instant` would not wait for the actor's start, but would take a second task.
async fn spawn<A: Actor>(actor: A, arguments: A::Arguments) -> ActorRef<A::Msg> {
    let spawned = Actor::spawn(None, actor, arguments).await;
    spawned.expect("an actor without a name always starts").0
}

pub(crate) struct Counter;

#[derive(Debug)]
pub(crate) enum CounterMessage {
    Add(u64),
    Visit(Latch),
    Get(RpcReplyPort<u64>),
}

pub(crate) struct CounterState {
    sum: u64,
    _life: Option<Latch>,
}

impl Actor for Counter {
    type Msg = CounterMessage;
    type State = CounterState;
    type Arguments = Option<Latch>;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        life: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(CounterState {
            sum: 0,
            _life: life,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            CounterMessage::Add(number) => state.sum += number,
            CounterMessage::Visit(latch) => drop(latch),
            CounterMessage::Get(reply) => drop(reply.send(state.sum)),
        }
        Ok(())
    }
}

impl framework::Counter for ActorRef<CounterMessage> {
    async fn add(&self, number: u64) {
        let _ = self.cast(CounterMessage::Add(number));
    }

    async fn visit(&self, latch: Latch) {
        let _ = self.cast(CounterMessage::Visit(latch));
    }

    async fn get(&self) -> u64 {
        let called = self.call(CounterMessage::Get, None).await;
        called
            .expect("the counter runs")
            .expect("the counter answers")
    }

    async fn stop(self) {
        self.get_cell().stop(None);
    }
}

pub(crate) struct Relay;

#[derive(Debug)]
pub(crate) enum RelayMessage {
    Link(ActorRef<Self>),
    Pass(u64),
}

pub(crate) struct RelayState {
    next: Option<ActorRef<RelayMessage>>,
    done: Done,
}

impl Actor for Relay {
    type Msg = RelayMessage;
    type State = RelayState;
    type Arguments = Done;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        done: Done,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(RelayState { next: None, done })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match (message, &state.next) {
            (RelayMessage::Link(relay), _) => state.next = Some(relay),
            (RelayMessage::Pass(0), _) => state.done.send(())?,
            (RelayMessage::Pass(hops), Some(next)) => next.cast(RelayMessage::Pass(hops - 1))?,
            (RelayMessage::Pass(_), None) => {}
        }
        Ok(())
    }
}

impl framework::Relay for ActorRef<RelayMessage> {
    async fn link(&self, next: Self) {
        let _ = self.cast(RelayMessage::Link(next));
    }

    async fn pass(&self, hops: u64) {
        let _ = self.cast(RelayMessage::Pass(hops));
    }
}

pub(crate) struct Labourer;

#[derive(Debug)]
pub(crate) enum LabourerMessage {
    Toil(Job, Latch),
    HandOut(Job, Vec<(ActorRef<Self>, Latch)>, Job),
    Call(Job, Latch, RpcReplyPort<()>),
}

impl Actor for Labourer {
    type Msg = LabourerMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LabourerMessage::Toil(job, _latch) => job.run(),
            LabourerMessage::HandOut(job, others, own) => {
                for (other, latch) in others {
                    other.cast(LabourerMessage::Toil(job, latch))?;
                }
                own.run();
            }
            LabourerMessage::Call(job, _latch, reply) => {
                job.run();
                // The caller may no longer wait, which is not an error.
                let _ = reply.send(());
            }
        }
        Ok(())
    }
}

impl framework::Labourer for ActorRef<LabourerMessage> {
    async fn toil(&self, job: Job, latch: Latch) {
        let _ = self.cast(LabourerMessage::Toil(job, latch));
    }

    async fn hand_out(&self, job: Job, others: Vec<(Self, Latch)>, own: Job) {
        let _ = self.cast(LabourerMessage::HandOut(job, others, own));
    }

    async fn call(&self, job: Job, latch: Latch, limit: Option<Duration>) -> bool {
        let message = |reply| LabourerMessage::Call(job, latch, reply);
        matches!(
            Self::call(self, message, limit).await,
            Ok(CallResult::Success(()))
        )
    }
}

struct Node;

#[derive(Debug)]
enum NodeMessage {
    Grow(u32),
    Report(u64),
}

struct NodeState {
    parent: Option<Parent>,
    children: u32,
    sum: u64,
}

enum Parent {
    Node(ActorRef<NodeMessage>),
    Caller(oneshot::Sender<u64>),
}

async fn plant(parent: Parent) -> ActorRef<NodeMessage> {
    spawn(Node, parent).await
}

impl Actor for Node {
    type Msg = NodeMessage;
    type State = NodeState;
    type Arguments = Parent;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        parent: Parent,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(NodeState {
            parent: Some(parent),
            children: 0,
            sum: 1,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            NodeMessage::Grow(0) => {}
            NodeMessage::Grow(depth) => {
                state.children = 10;
                for _ in 0..state.children {
                    let child = plant(Parent::Node(myself.clone())).await;
                    child.cast(NodeMessage::Grow(depth - 1))?;
                }
            }
            NodeMessage::Report(actors) => {
                state.sum += actors;
                state.children -= 1;
            }
        }
        if state.children == 0 {
            state.report();
            myself.stop(None);
        }
        Ok(())
    }
}

impl NodeState {
    fn report(&mut self) {
        match self.parent.take() {
            Some(Parent::Node(parent)) => drop(parent.cast(NodeMessage::Report(self.sum))),
            Some(Parent::Caller(caller)) => drop(caller.send(self.sum)),
            None => {}
        }
    }
}
