use super::*;
use crate::sim::Conditions;

const SECOND: Duration = Duration::from_secs(1);

/// Two connected nodes and a port on the first, in a network with this latency.
fn connected(latency: Duration) -> (World, [Member; 2], PortId) {
    let mut world = World::new(1);
    world.network().set_conditions(Conditions {
        latency: latency..=latency,
        ..Conditions::default()
    });
    let a = world.add(Setup::new("a"));
    let b = world.add(Setup::new("b").seed("a"));
    let port = world.open_port(a);
    world.run_for(3 * SECOND);
    assert_eq!(world.established(a).len(), 1);
    while world.observe().is_some() {}
    (world, [a, b], port)
}

/// The time at which the next message arrives.
fn arrival(world: &mut World) -> Time {
    let until = world.now() + 60 * SECOND;
    while world.step(until) {
        if let Some(Observation::Received { .. }) = world.observe() {
            return world.now();
        }
    }
    panic!("nothing arrives");
}

#[test]
fn a_message_takes_as_long_as_the_network_does() {
    let latency = Duration::from_millis(70);
    let (mut world, [_, b], port) = connected(latency);
    // The time is long after the last event of the network.
    world.run_for(Duration::from_millis(1234));
    let sent = world.now();
    world.send(b, &port, &["x".into()]);
    assert_eq!(arrival(&mut world) - sent, latency);
}

#[test]
fn a_stopped_node_fires_its_monitors_and_a_crashed_one_does_not() {
    for stop in [true, false] {
        let (mut world, [_, b], port) = connected(Duration::from_millis(1));
        let monitor = world.monitor(b, &port).unwrap();
        world.run_for(SECOND);
        if stop {
            world.stop(b);
        } else {
            world.crash(b, Crash::Machine);
        }
        let fired = std::iter::from_fn(|| world.observe()).any(
            |seen| matches!(seen, Observation::Fired { monitor: fired, .. } if fired == monitor),
        );
        assert_eq!(fired, stop);
        assert!(!world.is_running(b) && world.monitor(b, &port).is_none());
    }
}

#[test]
fn a_restarted_node_is_another_life_with_other_ports() {
    let (mut world, [a, _], port) = connected(Duration::from_millis(1));
    world.crash(a, Crash::Process);
    assert!(!world.is_alive(&port));
    world.start(a);
    assert_eq!(world.life(a), 2);
    assert_ne!(world.open_port(a), port);
    world.run_for(5 * SECOND);
    assert_eq!(world.established(a).len(), 1, "its peer finds it again");
}

#[test]
fn nodes_find_each_other_through_their_masters() {
    let mut world = World::new(1);
    for global in ["g1", "g2"] {
        world.add(Setup::new(global).seed("g1").seed("g2"));
    }
    let user = world.add(Setup::new("user").seed("g2"));
    let worker = world.add(Setup::new("worker").seed("g1"));
    let port = world.open_port(worker);
    world.run_for(20 * SECOND);
    while world.observe().is_some() {}
    let sent = world.now();
    world.send(user, &port, &["x".into()]);
    let until = sent + SECOND;
    while world.step(until) {}
    let all: Vec<_> = std::iter::from_fn(|| world.observe()).collect();
    let received = |seen: &Observation| matches!(seen, Observation::Received { .. });
    assert!(all.iter().any(received), "{all:?}");
}
