//! kameo: a supervised actor keeps its reference and its mailbox through restarts.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use kameo::{
    actor::{ActorRef, Spawn, WeakActorRef},
    error::ActorStopReason,
    message::{Context, Message},
    supervision::RestartPolicy,
};

use super::contender::{Lives, Nursery};
use crate::local::framework::Latch;

pub(crate) struct Kameo;

#[derive(Clone)]
struct Fragile;

struct Fail;
struct Get;

impl kameo::Actor for Fragile {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Fail> for Fragile {
    type Reply = Result<(), String>;

    async fn handle(&mut self, _: Fail, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Err("as demanded".into())
    }
}

impl Message<Get> for Fragile {
    type Reply = u64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self, u64>) -> u64 {
        1
    }
}

pub(crate) struct Parent;

impl kameo::Actor for Parent {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

#[derive(Clone)]
struct Idle {
    _life: Latch,
}

impl kameo::Actor for Idle {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

struct Hooked(Option<Latch>);

impl kameo::Actor for Hooked {
    type Args = Latch;
    type Error = Infallible;

    async fn on_start(life: Latch, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(Some(life)))
    }

    async fn on_stop(
        &mut self,
        _: WeakActorRef<Self>,
        _: ActorStopReason,
    ) -> Result<(), Infallible> {
        self.0 = None;
        Ok(())
    }
}

impl Lives for Kameo {
    type Nursery = ActorRef<Parent>;

    async fn restarts(times: u64) -> Duration {
        let parent = Parent::spawn(());
        let child = Fragile::supervise(&parent, Fragile)
            .restart_policy(RestartPolicy::Permanent)
            .restart_limit(u32::MAX, Duration::from_secs(1))
            .spawn()
            .await;
        let begun = Instant::now();
        for _ in 0..times {
            child.tell(Fail).await.expect("it lives");
            // A call that was queued before the restart is lost with an error.
            while child.ask(Get).await.is_err() {}
        }
        begun.elapsed()
    }

    async fn hooked(count: u64, latch: Latch) {
        for _ in 0..count {
            let actor = Hooked::spawn(latch.clone());
            actor.stop_gracefully().await.expect("it lives");
        }
    }
}

impl Nursery for ActorRef<Parent> {
    async fn open() -> Self {
        Parent::spawn(())
    }

    async fn start(&self, count: u64, latch: Latch) {
        for _ in 0..count {
            let life = latch.clone();
            let child = Idle::supervise(self, Idle { _life: life });
            child.restart_policy(RestartPolicy::Transient).spawn().await;
        }
    }

    async fn close(self) {
        self.stop_gracefully().await.expect("it lives");
        self.wait_for_shutdown().await;
    }
}
