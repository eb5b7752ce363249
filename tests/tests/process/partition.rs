//! A network that is cut in two without any reset, by network namespaces; for root on Linux, skipped elsewhere.

use std::{
    io::Write,
    process::{self, Command},
};

use crate::cluster::Cluster;

/// Two namespaces whose packets to each other go through a third, where they can be stopped: each side keeps its addresses and
/// hears nothing of that.
struct Wires {
    names: [String; 3],
}

impl Wires {
    /// Says so where this does not work.
    fn lay() -> Option<Self> {
        let name = |what: &str| format!("aemp-test-{}-{what}", process::id());
        let wires = Self {
            names: ["left", "right", "middle"].map(name),
        };
        match wires.try_to_lay() {
            Ok(()) => Some(wires),
            Err(problem) => {
                // Past the test harness, which hides the output.
                let _ = writeln!(std::io::stderr(), "partition: SKIPPED: {problem}");
                None
            }
        }
    }

    fn try_to_lay(&self) -> Result<(), String> {
        for name in &self.names {
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set dev lo up"))?;
        }
        let middle = &self.names[2];
        ip(&format!("-n {middle} link add name hub0 type bridge"))?;
        ip(&format!("-n {middle} link set dev hub0 up"))?;
        for (number, name) in (1..).zip(&self.names[..2]) {
            ip(&format!(
                "-n {middle} link add name wire{number} type veth peer name wire0 netns {name}"
            ))?;
            ip(&format!(
                "-n {middle} link set dev wire{number} master hub0 up"
            ))?;
            ip(&format!("-n {name} addr add 10.77.0.{number}/24 dev wire0"))?;
            ip(&format!("-n {name} link set dev wire0 up"))?;
        }
        Ok(())
    }

    fn set(&self, state: &str) {
        for number in 1..=2 {
            let wire = format!("-n {} link set dev wire{number} {state}", self.names[2]);
            ip(&wire).expect("the wire is there");
        }
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

fn ip(words: &str) -> Result<(), String> {
    let run = Command::new("ip").args(words.split(' ')).output();
    let output = run.map_err(|error| format!("`ip` cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    Err(format!("`ip {words}`: {}", problem.trim_end()))
}

#[test]
fn a_network_that_is_cut_in_two_grows_together_again() {
    let Some(wires) = Wires::lay() else { return };
    let sides: [&[&'static str]; 2] = [&["g1", "a", "b"], &["g2", "c"]];
    // Members end before their namespaces go.
    let mut cluster = Cluster::start_at(|id| {
        let side = usize::from(!sides[0].contains(&id));
        let name = wires.names[side].clone();
        (Some(name), format!("10.77.0.{}:0", side + 1))
    });
    for _ in 0..2 {
        wires.set("down");
        cluster.part(&sides);
        cluster.settles();
        wires.set("up");
        cluster.unite();
        cluster.settles();
    }
    // One member dies and one is restarted while the other side cannot see it.
    wires.set("down");
    cluster.part(&sides);
    cluster.settles();
    cluster.kill("b");
    cluster.kill("c");
    cluster.restart("c");
    cluster.settles();
    wires.set("up");
    cluster.unite();
    cluster.settles();
}
