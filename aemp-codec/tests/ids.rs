//! The texts that are node IDs and port IDs, and the parts of these.

use aemp_codec::{IdError, NodeId, PortId, Value, from_value};

#[test]
fn node_ids() {
    for text in ["a", "worker/1", "x-Y_0.:/", "\u{e4}", &"n".repeat(255)] {
        assert_eq!(NodeId::new(text).expect("a node ID").as_str(), text);
        assert_eq!(text.parse::<NodeId>().expect("a node ID").to_string(), text);
    }
    for (text, error, message) in [
        ("", IdError::Empty, "an ID must not be empty"),
        (
            "a#b",
            IdError::Forbidden('#'),
            "a node ID must not contain '#'",
        ),
        (
            "a;b",
            IdError::Forbidden(';'),
            "a node ID must not contain ';'",
        ),
        (
            "a b",
            IdError::Forbidden(' '),
            "a node ID must not contain ' '",
        ),
        (
            "a\r\n",
            IdError::Forbidden('\r'),
            "a node ID must not contain '\\r'",
        ),
        (
            "\0",
            IdError::Forbidden('\0'),
            "a node ID must not contain '\\0'",
        ),
        (
            "\u{85}",
            IdError::Forbidden('\u{85}'),
            "a node ID must not contain '\\u{85}'",
        ),
    ] {
        assert_eq!(NodeId::new(text), Err(error.clone()), "{text:?}");
        assert_eq!(error.to_string(), message);
    }
    let error = NodeId::new("n".repeat(256))
        .expect_err("too long")
        .to_string();
    assert_eq!(
        error,
        "a node ID must not be longer than 255 bytes, this one has 256"
    );
    assert_eq!(size_of::<NodeId>(), 16);
}

#[test]
fn port_ids() {
    for (text, node, name, shown) in [
        ("n#p", "n", "p", "n#p"),
        ("n#p#q", "n", "p#q", "n#p#q"),
        ("n#p q;", "n", "p q;", "n#p q;"),
        ("n", "n", "", "n"),
        ("n#", "n", "", "n"),
        ("#p", "", "p", "#p"),
        ("#", "", "", "#"),
    ] {
        let port = PortId::parse(text).expect("a port ID");
        assert_eq!(
            (port.node(), port.name(), port.as_str()),
            (node, name, shown)
        );
        assert_eq!(PortId::new(&port.node_id(), port.name()), port);
        assert_eq!(port.is_node_port(), name.is_empty());
        assert_eq!(from_value::<PortId>(Value::from(&port)), Ok(port));
    }
    assert_eq!(PortId::parse(""), Err(IdError::Empty));
    assert_eq!(PortId::parse("a b#p"), Err(IdError::Forbidden(' ')));
    assert_eq!(PortId::from(NodeId::unnamed()).as_str(), "#");
    assert_eq!(from_value::<NodeId>(Value::from("")), Ok(NodeId::unnamed()));
    assert_eq!(size_of::<PortId>(), 16);
}
