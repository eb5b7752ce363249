//! No recording is forgotten: each is played again with a node of this project in the place of each recorded one, or it says
//! here why that cannot be.

use std::collections::BTreeSet;

use aemp_tests::transcript;

use crate::{handshakes, logs, nodes, ports, replay};

/// The recordings that are not played by whole nodes, with the reasons.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "dataconn",
        "raw bytes need a socket: it is played against a running node (`network/streams.rs`)",
    ),
    (
        "dataconn_broken",
        "it waits for a time limit: it is played against a running node (`network/streams.rs`)",
    ),
    (
        "snd_unencodable",
        "packets that are no JSON, each of which ends a connection of ours: they are read one by one (`packets`)",
    ),
    (
        "tls_handshake",
        "encrypted for keys that are not recorded; there are tests with the reference itself",
    ),
];

#[test]
fn every_recording_is_replayed_or_excused() {
    let recorded: BTreeSet<_> = transcript::all().into_iter().map(|it| it.name).collect();
    let played = [
        handshakes::SCENARIOS,
        logs::SCENARIOS,
        nodes::SCENARIOS,
        ports::SCENARIOS,
        replay::SCENARIOS,
    ];
    let excused = EXCEPTIONS.iter().map(|(name, _)| *name);
    let mut known = BTreeSet::new();
    for name in played.into_iter().flatten().copied().chain(excused) {
        assert!(
            recorded.contains(name),
            "{name}: there is no such recording"
        );
        assert!(known.insert(name.to_owned()), "{name} is there twice");
    }
    let forgotten: Vec<_> = recorded.difference(&known).collect();
    assert!(
        forgotten.is_empty(),
        "neither replayed nor excused: {forgotten:?}"
    );
}

/// No recording in CBOR is excused.
#[test]
fn every_recording_in_cbor_is_replayed() {
    for (name, reason) in EXCEPTIONS {
        assert!(!name.contains("_cbor"), "{name}: {reason}");
    }
}
