//! Counting of ports without delaying others: in chunks under the table's locks, in a separate task.

use std::{cmp::Reverse, collections::HashMap, sync::Arc, time::Duration, vec::Drain};

use super::{MOST, PortTypeInfo, Ports, deaths::info, throttle::Cost};
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

/// Counts all ports in small steps, between which other tasks run, and lists at most `most` of them, of this type if one
/// is named.
pub(super) async fn count(node: &Node, most: usize, kind: Option<&str>) -> Ports {
    let kept = &mut *node.0.inspection.ports.lock().await;
    let question = (most, kind.map(str::to_owned));
    if let Some(ports) = kept.get(&question) {
        return ports;
    }
    let (mut found, mut cost) = (Found::new(most, kind), Cost::default());
    visit(node, |some| {
        let _step = cost.step();
        some.for_each(|port| found.add(port));
    })
    .await;
    let ports = found.finish();
    kept.keep(node, question, Duration::ZERO, cost, &ports);
    ports
}

/// Visits all ports in small steps, between which other tasks run.
pub(crate) async fn visit(node: &Node, mut each: impl FnMut(Drain<'_, Arc<dyn AnyPort>>)) {
    let (mut place, mut some) = (Place::default(), Vec::new());
    while node.0.ports.table.some(&mut place, &mut some) {
        if !some.is_empty() {
            each(some.drain(..));
            tokio::task::yield_now().await;
        }
    }
}

struct Found<'a> {
    most: usize,
    /// The type of the ports to list.
    kind: Option<&'a str>,
    total: u64,
    queued: u64,
    types: HashMap<&'static str, Type>,
    /// The ports with the longest queues, and further ones that have not been sorted yet.
    longest: Vec<(Counts, Arc<dyn AnyPort>)>,
}

/// The ports of one type.
struct Type {
    count: u64,
    queued: u64,
    /// True if they may be listed.
    listed: bool,
}

impl<'a> Found<'a> {
    fn new(most: usize, kind: Option<&'a str>) -> Self {
        Self {
            most,
            kind,
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
        let name = port.type_name();
        let of_type = self.types.entry(name).or_insert_with(|| Type {
            count: 0,
            queued: 0,
            listed: self.kind.is_none_or(|kind| kind == shown(name)),
        });
        of_type.count += 1;
        of_type.queued += counts.queued as u64;
        if !of_type.listed {
            return;
        }
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
        let kind = |(name, of_type): (_, Type)| PortTypeInfo {
            kind: shown(name),
            count: of_type.count,
            queued: of_type.queued,
        };
        let mut types: Vec<PortTypeInfo> = self.types.into_iter().map(kind).collect();
        types.sort_by(|a, b| (b.count, &a.kind).cmp(&(a.count, &b.kind)));
        types.truncate(MOST);
        Ports {
            total: self.total,
            queued: self.queued,
            types,
            ports: self
                .longest
                .iter()
                .map(|(counts, port)| info(*counts, port))
                .collect(),
        }
    }
}

/// The name of a type, in the form for other nodes.
pub(super) fn shown(name: &'static str) -> String {
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
        let looked = count(&node, 2, None).await;
        let (id, monitors) = (ports[2007].id(), looked.ports[0].monitors);
        assert_eq!((looked.total, looked.ports.len()), (3000, 2));
        assert_eq!((looked.ports[0].id.as_str(), monitors), (id.as_str(), 2007));
        assert_eq!(looked.ports[1].monitors, 1007);
        assert_eq!(looked.types.len(), 1);
        assert_eq!((looked.types[0].count, looked.queued), (3000, 0));
        assert!(count(&node, 0, None).await.ports.is_empty());
        let other = node.untyped(|_: &mut crate::Cx<'_>, _: crate::Args| ());
        let looked = count(&node, 1, Some("untyped")).await;
        assert_eq!(looked.total, 3001);
        assert!(looked.ports.iter().all(|port| port.kind == "untyped"));
        assert_eq!(looked.ports.len(), 1);
        assert!(count(&node, 9, Some("none")).await.ports.is_empty());
        drop(other);
    }
}
