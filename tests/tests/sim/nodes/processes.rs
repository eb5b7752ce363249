//! Processes in a simulated network: their time is the virtual one, and they end with their nodes.

use aemp::{PortId, Reason, receive, sim::Crash, sim::Sim, snd};

use super::{SECOND, Told, pair};

#[test]
fn processes_live_in_virtual_time() {
    let mut sim = Sim::new(7);
    let [a, b] = pair(&mut sim);
    let told = Told::new();
    let tell = told.clone();
    let server = a.process(|inbox| async move {
        loop {
            receive! { inbox,
                ("ping", to: PortId, n: i64) => {
                    tokio::time::sleep(60 * SECOND).await;
                    snd!(inbox, to, "pong", n);
                }
            }
        }
    });
    let server = server.id();
    b.process(move |inbox| async move {
        let _guard = inbox.monitor(&server);
        for n in 0.. {
            snd!(inbox, server, "ping", inbox.id().to_string(), n);
            receive! { inbox,
                ("pong", back: i64) => tell.tell(format!("{}", back == n)),
                ("DOWN", _, reason: Reason) => return tell.tell(reason.kind().to_owned()),
                after 120 * SECOND => tell.tell("late".into()),
            }
        }
    });
    sim.run_for(190 * SECOND);
    assert_eq!(told.all(), ["true", "true", "true"]);
    let held = std::sync::Arc::new(());
    let (weak, notes) = (std::sync::Arc::downgrade(&held), told.clone());
    a.process(|inbox| async move {
        let _held = held;
        inbox.recv_timeout(100 * SECOND).await;
        notes.tell("after the crash".into());
    });
    sim.run_for(SECOND);
    drop(a);
    sim.crash("a", Crash::Process);
    sim.run_for(200 * SECOND);
    assert_eq!(told.all()[3..], ["transport_error"]);
    assert!(weak.upgrade().is_none(), "a process outlives its node");
    drop(b);
}
