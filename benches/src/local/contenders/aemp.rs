//! The subject of the bench, written as in its documentation.

use std::time::Duration;

use aemp::{Cx, Local, Node, port};
use tokio::sync::mpsc;

use crate::local::framework::{Counter, Done, Framework, Job, Labourer, Latch, Place, Relay};

#[derive(Debug, Clone)]
pub(crate) struct Aemp(Node);

struct Sum {
    sum: u64,
    _life: Option<Latch>,
}

#[port]
impl Sum {
    #[rcv]
    fn add(&mut self, number: u64) {
        self.sum += number;
    }

    #[rcv]
    fn visit(&mut self, latch: Local<Latch>) {
        drop(latch);
    }

    #[rcv]
    fn get(&self) -> u64 {
        self.sum
    }
}

struct Passer {
    next: Option<PasserRef>,
    done: Done,
}

#[port]
impl Passer {
    #[rcv]
    fn pass_to(&mut self, next: PasserRef) {
        self.next = Some(next);
    }

    #[rcv]
    fn pass(&mut self, hops: u64) {
        match (hops, &self.next) {
            (0, _) => drop(self.done.send(())),
            (_, Some(next)) => drop(next.pass(hops - 1)),
            (_, None) => {}
        }
    }
}

struct Hand;

type Others = Vec<(HandRef, Latch)>;

#[port]
impl Hand {
    #[rcv]
    fn toil(&mut self, errand: Local<(Job, Latch)>) {
        errand.0.0.run();
    }

    #[rcv]
    fn hand_out(&mut self, errand: Local<(Job, Others, Job)>) {
        let Local((job, others, own)) = errand;
        for (other, latch) in others {
            other.toil(Local((job, latch)));
        }
        own.run();
    }

    /// As `toil`, for callers that wait for the end.
    #[rcv]
    fn serve(&mut self, errand: Local<(Job, Latch)>) -> bool {
        errand.0.0.run();
        true
    }
}

struct Branch {
    parent: Parent,
    sum: u64,
    children: u32,
}

enum Parent {
    Branch(BranchRef),
    Root(mpsc::UnboundedSender<u64>),
}

impl Branch {
    fn new(parent: Parent) -> Self {
        Self {
            parent,
            sum: 1,
            children: 0,
        }
    }

    fn end(&self, cx: &mut Cx<'_>) {
        match &self.parent {
            Parent::Branch(parent) => drop(parent.report(self.sum)),
            Parent::Root(result) => drop(result.send(self.sum)),
        }
        cx.kill(());
    }
}

#[port]
impl Branch {
    #[rcv]
    fn grow(&mut self, cx: &mut Cx<'_>, depth: u32) {
        let (Some(depth), Some(me)) = (depth.checked_sub(1), cx.me::<BranchRef>()) else {
            return self.end(cx);
        };
        self.children = 10;
        for _ in 0..self.children {
            let child = Self::new(Parent::Branch(me.clone()));
            cx.node().port(child).grow(depth);
        }
    }

    #[rcv]
    fn report(&mut self, cx: &mut Cx<'_>, actors: u64) {
        self.sum += actors;
        self.children -= 1;
        if self.children == 0 {
            self.end(cx);
        }
    }
}

impl Framework for Aemp {
    type Counter = SumRef;
    type Relay = PasserRef;
    type Labourer = HandRef;

    fn start() -> Self {
        Self(Node::local().expect("called within a runtime"))
    }

    async fn counter(&self, _: Place, life: Option<Latch>) -> Self::Counter {
        self.0.port(Sum {
            sum: 0,
            _life: life,
        })
    }

    async fn relay(&self, _: Place, done: Done) -> Self::Relay {
        self.0.port(Passer { next: None, done })
    }

    async fn labourer(&self, _: usize) -> Self::Labourer {
        self.0.port(Hand)
    }

    async fn tree(&self, depth: u32) -> u64 {
        let (result, mut report) = mpsc::unbounded_channel();
        self.0.port(Branch::new(Parent::Root(result))).grow(depth);
        report
            .recv()
            .await
            .expect("the root reports before it stops")
    }
}

impl Counter for SumRef {
    async fn add(&self, number: u64) {
        Self::add(self, number);
    }

    async fn visit(&self, latch: Latch) {
        Self::visit(self, Local(latch));
    }

    async fn get(&self) -> u64 {
        Self::get(self).await.expect("the counter answers")
    }

    async fn stop(self) {
        self.kill(());
    }
}

impl Relay for PasserRef {
    async fn link(&self, next: Self) {
        self.pass_to(next);
    }

    async fn pass(&self, hops: u64) {
        Self::pass(self, hops);
    }
}

impl Labourer for HandRef {
    async fn toil(&self, job: Job, latch: Latch) {
        Self::toil(self, Local((job, latch)));
    }

    async fn hand_out(&self, job: Job, others: Vec<(Self, Latch)>, own: Job) {
        Self::hand_out(self, Local((job, others, own)));
    }

    async fn call(&self, job: Job, latch: Latch, limit: Option<Duration>) -> bool {
        let mut call = self.serve(Local((job, latch)));
        if let Some(limit) = limit {
            call = call.timeout(limit);
        }
        call.await.is_ok()
    }
}
