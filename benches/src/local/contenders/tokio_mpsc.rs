//! The baseline: a task that owns its state, and a channel to it.

use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::local::framework::{Counter, Done, Framework, Job, Labourer, Latch, Place, Relay};

#[derive(Debug, Clone)]
pub(crate) struct Bare;

#[derive(Debug)]
pub(crate) enum CounterMessage {
    Add(u64),
    Visit(Latch),
    Get(oneshot::Sender<u64>),
}

#[derive(Debug)]
pub(crate) enum RelayMessage {
    Link(UnboundedSender<Self>),
    Pass(u64),
}

#[derive(Debug)]
pub(crate) enum LabourerMessage {
    Toil(Job, Latch),
    HandOut(Job, Vec<(UnboundedSender<Self>, Latch)>, Job),
    Call(Job, Latch, oneshot::Sender<()>),
}

enum NodeMessage {
    Grow(u32),
    Report(u64),
}

impl Framework for Bare {
    type Counter = UnboundedSender<CounterMessage>;
    type Relay = UnboundedSender<RelayMessage>;
    type Labourer = UnboundedSender<LabourerMessage>;

    fn start() -> Self {
        Self
    }

    async fn counter(&self, _: Place, life: Option<Latch>) -> Self::Counter {
        let (sender, queue) = mpsc::unbounded_channel();
        tokio::spawn(count(queue, life));
        sender
    }

    async fn relay(&self, _: Place, done: Done) -> Self::Relay {
        let (sender, queue) = mpsc::unbounded_channel();
        tokio::spawn(relay(queue, done));
        sender
    }

    async fn labourer(&self, _: usize) -> Self::Labourer {
        let (sender, queue) = mpsc::unbounded_channel();
        tokio::spawn(labour(queue));
        sender
    }

    async fn tree(&self, depth: u32) -> u64 {
        let (root, mut report) = mpsc::unbounded_channel();
        let _ = plant(root).send(NodeMessage::Grow(depth));
        match report.recv().await {
            Some(NodeMessage::Report(actors)) => actors,
            _ => unreachable!("a node reports to its parent and sends nothing else"),
        }
    }
}

async fn count(mut queue: UnboundedReceiver<CounterMessage>, _life: Option<Latch>) {
    let mut sum = 0;
    while let Some(message) = queue.recv().await {
        match message {
            CounterMessage::Add(number) => sum += number,
            CounterMessage::Visit(latch) => drop(latch),
            CounterMessage::Get(reply) => drop(reply.send(sum)),
        }
    }
}

impl Counter for UnboundedSender<CounterMessage> {
    async fn add(&self, number: u64) {
        let _ = self.send(CounterMessage::Add(number));
    }

    async fn visit(&self, latch: Latch) {
        let _ = self.send(CounterMessage::Visit(latch));
    }

    async fn get(&self) -> u64 {
        let (reply, answer) = oneshot::channel();
        let _ = self.send(CounterMessage::Get(reply));
        answer.await.expect("the counter answers")
    }

    async fn stop(self) {}
}

async fn relay(mut queue: UnboundedReceiver<RelayMessage>, done: Done) {
    let mut next = None;
    while let Some(message) = queue.recv().await {
        match (message, &next) {
            (RelayMessage::Link(relay), _) => next = Some(relay),
            (RelayMessage::Pass(0), _) => drop(done.send(())),
            (RelayMessage::Pass(hops), Some(next)) => {
                drop(next.send(RelayMessage::Pass(hops - 1)));
            }
            (RelayMessage::Pass(_), None) => {}
        }
    }
}

impl Relay for UnboundedSender<RelayMessage> {
    async fn link(&self, next: Self) {
        let _ = self.send(RelayMessage::Link(next));
    }

    async fn pass(&self, hops: u64) {
        let _ = self.send(RelayMessage::Pass(hops));
    }
}

async fn labour(mut queue: UnboundedReceiver<LabourerMessage>) {
    while let Some(message) = queue.recv().await {
        match message {
            LabourerMessage::Toil(job, _latch) => job.run(),
            LabourerMessage::HandOut(job, others, own) => {
                for (other, latch) in others {
                    let _ = other.send(LabourerMessage::Toil(job, latch));
                }
                own.run();
            }
            LabourerMessage::Call(job, _latch, reply) => {
                job.run();
                let _ = reply.send(());
            }
        }
    }
}

impl Labourer for UnboundedSender<LabourerMessage> {
    async fn toil(&self, job: Job, latch: Latch) {
        let _ = self.send(LabourerMessage::Toil(job, latch));
    }

    async fn hand_out(&self, job: Job, others: Vec<(Self, Latch)>, own: Job) {
        let _ = self.send(LabourerMessage::HandOut(job, others, own));
    }

    async fn call(&self, job: Job, latch: Latch, limit: Option<Duration>) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.send(LabourerMessage::Call(job, latch, reply));
        match limit {
            Some(limit) => matches!(timeout(limit, answer).await, Ok(Ok(()))),
            None => answer.await.is_ok(),
        }
    }
}

fn plant(parent: UnboundedSender<NodeMessage>) -> UnboundedSender<NodeMessage> {
    let (sender, queue) = mpsc::unbounded_channel();
    tokio::spawn(node(queue, sender.clone(), parent));
    sender
}

async fn node(
    mut queue: UnboundedReceiver<NodeMessage>,
    myself: UnboundedSender<NodeMessage>,
    parent: UnboundedSender<NodeMessage>,
) {
    let mut sum = 1;
    let mut children = 0;
    while let Some(message) = queue.recv().await {
        match message {
            NodeMessage::Grow(0) => {}
            NodeMessage::Grow(depth) => {
                children = 10;
                for _ in 0..children {
                    let _ = plant(myself.clone()).send(NodeMessage::Grow(depth - 1));
                }
            }
            NodeMessage::Report(actors) => {
                sum += actors;
                children -= 1;
            }
        }
        if children == 0 {
            let _ = parent.send(NodeMessage::Report(sum));
            return;
        }
    }
}
