//! Single ports: those at which pages look, those that have died, and those that keep a thread.

use aemp::inspect::{Deaths, PortFate, RunningInfo};

use super::Network;
use crate::looked::Tapped;

impl Network {
    /// Takes the last deaths of a node. Those of other nodes' ports are left out.
    pub fn add_deaths(&mut self, node: &str, at: f64, deaths: Result<Deaths, String>) {
        if let Some(seen) = self.nodes.get_mut(node) {
            seen.deaths = Some(deaths.map(|mut deaths| {
                deaths.deaths.retain(|death| node_of(&death.port) == node);
                (deaths, at)
            }));
        }
    }

    /// True if nothing more can be expected about the deaths of a node.
    pub fn has_told_deaths(&self, node: &str) -> bool {
        let seen = self.nodes.get(node);
        seen.is_some_and(|seen| seen.deaths.is_some()) || !self.answers(node)
    }

    /// Takes the answer about a port that is looked at.
    pub fn add_port(&mut self, port: &str, at: f64, fate: Result<PortFate, String>) {
        let looked = self.looked.entry(port.into()).or_default();
        looked.take(port, at, fate);
    }

    /// Takes messages of a port that is looked at.
    pub fn add_messages(&mut self, port: &str, tapped: Tapped) {
        if let Some(looked) = self.looked.get_mut(port) {
            looked.tapped.get_or_insert_default().take(tapped);
        }
    }

    /// True if nothing more can be expected about a port that is looked at.
    pub fn is_told_of(&self, port: &str) -> bool {
        let looked = self.looked.get(port);
        looked.is_some_and(|looked| looked.told) || !self.answers(node_of(port))
    }

    /// True if the messages of a port are followed, as far as its node answers.
    pub fn is_tapping(&self, port: &str) -> bool {
        let looked = self.looked.get(port);
        looked.is_some_and(|looked| looked.tapped.is_some()) || !self.answers(node_of(port))
    }

    /// True if a node answers questions.
    pub fn answers(&self, node: &str) -> bool {
        let seen = self.nodes.get(node);
        seen.is_some_and(|seen| seen.info.is_some() && seen.failure.is_none())
    }

    /// The handlers that keep a thread, with their nodes.
    pub fn running(&self) -> impl Iterator<Item = (&str, &RunningInfo)> {
        let own = |node: &str, of: &RunningInfo| of.port.is_empty() || node_of(&of.port) == node;
        self.nodes.iter().flat_map(move |(node, seen)| {
            let counts = seen.activity.last();
            let executor = counts.and_then(|counts| counts.executor.as_ref());
            let running = executor.into_iter().flat_map(|executor| &executor.running);
            let running = running.filter(move |of| own(node, of));
            running.map(move |of| (node.as_str(), of))
        })
    }
}

/// The node of a port, by the port's ID.
pub fn node_of(port: &str) -> &str {
    port.split_once('#').map_or(port, |(node, _)| node)
}
