//! The claims of one name, as the database shows them ([protocol](aemp_proto::protocol::names#names-in-the-network)).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aemp_codec::{PortId, Value};

/// The beginning of the names of families that hold claims.
const FAMILY: &str = "Aemp::name::";

/// The family for the claims of a name. Octets that a family's name cannot have are escaped, so that two names never
/// have the same family.
pub(super) fn family(name: &str) -> String {
    let mut family = String::from(FAMILY);
    for octet in name.bytes() {
        match octet {
            b'_' => family.push_str("__"),
            _ if octet.is_ascii_alphanumeric() || octet == b':' => family.push(octet.into()),
            _ => family.push_str(&format!("_{octet:02X}")),
        }
    }
    family
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// It waits for the name.
    Waits(u64),
    /// It has the name.
    Holds {
        number: u64,
        /// The port that the name stands for. None while it is being made.
        port: Option<PortId>,
        /// The milliseconds for which it has held the name, as it said when it met a rival.
        age: Option<u64>,
    },
    /// It has given the name up in order.
    Released,
}

impl Entry {
    /// Reads the value of an entry. None if it is no claim.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let elements = value.as_array()?;
        let number = |at: usize| number(elements.get(at)?);
        Some(match elements.len() {
            0 => Self::Released,
            1 => Self::Waits(number(0)?),
            _ => Self::Holds {
                number: number(0)?,
                port: elements[1].as_str().and_then(|id| PortId::parse(id).ok()),
                age: number(2),
            },
        })
    }

    pub(super) fn value(&self) -> Value {
        let elements = match self {
            Self::Released => Vec::new(),
            Self::Waits(number) => vec![(*number).into()],
            Self::Holds { number, port, age } => {
                let port = port.as_ref().map_or(Value::Null, |id| id.as_str().into());
                let age = age.map(Value::from);
                [(*number).into(), port].into_iter().chain(age).collect()
            }
        };
        Value::Array(elements)
    }

    fn place(&self, key: &Arc<str>) -> Option<Place> {
        let key = Arc::clone(key);
        match self {
            Self::Waits(number) => Some(Place::Waits(*number, key)),
            Self::Holds { number, age, .. } => Some(Place::Holds(Reverse(*age), *number, key)),
            Self::Released => None,
        }
    }
}

/// A number, which may have become text on its way.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.text()?.parse().ok())
}

/// The place of a claim in the order: holders first, the oldest of them first, then those that wait, in the order of
/// their numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Holds(Reverse<Option<u64>>, u64, Arc<str>),
    Waits(u64, Arc<str>),
}

impl Place {
    pub(super) fn key(&self) -> &Arc<str> {
        match self {
            Self::Holds(_, _, key) | Self::Waits(_, key) => key,
        }
    }
}

/// All claims of a name that are known, in order.
#[derive(Debug, Default)]
pub(super) struct View {
    entries: BTreeMap<Arc<str>, Entry>,
    order: BTreeSet<Place>,
}

impl View {
    /// Sets or deletes a claim. Returns its previous state.
    pub(super) fn set(&mut self, key: &str, entry: Option<Entry>) -> Option<Entry> {
        let key: Arc<str> = key.into();
        let before = match &entry {
            Some(entry) => self.entries.insert(Arc::clone(&key), entry.clone()),
            None => self.entries.remove(&key),
        };
        if let Some(place) = before.as_ref().and_then(|before| before.place(&key)) {
            self.order.remove(&place);
        }
        self.order.extend(entry.and_then(|entry| entry.place(&key)));
        before
    }

    /// The first claim in the order.
    pub(super) fn first(&self) -> Option<&Place> {
        self.order.first()
    }

    /// The claims that hold the name, the oldest first. There are several after a part of the network was cut off.
    pub(super) fn holders(&self) -> impl Iterator<Item = &Place> {
        let holds = |place: &&Place| matches!(place, Place::Holds(..));
        self.order.iter().take_while(holds)
    }

    /// The port of a claim that holds the name.
    pub(super) fn port(&self, key: &str) -> Option<&PortId> {
        match self.entries.get(key)? {
            Entry::Holds { port, .. } => port.as_ref(),
            Entry::Waits(_) | Entry::Released => None,
        }
    }

    /// The greatest number of a claim.
    pub(super) fn greatest(&self) -> u64 {
        let numbers = self.entries.values().map(|entry| match entry {
            Entry::Waits(number) | Entry::Holds { number, .. } => *number,
            Entry::Released => 0,
        });
        numbers.max().unwrap_or_default()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_differ_as_names_do() {
        assert_eq!(family("log"), "Aemp::name::log");
        assert_eq!(family("My::Log"), "Aemp::name::My::Log");
        assert_eq!(family("log_2"), "Aemp::name::log__2");
        assert_eq!(family("log/2"), "Aemp::name::log_2F2");
        assert_eq!(family("é"), "Aemp::name::_C3_A9");
        for name in ["", "a b", "_", "__", "_5F", "日本"] {
            aemp_proto::global::check_family(&family(name)).unwrap();
        }
    }

    #[test]
    fn entries_are_read_as_they_are_written() {
        let port = PortId::parse("a#1").unwrap();
        let holds = |port, age| Entry::Holds {
            number: 3,
            port,
            age,
        };
        for (entry, json) in [
            (Entry::Released, "[]"),
            (Entry::Waits(7), "[7]"),
            (holds(None, None), "[3,null]"),
            (holds(Some(port.clone()), None), r#"[3,"a#1"]"#),
            (holds(Some(port), Some(1500)), r#"[3,"a#1",1500]"#),
        ] {
            assert_eq!(Entry::read(&entry.value()).unwrap(), entry);
            assert_eq!(entry.value().to_string(), json);
        }
        let perl = Value::Array(vec!["4".into(), "a#2".into()]);
        assert!(matches!(
            Entry::read(&perl),
            Some(Entry::Holds { number: 4, .. })
        ));
        for odd in [Value::Null, "x".into(), Value::Array(vec!["x".into()])] {
            assert_eq!(Entry::read(&odd), None);
        }
    }

    #[test]
    fn holders_come_first_and_the_oldest_of_them() {
        let mut view = View::default();
        let holds = |number, age| Entry::Holds {
            number,
            port: None,
            age,
        };
        view.set("e", Some(Entry::Waits(2)));
        view.set("d", Some(Entry::Waits(1)));
        view.set("c", Some(holds(3, None)));
        view.set("b", Some(holds(4, Some(9))));
        view.set("a", Some(holds(5, Some(20))));
        let order: Vec<_> = view.order.iter().map(|place| &**place.key()).collect();
        assert_eq!(order, ["a", "b", "c", "d", "e"]);
        assert_eq!(view.holders().count(), 3);
        assert_eq!(view.greatest(), 5);
        view.set("a", None);
        view.set("b", Some(Entry::Released));
        assert_eq!(&**view.first().unwrap().key(), "c");
    }
}
