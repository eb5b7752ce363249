//! actix: actors bound to threads, called arbiters; a type per message.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix::{
    Actor, ActorContext, Addr, Arbiter, ArbiterHandle, AsyncContext, Context, Handler, Message,
    System,
};
use tokio::sync::oneshot;

use crate::local::framework::{self, Done, Framework, Job, Latch, Place};

/// With two arbiters, one runs the workload's own code and half of the actors. With one, nothing crosses threads, and
/// the second core is idle. If a workload needs more than two workers, there are further arbiters for labourers only.
#[derive(Debug, Clone)]
pub(crate) struct Actix<const ARBITERS: usize> {
    far: ArbiterHandle,
    others: Arc<[ArbiterHandle]>,
}

impl<const ARBITERS: usize> Framework for Actix<ARBITERS> {
    type Counter = Addr<Counter>;
    type Relay = Addr<Relay>;
    type Labourer = Addr<Labourer>;

    fn start() -> Self {
        Self {
            far: Arbiter::new().handle(),
            others: Arc::default(),
        }
    }

    /// A system needs a thread of its own, which is its first arbiter.
    fn run<T, F>(workers: usize, body: impl FnOnce(Self) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let system = move || {
            System::new().block_on(async {
                let mut framework = Self::start();
                if ARBITERS > 1 {
                    let others = (2..workers).map(|_| Arbiter::new().handle());
                    framework.others = others.collect();
                }
                let (far, others) = (framework.far.clone(), Arc::clone(&framework.others));
                let result = body(framework).await;
                if ARBITERS > 1 {
                    far.stop();
                    for other in others.iter() {
                        other.stop();
                    }
                }
                System::current().stop();
                result
            })
        };
        thread::spawn(system).join().expect("no workload panics")
    }

    fn task<F>(&self, place: Place, future: F) -> oneshot::Receiver<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        let task = async { drop(sender.send(future.await)) };
        match Self::place(place) {
            Place::Near => drop(actix::spawn(task)),
            Place::Far => drop(self.far.spawn(task)),
        }
        result
    }

    async fn counter(&self, place: Place, life: Option<Latch>) -> Self::Counter {
        spawn(
            &self.far,
            Self::place(place),
            Counter {
                sum: 0,
                _life: life,
            },
        )
    }

    async fn relay(&self, place: Place, done: Done) -> Self::Relay {
        spawn(&self.far, Self::place(place), Relay { next: None, done })
    }

    /// An actor never leaves its arbiter, so labourers are distributed over all arbiters.
    async fn labourer(&self, thread: usize) -> Self::Labourer {
        match thread % (2 + self.others.len()) {
            0 => spawn(&self.far, Place::Near, Labourer),
            1 => spawn(&self.far, Self::place(Place::Far), Labourer),
            other => spawn(&self.others[other - 2], Place::Far, Labourer),
        }
    }

    /// The root's subtrees are spread over both threads, and stay there.
    async fn tree(&self, depth: u32) -> u64 {
        let (sender, report) = oneshot::channel();
        let root = Node::new(
            Parent::Caller(sender),
            (ARBITERS > 1).then(|| self.far.clone()),
        )
        .start();
        root.do_send(Grow(depth));
        report.await.expect("the root reports")
    }
}

impl<const ARBITERS: usize> Actix<ARBITERS> {
    /// Starting an actor in a named arbiter takes a detour, even if there is only one.
    fn place(place: Place) -> Place {
        if ARBITERS == 1 { Place::Near } else { place }
    }
}

fn spawn<A>(far: &ArbiterHandle, place: Place, actor: A) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Send,
{
    match place {
        Place::Near => actor.start(),
        Place::Far => A::start_in_arbiter(far, |_| actor),
    }
}

pub(crate) struct Counter {
    sum: u64,
    _life: Option<Latch>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Add(u64);

#[derive(Message)]
#[rtype(result = "()")]
struct Visit(Latch);

#[derive(Message)]
#[rtype(result = "u64")]
struct Get;

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Add> for Counter {
    type Result = ();

    fn handle(&mut self, Add(number): Add, _: &mut Self::Context) {
        self.sum += number;
    }
}

impl Handler<Visit> for Counter {
    type Result = ();

    fn handle(&mut self, Visit(latch): Visit, _: &mut Self::Context) {
        drop(latch);
    }
}

impl Handler<Get> for Counter {
    type Result = u64;

    fn handle(&mut self, _: Get, _: &mut Self::Context) -> u64 {
        self.sum
    }
}

impl framework::Counter for Addr<Counter> {
    async fn add(&self, number: u64) {
        self.do_send(Add(number));
    }

