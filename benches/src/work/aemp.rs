//! The subject of the bench, written as in its documentation.

use std::time::{Duration, Instant};

use aemp::{
    Node,
    db::Pick,
    port,
    topic::{Slow, TopicEvent},
    work::{Attempt, Dispatcher, Jobs, Worker},
};

use super::contender::{self, AT_ONCE, WORKERS, Works};
use crate::local::framework::Latch;

pub(crate) struct Aemp;

struct Double;

#[port]
impl Double {
    #[rcv]
    fn double(&self, number: u64) -> u64 {
        2 * number
    }
}

/// Drops the latch when it has heard everything.
struct Listener {
    left: u64,
    life: Option<Latch>,
}

#[port(local)]
impl Listener {
    #[rcv]
    fn hear(&mut self, event: TopicEvent<u64>) {
        assert!(matches!(event, TopicEvent::Message(_)), "{event:?}");
        self.left -= 1;
        if self.left == 0 {
            self.life = None;
        }
    }
}

impl Works for Aemp {
    async fn jobs(count: u64) -> Option<Duration> {
        let node = Node::local().ok()?;
        let dispatcher = Dispatcher::builder().start(&node).ok()?;
        for _ in 0..WORKERS {
            let worker = Worker::builder(&dispatcher).at_once(AT_ONCE as u32 / WORKERS as u32);
            let double = async |attempt: Attempt<u64>| Ok::<_, String>(2 * attempt.job);
            worker.start(&node, double).ok()?;
        }
        let jobs = Jobs::<u64, u64>::new(&node, &dispatcher).ok()?;
        let job = move |number| {
            let submit = jobs.submit(&number);
            async move {
                let submitted = submit.await.expect("it is accepted");
                submitted.result().await.expect("it is done")
            }
        };
        Some(contender::under_way(count, job).await)
    }

    async fn calls(count: u64) -> Option<Duration> {
        let node = Node::local().ok()?;
        for _ in 0..WORKERS {
            node.db_reg("workers", &node.port(Double).id(), ()).ok()?;
        }
        let pool = node.pool::<DoubleRef>("workers").ok()?;
        let call = move |number| {
            let pool = pool.clone();
            async move {
                let call = pool.call(Pick::LeastLoaded, move |worker| worker.double(number));
                call.await.expect("it answers")
            }
        };
        Some(contender::under_way(count, call).await)
    }

    async fn fan_out(subscribers: u64, messages: u64) -> Option<Duration> {
        let node = Node::local().ok()?;
        let topic = node.topic::<u64>("news").ok()?;
        let (latch, all) = Latch::new();
        for _ in 0..subscribers {
            let (left, life) = (messages, Some(latch.clone()));
            let listener = node.port(Listener { left, life });
            let subscription = topic.subscribe_with(Slow::drop_oldest(messages as usize));
            subscription.forward(&listener, ListenerMsg::Hear);
        }
        drop(latch);
        let begun = Instant::now();
        for message in 0..messages {
            topic.send(message).await.ok()?;
        }
        Some(all.await - begun)
    }

    async fn look_ups(count: u64) -> Option<Duration> {
        let node = Node::local().ok()?;
        let ports: Vec<DoubleRef> = contender::names()
            .iter()
            .map(|name| {
                let port = node.port(Double);
                node.register(name, &port).expect("the name is free");
                port
            })
            .collect();
        let took = contender::each_name(count, |name| node.whereis::<DoubleRef>(name).ok());
        drop(ports);
        Some(took)
    }
}
