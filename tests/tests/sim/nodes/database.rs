//! The distributed database, and ports that are found through it.

use aemp::sim::{Crash, Sim};

use super::{SECOND, Told, builder, keeper};

#[test]
fn a_registered_port_is_found_until_its_node_is_lost() {
    let mut sim = Sim::new(7);
    for global in ["g1", "g2"] {
        let seeds = builder(global).seed("g1:4040").seed("g2:4040");
        sim.start(seeds).unwrap();
    }
    let [worker, user] = [("worker", "g1"), ("user", "g2")].map(|(name, seed)| {
        let seeded = builder(name).seed(format!("{seed}:4040"));
        sim.start(seeded).unwrap()
    });
    let (port, kept) = keeper(&worker);
    let entry = worker.db_reg("workers", &port, ()).unwrap();
    let seen = Told::new();
    let see = seen.clone();
    let _watch = user
        .db_mon("workers", move |change| {
            see.tell((change.added.len(), change.deleted.len()));
        })
        .unwrap();
    sim.run_for(20 * SECOND);
    assert_eq!(
        sim.block_on(user.db_keys("workers")).unwrap(),
        [port.as_str()]
    );
    user.snd(&port, vec![1.into()]);
    sim.run_for(5 * SECOND);
    assert_eq!(kept.all(), [1]);
    drop(entry);

    sim.crash("worker", Crash::Machine);
    sim.run_for(20 * SECOND);
    assert!(sim.block_on(user.db_keys("workers")).unwrap().is_empty());
    let changes = seen.all();
    let sum = changes
        .iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(sum, (1, 1), "{changes:?}");
}
