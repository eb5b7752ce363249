use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Two hosts, the second of which listens, and the events so far.
struct Pair {
    network: Network,
    hosts: [HostId; 2],
    told: Vec<(Time, Happening)>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut network = Network::new(seed);
        let hosts = ["a", "b"].map(|name| network.add_host(name));
        assert!(network.listen(hosts[1], 4040));
        let told = Vec::new();
        Self {
            network,
            hosts,
            told,
        }
    }

    fn connected(seed: u64) -> (Self, End) {
        let mut pair = Self::new(seed);
        let end = pair.network.dial(pair.hosts[0], "b:4040");
        pair.run(SECOND);
        assert_eq!(pair.told.pop().unwrap().1, Happening::Connected(end));
        assert!(matches!(
            pair.told.pop().unwrap().1,
            Happening::Accepted { port: 4040, .. }
        ));
        (pair, end)
    }

    /// Runs for this time, and takes everything that arrives.
    fn run(&mut self, time: Duration) {
        let until = self.network.now + time;
        loop {
            let more = self.network.advance_one(until);
            while let Some(happening) = self.network.poll() {
                if let Happening::Arrived(end, bytes) = &happening {
                    self.network.taken(*end, bytes.len());
                }
                self.told.push((self.network.now, happening));
            }
            if !more {
                return;
            }
        }
    }

    /// The bytes that have arrived at an end, and the fault that ended it.
    fn at(&self, end: End) -> (Vec<u8>, Option<Fault>) {
        let (mut arrived, mut ended) = (Vec::new(), None);
        for (_, happening) in &self.told {
            match happening {
                Happening::Arrived(at, bytes) if *at == end => {
                    assert_eq!(ended, None, "bytes behind the end");
                    arrived.extend_from_slice(bytes);
                }
                Happening::Ended(at, fault) if *at == end => {
                    assert_eq!(ended.replace(*fault), None, "ended twice");
                }
                _ => {}
            }
        }
        (arrived, ended)
    }
}

#[test]
fn bytes_arrive_in_order_in_pieces() {
    for seed in 0..50 {
        let (mut pair, end) = Pair::connected(seed);
        let all: Vec<u8> = (0..=255).collect();
        for chunk in all.chunks(17) {
            assert_eq!(pair.network.write(end, chunk), chunk.len());
        }
        pair.network.close(end);
        pair.run(SECOND);
        assert_eq!(pair.at(end.other()), (all, Some(Fault::EndOfFile)));
        pair.network.close(end.other());
        assert_eq!(pair.network.connections(), 0);
    }
}

#[test]
fn dialling_fails_without_a_listener_and_without_a_host() {
    let mut pair = Pair::new(1);
    let refused = pair.network.dial(pair.hosts[0], "b:1");
    let unknown = pair.network.dial(pair.hosts[0], "c:4040");
    let nonsense = pair.network.dial(pair.hosts[0], "b");
    pair.run(SECOND);
    assert_eq!(pair.at(refused).1, Some(Fault::Refused));
    assert_eq!(pair.at(unknown).1, Some(Fault::UnknownHost));
    assert_eq!(pair.at(nonsense).1, Some(Fault::UnknownHost));
    assert_eq!(pair.network.connections(), 0);
}

#[test]
fn an_attempt_that_is_lost_times_out() {
    let mut pair = Pair::new(1);
    pair.network.set_conditions(Conditions {
        lose: 1.0,
        ..Conditions::default()
    });
    let end = pair.network.dial(pair.hosts[0], "b:4040");
    pair.run(29 * SECOND);
    assert_eq!(pair.at(end).1, None);
    pair.run(2 * SECOND);
    assert_eq!(pair.at(end).1, Some(Fault::TimedOut));
}

#[test]
fn a_cut_connection_carries_a_part_and_is_reset_at_both_ends() {
    let mut lengths = BTreeSet::new();
    for seed in 0..100 {
        let (mut pair, end) = Pair::connected(seed);
        pair.network.set_conditions(Conditions {
            cut: 1.0,
            ..Conditions::default()
        });
        pair.network.write(end, b"0123456789");
        pair.network.write(end, b"later");
        pair.run(SECOND);
        let (arrived, ended) = pair.at(end.other());
        assert!(b"0123456789".starts_with(&arrived[..]), "{arrived:?}");
        lengths.insert(arrived.len());
        assert_eq!(ended, Some(Fault::Reset));
        assert_eq!(pair.at(end).1, Some(Fault::Reset));
        assert_eq!(pair.network.connections(), 0);
    }
    assert_eq!(lengths.len(), 11, "at any byte: {lengths:?}");
}

