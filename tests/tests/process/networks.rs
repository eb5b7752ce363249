//! Members of a network die, sleep and come back; the others go on, and are all there in the end.

use crate::cluster::{Cluster, GLOBALS, SLAVES};

#[test]
fn each_member_is_killed_in_turn_and_started_again() {
    let mut cluster = Cluster::start();
    for id in SLAVES.into_iter().chain(GLOBALS) {
        cluster.kill(id);
        cluster.settles();
        cluster.restart(id);
        cluster.settles();
    }
}

/// The successor comes before the loss is reported, or only just after.
#[test]
fn each_member_is_killed_and_started_again_at_once() {
    let mut cluster = Cluster::start();
    for id in GLOBALS.into_iter().chain(SLAVES) {
        cluster.kill(id);
        cluster.restart(id);
        cluster.settles();
    }
}

#[test]
fn one_after_the_other_is_killed_for_good() {
    let mut cluster = Cluster::start();
    for id in ["b", "g1", "a"] {
        cluster.kill(id);
        cluster.settles();
    }
    cluster.restart("g1");
    cluster.kill("g2");
    cluster.settles();
}

#[test]
fn a_master_that_sleeps_is_replaced_and_comes_back() {
    let mut cluster = Cluster::start();
    let master = cluster.master_of("a");
    cluster.stop(master);
    cluster.settles_without(&[master]);
    assert_ne!(cluster.master_of("a"), master);
    cluster.go_on(master);
    cluster.settles();
    let master = cluster.master_of("b");
    cluster.stop(master);
    cluster.settles_without(&[master]);
    cluster.go_on(master);
    cluster.settles();
}

/// Slaves without any master keep their knowledge, and find each other again.
#[test]
fn both_global_nodes_are_killed_and_started_again() {
    let mut cluster = Cluster::start();
    for [first, second] in [["g1", "g2"], ["g2", "g1"]] {
        cluster.kill(first);
        cluster.kill(second);
        cluster.restart(first);
        cluster.restart(second);
        cluster.settles();
    }
    cluster.kill("g1");
    cluster.settles();
    cluster.kill("g2");
    cluster.restart("g2");
    cluster.settles();
    cluster.restart("g1");
    cluster.settles();
}
