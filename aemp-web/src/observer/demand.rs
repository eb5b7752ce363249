//! The things that the observer's browsers look at. The collector asks for nothing else.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aemp::logs::LogLevel;
use tokio::time::Instant;

/// The time for which something is still collected after its last viewer has gone. A page that is opened meanwhile, or
/// loaded again, then has data at once.
const LINGER: Duration = Duration::from_secs(10);

/// Something that can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    /// The nodes, with their connections and ports. Every page shows some of that.
    Nodes,
    /// The supervisors and their children.
    Trees,
    /// The log of the network, from this level on.
    Logs(LogLevel),
    /// The handlers that wait for calls.
    Waits,
    /// The sampled traces.
    Traces,
    /// The functions of a node.
    Functions(String),
    /// The last deaths of a node's ports.
    Deaths(String),
    /// A port.
    Port(String),
    /// The messages of a port, by a tap.
    Messages(String),
    /// The contents of a family of the database.
    Family(String),
}

/// The viewers of one thing.
#[derive(Clone, Copy, Debug)]
enum Viewers {
    /// This many, at least one.
    Now(usize),
    /// There is none since then.
    Left(Instant),
}

/// The viewers of everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demand(Arc<Mutex<BTreeMap<Thing, Viewers>>>);

impl Demand {
    /// A viewer of some things, until the result is dropped; and true if there was none of one of them just before.
    pub(crate) fn viewer(&self, things: impl IntoIterator<Item = Thing>) -> (Look, bool) {
        let things: Vec<_> = things.into_iter().collect();
        let mut viewers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_new = false;
        for thing in &things {
            is_new |= !viewers.contains_key(thing);
            let viewers = viewers.entry(thing.clone()).or_insert(Viewers::Now(0));
            *viewers = match *viewers {
                Viewers::Now(n) => Viewers::Now(n + 1),
                Viewers::Left(_) => Viewers::Now(1),
            };
        }
        drop(viewers);
        let look = Look {
            demand: self.clone(),
            things,
        };
        (look, is_new)
    }

    /// The things that are looked at, or were a moment ago.
    pub(crate) fn wanted(&self) -> Vec<Thing> {
        let now = Instant::now();
        let mut viewers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        viewers.retain(|_, viewers| match viewers {
            Viewers::Now(_) => true,
            Viewers::Left(at) => now < *at + LINGER,
        });
        viewers.keys().cloned().collect()
    }
}

/// A viewer of some things.
#[derive(Debug)]
pub(crate) struct Look {
    demand: Demand,
    things: Vec<Thing>,
}

impl Drop for Look {
    fn drop(&mut self) {
        let mut viewers = self.demand.0.lock().unwrap_or_else(PoisonError::into_inner);
        for thing in &self.things {
            if let Some(viewers) = viewers.get_mut(thing) {
                *viewers = match *viewers {
                    Viewers::Now(n) if n > 1 => Viewers::Now(n - 1),
                    _ => Viewers::Left(Instant::now()),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn things_are_wanted_for_a_while_after_the_last_viewer() {
        let demand = Demand::default();
        assert!(demand.wanted().is_empty());
        let (first, is_new) = demand.viewer([Thing::Nodes, Thing::Family("f".into())]);
        assert!(is_new);
        let (second, is_new) = demand.viewer([Thing::Nodes]);
        assert!(!is_new);
        drop(first);
        let both = [Thing::Nodes, Thing::Family("f".into())];
        assert_eq!(demand.wanted(), both);
        tokio::time::advance(LINGER).await;
        assert_eq!(demand.wanted(), [Thing::Nodes]);
        drop(second);
        tokio::time::advance(LINGER / 2).await;
        let (third, is_new) = demand.viewer([Thing::Nodes]);
        assert!(!is_new);
        tokio::time::advance(LINGER).await;
        assert_eq!(demand.wanted(), [Thing::Nodes]);
        drop(third);
        tokio::time::advance(LINGER).await;
        assert!(demand.wanted().is_empty());
    }
}
