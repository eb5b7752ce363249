//! Topics and presence in networks with faults: whole nodes, random schedules.
//!
//! Two global nodes and three slaves publish numbers to one topic, subscribe, and are members. The schedule cuts
//! connections, splits the network, crashes nodes and starts them again, the global ones included. Throughout, for each
//! subscriber and publisher:
//!
//! - a message that arrives was published, and arrives in order and once;
//! - between two messages of one incarnation, a hole is told, with the right number where one is given.
//!
//! When all faults are over, messages reach all subscribers, and each watcher sees the members that are there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use aemp::{
    Node, PortId, Reason,
    sim::{Chance, Crash, Sim},
    topic::{Gap, Membership, PresenceEvent, Slow, Topic, TopicEvent},
};
use tokio::task::JoinHandle;

use super::{SECOND, builder, each_schedule};

const NODES: [&str; 5] = ["g1", "g2", "a", "b", "c"];

/// The node, its incarnation, and a number.
type News = (String, u64, u64);

/// An event as a subscriber has got it.
type Heard = Arc<Mutex<Vec<TopicEvent<News>>>>;

fn seeded(id: &str) -> aemp::NodeBuilder {
    builder(id).seed("g1:4040").seed("g2:4040")
}

/// A node with its topic, its subscription and its membership.
struct Member {
    node: Node,
    topic: Topic<News>,
    incarnation: u64,
    published: u64,
    heard: Heard,
    port: PortId,
    here: Arc<Mutex<BTreeMap<PortId, String>>>,
    tasks: Vec<JoinHandle<()>>,
    _membership: Membership<String>,
}

impl Member {
    fn new(sim: &mut Sim, node: Node, incarnation: u64, room: usize) -> Self {
        sim.block_on(async move {
            let topic = node.topic::<News>("news of the day").unwrap();
            let heard = Heard::default();
            let keep = Arc::clone(&heard);
            let mut subscription = topic.subscribe_with(Slow::drop_oldest(room));
            let reading = tokio::spawn(async move {
                while let Some(event) = subscription.next().await {
                    keep.lock().unwrap().push(event);
                }
            });
            let presence = node.presence::<String>("news of the day").unwrap();
            let port = node.empty_port().id();
            let membership = presence.join(&port, &node.id().to_string()).unwrap();
            let here = Arc::<Mutex<BTreeMap<_, _>>>::default();
            let (seen, mut watch) = (Arc::clone(&here), presence.watch());
            let watching = tokio::spawn(async move {
                while let Some(event) = watch.next().await {
                    let mut seen = seen.lock().unwrap();
                    match event {
                        PresenceEvent::Here(all) => *seen = all,
                        PresenceEvent::Joined(port, meta) => {
                            assert_eq!(seen.insert(port, meta), None)
                        }
                        PresenceEvent::Left(port) => assert!(seen.remove(&port).is_some()),
                        other => panic!("{other:?}"),
                    }
                }
            });
            Self {
                topic,
                incarnation,
                published: 0,
                heard,
                port,
                here,
                tasks: vec![reading, watching],
                _membership: membership,
                node,
            }
        })
    }

    fn publish(&mut self) {
        self.published += 1;
        let news = (self.node.id().to_string(), self.incarnation, self.published);
        let published = if self.published.is_multiple_of(7) {
            self.topic.retain(news)
        } else {
            self.topic.publish(news)
        };
        published.unwrap();
    }
}

/// Checks the messages of one subscriber. `published` has the number of messages of each incarnation.
fn check(heard: &[TopicEvent<News>], published: &BTreeMap<(String, u64), u64>) {
    let mut last: BTreeMap<(String, u64), u64> = BTreeMap::new();
    // The number of messages that gaps have reported of each node since its last message, and the number of other gaps.
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let mut any = 0;
    for event in heard {
        match event {
            TopicEvent::Message(news) | TopicEvent::Retained(news) => {
                let (node, incarnation, number) = &**news;
                let source = (node.clone(), *incarnation);
                assert!(
                    published.get(&source).is_some_and(|most| number <= most),
                    "invented: {news:?}"
                );
                if !last.contains_key(&source) && matches!(event, TopicEvent::Retained(_)) {
                    // It was published before the subscriber was known, perhaps with others behind it.
                    continue;
                }
                let before = last.insert(source, *number);
                let gap = told.remove(node).unwrap_or_default();
                let Some(before) = before else { continue };
                assert!(*number > before, "{news:?} after {before}");
                let hole = number - before - 1;
                assert!(
                    any > 0 || gap >= hole,
                    "{hole} before {news:?}, told {gap}: {heard:?}"
                );
                match event {
                    // The gap also tells of those between it and the next message.
                    TopicEvent::Retained(_) => {
                        told.insert(node.clone(), gap.saturating_sub(hole));
                    }
                    _ => assert!(
                        any > 0 || gap == hole,
                        "{hole} before {news:?}, told {gap}: {heard:?}"
                    ),
                }
            }
            TopicEvent::Gap(Gap {
                node: Some(node),
                messages,
                ..
            }) => {
                *told.entry(node.to_string()).or_default() += messages.unwrap_or(0);
            }
            TopicEvent::Missed(_) | TopicEvent::Gap(_) => any += 1,
            other => panic!("{other:?}"),
        }
    }
}