    async fn visit(&self, latch: Latch) {
        self.do_send(Visit(latch));
    }

    async fn get(&self) -> u64 {
        self.send(Get).await.expect("the counter answers")
    }

    // An actor stops when its last address is dropped.
    async fn stop(self) {}
}

pub(crate) struct Relay {
    next: Option<Addr<Self>>,
    done: Done,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Link(Addr<Relay>);

#[derive(Message)]
#[rtype(result = "()")]
struct Pass(u64);

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<Link> for Relay {
    type Result = ();

    fn handle(&mut self, Link(next): Link, _: &mut Self::Context) {
        self.next = Some(next);
    }
}

impl Handler<Pass> for Relay {
    type Result = ();

    fn handle(&mut self, Pass(hops): Pass, _: &mut Self::Context) {
        match &self.next {
            _ if hops == 0 => drop(self.done.send(())),
            Some(next) => next.do_send(Pass(hops - 1)),
            None => {}
        }
    }
}

impl framework::Relay for Addr<Relay> {
    async fn link(&self, next: Self) {
        self.do_send(Link(next));
    }

    async fn pass(&self, hops: u64) {
        self.do_send(Pass(hops));
    }
}

pub(crate) struct Labourer;

#[derive(Message)]
#[rtype(result = "()")]
struct Toil(Job, Latch);

#[derive(Message)]
#[rtype(result = "()")]
struct HandOut(Job, Vec<(Addr<Labourer>, Latch)>, Job);

impl Actor for Labourer {
    type Context = Context<Self>;
}

impl Handler<Toil> for Labourer {
    type Result = ();

    fn handle(&mut self, Toil(job, _latch): Toil, _: &mut Self::Context) {
        job.run();
    }
}

impl Handler<HandOut> for Labourer {
    type Result = ();

    fn handle(&mut self, message: HandOut, _: &mut Self::Context) {
        let HandOut(job, others, own) = message;
        for (other, latch) in others {
            other.do_send(Toil(job, latch));
        }
        own.run();
    }
}

impl framework::Labourer for Addr<Labourer> {
    async fn toil(&self, job: Job, latch: Latch) {
        self.do_send(Toil(job, latch));
    }

    async fn hand_out(&self, job: Job, others: Vec<(Self, Latch)>, own: Job) {
        self.do_send(HandOut(job, others, own));
    }

    async fn call(&self, job: Job, latch: Latch, limit: Option<Duration>) -> bool {
        let call = self.send(Toil(job, latch));
        match limit {
            Some(limit) => call.timeout(limit).await.is_ok(),
            None => call.await.is_ok(),
        }
    }
}

struct Node {
    parent: Option<Parent>,
    /// The arbiter of half of the children. Only the root has it.
    far: Option<ArbiterHandle>,
    children: u32,
    sum: u64,
}

enum Parent {
    Node(Addr<Node>),
    Caller(oneshot::Sender<u64>),
}

#[derive(Message)]
#[rtype(result = "()")]
struct Grow(u32);

#[derive(Message)]
#[rtype(result = "()")]
struct Report(u64);

impl Actor for Node {
    type Context = Context<Self>;
}

impl Handler<Grow> for Node {
    type Result = ();

    fn handle(&mut self, Grow(depth): Grow, context: &mut Self::Context) {
        if depth == 0 {
            return self.finish(context);
        }
        self.children = 10;
        for index in 0..self.children {
            let child = Self::new(Parent::Node(context.address()), None);
            let child = match &self.far {
                Some(far) => spawn(far, Place::spread(index.into()), child),
                None => child.start(),
            };
            child.do_send(Grow(depth - 1));
        }
    }
}

impl Handler<Report> for Node {
    type Result = ();

    fn handle(&mut self, Report(actors): Report, context: &mut Self::Context) {
        self.sum += actors;
        self.children -= 1;
        if self.children == 0 {
            self.finish(context);
        }
    }
}

impl Node {
    fn new(parent: Parent, far: Option<ArbiterHandle>) -> Self {
        Self {
            parent: Some(parent),
            far,
            children: 0,
            sum: 1,
        }
    }

    fn finish(&mut self, context: &mut Context<Self>) {
        match self.parent.take() {
            Some(Parent::Node(parent)) => parent.do_send(Report(self.sum)),
            Some(Parent::Caller(caller)) => drop(caller.send(self.sum)),
            None => {}
        }
        context.stop();
    }
}
