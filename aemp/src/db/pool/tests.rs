//! The choices of members, without a node.

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::{Value, to_value};
use aemp_proto::global::Watched;

use super::{
    Offer, Pick, PoolError,
    members::{Chosen, Members},
};

fn all(entries: &[(&str, Offer)]) -> Watched {
    let entry = |(port, offer): &(&str, Offer)| (Arc::from(*port), to_value(offer).unwrap());
    Watched::All(entries.iter().map(entry).collect())
}

fn members(entries: &[(&str, Offer)]) -> Members {
    let mut members = Members::new(7);
    members.learn(&all(entries));
    members
}

fn plain(ports: &[&str]) -> Members {
    let mut members = Members::new(7);
    let all = ports.iter().map(|port| (Arc::from(*port), Value::Null));
    members.learn(&Watched::All(all.collect()));
    members
}

fn picked(members: &mut Members, pick: Pick<'_>) -> Option<String> {
    members.pick(pick).ok().map(|(_, id)| id.to_string())
}

fn counts(
    members: &mut Members,
    times: u64,
    pick: impl Fn(&str) -> Pick<'_>,
) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for number in 0..times {
        let key = format!("key{number}");
        let port = picked(members, pick(&key)).unwrap();
        *counts.entry(port).or_default() += 1;
    }
    counts
}

/// Leases the least loaded member.
fn lease(members: &mut Members) -> (Chosen, String) {
    let (chosen, id) = members.pick(Pick::LeastLoaded).unwrap();
    members.lease(chosen);
    (chosen, id.to_string())
}

const ONE: fn() -> Offer = Offer::new;

#[test]
fn in_turn_all_workers_get_equally_many() {
    let mut members = plain(&["a#1", "b#1", "c#1"]);
    let counts = counts(&mut members, 300, |_| Pick::RoundRobin);
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [100; 3]);
}

#[test]
fn weights_are_the_shares_of_turns_chances_and_keys() {
    let offers = [
        ("a#1", ONE().weight(3.0)),
        ("b#1", ONE()),
        ("c#1", ONE().weight(0.5)),
    ];
    let mut members = members(&offers);
    let turns = counts(&mut members, 450, |_| Pick::RoundRobin);
    assert_eq!(turns.into_values().collect::<Vec<_>>(), [300, 100, 50]);
    for pick in [|_: &str| Pick::Random, |key| Pick::Key(key)] as [fn(&str) -> Pick<'_>; 2] {
        let counts = counts(&mut members, 9000, pick);
        let near = |port: &str, share: u64| counts[port].abs_diff(share) < share / 8;
        assert!(
            near("a#1", 6000) && near("b#1", 2000) && near("c#1", 1000),
            "{counts:?}"
        );
    }
}

#[test]
fn turns_with_weights_are_spread_evenly() {
    let mut members = members(&[("a#1", ONE().weight(2.0)), ("b#1", ONE())]);
    let turns: Vec<_> = (0..30)
        .map(|_| picked(&mut members, Pick::RoundRobin).unwrap())
        .collect();
    for three in turns.windows(3) {
        let count = three.iter().filter(|port| *port == "b#1").count();
        assert_eq!(count, 1, "{turns:?}");
    }
}

#[test]
fn keys_are_spread_and_move_only_with_their_port() {
    let mut three = plain(&["a#1", "b#1", "c#1"]);
    let counts = counts(&mut three, 3000, |key| Pick::Key(key));
    let even = |count: &u64| (800..1200).contains(count);
    assert!(counts.values().all(even), "{counts:?}");
    let mut two = plain(&["c#1", "a#1"]);
    for number in 0..1000 {
        let key = format!("key{number}");
        let before = picked(&mut three, Pick::Key(&key)).unwrap();
        if before != "b#1" {
            assert_eq!(picked(&mut two, Pick::Key(&key)), Some(before));
        }
    }
}

#[test]
fn keys_move_only_to_a_port_that_comes_or_gains_weight() {
    let before = [
        ("a#1", ONE()),
        ("b#1", ONE().weight(2.0)),
        ("c#1", ONE().weight(0.3)),
    ];
    let mut after = before.to_vec();
    after[2].1 = ONE().weight(1.5);
    after.push(("d#1", ONE().weight(1.5)));
    let (mut one, mut other) = (members(&before), members(&after));
    let mut moved = 0;
    for number in 0..6000 {
        let key = format!("key{number}");
        let (from, to) = (
            picked(&mut one, Pick::Key(&key)),
            picked(&mut other, Pick::Key(&key)),
        );
        if from != to {
            moved += 1;
            assert!(["c#1", "d#1"].contains(&to.unwrap().as_str()), "{key}");
        }
    }
    // New shares: 3 of 6. Old: 0.3 of 3.3. So 41 % move.
    assert!((2200..2700).contains(&moved), "{moved}");
}

