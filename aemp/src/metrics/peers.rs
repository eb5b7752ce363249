//! The traffic of connections, added up over the connections of each peer.

use std::collections::BTreeMap;

use super::{
    MOST_PEERS, Metric, Reading,
    catalogue::{CONNECTED, QUEUED_BYTES, RECEIVED, RECEIVED_BYTES, SENT, SENT_BYTES},
    collect::{metric, sample},
};
use crate::exec::tally::OTHER;

/// The four counts of a connection: received packets and bytes, sent packets and bytes.
type Counts = [u64; 4];

/// The present connection to a peer.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// Its ID, as it is shown.
    pub(crate) peer: String,
    /// The number of the connection, which no other has.
    pub(crate) connection: u64,
    /// The number of connections that there have been.
    pub(crate) connected: u64,
    pub(crate) traffic: Counts,
    pub(crate) queued: u64,
}

/// The counts of one label.
#[derive(Debug, Default)]
struct Total {
    traffic: Counts,
    connected: u64,
    queued: u64,
}

/// The traffic up to the last collection.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// The counts of the connections that were there at the last collection, by their numbers.
    last: BTreeMap<u64, Counts>,
    named: BTreeMap<String, Total>,
    /// The peers without labels of their own.
    other: Total,
}

impl Traffic {
    /// Adds the traffic since the last collection.
    pub(super) fn update(&mut self, links: &[Link]) {
        self.make_room(links);
        for total in self.named.values_mut().chain([&mut self.other]) {
            total.queued = 0;
        }
        self.other.connected = 0;
        let mut last = BTreeMap::new();
        for link in links {
            let before = self.last.get(&link.connection).copied().unwrap_or_default();
            let room = self.named.len() < MOST_PEERS || self.named.contains_key(&link.peer);
            let total = match room {
                true => {
                    let total = self.named.entry(link.peer.clone()).or_default();
                    total.connected = link.connected;
                    total
                }
                false => {
                    self.other.connected += link.connected;
                    &mut self.other
                }
            };
            total.queued += link.queued;
            for (at, count) in total.traffic.iter_mut().enumerate() {
                *count += link.traffic[at].saturating_sub(before[at]);
            }
            last.insert(link.connection, link.traffic);
        }
        self.last = last;
    }

    /// Takes the labels of peers that are not connected, if there are too few for those that are.
    fn make_room(&mut self, links: &[Link]) {
        let is_new = |link: &&Link| !self.named.contains_key(&link.peer);
        let new = links.iter().filter(is_new).count();
        if self.named.len() + new > MOST_PEERS {
            self.named
                .retain(|peer, _| links.iter().any(|link| link.peer == *peer));
        }
    }

    pub(super) fn metrics(&self) -> [Metric; 6] {
        let all = [
            &CONNECTED,
            &RECEIVED_BYTES,
            &RECEIVED,
            &SENT_BYTES,
            &SENT,
            &QUEUED_BYTES,
        ];
        let mut metrics = all.map(metric);
        let is_used = self.other.traffic != Counts::default() || self.other.connected > 0;
        let other = is_used.then(|| (OTHER.to_owned(), &self.other));
        let named = self.named.iter();
        let named = named.map(|(peer, total)| (peer.clone(), total));
        for (peer, total) in named.chain(other) {
            let [received, received_bytes, sent, sent_bytes] = total.traffic;
            let counts = [total.connected, received_bytes, received, sent_bytes, sent];
            let counts = counts.into_iter().map(Reading::Count);
            let readings = counts.chain([Reading::Level(total.queued as f64)]);
            for (metric, reading) in metrics.iter_mut().zip(readings) {
                metric.samples.push(sample([&*peer], reading));
            }
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(peer: usize, connection: u64, traffic: u64) -> Link {
        Link {
            peer: format!("peer/{peer}"),
            connection,
            connected: 1,
            traffic: [traffic; 4],
            queued: 1,
        }
    }

    fn received(traffic: &Traffic, peer: &str) -> Option<Reading> {
        let [_, bytes, ..] = traffic.metrics();
        let mut samples = bytes.samples.into_iter();
        Some(samples.find(|sample| sample.labels == [peer])?.reading)
    }

    #[test]
    fn traffic_adds_up_over_connections() {
        let mut traffic = Traffic::default();
        traffic.update(&[link(1, 1, 10)]);
        traffic.update(&[link(1, 1, 15)]);
        traffic.update(&[]);
        traffic.update(&[link(1, 2, 7)]);
        assert_eq!(received(&traffic, "peer/1"), Some(Reading::Count(22)));
        assert_eq!(received(&traffic, OTHER), None);
    }

    /// A peer with the secret can use any number of node IDs.
    #[test]
    fn peers_make_so_many_labels_and_no_more() {
        let mut traffic = Traffic::default();
        let links: Vec<_> = (0..250).map(|n| link(n, n as u64, 2)).collect();
        traffic.update(&links);
        traffic.update(&links);
        let samples = traffic.metrics().map(|metric| metric.samples.len());
        assert_eq!(samples, [MOST_PEERS + 1; 6]);
        assert_eq!(received(&traffic, OTHER), Some(Reading::Count(300)));
        // Peers that are gone give their labels to new ones.
        for turn in 1..5 {
            let links: Vec<_> = (turn * 1000..)
                .take(90)
                .map(|n| link(n, n as u64, 2))
                .collect();
            traffic.update(&links);
            assert!(traffic.named.len() <= MOST_PEERS);
            let name = format!("peer/{}", turn * 1000 + 89);
            assert_eq!(received(&traffic, &name), Some(Reading::Count(2)));
        }
    }
}
