//! Nodes that end, in order or not, and come back.

use std::sync::Arc;

use aemp::{
    Args, Cx,
    sim::{Crash, Sim},
};

use super::{SECOND, Told, builder, keeper, mourn, pair, wait_up};

#[test]
fn a_killed_process_is_noticed_at_once() {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim);
    let (port, _) = keeper(&a);
    let deaths = mourn(&b, &port);
    sim.run_for(SECOND);
    sim.crash("a", Crash::Process);
    assert!(!sim.is_running("a") && sim.node("a").is_none());
    sim.run_for(SECOND);
    let deaths = deaths.all();
    assert_eq!(deaths.len(), 1);
    assert!(
        deaths[0].to_string().contains("transport_error"),
        "{deaths:?}"
    );
}

#[test]
fn a_lost_machine_is_noticed_within_the_monitor_timeout() {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim);
    let (port, _) = keeper(&a);
    let deaths = mourn(&b, &port);
    sim.run_for(SECOND);
    sim.crash("a", Crash::Machine);
    sim.run_for(5 * SECOND);
    assert!(deaths.all().is_empty(), "no node can know yet");
    sim.run_for(5 * SECOND);
    assert_eq!(deaths.all().len(), 1);
}

#[test]
fn nothing_of_a_crashed_node_goes_on() {
    let mut sim = Sim::new(1);
    let [a, _] = pair(&mut sim);
    let (ticks, deaths) = (Told::new(), Told::new());
    let (tick, die, task_tick) = (ticks.clone(), deaths.clone(), ticks.clone());
    let held = Arc::new(());
    let kept = Arc::clone(&held);
    let port = a.untyped(move |cx: &mut Cx<'_>, _: Args| {
        let _kept = &kept;
        let (tick, task_tick) = (tick.clone(), task_tick.clone());
        cx.every(SECOND, move |_| tick.tell(()));
        cx.spawn(async move {
            for _ in 0..100 {
                tokio::time::sleep(SECOND).await;
                task_tick.tell(());
            }
        });
    });
    let id = port.id();
    drop(port);
    a.mon(&id, move |_| die.tell(())).detach();
    a.snd(&id, vec![]);
    sim.run_for(3 * SECOND);
    let before = ticks.all().len();
    assert!(before >= 4, "{before}");

    sim.crash("a", Crash::Process);
    a.snd(&id, vec![]);
    sim.run_for(10 * SECOND);
    assert_eq!(ticks.all().len(), before);
    assert!(deaths.all().is_empty(), "no monitor is left");
    assert_eq!(
        Arc::strong_count(&held),
        1,
        "the state of the port is dropped"
    );
}

#[test]
fn a_restarted_node_has_its_address_and_other_ports() {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim);
    let (old, _) = keeper(&a);
    sim.crash("a", Crash::Machine);
    let a = sim.restart("a").unwrap();
    assert_eq!(a.listeners(), ["a:4040"]);
    let (new, kept) = keeper(&a);
    assert_ne!(old, new);
    let deaths = mourn(&b, &old);
    assert!(sim.run_until(30 * SECOND, || !deaths.all().is_empty()));
    wait_up(&mut sim, &b, "a");
    b.snd(&new, vec![7.into()]);
    sim.run_for(SECOND);
    assert_eq!(kept.all(), [7]);
}

#[test]
fn a_stopped_node_reports_its_end_to_its_peers() {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim);
    let (port, _) = keeper(&a);
    let (there, here) = (mourn(&b, &port), mourn(&a, &port));
    sim.run_for(SECOND);
    sim.stop("a");
    sim.run_for(SECOND);
    assert!(here.all()[0].is_normal() && there.all()[0].is_normal());
    assert_eq!(b.node_is_up("a"), Some(false));
    sim.stop("a");
}

#[test]
#[should_panic(expected = "the node \"a\" is running")]
fn a_running_node_cannot_be_restarted() {
    let mut sim = Sim::new(1);
    sim.start(builder("a")).unwrap();
    drop(sim.restart("a"));
}
