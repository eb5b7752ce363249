//! Requests per second, in virtual time.

use std::time::Duration;

use aemp::{Value, sim::Sim};

use super::{SECOND, builder, keeper, mourn, wait_up};

/// A peer with too many requests waits and loses nothing, and other peers do not notice.
#[test]
fn too_many_requests_wait_and_nothing_is_lost() {
    let mut sim = Sim::new(7);
    let a = sim
        .start(builder("a").max_requests_per_second(100))
        .unwrap();
    let greedy = sim.start(builder("greedy").seed("a:4040")).unwrap();
    let modest = sim.start(builder("modest").seed("a:4040")).unwrap();
    for id in ["greedy", "modest"] {
        wait_up(&mut sim, &a, id);
    }
    sim.run_for(2 * SECOND);
    let (relayed, kept) = keeper(&a);
    let (plain, kept_plain) = keeper(&a);
    let deaths = mourn(&greedy, &relayed);
    let lost = mourn(&a, &greedy.id().clone().into());
    let begun = sim.elapsed();
    // Far more than one read can bring.
    let filler = "x".repeat(500);
    for number in 0..6000 {
        let message = vec![Value::from(number), filler.as_str().into()];
        greedy.snd_on("a", &relayed, message);
    }
    greedy.snd(&plain, vec![1.into()]);
    sim.run_for(3 * SECOND);
    let soon = kept.all().len();
    assert!((100..3000).contains(&soon), "{soon}");
    // Others are served at once, and messages to the greedy one go out.
    let (other, kept_other) = keeper(&a);
    let (back, kept_back) = keeper(&greedy);
    modest.snd_on("a", &other, vec![1.into()]);
    a.snd(&back, vec![1.into()]);
    sim.run_for(Duration::from_millis(500));
    assert_eq!((kept_other.all(), kept_back.all()), (vec![1], vec![1]));
    assert!(kept_plain.all().is_empty(), "it is behind the requests");
    assert!(sim.run_until(120 * SECOND, || !kept_plain.all().is_empty()));
    assert_eq!(kept.all(), (0..6000).collect::<Vec<_>>());
    let took = (sim.elapsed() - begun).as_secs();
    assert!(took >= 20, "{took} seconds");
    assert!(deaths.all().is_empty() && lost.all().is_empty(), "{lost:?}");
}
