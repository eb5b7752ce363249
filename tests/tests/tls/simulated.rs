//! TLS over a simulated network: cut, delayed and in pieces.

use std::time::Duration;

use aemp::{Node, NodeBuilder, sim::Sim};

use crate::certificates::shared;

const SECOND: Duration = Duration::from_secs(1);

fn builder(id: &str, cert: &str) -> NodeBuilder {
    let builder = Node::builder().node_id(id).cert(cert).require_tls(true);
    builder.bind("*:4040").monitor_timeout(9 * SECOND)
}

#[test]
fn simulated_nodes_speak_tls_too() {
    let cert = shared();
    for seed in 0..5 {
        let mut sim = Sim::new(seed);
        let a = sim.start(builder("a", &cert)).unwrap();
        let b = sim.start(builder("b", &cert).seed("a:4040")).unwrap();
        let up = |sim: &mut Sim| {
            let (a, b) = (a.clone(), b.clone());
            sim.run_until(60 * SECOND, move || {
                a.node_is_up("b") == Some(true) && b.node_is_up("a") == Some(true)
            })
        };
        assert!(up(&mut sim), "seed {seed}");
        sim.partition(&["a"], &["b"]);
        let lost = sim.run_until(60 * SECOND, || a.node_is_up("b") != Some(true));
        assert!(lost, "seed {seed}");
        sim.heal();
        assert!(up(&mut sim), "seed {seed}");
    }
}
