//! Topics within one node: order, slow subscribers, retained messages, ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{
    Node, port,
    topic::{PublishError, Slow, Subscription, TopicEvent, TopicNameError},
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::node;

/// The events that wait, when the topic's task has had its turn.
async fn settled<T>(subscription: &mut Subscription<T>) -> Vec<TopicEvent<T>> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    std::iter::from_fn(|| subscription.try_next()).collect()
}

fn messages<T: Copy>(events: Vec<TopicEvent<T>>) -> Vec<T> {
    let messages = events.into_iter().filter_map(TopicEvent::message);
    messages.map(|message| *message).collect()
}

#[tokio::test(start_paused = true)]
async fn each_subscriber_gets_each_message_in_order() {
    let node = node();
    let topic = node.topic::<u32>("räume/1 & 2").unwrap();
    topic.publish(0).unwrap();
    let mut first = topic.subscribe();
    // Another handle of the same topic, and one of another name.
    let mut second = node.topic::<u32>("räume/1 & 2").unwrap().subscribe();
    let mut other = node.topic::<u32>("räume/1").unwrap().subscribe();
    for number in 1..=100 {
        topic.publish(number).unwrap();
    }
    let expected: Vec<_> = (1..=100).collect();
    assert_eq!(messages(settled(&mut first).await), expected);
    assert_eq!(messages(settled(&mut second).await), expected);
    assert!(settled(&mut other).await.is_empty());
    drop(first);
    topic.publish(101).unwrap();
    assert_eq!(messages(settled(&mut second).await), [101]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_loses_the_oldest_and_is_told() {
    let topic = node().topic::<u32>("t").unwrap();
    let mut slow = topic.subscribe_with(Slow::drop_oldest(3));
    for number in 0..10 {
        topic.publish(number).unwrap();
    }
    let events = settled(&mut slow).await;
    assert_eq!(events[0], TopicEvent::Missed(7));
    assert_eq!(messages(events), [7, 8, 9]);
}

#[tokio::test(start_paused = true)]
async fn the_last_message_of_each_key_is_kept() {
    let topic = node().topic::<(u32, u32)>("prices").unwrap();
    let by_key = Slow::coalesce(3, |(stock, _): &(u32, u32)| match stock {
        9 => panic!("no key"),
        stock => stock.to_string(),
    });
    let mut last = topic.subscribe_with(by_key);
    for price in 0..100 {
        topic.publish((1, price)).unwrap();
        topic.publish((2, price)).unwrap();
    }
    assert_eq!(messages(settled(&mut last).await), [(1, 99), (2, 99)]);
    topic.publish((9, 1)).unwrap();
    topic.publish((9, 2)).unwrap();
    assert_eq!(messages(settled(&mut last).await), [(9, 1), (9, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_is_too_slow_may_be_disconnected() {
    let topic = node().topic::<u32>("t").unwrap();
    let mut strict = topic.subscribe_with(Slow::disconnect(2));
    for number in 0..5 {
        topic.publish(number).unwrap();
    }
    let events = settled(&mut strict).await;
    assert_eq!(messages(events.clone()), [0, 1]);
    assert_eq!(events.last(), Some(&TopicEvent::Missed(1)));
    assert_eq!(strict.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_last_retained_message_greets_new_subscribers() {
    let node = node();
    let topic = node.topic::<u32>("t").unwrap();
    let mut early = topic.subscribe();
    topic.retain(1).unwrap();
    topic.retain(2).unwrap();
    topic.publish(3).unwrap();
    assert_eq!(messages(settled(&mut early).await), [1, 2, 3]);
    let mut late = topic.subscribe();
    let events = settled(&mut late).await;
    assert_eq!(events, [TopicEvent::Retained(Arc::new(2))]);
    // It stays for a while without handles, and not for ever.
    drop((early, late, topic));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let topic = node.topic::<u32>("t").unwrap();
    assert_eq!(messages(settled(&mut topic.subscribe()).await), [2]);
    drop(topic);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let topic = node.topic::<u32>("t").unwrap();
    assert!(settled(&mut topic.subscribe()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_types_of_one_topic_understand_each_other() {
    let node = node();
    let (numbers, texts) = (
        node.topic::<u32>("t").unwrap(),
        node.topic::<String>("t").unwrap(),
    );
    let (mut number, mut text) = (numbers.subscribe(), texts.subscribe());
    tokio::time::sleep(Duration::from_secs(1)).await;
    numbers.publish(7).unwrap();
    texts.publish("eight".into()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let heard: Vec<_> = settled(&mut text)
        .await
        .into_iter()
        .map(|event| format!("{event:?}"))
        .collect();
    assert!(heard.contains(&r#"Message("7")"#.into()), "{heard:?}");
    let heard = settled(&mut number).await;
    assert!(
        matches!(heard.last(), Some(TopicEvent::Gap(gap)) if gap.messages == Some(1)),
        "{heard:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_topic_ends_with_its_node() {
    let node = node();
    let topic = node.topic::<u32>("t").unwrap();
    let mut subscription = topic.subscribe();
    topic.publish(1).unwrap();
    assert_eq!(messages(settled(&mut subscription).await), [1]);
    node.stop().await;
    assert_eq!(subscription.next().await, None);
    assert!(matches!(topic.publish(2), Err(PublishError::Stopped)));
    assert!(matches!(topic.send(2).await, Err(PublishError::Stopped)));
    let again = node.topic::<u32>("t").unwrap();
    assert_eq!(again.subscribe().next().await, None);
}

#[tokio::test(start_paused = true)]
async fn publishers_do_not_flood_the_topic() {
    let topic = node().topic::<u32>("t").unwrap();
    let mut all = topic.subscribe_with(Slow::drop_oldest(100_000));
    let mut published = 0;
    while topic.publish(published).is_ok() {
        published += 1;
    }
    assert_eq!(published, 4096);
    assert!(matches!(topic.publish(0), Err(PublishError::Full)));
    topic.send(published).await.unwrap();
    assert_eq!(
        messages(settled(&mut all).await),
        (0..=4096).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn names_have_rules() {
    let node = node();
    assert_eq!(node.topic::<u32>("").unwrap_err(), TopicNameError::Empty);
    let long = node.topic::<u32>(&"ü".repeat(100)).unwrap_err();
    assert!(long.to_string().contains("at most 255"), "{long}");
}

struct Screen {
    shown: Arc<AtomicUsize>,
    order: Vec<u32>,
}

#[port]
impl Screen {
    #[rcv]
    async fn show(&mut self, number: u32) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.order.push(number);
        self.shown.fetch_add(1, Ordering::SeqCst);
    }

    #[rcv]
    fn order(&self) -> Vec<u32> {
        self.order.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_gets_events_as_messages_and_is_not_flooded() {
    let node = node();
    let topic = node.topic::<u32>("t").unwrap();
    let shown = Arc::<AtomicUsize>::default();
    let screen = node.port(Screen {
        shown: shown.clone(),
        order: Vec::new(),
    });
    let event = |event: TopicEvent<u32>| match event {
        TopicEvent::Message(number) => ScreenMsg::Show(*number),
        _ => ScreenMsg::Show(1_000_000),
    };
    assert!(
        topic
            .subscribe_with(Slow::drop_oldest(100))
            .forward(&screen, event)
    );
    for number in 0..500 {
        topic.publish(number).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(screen.queue_len().unwrap() <= 64);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let order = screen.order().await.unwrap();
    assert!(order.contains(&1_000_000) && order.contains(&499));
    let mut numbers: Vec<_> = order.iter().filter(|number| **number < 1_000_000).collect();
    assert!(numbers.is_sorted());
    numbers.dedup();
    assert!(
        numbers.len() >= 100 && numbers.len() < 400,
        "{}",
        numbers.len()
    );
    // The subscription ends with the port.
    screen.kill(());
    topic.publish(1).unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// A message that panics when it is dropped, and when it is read.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("in Drop");
    }
}

impl Serialize for Bomb {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Bomb {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("in Deserialize")
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_panics_when_it_is_dropped_ends_nothing() {
    let node: Node = node();
    let topic = node.topic::<Bomb>("t").unwrap();
    let dropped = Arc::<AtomicUsize>::default();
    let mut slow = topic.subscribe_with(Slow::drop_oldest(1));
    for _ in 0..3 {
        topic.publish(Bomb(dropped.clone())).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
    assert!(matches!(slow.next().await, Some(TopicEvent::Missed(2))));
    drop(slow);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
    // Nor does one that panics when it is read: its subscriber is told of a gap.
    let mut unread = topic.subscribe();
    tokio::time::sleep(Duration::from_millis(1)).await;
    node.topic::<u32>("t").unwrap().publish(1).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(unread.try_next(), Some(TopicEvent::Gap(_))));
}