#[test]
fn the_order_of_entries_does_not_matter_to_keys() {
    let (mut one, mut other) = (plain(&["a#1", "b#1", "c#1"]), plain(&["c#1", "b#1"]));
    other.learn(&all(&[("b#1", ONE()), ("a#1", ONE()), ("c#1", ONE())]));
    for number in 0..500 {
        let key = format!("key{number}");
        let pick = Pick::Key(&key);
        assert_eq!(picked(&mut one, pick), picked(&mut other, pick));
    }
}

#[test]
fn the_least_loaded_is_chosen_by_its_leases() {
    let mut members = plain(&["a#1", "b#1", "c#1"]);
    let busy = lease(&mut members);
    for _ in 0..20 {
        let (one, two) = (lease(&mut members), lease(&mut members));
        let mut ports = [&busy.1, &one.1, &two.1];
        ports.sort();
        assert_eq!(ports, ["a#1", "b#1", "c#1"]);
        let _ = members.release(one.0);
        let _ = members.release(two.0);
    }
    members.release(busy.0);
    assert!(members.show().iter().all(|member| member.leases == 0));
}

#[test]
fn leases_are_shared_by_weight() {
    let mut members = members(&[("a#1", ONE().weight(3.0)), ("b#1", ONE())]);
    let leases: Vec<_> = (0..40).map(|_| lease(&mut members).1).collect();
    assert_eq!(leases.iter().filter(|port| *port == "a#1").count(), 30);
}

#[test]
fn equal_loads_take_turns() {
    let mut members = plain(&["a#1", "b#1"]);
    let first = lease(&mut members);
    for _ in 0..100 {
        let other = lease(&mut members);
        assert_ne!(other.1, first.1);
        let _ = members.release(other.0);
    }
    members.release(first.0);
    // The one that was busy has not saved up a hundred turns.
    let next = counts(&mut members, 10, |_| Pick::LeastLoaded);
    assert_eq!(next.into_values().collect::<Vec<_>>(), [5, 5]);
}

#[test]
fn published_loads_count_without_the_pools_own_calls() {
    let mut members = members(&[("a#1", ONE()), ("b#1", ONE().load(5.0))]);
    let mut leases: Vec<_> = (0..5).map(|_| lease(&mut members)).collect();
    assert!(leases.iter().all(|(_, port)| port == "a#1"));
    // `a` has our five calls and two of others, `b` has become idle.
    members.learn(&all(&[("a#1", ONE().load(7.0)), ("b#1", ONE())]));
    let load = |members: &Members, port: &str| {
        let all = members.show().into_iter();
        all.filter(|member| member.id.as_str() == port)
            .map(|member| member.load)
            .sum::<f64>()
    };
    assert_eq!((load(&members, "a#1"), load(&members, "b#1")), (7.0, 0.0));
    assert_eq!(lease(&mut members).1, "b#1");
    leases
        .drain(..)
        .for_each(|(chosen, _)| drop(members.release(chosen)));
    assert_eq!(load(&members, "a#1"), 2.0);
}

#[test]
fn members_that_drain_are_left_out_of_every_choice() {
    let mut members = members(&[
        ("a#1", ONE()),
        ("b#1", ONE().draining()),
        ("c#1", ONE().weight(0.0)),
    ]);
    for pick in [
        Pick::RoundRobin,
        Pick::Random,
        Pick::LeastLoaded,
        Pick::Key("k"),
    ] {
        for _ in 0..20 {
            assert_eq!(picked(&mut members, pick).unwrap(), "a#1");
        }
    }
    assert_eq!(
        (members.len(), members.ids().len(), members.show().len()),
        (1, 1, 3)
    );
    members.learn(&all(&[("a#1", ONE().draining())]));
    for pick in [
        Pick::RoundRobin,
        Pick::Random,
        Pick::LeastLoaded,
        Pick::Key("k"),
    ] {
        assert_eq!(members.pick(pick), Err(PoolError::Empty));
    }
    assert!(
        members.learn(&all(&[("a#1", ONE())])),
        "it is back: waits are told"
    );
}

#[test]
fn an_entry_that_comes_back_still_has_its_leases() {
    let mut members = plain(&["a#1", "b#1"]);
    let (one, port) = lease(&mut members);
    members.learn(&all(&[]));
    assert_eq!((members.len(), members.show().len()), (0, 0));
    members.learn(&all(&[("a#1", ONE()), ("b#1", ONE())]));
    let shown = members.show();
    let leases = |port: &str| {
        shown
            .iter()
            .find(|member| member.id.as_str() == port)
            .unwrap()
            .leases
    };
    assert_eq!(leases(&port), 1);
    assert_eq!(leases("a#1") + leases("b#1"), 1);
    members.learn(&all(&[]));
    members.release(one);
    members.release(one);
    // The slots are free for others.
    members.learn(&all(&[("c#1", ONE()), ("d#1", ONE())]));
    members.release(one);
    members.ended(one);
    assert_eq!(members.len(), 2);
}

