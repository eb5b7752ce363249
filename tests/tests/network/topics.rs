//! Topics over sockets: other nodes, peers that lie or flood, and messages as Perl programs send them.

use std::{sync::Arc, time::Duration};

use aemp::{
    Node, PortId, Reason, args, msg,
    topic::{PresenceEvent, Slow, Topic, TopicEvent},
};

use crate::{
    common::{Inbox, soon},
    nodes::{address, listening, pair, start},
};

async fn reaches<T>(topic: &Topic<T>, nodes: usize) {
    soon(async {
        while topic.nodes().await.unwrap().len() != nodes {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The inlet of a topic, which is the only key of its family.
async fn inlet(node: &Node, family: &str) -> PortId {
    let keys = soon(async {
        loop {
            let keys = node.db_keys(family).await.unwrap();
            if !keys.is_empty() {
                return keys;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    keys.await[0].parse().unwrap()
}

#[tokio::test]
async fn a_message_goes_to_a_node_once_and_to_all_of_its_subscribers() {
    let (a, b) = pair().await;
    let (here, there) = (a.topic::<u64>("t").unwrap(), b.topic::<u64>("t").unwrap());
    let mut subscribers: Vec<_> = (0..10)
        .map(|_| there.subscribe_with(Slow::drop_oldest(2000)))
        .collect();
    reaches(&here, 1).await;
    assert_eq!(b.db_keys("Aemp::topic:t").await.unwrap().len(), 1);
    for number in 0..1000 {
        here.send(number).await.unwrap();
    }
    for subscriber in &mut subscribers {
        for number in 0..1000 {
            assert_eq!(
                soon(subscriber.next()).await,
                Some(TopicEvent::Message(Arc::new(number)))
            );
        }
    }
    // The inlet ends with the last subscriber, and comes back with the next one.
    drop(subscribers);
    reaches(&here, 0).await;
    let mut again = there.subscribe();
    reaches(&here, 1).await;
    here.retain(7).unwrap();
    assert_eq!(
        soon(again.next()).await,
        Some(TopicEvent::Message(Arc::new(7)))
    );
    let mut later = b.topic::<u64>("t").unwrap().subscribe();
    assert_eq!(
        soon(later.next()).await,
        Some(TopicEvent::Retained(Arc::new(7)))
    );
    a.stop().await;
    // A node that stops counts as lost.
    assert!(
        matches!(soon(again.next()).await, Some(TopicEvent::Gap(gap)) if gap.messages.is_none())
    );
}

#[tokio::test]
async fn an_inlet_that_is_killed_is_replaced_and_the_subscribers_are_told() {
    let (a, b) = pair().await;
    let (here, there) = (a.topic::<u64>("t").unwrap(), b.topic::<u64>("t").unwrap());
    let mut subscriber = there.subscribe();
    reaches(&here, 1).await;
    here.publish(1).unwrap();
    assert_eq!(
        soon(subscriber.next()).await,
        Some(TopicEvent::Message(Arc::new(1)))
    );
    let first = inlet(&b, "Aemp::topic:t").await;
    a.kil(&first, Reason::die("flooded"));
    let told = soon(subscriber.next()).await;
    assert!(matches!(told, Some(TopicEvent::Gap(gap)) if gap.node.is_none()));
    // Those that went to the dead inlet are counted, by the new one's greeting or by the next message.
    let mut missed = 0;
    for number in 2..500 {
        here.publish(number).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        while let Some(event) = subscriber.try_next() {
            match event {
                TopicEvent::Gap(gap) => missed += gap.messages.unwrap(),
                TopicEvent::Message(next) => return assert_eq!(*next, missed + 2),
                other => panic!("{other:?}"),
            }
        }
    }
    panic!("the new inlet gets no message");
}

#[tokio::test]
async fn a_foreign_port_in_the_family_gets_a_greeting_and_nothing_else() {
    let (a, b) = pair().await;
    let c = start(listening("c").seed(address(&a))).await;
    soon(c.until_up("a")).await;
    let mut victim = Inbox::new(&b);
    for key in [victim.id.as_str(), "nonsense", "b", "far#away"] {
        c.db_set("Aemp::topic:t", key, 1).unwrap();
    }
    let topic = a.topic::<u64>("t").unwrap();
    reaches(&topic, 2).await;
    // The liar answers in the name of the victim.
    for number in 0..100 {
        topic.publish(number).unwrap();
    }
    let hello = victim.next().await;
    assert_eq!(hello[0], "topic_hello".into());
    let answers: PortId = hello[4].text().unwrap().parse().unwrap();
    c.snd(&answers, msg!["topic_welcome", victim.id.as_str()]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(victim.messages.try_recv().is_err());
}

#[tokio::test]
async fn numbers_of_another_node_do_no_harm_and_nonsense_neither() {
    let (a, b) = pair().await;
    let there = b.topic::<u64>("t").unwrap();
    let mut subscriber = there.subscribe();
    let inlet = inlet(&a, "Aemp::topic:t").await;
    // As a Perl program does it that only sends.
    a.snd(&inlet, msg!["topic_message", "me", "1", "41"]);
    assert_eq!(
        soon(subscriber.next()).await,
        Some(TopicEvent::Message(Arc::new(41)))
    );
    for nonsense in [
        args![],
        args!["topic_message", "me"],
        args!["topic_hello", "other", "me", 9, "a#x"],
    ] {
        a.snd(&inlet, nonsense);
    }
    a.snd(&inlet, msg!["topic_message", "me", 1, 0]);
    a.snd(&inlet, msg!["topic_message", "me", 4, "no number"]);
    let gaps: Vec<_> = [soon(subscriber.next()).await, soon(subscriber.next()).await].into();
    let gaps = gaps.into_iter().map(|event| match event {
        Some(TopicEvent::Gap(gap)) => gap.messages,
        other => panic!("{other:?}"),
    });
    assert_eq!(gaps.collect::<Vec<_>>(), [Some(2), Some(1)]);
    a.snd(&inlet, msg!["topic_bye", "me", 6]);
    assert!(
        matches!(soon(subscriber.next()).await, Some(TopicEvent::Gap(gap)) if gap.messages == Some(1))
    );
    assert!(subscriber.try_next().is_none());
}

#[tokio::test]
async fn a_port_without_this_crate_receives() {
    let (a, b) = pair().await;
    // As a Perl program does it: it answers the greeting.
    let mut far = Inbox::new(&b);
    b.db_set("Aemp::topic:t", far.id.as_str(), 1).unwrap();
    let topic = a.topic::<u64>("t").unwrap();
    topic.publish(5).unwrap();
    reaches(&topic, 1).await;
    let hello = far.next().await;
    assert_eq!(hello[..2], args!["topic_hello", "t"]);
    let next = hello[3].as_u64().unwrap();
    b.snd(
        &hello[4].text().unwrap().parse().unwrap(),
        msg!["topic_welcome", far.id.as_str()],
    );
    topic.publish(6).unwrap();
    let expected: Vec<_> = (next..3)
        .map(|number| args!["topic_message", hello[2].clone(), number, number + 4])
        .collect();
    for message in expected {
        assert_eq!(far.next().await, message);
    }
}

#[tokio::test]
async fn members_are_seen_everywhere_until_they_leave() {
    let (a, b) = pair().await;
    let (here, there) = (
        a.presence::<String>("room").unwrap(),
        b.presence::<String>("room").unwrap(),
    );
    let mut watch = here.watch();
    assert_eq!(
        soon(watch.next()).await,
        Some(PresenceEvent::Here([].into()))
    );
    let (ann, bob) = (b.empty_port(), b.empty_port());
    let first = there.join(&ann.id(), &"ann".into()).unwrap();
    assert_eq!(
        soon(watch.next()).await,
        Some(PresenceEvent::Joined(ann.id(), "ann".into()))
    );
    first.update(&"ann, busy".into()).unwrap();
    assert_eq!(
        soon(watch.next()).await,
        Some(PresenceEvent::Changed(ann.id(), "ann, busy".into()))
    );
    let _second = there.join(&bob.id(), &"bob".into()).unwrap();
    assert_eq!(
        soon(watch.next()).await,
        Some(PresenceEvent::Joined(bob.id(), "bob".into()))
    );
    assert_eq!(watch.members().len(), 2);
    drop(first);
    assert_eq!(
        soon(watch.next()).await,
        Some(PresenceEvent::Left(ann.id()))
    );
    // It joins again before the mark of its departure is gone.
    let _third = there.join(&ann.id(), &"ann".into()).unwrap();
    assert_eq!(
        soon(watch.next()).await,
        Some(PresenceEvent::Joined(ann.id(), "ann".into()))
    );
    bob.kill(());
    assert_eq!(
        soon(watch.next()).await,
        Some(PresenceEvent::Left(bob.id()))
    );
    assert!(here.join(&ann.id(), &"ann".into()).is_err());
    tokio::time::sleep(Duration::from_millis(2200)).await;
    assert_eq!(
        soon(here.members())
            .await
            .unwrap()
            .into_keys()
            .collect::<Vec<_>>(),
        [ann.id()]
    );

    b.stop().await;
    assert_eq!(
        soon(watch.next()).await,
        Some(PresenceEvent::Left(ann.id()))
    );
    a.stop().await;
    assert_eq!(soon(watch.next()).await, None);
}