#[test]
fn a_short_partition_delays_and_a_long_one_ends() {
    for one_way in [false, true] {
        let (mut pair, end) = Pair::connected(3);
        let [a, b] = pair.hosts;
        if one_way {
            pair.network.partition_one_way(&[a], &[b]);
        } else {
            pair.network.partition(&[a], &[b]);
        }
        pair.network.write(end, b"one");
        pair.network.write(end.other(), b"two");
        pair.run(20 * SECOND);
        assert_eq!(pair.at(end.other()).0, b"");
        assert_eq!(pair.at(end).0.len(), if one_way { 3 } else { 0 });
        pair.network.heal();
        pair.run(SECOND);
        assert_eq!(pair.at(end.other()), (b"one".into(), None));
        assert_eq!(pair.at(end), (b"two".into(), None));

        pair.network.partition_one_way(&[b], &[a]);
        pair.run(31 * SECOND);
        assert_eq!(pair.at(end.other()).1, Some(Fault::TimedOut));
        assert_eq!(pair.at(end).1, Some(Fault::TimedOut));
    }
}

#[test]
fn a_dial_during_a_partition_succeeds_after_it() {
    let mut pair = Pair::new(1);
    let [a, b] = pair.hosts;
    pair.network.partition_one_way(&[b], &[a]);
    let end = pair.network.dial(a, "b:4040");
    pair.run(5 * SECOND);
    assert!(pair.told.is_empty());
    pair.network.heal();
    pair.run(SECOND);
    assert_eq!(pair.told.pop().unwrap().1, Happening::Connected(end));
}

#[test]
fn a_partition_that_is_healed_at_once_makes_no_second_connection() {
    let mut pair = Pair::new(1);
    let [a, b] = pair.hosts;
    let end = pair.network.dial(a, "b:4040");
    pair.network.partition(&[a], &[b]);
    pair.network.heal();
    pair.run(SECOND);
    assert_eq!(pair.told.len(), 2, "{:?}", pair.told);
    assert_eq!(pair.told[1].1, Happening::Connected(end));
}

#[test]
fn a_killed_process_ends_its_connections() {
    let mut faults = BTreeSet::new();
    for seed in 0..20 {
        let (mut pair, end) = Pair::connected(seed);
        pair.network.write(end, b"last words");
        pair.network.crash(pair.hosts[0], Crash::Process);
        pair.run(SECOND);
        let (arrived, ended) = pair.at(end.other());
        faults.insert(format!("{ended:?} {}", arrived.len()));
        assert_eq!(pair.at(end).1, None, "it is gone");
    }
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults.contains("Some(EndOfFile) 10"));
}

#[test]
fn a_lost_machine_is_silent_until_it_is_back() {
    let (mut pair, end) = Pair::connected(1);
    pair.network.crash(pair.hosts[1], Crash::Machine);
    let again = pair.network.dial(pair.hosts[0], "b:4040");
    pair.network.write(end, b"anybody?");
    pair.run(20 * SECOND);
    assert!(pair.told.is_empty(), "{:?}", pair.told);
    pair.network.recover(pair.hosts[1]);
    pair.run(SECOND);
    assert_eq!(pair.at(end).1, Some(Fault::Reset));
    assert_eq!(pair.at(again).1, Some(Fault::Refused));
    assert_eq!(pair.network.connections(), 0);
}

#[test]
fn a_full_window_stops_the_writer_until_there_is_room() {
    let (mut pair, end) = Pair::connected(1);
    pair.network.set_conditions(Conditions {
        window: 10,
        ..Conditions::default()
    });
    assert_eq!(pair.network.write(end, b"0123456"), 7);
    assert_eq!(pair.network.write(end, b"789abc"), 3);
    assert_eq!(pair.network.write(end, b"abc"), 0);
    pair.run(SECOND);
    let told: Vec<_> = pair.told.iter().map(|(_, told)| told).collect();
    assert!(told.contains(&&Happening::Room(end)), "{told:?}");
    assert_eq!(pair.network.write(end, b"abc"), 3);
    pair.run(SECOND);
    assert_eq!(pair.at(end.other()).0, b"0123456789abc");
}

#[test]
fn bytes_for_a_closed_end_are_answered_with_a_reset() {
    let (mut pair, end) = Pair::connected(1);
    pair.network.close(end.other());
    pair.network.write(end, b"hello?");
    pair.run(SECOND);
    // The end of file comes first, and this end is not closed in return.
    let ends: Vec<_> = pair.told.iter().map(|(_, told)| told).collect();
    assert_eq!(
        ends,
        [
            &Happening::Ended(end, Fault::EndOfFile),
            &Happening::Ended(end, Fault::Reset)
        ]
    );
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = |seed| {
        let (mut pair, end) = Pair::connected(seed);
        for _ in 0..10 {
            pair.network.write(end, b"0123456789");
        }
        pair.run(SECOND);
        format!("{:?}", pair.told)
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
}
