//! xtra: a task and a channel per actor, a type per message.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use xtra::{Actor, Address, Context, Handler, Mailbox};

use crate::local::framework::{self, Done, Framework, Job, Latch, Place};

#[derive(Debug, Clone)]
pub(crate) struct Xtra;

impl Framework for Xtra {
    type Counter = Address<Counter>;
    type Relay = Address<Relay>;
    type Labourer = Address<Labourer>;

    fn start() -> Self {
        Self
    }

    async fn counter(&self, _: Place, life: Option<Latch>) -> Self::Counter {
        xtra::spawn_tokio(
            Counter {
                sum: 0,
                _life: life,
            },
            Mailbox::unbounded(),
        )
    }

    async fn relay(&self, _: Place, done: Done) -> Self::Relay {
        xtra::spawn_tokio(Relay { next: None, done }, Mailbox::unbounded())
    }

    async fn labourer(&self, _: usize) -> Self::Labourer {
        xtra::spawn_tokio(Labourer, Mailbox::unbounded())
    }

    async fn tree(&self, depth: u32) -> u64 {
        let (sender, report) = oneshot::channel();
        let root = plant(Parent::Caller(sender));
        tell(&root, Grow(depth)).await;
        report.await.expect("the root reports")
    }
}

/// With `detach`, `send` does not resolve to the result of the handler, which is not needed here.
async fn tell<A: Handler<M>, M: Send + 'static>(address: &Address<A>, message: M) {
    let _ = address.send(message).detach().await;
}

pub(crate) struct Counter {
    sum: u64,
    _life: Option<Latch>,
}

struct Add(u64);
struct Visit(Latch);
struct Get;

impl Actor for Counter {
    type Stop = ();

    async fn stopped(self) {}
}

impl Handler<Add> for Counter {
    type Return = ();

    async fn handle(&mut self, Add(number): Add, _: &mut Context<Self>) {
        self.sum += number;
    }
}

impl Handler<Visit> for Counter {
    type Return = ();

    async fn handle(&mut self, Visit(latch): Visit, _: &mut Context<Self>) {
        drop(latch);
    }
}

impl Handler<Get> for Counter {
    type Return = u64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self>) -> u64 {
        self.sum
    }
}

impl framework::Counter for Address<Counter> {
    // xtra does not order the messages of a queue, except by priority. A call must not overtake earlier messages, or
    // its answer would not mean that all of them have been handled.
    async fn add(&self, number: u64) {
        let _ = self.send(Add(number)).priority(1).detach().await;
    }

    async fn visit(&self, latch: Latch) {
        tell(self, Visit(latch)).await;
    }

    async fn get(&self) -> u64 {
        self.send(Get).await.expect("the counter answers")
    }

    // An actor stops when its last address is dropped.
    async fn stop(self) {}
}

pub(crate) struct Relay {
    next: Option<Address<Self>>,
    done: Done,
}

struct Link(Address<Relay>);
struct Pass(u64);

impl Actor for Relay {
    type Stop = ();

    async fn stopped(self) {}
}

impl Handler<Link> for Relay {
    type Return = ();

    async fn handle(&mut self, Link(next): Link, _: &mut Context<Self>) {
        self.next = Some(next);
    }
}

impl Handler<Pass> for Relay {
    type Return = ();

    async fn handle(&mut self, Pass(hops): Pass, _: &mut Context<Self>) {
        match &self.next {
            _ if hops == 0 => drop(self.done.send(())),
            Some(next) => tell(next, Pass(hops - 1)).await,
            None => {}
        }
    }
}

impl framework::Relay for Address<Relay> {
    async fn link(&self, next: Self) {
        tell(self, Link(next)).await;
    }

    async fn pass(&self, hops: u64) {
        tell(self, Pass(hops)).await;
    }
}

pub(crate) struct Labourer;

struct Toil(Job, Latch);
struct HandOut(Job, Vec<(Address<Labourer>, Latch)>, Job);

impl Actor for Labourer {
    type Stop = ();

    async fn stopped(self) {}
}

impl Handler<Toil> for Labourer {
    type Return = ();

    async fn handle(&mut self, Toil(job, _latch): Toil, _: &mut Context<Self>) {
        job.run();
    }
}

impl Handler<HandOut> for Labourer {
    type Return = ();

    async fn handle(&mut self, message: HandOut, _: &mut Context<Self>) {
        let HandOut(job, others, own) = message;
        for (other, latch) in others {
            tell(&other, Toil(job, latch)).await;
        }
        own.run();
    }
}

impl framework::Labourer for Address<Labourer> {
    async fn toil(&self, job: Job, latch: Latch) {
        tell(self, Toil(job, latch)).await;
    }

    async fn hand_out(&self, job: Job, others: Vec<(Self, Latch)>, own: Job) {
        tell(self, HandOut(job, others, own)).await;
    }

    async fn call(&self, job: Job, latch: Latch, limit: Option<Duration>) -> bool {
        let call = self.send(Toil(job, latch));
        match limit {
            Some(limit) => matches!(timeout(limit, call).await, Ok(Ok(()))),
            None => call.await.is_ok(),
        }
    }
}

struct Node {
    // The address that keeps the actor until its children have one.
    myself: Address<Self>,
    parent: Option<Parent>,
    children: u32,
    sum: u64,
}

enum Parent {
    Node(Address<Node>),
    Caller(oneshot::Sender<u64>),
}

struct Grow(u32);
struct Report(u64);

fn plant(parent: Parent) -> Address<Node> {
    let (address, mailbox) = Mailbox::unbounded();
    let node = Node {
        myself: address.clone(),
        parent: Some(parent),
        children: 0,
        sum: 1,
    };
    xtra::spawn_tokio(node, (address, mailbox))
}

impl Actor for Node {
    type Stop = ();

    async fn stopped(self) {}
}

impl Handler<Grow> for Node {
    type Return = ();

    async fn handle(&mut self, Grow(depth): Grow, context: &mut Context<Self>) {
        if depth == 0 {
            return self.finish(context).await;
        }
        self.children = 10;
        for _ in 0..self.children {
            tell(&plant(Parent::Node(self.myself.clone())), Grow(depth - 1)).await;
        }
    }
}

impl Handler<Report> for Node {
    type Return = ();

    async fn handle(&mut self, Report(actors): Report, context: &mut Context<Self>) {
        self.sum += actors;
        self.children -= 1;
        if self.children == 0 {
            self.finish(context).await;
        }
    }
}

impl Node {
    async fn finish(&mut self, context: &mut Context<Self>) {
        match self.parent.take() {
            Some(Parent::Node(parent)) => tell(&parent, Report(self.sum)).await,
            Some(Parent::Caller(caller)) => drop(caller.send(self.sum)),
            None => {}
        }
        context.stop_self();
    }
}
