//! Another process under the same node ID.

use aemp::{PortId, args, cal, msg, snd};

use crate::{
    child::Child,
    common::{Inbox, soon, until, watch},
    pair,
};

#[tokio::test]
async fn messages_to_ports_of_an_earlier_run_vanish() {
    let (here, mut there) = pair().await;
    let mut old: Vec<PortId> = Vec::new();
    for round in 0..3 {
        let fresh: Vec<PortId> = (0..20)
            .map(|n| here.spawn("there", "Test::counter", args![100 * round + n]))
            .collect();
        for id in &old {
            snd!(here, id, "inc", 1000);
            assert_eq!(watch(&here, id).await.kind(), "no_such_port");
        }
        for (id, n) in fresh.iter().zip(0..) {
            let got = soon(cal!(here, id, "get")).await;
            assert_eq!(got.unwrap(), msg![100 * round + n]);
        }
        let down = watch(&here, &fresh[0]);
        there.kill();
        assert_eq!(down.await.kind(), "transport_error");
        old.extend(fresh);
        there = Child::start("there", "127.0.0.1:0", &here.listeners());
        soon(here.until_up("there")).await;
    }
}

/// The one that stays finds the one that comes back, on its old address.
#[tokio::test]
async fn a_seed_that_is_restarted_is_found_again() {
    let mut seed = Child::start("seed", "127.0.0.1:0", &[]);
    let address = seed.address.clone();
    let node = aemp::Node::builder().node_id("here").seed(&address);
    let node = node
        .secret(crate::common::SECRET)
        .monitor_timeout(crate::TIMEOUT);
    let node = node.start().await.unwrap();
    for _ in 0..3 {
        soon(node.until_up("seed")).await;
        assert_eq!(seed.expect("up "), "here");
        let counter = node.spawn("seed", "Test::counter", args![7]);
        assert_eq!(soon(cal!(node, counter, "get")).await.unwrap(), msg![7]);
        seed.kill();
        until(|| node.node_is_up("seed") == Some(false)).await;
        seed = Child::start("seed", &address, &[]);
    }
}

/// Messages are lost in one piece at the end, and the monitor tells: no holes (`aemp_proto::protocol::monitors`, "The guarantee").
#[tokio::test]
async fn messages_before_a_loss_have_no_gaps() {
    for _ in 0..5 {
        let (here, mut there) = pair().await;
        let mut inbox = Inbox::new(&here);
        let echo = here.spawn("there", "Test::echo", args![&inbox.id]);
        let death = watch(&here, &echo);
        let sending = tokio::spawn({
            let (here, echo) = (here.clone(), echo.clone());
            async move {
                for n in 0.. {
                    snd!(here, echo, "echo", n);
                    if n % 50 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
        });
        for n in 0..500 {
            assert_eq!(inbox.next().await, msg![n]);
        }
        there.kill();
        let reason = death.await;
        assert_eq!(reason.kind(), "transport_error", "{reason}");
        sending.abort();
        // The messages that were on their way back have arrived without a hole as well.
        snd!(here, inbox.id, "end");
        for n in 500.. {
            let message = inbox.next().await;
            if message == msg!["end"] {
                break;
            }
            assert_eq!(message, msg![n]);
        }
    }
}

#[tokio::test]
async fn two_processes_that_are_each_others_seeds() {
    let mut first = Child::start("first", "127.0.0.1:0", &[]);
    let at = first.address.clone();
    let second = Child::start("second", "127.0.0.1:0", std::slice::from_ref(&at));
    assert_eq!(first.expect("up "), "second");
    first.kill();
    assert_eq!(second.expect("down "), "first");
    for _ in 0..5 {
        let mut first = Child::start("first", &at, std::slice::from_ref(&second.address));
        assert_eq!(first.expect("up "), "second");
        assert_eq!(second.expect("up "), "first");
        first.kill();
        assert_eq!(second.expect("down "), "first");
    }
}
