//! kameo: a task and a channel per actor, a type per message.

use std::convert::Infallible;
use std::time::Duration;

use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};
use tokio::sync::oneshot;

use crate::local::framework::{self, Done, Framework, Job, Latch, Place};

#[derive(Debug, Clone)]
pub(crate) struct Kameo;

impl Framework for Kameo {
    type Counter = ActorRef<Counter>;
    type Relay = ActorRef<Relay>;
    type Labourer = ActorRef<Labourer>;

    fn start() -> Self {
        Self
    }

    async fn counter(&self, _: Place, life: Option<Latch>) -> Self::Counter {
        spawn(Counter {
            sum: 0,
            _life: life,
        })
    }

    async fn relay(&self, _: Place, done: Done) -> Self::Relay {
        spawn(Relay { next: None, done })
    }

    async fn labourer(&self, _: usize) -> Self::Labourer {
        spawn(Labourer)
    }

    async fn tree(&self, depth: u32) -> u64 {
        let (sender, report) = oneshot::channel();
        tell(&plant(Parent::Caller(sender)), Grow(depth));
        report.await.expect("the root reports")
    }
}

/// The default mailbox has room for 64 messages; none of the other contenders has a bound.
fn spawn<A: kameo::Actor<Args = A>>(actor: A) -> ActorRef<A> {
    A::spawn_with_mailbox(actor, mailbox::unbounded())
}

/// An unbounded mailbox always has room, so that there is nothing to await.
fn tell<A: Message<M>, M: Send + 'static>(actor: &ActorRef<A>, message: M) {
    let _ = actor.tell(message).try_send();
}

pub(crate) struct Counter {
    sum: u64,
    _life: Option<Latch>,
}

struct Add(u64);
struct Visit(Latch);
struct Get;

impl kameo::Actor for Counter {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Add> for Counter {
    type Reply = ();

    async fn handle(&mut self, Add(number): Add, _: &mut Context<Self, ()>) {
        self.sum += number;
    }
}

impl Message<Visit> for Counter {
    type Reply = ();

    async fn handle(&mut self, Visit(latch): Visit, _: &mut Context<Self, ()>) {
        drop(latch);
    }
}

impl Message<Get> for Counter {
    type Reply = u64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self, u64>) -> u64 {
        self.sum
    }
}

impl framework::Counter for ActorRef<Counter> {
    async fn add(&self, number: u64) {
        tell(self, Add(number));
    }

    async fn visit(&self, latch: Latch) {
        tell(self, Visit(latch));
    }

    async fn get(&self) -> u64 {
        self.ask(Get).send().await.expect("the counter answers")
    }

    // An actor stops when its last reference is dropped.
    async fn stop(self) {}
}

pub(crate) struct Relay {
    next: Option<ActorRef<Self>>,
    done: Done,
}

struct Link(ActorRef<Relay>);
struct Pass(u64);

impl kameo::Actor for Relay {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Link> for Relay {
    type Reply = ();

    async fn handle(&mut self, Link(next): Link, _: &mut Context<Self, ()>) {
        self.next = Some(next);
    }
}

impl Message<Pass> for Relay {
    type Reply = ();

    async fn handle(&mut self, Pass(hops): Pass, _: &mut Context<Self, ()>) {
        match &self.next {
            _ if hops == 0 => drop(self.done.send(())),
            Some(next) => tell(next, Pass(hops - 1)),
            None => {}
        }
    }
}

impl framework::Relay for ActorRef<Relay> {
    async fn link(&self, next: Self) {
        tell(self, Link(next));
    }

    async fn pass(&self, hops: u64) {
        tell(self, Pass(hops));
    }
}

pub(crate) struct Labourer;

struct Toil(Job, Latch);
struct HandOut(Job, Vec<(ActorRef<Labourer>, Latch)>, Job);

impl kameo::Actor for Labourer {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Toil> for Labourer {
    type Reply = ();

    async fn handle(&mut self, Toil(job, _latch): Toil, _: &mut Context<Self, ()>) {
        job.run();
    }
}

impl Message<HandOut> for Labourer {
    type Reply = ();

    async fn handle(&mut self, message: HandOut, _: &mut Context<Self, ()>) {
        let HandOut(job, others, own) = message;
        for (other, latch) in others {
            tell(&other, Toil(job, latch));
        }
        own.run();
    }
}

impl framework::Labourer for ActorRef<Labourer> {
    async fn toil(&self, job: Job, latch: Latch) {
        tell(self, Toil(job, latch));
    }

    async fn hand_out(&self, job: Job, others: Vec<(Self, Latch)>, own: Job) {
        tell(self, HandOut(job, others, own));
    }

    async fn call(&self, job: Job, latch: Latch, limit: Option<Duration>) -> bool {
        let call = self.ask(Toil(job, latch));
        match limit {
            Some(limit) => call.reply_timeout(limit).send().await.is_ok(),
            None => call.send().await.is_ok(),
        }
    }
}

struct Node {
    parent: Option<Parent>,
    children: u32,
    sum: u64,
}

enum Parent {
    Node(ActorRef<Node>),
    Caller(oneshot::Sender<u64>),
}

struct Grow(u32);
struct Report(u64);

fn plant(parent: Parent) -> ActorRef<Node> {
    spawn(Node {
        parent: Some(parent),
        children: 0,
        sum: 1,
    })
}

impl kameo::Actor for Node {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Grow> for Node {
    type Reply = ();

    async fn handle(&mut self, Grow(depth): Grow, context: &mut Context<Self, ()>) {
        if depth == 0 {
            return self.finish(context);
        }
        self.children = 10;
        for _ in 0..self.children {
            let child = plant(Parent::Node(context.actor_ref().clone()));
            tell(&child, Grow(depth - 1));
        }
    }
}

impl Message<Report> for Node {
    type Reply = ();

    async fn handle(&mut self, Report(actors): Report, context: &mut Context<Self, ()>) {
        self.sum += actors;
        self.children -= 1;
        if self.children == 0 {
            self.finish(context);
        }
    }
}

impl Node {
    fn finish(&mut self, context: &mut Context<Self, ()>) {
        match self.parent.take() {
            Some(Parent::Node(parent)) => tell(&parent, Report(self.sum)),
            Some(Parent::Caller(caller)) => drop(caller.send(self.sum)),
            None => {}
        }
        context.stop();
    }
}
