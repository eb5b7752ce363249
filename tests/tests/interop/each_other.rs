//! One network of seven nodes, three of them Perl's, that prefer different formats.
//!
//! The formats of each pair, as both ends report them, are compared with the rule of the greeting. Every kind of value
//! goes through calls, kill reasons, relays over a third node, and the database. Values are compared as a Perl program
//! would: 5 is "5", octets are characters.

mod alike;
mod member;

use aemp::{Map, Value, msg};

use self::{alike::alike, member::Member};
use crate::{common::soon, perl};

/// The formats that a Rust node with all features prefers, in that order.
const ALL: &[&str] = &["postcard/1", "cbor", "json"];

/// Formats in which octets are not text.
const BINARY: &[&str] = &["postcard/1", "cbor"];

/// The nodes, and their formats, the favourite first. The first of each kind is global.
const NODES: [(&str, &[&str]); 7] = [
    ("rust-all", ALL),
    ("rust-all-2", ALL),
    ("rust-json", &["json"]),
    ("rust-json-first", &["json", "cbor", "postcard/1"]),
    ("perl-cbor", &["cbor", "json", "storable"]),
    ("perl-json", &["json", "cbor"]),
    ("perl-storable", &["storable", "json", "cbor"]),
];

/// The format in which one node writes to another.
fn writes<'a>(from: &Member, to: &'a Member) -> &'a str {
    let mut wanted = to.formats.iter();
    wanted.find(|name| from.formats.contains(name)).unwrap()
}

/// A value of every kind.
fn values() -> Vec<Value> {
    let octets: Vec<u8> = (0..=255).collect();
    let map = Map::from_iter([
        ("key".to_owned(), Value::Array(msg![(), 1.5, "x"])),
        ("\u{20ac}".to_owned(), Value::Map(Map::new())),
        (String::new(), Value::bytes(octets.clone())),
    ]);
    let text = "\u{e4}\u{20ac}\u{1f600}\0\n\"";
    let mut values = msg![
        (),
        true,
        false,
        0,
        -1,
        -25,
        65_536,
        i64::MIN,
        i64::MAX,
        u64::MAX,
        0.1,
        -5.5,
        1e100,
        "",
        "7",
    ];
    values.extend(msg![text, "x".repeat(70_000), map, Value::bytes(octets)]);
    values.push((0..30).map(Value::from).collect());
    values
}

/// All nodes, each of which has been spoken to by each other. `None` where there is no Perl.
async fn network() -> Option<Vec<Member>> {
    if !perl::is_there() {
        return None;
    }
    let seeds = [aemp_tests::free_address(), aemp_tests::free_address()];
    let mut members = Vec::new();
    for (id, formats) in NODES {
        members.push(Member::start(id, formats, &seeds).await);
    }
    // A node is found when its master knows of it.
    for member in &mut members {
        let wrong = |nodes: &Map| {
            let mut missing = NODES.iter().filter(|(id, _)| nodes.get(id).is_none());
            missing.next().map(|(id, _)| format!("{id} is missing"))
        };
        member.until_family("'l", wrong).await;
    }
    for from in 0..members.len() {
        for to in 0..members.len() {
            let port = members[to].inbox.clone();
            members[from].send(&port, msg!["hello"]);
        }
    }
    for member in &mut members {
        for _ in NODES {
            assert_eq!(member.receive().await[0], "hello".into());
        }
    }
    Some(members)
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn each_end_writes_the_receivers_favourite_format() {
    let Some(members) = network().await else {
        return;
    };
    let looking = members[0].node().unwrap();
    for member in &members {
        let Some(node) = member.node() else { continue };
        // Asked over the network, but for one.
        let seen = soon(looking.inspect(member.id).connections())
            .await
            .unwrap();
        for other in members.iter().filter(|other| other.id != member.id) {
            let mut lines = seen.connections.iter();
            let line = lines.find(|line| line.node == other.id);
            let line = line.unwrap_or_else(|| panic!("{} and {}", member.id, other.id));
            let formats = [&line.format_out, &line.format_in].map(|name| name.clone().unwrap());
            let expected = [writes(member, other), writes(other, member)];
            assert_eq!(formats, expected, "{} and {}", member.id, other.id);
            let format = node.node_format(other.id);
            assert_eq!(format.as_deref(), Some(expected[0]));
        }
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn ports_are_spawned_called_and_killed_everywhere() {
    let Some(mut members) = network().await else {
        return;
    };
    let reason = msg![
        "why",
        1,
        u64::MAX,
        "\u{e4}\u{20ac}",
        (),
        Value::Array(msg![1.5])
    ];
    for from in 0..members.len() {
        for to in 0..members.len() {
            if from == to {
                continue;
            }
            let place = format!("{} and {}", members[from].id, members[to].id);
            let both = [
                writes(&members[from], &members[to]),
                writes(&members[to], &members[from]),
            ];
            let exact = both.iter().all(|format| BINARY.contains(format));
            let (id, echo) = (members[to].id, members[to].echo());
            let asking = &mut members[from];
            let port = asking.spawn(id, echo).await;
            for value in values() {
                let back = asking.call(&port, value.clone()).await;
                assert!(alike(&back, &value), "{place}: {value} {back}");
                let is_bytes = |value: &Value| matches!(value, Value::Bytes(_));
                let kept = !exact || asking.node().is_none() || is_bytes(&value) == is_bytes(&back);
                assert!(kept, "{place}: {back:?}");
            }
            let died = asking.kill(&port, &reason).await;
            assert!(
                alike(&died.clone().into(), &reason.clone().into()),
                "{place}: {died:?}"
            );
        }
    }
}

/// A message that arrives in one format leaves in another.
#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn messages_are_relayed_over_all_nodes() {
    let Some(mut members) = network().await else {
        return;
    };
    for from in 0..members.len() {
        for via in 0..members.len() {
            for to in 0..members.len() {
                if from == via || via == to || from == to {
                    continue;
                }
                let ids = [from, via, to].map(|place| members[place].id);
                let [_, through, _] = ids;
                let mut message = msg![ids.join(" ")];
                message.extend(values());
                let port = members[to].inbox.clone();
                members[from].send_via(through, &port, message.clone());
                let received = members[to].receive().await;
                assert_eq!(received.len(), message.len());
                for (received, sent) in received.iter().zip(&message) {
                    assert!(alike(received, sent), "{ids:?}: {sent} {received}");
                }
            }
        }
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn all_see_one_database() {
    let Some(mut members) = network().await else {
        return;
    };
    for member in &mut members {
        for (number, value) in values().iter().enumerate() {
            member.set("values", &format!("{} {number}", member.id), value);
        }
    }
    let wrong = |entries: &Map| {
        let sent = values();
        let mut expected = NODES.iter().flat_map(|(id, _)| {
            let sent = sent.iter().enumerate();
            sent.map(move |(number, value)| (format!("{id} {number}"), value))
        });
        expected.find_map(|(key, sent)| match entries.get(&key) {
            Some(value) if alike(value, sent) => None,
            Some(value) => Some(format!("{key}: {value}, not {sent}")),
            None => Some(format!("{key} is missing")),
        })
    };
    for member in &mut members {
        member.until_family("values", wrong).await;
    }
}
