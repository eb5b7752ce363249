//! Ports of generic types.

use std::{collections::BTreeMap, fmt::Display, sync::Arc};

use aemp::{Handle, Node, PortId, PortRef, Reply, port};
use serde::{Serialize, de::DeserializeOwned};

use crate::node;

struct Store<K, V> {
    map: BTreeMap<K, V>,
}

#[port]
impl<K: Ord + Display, V> Store<K, V>
where
    V: Clone,
{
    #[rcv]
    fn put(&mut self, key: K, value: V) {
        self.map.insert(key, value);
    }

    #[rcv]
    fn get(&self, key: K) -> Option<V> {
        self.map.get(&key).cloned()
    }

    #[rcv]
    fn first(&self, reply: Reply<Option<String>>) {
        reply.send(self.map.keys().next().map(ToString::to_string));
    }

    #[rcv]
    async fn entries(&mut self) -> Vec<(String, V)> {
        tokio::task::yield_now().await;
        self.map
            .iter()
            .map(|(key, value)| (key.to_string(), value.clone()))
            .collect()
    }
}

/// No message mentions the parameter.
struct Counting<T, const STEP: usize> {
    things: Vec<T>,
    make: fn() -> T,
}

#[port]
impl<T, const STEP: usize> Counting<T, STEP> {
    #[rcv]
    fn more(&mut self) -> usize {
        self.things.extend((0..STEP).map(|_| (self.make)()));
        self.things.len()
    }
}

/// Generic, and without any handler.
#[port(handle = HolderRef, msg = HolderMsg)]
struct Holder<T: Send = u8>(T);

/// One of many instances.
struct Cage<T>(T);

#[port(msg = LionMsg, handle = LionRef)]
impl Cage<Lion> {
    #[rcv]
    fn roar(&self) -> String {
        self.0.0.into()
    }
}

#[port(msg = MouseMsg, handle = MouseRef)]
impl Cage<Mouse> {
    #[rcv]
    fn squeak(&self, times: usize) -> String {
        self.0.0.repeat(times)
    }
}

struct Lion(&'static str);
struct Mouse(&'static str);

/// Generic code over a generated handle.
async fn put_all<K, V>(store: &StoreRef<K, V>, entries: Vec<(K, V)>)
where
    K: Ord + Display + Serialize + DeserializeOwned + Send + 'static,
    V: Clone + Serialize + DeserializeOwned + Send + 'static,
{
    for (key, value) in entries {
        store.put(key, value);
    }
}

#[tokio::test]
async fn type_parameters_are_carried() {
    let node = node();
    let store: StoreRef<u8, String> = node.port(Store {
        map: BTreeMap::new(),
    });
    put_all(&store, vec![(2, "b".to_owned()), (1, "a".to_owned())]).await;
    assert_eq!(store.get(2).await.unwrap().as_deref(), Some("b"));
    assert_eq!(store.first().await.unwrap().as_deref(), Some("1"));
    let entries = store.entries().await.unwrap();
    assert_eq!(
        entries,
        [
            ("1".to_owned(), "a".to_owned()),
            ("2".to_owned(), "b".to_owned())
        ]
    );
}

#[tokio::test]
async fn parameters_that_no_message_mentions() {
    let node = node();
    let counting = node.port(Counting::<Arc<str>, 3> {
        things: Vec::new(),
        make: || "x".into(),
    });
    assert_eq!(counting.more().await.unwrap(), 3);
    assert_eq!(counting.more().await.unwrap(), 6);
    let holder: HolderRef<u16> = node.port(Holder(1));
    holder.kill(());
}

#[tokio::test]
async fn instances_of_one_type_are_ports_of_their_own() {
    let node = node();
    assert_eq!(node.port(Cage(Lion("roar"))).roar().await.unwrap(), "roar");
    assert_eq!(
        node.port(Cage(Mouse("eek"))).squeak(2).await.unwrap(),
        "eekeek"
    );
}

#[tokio::test]
async fn handles_convert_and_compare() {
    fn assert_handle<R: PortRef + Eq + std::fmt::Debug + Serialize + DeserializeOwned>(_: &R) {}

    let node: Node = node();
    let lion = node.port(Cage(Lion("roar")));
    assert_handle(&lion);
    let id: PortId = lion.clone().into();
    let again: LionRef = node.handle(&id);
    assert_eq!(again, lion);
    assert_ne!(again, node.port(Cage(Lion("growl"))));
    assert_eq!(format!("{lion:?}"), format!("LionRef({id})"));
    let below: &Handle<LionMsg> = &lion;
    assert_eq!(LionRef::from(below.clone()).roar().await.unwrap(), "roar");
    assert_eq!(
        serde_json::to_value(&lion).unwrap(),
        serde_json::json!(id.as_str())
    );
}
