//! Limits and permits, from the file and from the program.

use std::time::Duration;

use aemp::{
    Map, Node,
    config::{Permit, Settings, Sources},
    limits::NodeLimits,
};

use crate::common::{Home, settings};

#[test]
fn every_limit_can_stand_in_the_file() {
    let home = Home::with(
        r#"{ "max_strangers": 1, "max_strangers_per_address": "2", "max_handshake_bytes": "20K",
             "handshake_timeout": 1.5, "max_packet_bytes": "1 M", "max_packet_depth": 64, "max_packet_values": 65536,
             "max_queue_bytes": "1g", "max_requests_per_second": 7.0, "max_spawned_ports": 8,
             "max_monitors": 9, "max_port_queue": 12, "max_db_keys": 10, "max_db_bytes": 11,
             "allow": ["worker/*=My::*", "a,b=*"] }"#,
    );
    let settings = settings(&home, "p", &Map::new()).unwrap();
    let limits = settings.limits;
    let strangers = (limits.max_strangers, limits.max_strangers_per_address);
    assert_eq!(strangers, (1, 2));
    assert_eq!(limits.max_handshake_bytes, 20 << 10);
    assert_eq!(limits.handshake_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(limits.packet().max_packet, 1 << 20);
    assert_eq!(limits.packet().max_depth, 64);
    assert_eq!(limits.packet().max_values, 65_536);
    assert_eq!(limits.max_queue_bytes, 1 << 30);
    let (requests, ports) = (limits.max_requests_per_second, limits.max_spawned_ports);
    assert_eq!((requests, ports, limits.max_monitors), (7, 8, 9));
    assert_eq!(limits.max_port_queue, 12);
    assert_eq!((limits.max_db_keys, limits.max_db_bytes), (10, 11));
    let allow = settings.allow.unwrap();
    assert!(allow[1].permits("a,b", "F::f"), "a list may have commas");
}

#[test]
fn without_settings_the_defaults_apply() {
    let settings = Settings::resolve(&Sources::default()).unwrap();
    assert_eq!(settings.limits, NodeLimits::default());
    assert_eq!(settings.allow, None);
}

#[test]
fn permits_from_a_text_or_a_list() {
    for text in [r#""a=F::f,b/*=*""#, r#"["a=F::f", "b/*=*"]"#] {
        let home = Home::with(&format!(r#"{{"allow": {text}}}"#));
        let settings = settings(&home, "p", &Map::new());
        let expected = [Permit::new("a", "F::f"), Permit::new("b/*", "*")];
        assert_eq!(settings.unwrap().allow.as_deref(), Some(&expected[..]));
    }
}

#[tokio::test]
async fn invalid_limits_are_explained() {
    for (key, value, problem) in [
        ("max_strangers", "0", "a whole number, at least 1"),
        ("max_monitors", "1K", "a whole number, at least 1"),
        ("max_monitors", "many", "a whole number, at least 1"),
        (
            "max_handshake_bytes",
            "100",
            "a whole number, at least 16384, perhaps with K, M or G",
        ),
        (
            "max_db_bytes",
            "5X",
            "a whole number, at least 1, perhaps with K, M or G",
        ),
        (
            "max_packet_bytes",
            "99999999999999999G",
            "a whole number, at least 512, perhaps with K, M or G",
        ),
        ("max_packet_depth", "2", "a whole number, at least 8"),
        ("max_packet_values", "2", "a whole number, at least 512"),
    ] {
        let node = Node::builder().setting(key, value).start().await;
        assert_eq!(
            node.unwrap_err().to_string(),
            format!("{key}: expected {problem}, found {value:?}")
        );
    }
    let node = Node::builder().setting("allow", "everybody").start().await;
    let told = node.unwrap_err().to_string();
    assert!(
        told.contains("allow: element 1: expected NODES=FUNCTIONS"),
        "{told}"
    );
}
