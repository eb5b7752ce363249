//! The attacks, and their permitted costs.

/// One attack.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name by which it is chosen.
    pub name: &'static str,
    /// The attacker's actions, in words.
    pub what: &'static str,
    /// The growth of memory that the victim is allowed, in MiB.
    pub memory: u64,
    /// A text that the victim's log must contain once it has taken so many blows. On a slow machine a short attack may
    /// not get so far.
    pub log: (&'static str, f64),
    /// The limit of the victim's descriptors, if there is one.
    pub descriptors: Option<u64>,
}

const fn scenario(
    name: &'static str,
    what: &'static str,
    memory: u64,
    log: &'static str,
) -> Scenario {
    Scenario {
        name,
        what,
        memory,
        log: (log, 1.0),
        descriptors: None,
    }
}

/// As a scenario whose effect shows only after so many blows.
const fn after(blows: f64, scenario: Scenario) -> Scenario {
    Scenario {
        log: (scenario.log.0, blows),
        ..scenario
    }
}

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    scenario(
        "garbage",
        "logs in and sends random bytes",
        48,
        "malformed packet",
    ),
    scenario(
        "nonsense",
        "packets that say nothing that could be done",
        32,
        "node port",
    ),
    scenario("messages", "messages to one port", 64, "evil"),
    scenario(
        "missing-ports",
        "messages to ports that there are not",
        32,
        "evil",
    ),
    after(
        200_000.0,
        scenario(
            "spawns",
            "ports without end",
            96,
            "max_spawned_ports (20000) reached",
        ),
    ),
    scenario("monitors", "monitors of one port, and of none", 64, "evil"),
    after(
        200_000.0,
        scenario(
            "database",
            "entries of the database without end",
            96,
            "max_db_keys (20000) reached",
        ),
    ),
    after(
        1000.0,
        scenario(
            "relays",
            "relays that name thousands of nodes",
            256,
            "cannot be reached",
        ),
    ),
    scenario("inspect", "questions about everything", 64, "evil"),
    after(
        60_000.0,
        scenario(
            "deaf",
            "has itself sent a lot and reads nothing",
            96,
            "bytes queued",
        ),
    ),
    scenario(
        "half-open",
        "connects and says nothing, or is gone at once",
        64,
        "",
    ),
    scenario("drip", "greetings that never end, a byte at a time", 32, ""),
    scenario(
        "endless-line",
        "first lines that never end, as fast as possible",
        32,
        "No space left on device",
    ),
    scenario("hello-tls", "TLS hellos and garbage", 32, "disconnected"),
    scenario(
        "wrong-secret",
        "proofs that are none",
        32,
        "authentication failure",
    ),
    after(
        8_000.0,
        scenario(
            "10000",
            "10,000 connections at once from 10,000 addresses, held",
            64,
            "max_strangers (1024) reached",
        ),
    ),
    Scenario {
        descriptors: Some(128),
        ..scenario(
            "descriptors",
            "1000 connections to a node that may have 128 descriptors",
            32,
            "cannot accept connections",
        )
    },
    after(
        200_000.0,
        scenario(
            "families",
            "an entry in each of many families with long names",
            32,
            "max_db_bytes (8388608) reached",
        ),
    ),
    after(
        200_000.0,
        scenario(
            "watches",
            "watches of families with long names",
            32,
            "max_db_bytes (8388608) reached",
        ),
    ),
    after(
        200_000.0,
        scenario(
            "entries",
            "has entries set by a function of the node",
            128,
            "max_db_bytes (8388608) reached",
        ),
    ),
    after(
        100.0,
        scenario(
            "odd",
            "requests of 20 million elements that make no sense",
            512,
            "max_packet_values",
        ),
    ),
    after(
        100.0,
        scenario(
            "references",
            "45 MB of references to one list, in CBOR",
            512,
            "max_packet_values",
        ),
    ),
    after(
        500.0,
        scenario(
            "large",
            "eight at once send packets of the largest size",
            1024,
            "evil",
        ),
    ),
    scenario("storm", "nodes that come and go", 64, "evil"),
    scenario("all", "half of these at once", 256, "evil"),
];