#[test]
fn losses_count_as_load_until_they_are_pardoned() {
    let mut members = plain(&["a#1", "b#1"]);
    let (lost, port) = lease(&mut members);
    assert!(members.penalise(lost) && !members.penalise(lost));
    members.release(lost);
    let other = counts(&mut members, 50, |_| Pick::LeastLoaded);
    assert_eq!(other.len(), 1);
    assert!(!other.contains_key(&port));
    members.pardon(lost);
    assert_eq!(counts(&mut members, 50, |_| Pick::LeastLoaded).len(), 2);
}

#[test]
fn dead_ports_are_left_out_although_they_are_listed() {
    let mut members = plain(&["a#1", "b#1"]);
    let (dead, port) = lease(&mut members);
    members.ended(dead);
    assert_eq!(members.len(), 1);
    members.learn(&all(&[
        ("a#1", ONE().weight(9.0)),
        ("b#1", ONE().weight(9.0)),
    ]));
    let next = counts(&mut members, 20, |_| Pick::RoundRobin);
    assert!(next.len() == 1 && !next.contains_key(&port));
}

#[test]
fn full_members_are_left_out_until_a_call_ends() {
    let mut members = members(&[("a#1", ONE().room(2)), ("b#1", ONE())]);
    members.set_room(1);
    let leases: Vec<_> = (0..3).map(|_| lease(&mut members)).collect();
    let of = |port: &str| leases.iter().filter(|lease| lease.1 == port).count();
    assert_eq!((of("a#1"), of("b#1")), (2, 1));
    for pick in [
        Pick::RoundRobin,
        Pick::Random,
        Pick::LeastLoaded,
        Pick::Key("k"),
    ] {
        assert_eq!(members.pick(pick), Err(PoolError::Busy));
    }
    assert_eq!(members.len(), 2, "they take work, later");
    for (chosen, port) in leases {
        assert!(members.release(chosen).0, "one may wait for it");
        let next = lease(&mut members);
        assert_eq!(next.1, port);
    }
    assert!(
        members.learn(&all(&[("a#1", ONE().room(3)), ("b#1", ONE())])),
        "more room is news"
    );
    assert_eq!(lease(&mut members).1, "a#1");
}

#[test]
fn a_key_stays_with_its_member_while_that_is_full() {
    let mut members = plain(&["a#1", "b#1"]);
    members.set_room(1);
    let (chosen, _) = members.pick(Pick::Key("k")).unwrap();
    members.lease(chosen);
    assert_eq!(members.pick(Pick::Key("k")), Err(PoolError::Busy));
    assert!(members.pick(Pick::RoundRobin).is_ok());
    let place = members.place("k").unwrap();
    let (limited, notice) = members.release(chosen);
    assert!(limited && Arc::ptr_eq(&notice.unwrap(), &place));
    assert_eq!(members.pick(Pick::Key("k")).unwrap().0, chosen);
}

#[test]
fn at_random_every_worker_is_chosen() {
    let mut members = plain(&["a#1", "b#1", "c#1"]);
    let counts = counts(&mut members, 3000, |_| Pick::Random);
    let even = |count: &u64| (800..1200).contains(count);
    assert!(counts.values().all(even), "{counts:?}");
}

#[test]
fn keys_that_are_not_ports_are_ignored() {
    let members = plain(&["#", "", "bad;node#x"]);
    assert_eq!(members.len(), 1, "the unnamed node's own port");
    assert!(Members::new(1).pick(Pick::Random).is_err());
}

/// After any sequence of operations, counts and orders agree with the members.
#[test]
fn a_random_life_keeps_counts_and_orders() {
    let mut members = Members::new(3);
    let mut leases = Vec::new();
    let random = |number: u64, below: u64| super::key::mix(number) % below;
    for step in 0..20_000_u64 {
        match random(step, 10) {
            0 => {
                let number = random(step + 1, 12);
                let entries: Vec<(String, Offer)> = (0..number)
                    .map(|one| {
                        let offer = Offer::new().weight(random(step + one, 5) as f64);
                        let offer = offer.load(random(step * one, 9) as f64);
                        (format!("n{}#1", random(step ^ one, 12)), offer)
                    })
                    .collect();
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, offer)| (key.as_str(), *offer))
                    .collect();
                members.learn(&all(&entries));
            }
            1..=5 => {
                if let Ok((chosen, _)) = members.pick(Pick::LeastLoaded) {
                    members.lease(chosen);
                    leases.push(chosen);
                }
            }
            _ => {
                if !leases.is_empty() {
                    let at = random(step, leases.len() as u64) as usize;
                    members.release(leases.swap_remove(at));
                }
            }
        }
        let shown = members.show();
        let working = shown.iter().filter(|member| member.takes_work);
        assert_eq!(working.clone().count(), members.len());
        let least = working
            .map(|member| (member.load + 1.0) / member.weight)
            .reduce(f64::min);
        let picked = members.pick(Pick::LeastLoaded).ok().map(|(_, id)| id);
        let of = shown
            .iter()
            .find(|member| Some(&member.id) == picked.as_ref());
        let score = of.map(|member| (member.load + 1.0) / member.weight);
        assert!(
            score.unwrap_or_default() - least.unwrap_or_default() < 1e-5,
            "step {step}: {score:?} {least:?}"
        );
    }
}
