//! Whole packets, and everything else that others can do, into a running node that has no sockets.
//!
//! The node is a mesh with its peers, as [`net`](aemp) drives it. The first byte is the kind of the node. The
//! events are a script of lines, of which `N` is one of the connections that there are:
//!
//! | line | event |
//! | --- | --- |
//! | `+` | another node connects |
//! | `=N NODE FORMAT` | that end logs in as that node, and will send in that format |
//! | `<N TEXT` | it sends TEXT: a packet if it is one in JSON (in its own format), else those octets and a line feed |
//! | `-N` | the connection ends |
//! | `%N` | its socket takes nothing any more, or takes data again |
//! | `o`, `x` | the next of the node's own attempts to connect succeeds, fails |
//! | `tN` | time passes: from a moment to an hour |
//! | `!` | the callbacks of lost monitors have run |
//! | `s NODE TEXT` | the node sends TEXT to a port there |
//! | `m NODE PORT`, `u` | it monitors that port, takes the last monitor back |
//! | `e FAMILY KEY VALUE`, `d FAMILY KEY` | it sets, deletes an entry of the database |
//! | `w FAMILY`, `v` | it watches a family, ends that |
//! | `k FAMILY`, `q FAMILY` | it asks for the keys, all of a family |
//! | `a NODE ADDRESS` | it is told an address of a node |
//! | `r ADDRESS`, `n ADDRESS` | a seed is removed, added |
//! | `g` | it becomes global |

mod driver;
mod machine;
mod model;

use std::time::Duration;

use aemp_codec::NodeId;
use aemp_proto::{
    global::{Query, check_family, check_key},
    mesh::Peers,
};

use self::machine::Machine;

/// The number of lines of a script that count: the interesting things happen early, and time is short.
const MOST_LINES: usize = 200;

/// The time that passes for `tN`.
const TIMES: [Duration; 8] = [
    Duration::from_millis(1),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(11),
    Duration::from_secs(31),
    Duration::from_secs(100),
    Duration::from_secs(3600),
];

pub(super) fn run(bytes: &[u8]) -> usize {
    let Some((kind, script)) = bytes.split_first() else {
        return 0;
    };
    let mut machine = Machine::new(*kind);
    for line in script.split(|&byte| byte == b'\n').take(MOST_LINES) {
        if let Some((step, rest)) = line.split_first() {
            happen(&mut machine, *step, rest);
            machine.settle();
            machine.check();
        }
    }
    machine.end();
    machine.accepted
}

fn happen(machine: &mut Machine, step: u8, rest: &[u8]) {
    let text = String::from_utf8_lossy(rest);
    let text = text.trim_start();
    match step {
        b'+' => machine.peer_connects(),
        b'o' => machine.dialled(Ok("192.0.2.7:4040".into())),
        b'x' => machine.dialled(Err("Connection refused".into())),
        b'!' => drop(machine.callbacks_run()),
        b't' => {
            let time = TIMES[usize::from(rest.first().copied().unwrap_or_default()) % TIMES.len()];
            machine.time_passes(time);
        }
        b'=' | b'<' | b'-' | b'%' => {
            let (which, rest) = rest.split_first().unwrap_or((&0, &[]));
            if let Some(conn) = machine.connection(*which) {
                match step {
                    b'=' => machine.logs_in(conn, rest),
                    b'<' => machine.sends(conn, rest),
                    b'-' => machine.ends(conn),
                    _ => machine.stalls(conn),
                }
            }
        }
        b's' | b'm' | b'a' => of_node(machine, step, text),
        b'u' => machine.unmonitor(),
        b'e' | b'd' | b'w' | b'k' | b'q' => of_database(machine, step, text),
        b'v' => machine.unwatch(),
        b'r' => machine.mesh.remove_seed(machine.now, text),
        b'n' => machine.mesh.add_seed(machine.now, text),
        b'g' => machine.mesh.become_global(machine.now),
        _ => {}
    }
}

fn of_node(machine: &mut Machine, step: u8, text: &str) {
    let (node, rest) = text.split_once(' ').unwrap_or((text, ""));
    let Ok(node) = NodeId::new(node) else { return };
    if node == *machine.id() {
        return;
    }
    match step {
        b's' => {
            let peers = machine.mesh.peers();
            let sent = peers.with(&node, |peer| peer.send("port", |packet| packet.str(rest)));
            if let Ok(urge) = sent {
                machine.follow(&node, urge);
            }
        }
        b'm' => machine.monitor(&node, rest),
        _ => {
            let addresses = rest.split(',').map(Into::into).collect();
            machine.learn(&node, addresses);
        }
    }
}

fn of_database(machine: &mut Machine, step: u8, text: &str) {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (family, key, value) = (word(), word(), word());
    // Families that the node itself must not use are refused before they reach the mesh.
    if check_family(family).is_err() {
        return;
    }
    let (now, mesh) = (machine.now, &mut machine.mesh);
    match step {
        b'e' if check_key(family, key).is_ok() => {
            mesh.db_set(now, family, key, value.into());
        }
        b'd' => mesh.db_del(now, family, [key]),
        b'w' => machine.watch(family),
        b'k' => machine.query(Query::Keys, family),
        b'q' => machine.query(Query::Family, family),
        _ => {}
    }
}
