//! kameo: `ActorPool` and `PubSub` of its crate `kameo_actors`, and its registry. It has no queue of jobs whose results are awaited.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use kameo::{
    actor::{ActorRef, Spawn},
    mailbox,
    message::{Context, Message},
};
use kameo_actors::{
    DeliveryStrategy,
    pool::{ActorPool, Dispatch},
    pubsub::{PubSub, Publish},
};

use super::contender::{self, WORKERS, Works};
use crate::local::framework::Latch;

pub(crate) struct Kameo;

#[derive(Clone)]
struct Double;

impl kameo::Actor for Double {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<u64> for Double {
    type Reply = u64;

    async fn handle(&mut self, number: u64, _: &mut Context<Self, u64>) -> u64 {
        2 * number
    }
}

/// Drops the latch when it has heard everything.
struct Listener {
    left: u64,
    life: Option<Latch>,
}

impl kameo::Actor for Listener {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<u64> for Listener {
    type Reply = ();

    async fn handle(&mut self, _: u64, _: &mut Context<Self, ()>) {
        self.left -= 1;
        if self.left == 0 {
            self.life = None;
        }
    }
}

impl Works for Kameo {
    async fn jobs(_: u64) -> Option<Duration> {
        None
    }

    async fn calls(count: u64) -> Option<Duration> {
        let worker = || Double::spawn_with_mailbox(Double, mailbox::unbounded());
        let pool = ActorPool::new(WORKERS, worker);
        let pool = ActorPool::spawn_with_mailbox(pool, mailbox::unbounded());
        let call = move |number| {
            let pool = pool.clone();
            async move { pool.ask(Dispatch(number)).await.expect("it answers") }
        };
        Some(contender::under_way(count, call).await)
    }

    async fn fan_out(subscribers: u64, messages: u64) -> Option<Duration> {
        let mut topic = PubSub::new(DeliveryStrategy::Guaranteed);
        let (latch, all) = Latch::new();
        let mut listeners = Vec::new();
        for _ in 0..subscribers {
            let (left, life) = (messages, Some(latch.clone()));
            let listener = Listener { left, life };
            let listener = Listener::spawn_with_mailbox(listener, mailbox::unbounded());
            topic.subscribe(listener.clone());
            listeners.push(listener);
        }
        drop(latch);
        let topic = PubSub::spawn_with_mailbox(topic, mailbox::unbounded());
        let begun = Instant::now();
        for message in 0..messages {
            topic.tell(Publish(message)).await.ok()?;
        }
        Some(all.await - begun)
    }

    async fn look_ups(count: u64) -> Option<Duration> {
        let mut actors = Vec::new();
        for name in contender::names() {
            let actor = Double::spawn(Double);
            // Repetitions register the names again, when the actors of the one before are gone.
            actor.register(name).ok()?;
            actors.push(actor);
        }
        let look_up = |name: &str| ActorRef::<Double>::lookup(name).ok().flatten();
        let took = contender::each_name(count, look_up);
        for actor in actors {
            actor.stop_gracefully().await.ok()?;
            actor.wait_for_shutdown().await;
        }
        Some(took)
    }
}
