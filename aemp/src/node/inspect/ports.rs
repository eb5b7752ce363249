//! Counting of ports without delaying others: in chunks under the table's locks, in a separate task.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use super::{MOST, PortInfo, PortTypeInfo, Ports};
use crate::{
    Node, Untyped,
    port::{
        any::{AnyPort, Counts},
        table::Place,
    },
    process::Process,
};

/// The longest name of a type, in bytes.
const LONGEST_NAME: usize = 200;

/// Counts all ports in small steps, between which other tasks run, and lists at most `most` of them.
pub(super) async fn count(node: &Node, most: usize) -> Ports {
    let _turn = node.0.inspection.turn.lock().await;
    let mut found = Found::new(most);
    let (mut place, mut some) = (Place::default(), Vec::new());
    while node.0.table.some(&mut place, &mut some) {
        if !some.is_empty() {
            some.drain(..).for_each(|port| found.add(port));
            tokio::task::yield_now().await;
        }
    }
    found.finish()
}

struct Found {
    most: usize,
    total: u64,
    queued: u64,
    types: HashMap<&'static str, (u64, u64)>,
    /// The ports with the longest queues, and further ones that have not been sorted yet.
    longest: Vec<(Counts, Arc<dyn AnyPort>)>,
}

impl Found {
    fn new(most: usize) -> Self {
        Self {
            most,
            total: 0,
            queued: 0,
            types: HashMap::new(),
            longest: Vec::new(),
        }
    }

    fn add(&mut self, port: Arc<dyn AnyPort>) {
        let Some(counts) = port.counts() else {
            return;
        };
        self.total += 1;
        self.queued += counts.queued as u64;
        let (count, queued) = self.types.entry(port.type_name()).or_default();
        *count += 1;
        *queued += counts.queued as u64;
        self.longest.push((counts, port));
        if self.longest.len() >= 2 * self.most.max(512) {
            self.sort_out();
        }
    }

    /// Keeps the ports with the longest queues, in descending order. Equal ports are ordered by their numbers.
    fn sort_out(&mut self) {
        self.longest.sort_unstable_by_key(|(counts, port)| {
            (
                Reverse(counts.queued),
                Reverse(counts.monitors),
                port.number(),
            )
        });
        self.longest.truncate(self.most);
    }

    fn finish(mut self) -> Ports {
        self.sort_out();
        let port = |(counts, port): &(Counts, Arc<dyn AnyPort>)| PortInfo {
            id: port.port_id().as_str().into(),
            kind: shown(port.type_name()),
            queued: counts.queued as u64,
            monitors: counts.monitors as u64,
        };
        let kind = |(name, (count, queued))| PortTypeInfo {
            kind: shown(name),
            count,
            queued,
        };
        let mut types: Vec<PortTypeInfo> = self.types.into_iter().map(kind).collect();
        types.sort_by(|a, b| (b.count, &a.kind).cmp(&(a.count, &b.kind)));
        types.truncate(MOST);
        Ports {
            total: self.total,
            queued: self.queued,
            types,
            ports: self.longest.iter().map(port).collect(),
        }
    }
}

/// The name of a type, in the form for other nodes.
fn shown(name: &'static str) -> String {
    if name == std::any::type_name::<Untyped>() {
        return "untyped".into();
    }
    if name == std::any::type_name::<Process>() {
        return "process".into();
    }
    if name.len() <= LONGEST_NAME {
        return name.into();
    }
    let end = |(at, character): (usize, char)| at + character.len_utf8();
    let ends = name.char_indices().map(end);
    let cut = ends.take_while(|end| *end <= LONGEST_NAME).last();
    format!("{}...", &name[..cut.unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut() {
        let long: &'static str = Box::leak("ä".repeat(150).into_boxed_str());
        assert_eq!(shown(long), format!("{}...", "ä".repeat(100)));
        assert_eq!(shown("my::Counter"), "my::Counter");
    }

    #[tokio::test]
    async fn the_longest_of_many_are_kept() {
        let node = Node::local().unwrap();
        let ports: Vec<_> = (0..3000).map(|_| node.empty_port()).collect();
        for (number, port) in ports.iter().enumerate().filter(|(n, _)| n % 1000 == 7) {
            for _ in 0..number {
                port.monitor(|_| ()).detach();
            }
        }
        let looked = count(&node, 2).await;
        let (id, monitors) = (ports[2007].id(), looked.ports[0].monitors);
        assert_eq!((looked.total, looked.ports.len()), (3000, 2));
        assert_eq!((looked.ports[0].id.as_str(), monitors), (id.as_str(), 2007));
        assert_eq!(looked.ports[1].monitors, 1007);
        assert_eq!(looked.types.len(), 1);
        assert_eq!((looked.types[0].count, looked.queued), (3000, 0));
        assert!(count(&node, 0).await.ports.is_empty());
    }
}