fn fault(sim: &mut Sim, chance: &mut Chance) -> Option<String> {
    let one = NODES[chance.index(5)];
    let other = NODES[chance.index(5)];
    match chance.index(8) {
        0 | 1 if one != other => sim.cut(one, other),
        2 if one != other => sim.partition(&[one], &[other]),
        3 => {
            let others: Vec<_> = NODES.into_iter().filter(|node| *node != one).collect();
            sim.partition(&[one], &others);
        }
        4 => sim.heal(),
        5 => {
            let how = if chance.happens(0.5) {
                Crash::Machine
            } else {
                Crash::Process
            };
            sim.crash(one, how);
            return Some(one.into());
        }
        _ => {}
    }
    None
}

fn schedule(seed: u64) {
    let mut sim = Sim::new(seed);
    let mut chance = Chance::new(seed);
    let quick = chance.happens(0.8);
    let room = if quick { 1_000_000 } else { 3 };
    let mut published = BTreeMap::new();
    let mut members = BTreeMap::new();
    let mut stories = Vec::new();
    for (at, id) in NODES.into_iter().enumerate() {
        let node = sim.start(seeded(id)).unwrap();
        members.insert(id.to_owned(), Member::new(&mut sim, node, at as u64, room));
    }
    let mut incarnation = 100;
    for step in 0..60 {
        for member in members.values_mut() {
            if chance.happens(0.5) {
                member.publish();
            }
        }
        sim.run_for(chance.between(SECOND / 1000, 2 * SECOND));
        if step % 3 == 0
            && step < 45
            && let Some(crashed) = fault(&mut sim, &mut chance)
            && let Some(member) = members.remove(&crashed)
        {
            published.insert((crashed.clone(), member.incarnation), member.published);
            member.tasks.iter().for_each(JoinHandle::abort);
            stories.push(member.heard);
            drop((member.topic, member.node));
            sim.run_for(chance.between(SECOND / 1000, 20 * SECOND));
            incarnation += 1;
            let node = sim.restart(&crashed).unwrap();
            members.insert(crashed, Member::new(&mut sim, node, incarnation, room));
        }
    }
    sim.heal();
    sim.run_for(180 * SECOND);
    for (id, member) in &mut members {
        member.publish();
        published.insert((id.clone(), member.incarnation), member.published);
    }
    sim.run_for(10 * SECOND);
    let present: BTreeMap<_, _> = members
        .values()
        .map(|member| (member.port.clone(), member.node.id().to_string()))
        .collect();
    for (id, member) in &members {
        let heard = member.heard.lock().unwrap();
        check(&heard, &published);
        if quick {
            for (other, publisher) in &members {
                let last = (other.clone(), publisher.incarnation, publisher.published);
                let has = heard
                    .iter()
                    .any(|event| event.clone().message().is_some_and(|news| *news == last));
                assert!(has, "{id} has not got the last news of {other}");
            }
        }
        assert_eq!(
            *member.here.lock().unwrap(),
            present,
            "the members as {id} sees them"
        );
        assert!(member.tasks.iter().all(|task| !task.is_finished()));
    }
    for heard in stories {
        check(&heard.lock().unwrap(), &published);
    }
}

#[test]
fn no_message_is_invented_or_lost_in_silence_and_presence_is_the_truth() {
    each_schedule(20, schedule);
}

/// A publisher that is lost before it has greeted the new inlet.
#[test]
fn an_inlet_that_is_replaced_hears_of_losses() {
    let mut sim = Sim::new(1);
    let there = sim.start(seeded("g1")).unwrap();
    let here = sim.start(seeded("a")).unwrap();
    let publisher = sim.block_on(async move { there.topic::<u64>("t").unwrap() });
    let node = here.clone();
    let mut subscriber = sim.block_on(async move { node.topic::<u64>("t").unwrap().subscribe() });
    sim.run_for(10 * SECOND);
    publisher.publish(1).unwrap();
    sim.run_for(SECOND);
    let first = subscriber.try_next().and_then(TopicEvent::message);
    assert_eq!(first, Some(Arc::new(1)));
    let node = here.clone();
    let keys = sim.block_on(async move { node.db_keys("Aemp::topic:t").await.unwrap() });
    sim.partition(&["g1"], &["a"]);
    here.kil(&keys[0].parse().unwrap(), Reason::die("flooded"));
    sim.run_for(120 * SECOND);
    let told: Vec<_> = std::iter::from_fn(|| subscriber.try_next()).collect();
    let of_node = |event: &TopicEvent<u64>| match event {
        TopicEvent::Gap(Gap { node, .. }) => node.clone(),
        _ => None,
    };
    let lost: Vec<_> = told.iter().filter_map(of_node).collect();
    assert!(lost.iter().any(|node| node.as_str() == "g1"), "{told:?}");
}
