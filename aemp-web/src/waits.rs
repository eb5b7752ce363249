//! The waits of ports for each other, over all nodes, and the circles among them.
//!
//! Nodes answer at slightly different times, so a call that seems to wait may have been answered since. A wait *stays* if the
//! same run of a handler waits for the same port in two answers of its node. A circle consists of waits that stay, so it is one.

use std::collections::{BTreeMap, BTreeSet};

use aemp::inspect::{WaitInfo, Waits};

/// The waits of one node.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// The number of its handlers that wait for anything.
    pub total: u64,
    /// Those that wait for calls.
    pub waits: Vec<Wait>,
}

/// A handler that waits for calls.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Its report.
    pub info: WaitInfo,
    /// The called ports for which it has waited in the answer before.
    stays: BTreeSet<String>,
}

impl Waiting {
    /// The waits of a new answer of a node. Its reports about the ports of other nodes are left out.
    #[must_use]
    pub fn next(&self, node: &str, answer: Waits) -> Self {
        let before: BTreeMap<(&str, u64), &WaitInfo> = self
            .waits
            .iter()
            .map(|wait| ((&*wait.info.port, wait.info.run), &wait.info))
            .collect();
        let is_own = |info: &WaitInfo| info.port.split('#').next() == Some(node);
        let own = answer.waits.into_iter().filter(is_own);
        let waits = own.map(|info| {
            let before = before.get(&(&*info.port, info.run));
            let both = |port: &&String| before.is_some_and(|before| before.calls.contains(port));
            let stays = info.calls.iter().filter(both).cloned().collect();
            Wait { info, stays }
        });
        Self {
            total: answer.total,
            waits: waits.collect(),
        }
    }
}

/// The ports that are part of a circle, with the numbers of their circles.
pub fn circles<'a>(waits: impl IntoIterator<Item = &'a Wait>) -> BTreeMap<&'a str, usize> {
    let waits: BTreeMap<&str, &BTreeSet<String>> = waits
        .into_iter()
        .map(|wait| (&*wait.info.port, &wait.stays))
        .collect();
    let mut found = BTreeMap::new();
    let mut circle = 0;
    for component in components(&waits) {
        let is_circle = match component[..] {
            [one] => waits[one].contains(one),
            _ => true,
        };
        if is_circle {
            circle += 1;
            found.extend(component.into_iter().map(|port| (port, circle)));
        }
    }
    found
}

/// The strongly connected components (Tarjan), without recursion, because others decide how deep it goes.
fn components<'a>(graph: &BTreeMap<&'a str, &'a BTreeSet<String>>) -> Vec<Vec<&'a str>> {
    let mut order = BTreeMap::<&str, (usize, usize)>::new();
    let (mut open, mut is_open, mut all) = (Vec::new(), BTreeSet::new(), Vec::new());
    for start in graph.keys() {
        if order.contains_key(start) {
            continue;
        }
        let mut path = vec![(*start, graph[start].iter())];
        enter(start, &mut order, &mut open, &mut is_open);
        while let Some((at, edges)) = path.last_mut() {
            let at = *at;
            if let Some(next) = edges.next() {
                let Some((next, further)) = graph.get_key_value(&**next) else {
                    continue;
                };
                if !order.contains_key(next) {
                    enter(next, &mut order, &mut open, &mut is_open);
                    path.push((next, further.iter()));
                } else if is_open.contains(next) {
                    let (number, _) = order[next];
                    lower(&mut order, at, number);
                }
                continue;
            }
            path.pop();
            let (number, lowest) = order[at];
            if let Some((parent, _)) = path.last() {
                lower(&mut order, parent, lowest);
            }
            if number == lowest {
                let from = open.iter().rposition(|port| *port == at).unwrap_or(0);
                let component = open.split_off(from);
                for port in &component {
                    is_open.remove(port);
                }
                all.push(component);
            }
        }
    }
    all
}

fn enter<'a>(
    port: &'a str,
    order: &mut BTreeMap<&'a str, (usize, usize)>,
    open: &mut Vec<&'a str>,
    is_open: &mut BTreeSet<&'a str>,
) {
    let number = order.len();
    order.insert(port, (number, number));
    open.push(port);
    is_open.insert(port);
}

fn lower(order: &mut BTreeMap<&str, (usize, usize)>, port: &str, to: usize) {
    if let Some((_, lowest)) = order.get_mut(port) {
        *lowest = to.min(*lowest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(waits: &[(&str, u64, &str)]) -> Waits {
        let mut answer = Waits::default();
        let info = |(port, run, calls): &(&str, u64, &str)| {
            let mut info = WaitInfo::default();
            (info.port, info.run) = ((*port).into(), *run);
            info.calls = calls.split(' ').map(Into::into).collect();
            info
        };
        answer.waits = waits.iter().map(info).collect();
        answer
    }

    /// The circles after two answers of each node.
    fn found(nodes: &[(&str, [Waits; 2])]) -> Vec<(String, usize)> {
        let waiting = nodes.iter().map(|(node, [first, second])| {
            let waiting = Waiting::default().next(node, first.clone());
            waiting.next(node, second.clone())
        });
        let waiting: Vec<_> = waiting.collect();
        let waits = waiting.iter().flat_map(|waiting| &waiting.waits);
        let circles = circles(waits).into_iter();
        circles
            .map(|(port, circle)| (port.into(), circle))
            .collect()
    }

    fn twice(waits: &[(&str, u64, &str)]) -> [Waits; 2] {
        [answer(waits), answer(waits)]
    }

    #[test]
    fn a_circle_may_go_over_several_nodes() {
        let a = twice(&[("a#1", 7, "b#1"), ("a#2", 8, "a#1"), ("a#3", 9, "a#3")]);
        let b = twice(&[("b#1", 7, "x#9 b#2"), ("b#2", 8, "a#1")]);
        let found = found(&[("a", a), ("b", b)]);
        let circle = |port: &str| found.iter().find(|(of, _)| of == port).map(|(_, n)| *n);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(circle("a#1").is_some());
        assert_eq!(circle("a#1"), circle("b#1"));
        assert_eq!(circle("a#1"), circle("b#2"));
        assert_ne!(circle("a#1"), circle("a#3"));
        // It only waits for a circle.
        assert_eq!(circle("a#2"), None);
    }

    #[test]
    fn a_wait_of_another_run_is_no_part_of_a_circle() {
        let still = twice(&[("a#1", 7, "b#1")]);
        let moved = [answer(&[("b#1", 1, "a#1")]), answer(&[("b#1", 2, "a#1")])];
        assert_eq!(found(&[("a", still.clone()), ("b", moved)]), []);
        let turned = [answer(&[("b#1", 1, "a#2")]), answer(&[("b#1", 1, "a#1")])];
        assert_eq!(found(&[("a", still), ("b", turned)]), []);
    }

    #[test]
    fn a_node_speaks_for_its_own_ports() {
        let liar = twice(&[("a#1", 7, "a#1"), ("liar#1", 7, "liar#1")]);
        assert_eq!(found(&[("liar", liar)]), [("liar#1".into(), 1)]);
    }

    #[test]
    fn a_long_chain_is_searched_without_recursion() {
        let ids: Vec<String> = (0..50_000).map(|n| format!("a#{n}")).collect();
        let next = |at: usize| ids[(at + 1) % ids.len()].as_str();
        let chain: Vec<_> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| (&**id, 1, next(at)))
            .collect();
        assert_eq!(found(&[("a", twice(&chain))]).len(), 50_000);
        assert_eq!(found(&[("a", twice(&chain[..49_999]))]), []);
    }
}
