//! A process that is gone, or as good as gone, is noticed.

use std::time::{Duration, Instant};

use aemp::{PortId, args, cal, msg, snd};

use crate::{
    TIMEOUT,
    common::{Inbox, soon, watch},
    pair,
};

/// The reasons of a connection whose other end has gone (`aemp_proto::protocol::monitors`, "Reasons").
const GONE: [&str; 3] = [
    "transport_error there Unexpected end-of-file",
    "transport_error there Connection reset by peer",
    "transport_error there Broken pipe",
];

#[tokio::test]
async fn a_process_that_is_killed() {
    let (here, mut there) = pair().await;
    let port = here.spawn("there", "Test::counter", args![1]);
    assert_eq!(
        soon(cal!(here, port, "process")).await.unwrap(),
        msg![there.id()]
    );
    let node = PortId::parse("there").unwrap();
    let deaths = [watch(&here, &port), watch(&here, &node)];
    let call = tokio::spawn(here.cal(&port, msg!["ponder"]));
    tokio::task::yield_now().await;
    there.kill();
    for death in deaths {
        let reason = death.await.to_string();
        assert!(GONE.contains(&reason.as_str()), "{reason}");
    }
    let error = soon(call).await.unwrap().unwrap_err();
    assert!(error.reason().is_some(), "{error}");
    assert_eq!(here.port_count(), 0);
}

#[tokio::test]
async fn a_process_that_ends_in_good_order() {
    let (here, mut there) = pair().await;
    let port = here.spawn("there", "Test::counter", args![1]);
    let node = PortId::parse("there").unwrap();
    let (port_death, node_death) = (watch(&here, &port), watch(&here, &node));
    assert_eq!(soon(cal!(here, port, "get")).await.unwrap(), msg![1]);
    assert!(there.end());
    // Its ports are killed normally before its connections are closed.
    assert!(port_death.await.is_normal());
    assert_eq!(node_death.await.to_string(), GONE[0]);
}

/// Stops the process. Returns the time until its monitor fires.
async fn stopped(busy: bool) -> Duration {
    let (here, there) = pair().await;
    let port = here.spawn("there", "Test::counter", args![1]);
    assert_eq!(soon(cal!(here, port, "get")).await.unwrap(), msg![1]);
    let death = watch(&here, &port);
    there.signal("STOP");
    let began = Instant::now();
    let sending = tokio::spawn({
        let (here, port) = (here.clone(), port.clone());
        async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                if busy {
                    snd!(here, port, "inc", 1);
                }
            }
        }
    });
    assert_eq!(
        death.await.to_string(),
        "transport_error there Connection timed out"
    );
    let noticed = began.elapsed();
    sending.abort();
    // When it goes on it is the same process with the same ports; it comes back by itself.
    there.signal("CONT");
    soon(here.until_up("there")).await;
    let process = soon(cal!(here, port, "process")).await.unwrap();
    assert_eq!(process, msg![there.id()]);
    noticed
}

#[tokio::test]
async fn a_process_that_is_stopped_while_idle() {
    let noticed = stopped(false).await;
    assert!(noticed < TIMEOUT * 2, "after {noticed:?}");
}

#[tokio::test]
async fn a_process_that_is_stopped_while_busy() {
    let noticed = stopped(true).await;
    assert!(noticed < TIMEOUT * 2, "after {noticed:?}");
}

/// A stop that is shorter than the timeout harms nothing.
#[tokio::test]
async fn a_short_stop_is_survived() {
    let (here, there) = pair().await;
    let mut inbox = Inbox::new(&here);
    let echo = here.spawn("there", "Test::echo", args![&inbox.id]);
    there.signal("STOP");
    (0..1000).for_each(|n| drop(snd!(here, echo, "echo", n)));
    tokio::time::sleep(TIMEOUT / 4).await;
    there.signal("CONT");
    for n in 0..1000 {
        assert_eq!(inbox.next().await, msg![n]);
    }
}
