//! ractor: a factory, which is a queue of jobs with a pool of workers; and its registry. Its factory hands a job to a worker once.

use std::time::Duration;

use ractor::{
    Actor, ActorProcessingErr, ActorRef, RpcReplyPort,
    factory::{
        Factory, FactoryArguments, FactoryRef, Job, Worker, WorkerId, queues::DefaultQueue,
        routing::QueuerRouting, worker_builder,
    },
    registry,
};

use super::contender::{self, WORKERS, Works};

pub(crate) struct Ractor;

struct Double(u64, RpcReplyPort<u64>);

struct Doubling;

impl Worker for Doubling {
    type Key = ();
    type Message = Double;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &FactoryRef<(), Double>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &FactoryRef<(), Double>,
        Job { msg, .. }: Job<(), Double>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(msg.1.send(2 * msg.0)?)
    }
}

/// An actor with a name.
struct Named;

impl Actor for Named {
    type Msg = u64;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

type Doublers =
    Factory<(), Double, (), Doubling, QueuerRouting<(), Double>, DefaultQueue<(), Double>>;

impl Works for Ractor {
    async fn jobs(count: u64) -> Option<Duration> {
        let arguments = FactoryArguments::builder()
            .worker_builder(Box::new(worker_builder(|_| (Doubling, ()))))
            .queue(DefaultQueue::default())
            .router(QueuerRouting::default())
            .num_initial_workers(WORKERS)
            .build();
        let (factory, _) = Actor::spawn(None, Doublers::default(), arguments)
            .await
            .ok()?;
        let job = {
            let factory = factory.clone();
            move |number| {
                let factory = factory.clone();
                async move {
                    let call = factory.call_job((), |reply| Double(number, reply), None);
                    call.await.expect("it is sent").expect("it is done")
                }
            }
        };
        let took = contender::under_way(count, job).await;
        factory.stop(None);
        Some(took)
    }

    async fn calls(_: u64) -> Option<Duration> {
        None
    }

    /// A subscriber of its output ports that is too slow misses messages and does not hear of it, so nothing can be compared.
    async fn fan_out(_: u64, _: u64) -> Option<Duration> {
        None
    }

    async fn look_ups(count: u64) -> Option<Duration> {
        let mut actors = Vec::new();
        for name in contender::names() {
            actors.push(Actor::spawn(Some(name), Named, ()).await.ok()?);
        }
        let look_up = |name: &str| registry::where_is(name).map(ActorRef::<u64>::from);
        let took = contender::each_name(count, look_up);
        for (actor, handle) in actors {
            actor.stop(None);
            handle.await.ok()?;
        }
        Some(took)
    }
}
