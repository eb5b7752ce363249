//! ractor: an actor hears of the ends of the actors that it has spawned, and spawns them again by its own code.

use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::mpsc;

use super::contender::{Lives, Nursery};
use crate::local::framework::Latch;

pub(crate) struct Ractor;

struct Fragile;

enum FragileMessage {
    Fail,
    Get(RpcReplyPort<u64>),
}

impl Actor for Fragile {
    type Msg = FragileMessage;
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
            FragileMessage::Fail => Err("as demanded".into()),
            FragileMessage::Get(reply) => Ok(reply.send(1)?),
        }
    }
}

/// Restarts its child, and sends each incarnation to the channel.
struct Keeper;

type News = mpsc::UnboundedSender<ActorRef<FragileMessage>>;

impl Actor for Keeper {
    type Msg = ();
    type State = News;
    type Arguments = News;

    async fn pre_start(&self, me: ActorRef<()>, news: News) -> Result<News, ActorProcessingErr> {
        let (child, _) = Actor::spawn_linked(None, Fragile, (), me.get_cell()).await?;
        news.send(child)?;
        Ok(news)
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<()>,
        event: SupervisionEvent,
        news: &mut News,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) | SupervisionEvent::ActorTerminated(..) = event {
            let (child, _) = Actor::spawn_linked(None, Fragile, (), me.get_cell()).await?;
            news.send(child)?;
        }
        Ok(())
    }
}

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = Latch;
    type Arguments = Latch;

    async fn pre_start(&self, _: ActorRef<()>, life: Latch) -> Result<Latch, ActorProcessingErr> {
        Ok(life)
    }
}

/// A supervisor of children that it starts elsewhere. It restarts them as [`Keeper`] does.
struct Parent;

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

struct Hooked;

impl Actor for Hooked {
    type Msg = ();
    type State = Option<Latch>;
    type Arguments = Latch;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        life: Latch,
    ) -> Result<Option<Latch>, ActorProcessingErr> {
        Ok(Some(life))
    }

    async fn post_stop(
        &self,
        _: ActorRef<()>,
        life: &mut Option<Latch>,
    ) -> Result<(), ActorProcessingErr> {
        *life = None;
        Ok(())
    }
}

impl Lives for Ractor {
    type Nursery = ActorRef<()>;

    async fn restarts(times: u64) -> Duration {
        let (news, mut incarnations) = mpsc::unbounded_channel();
        let (keeper, ended) = Actor::spawn(None, Keeper, news).await.expect("it starts");
        let mut child = incarnations.recv().await.expect("the first");
        let begun = Instant::now();
        for _ in 0..times {
            child.cast(FragileMessage::Fail).expect("it lives");
            child = incarnations.recv().await.expect("the next");
            let call = child.call(FragileMessage::Get, None).await;
            call.expect("it lives").expect("it answers");
        }
        let took = begun.elapsed();
        keeper.stop(None);
        let _ = ended.await;
        took
    }

    async fn hooked(count: u64, latch: Latch) {
        for _ in 0..count {
            let spawned = Actor::spawn(None, Hooked, latch.clone()).await;
            spawned.expect("it starts").0.stop(None);
        }
    }
}

impl Nursery for ActorRef<()> {
    async fn open() -> Self {
        Actor::spawn(None, Parent, ()).await.expect("it starts").0
    }

    async fn start(&self, count: u64, latch: Latch) {
        for _ in 0..count {
            let started = Actor::spawn_linked(None, Idle, latch.clone(), self.get_cell()).await;
            started.expect("the child starts");
        }
    }

    async fn close(self) {
        self.stop_and_wait(None, None).await.expect("it ends");
    }
}
