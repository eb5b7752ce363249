//! Metrics: the counts and times of a node, as text for Prometheus, and for recorders of the crate
//! [`metrics`](https://docs.rs/metrics).
//!
//! The [handbook](crate::handbook::metrics) has the list of all metrics with their labels and units.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use aemp::{Node, port};
//!
//! #[derive(Default)]
//! struct Counter { n: i64 }
//!
//! #[port]
//! impl Counter {
//!     #[rcv] fn inc(&mut self, by: i64) { self.n += by }
//!     #[rcv] fn get(&self) -> i64 { self.n }
//! }
//!
//! let node = Node::local()?;
//! let counter = node.port(Counter::default());
//! counter.inc(5);
//! counter.get().await?;
//! let metrics = node.metrics().await;
//! assert_eq!(metrics.value("aemp_calls_total", &["local", "answered"]), Some(1.0));
//! println!("{metrics}"); // the text for Prometheus
//! # Ok(()) }
//! ```
//!
//! A program that is scraped serves the text, and answers to probes, with [`Node::serve_metrics`]; `aemp run --metrics
//! ADDRESS` does the same. A program with a recorder of its own calls [`Node::publish_metrics`].
//!
//! # Design
//!
//! *Counting* (`exec/tally.rs`) happens at all times with this feature, at the cost of a few instructions for each message. *Collecting*
//! happens on demand: [`Node::metrics`] adds the counts up, visits all ports in small steps, and asks peers, database and
//! executor. Nothing is collected without a question. Collections of one node run one after the other. One that was
//! expensive (many ports) is given out again until a hundred times its cost has passed, so that scrapers cost at most a
//! hundredth of a worker. A collection is an owned value, so no foreign code (a recorder, a client) holds anything up.
//!
//! The text is made here (`text.rs`), and not by `metrics-exporter-prometheus`: a process may have several nodes, but
//! only one recorder; the exporter would keep a second copy of each count, and labels that are gone; and histograms can
//! be handed over as they are. HTTP is served by hundred lines (`serve.rs`), because three requests do not need hyper.
//!
//! Cardinality is bounded: labels are types and handlers of the program, and kinds, limits and outcomes of this crate.
//! IDs of nodes and names of families are labels as well, which peers can choose; the first [`MOST_PEERS`] peers and the
//! largest [`MOST_FAMILIES`] families have labels, and the rest is added up as `(other)`. Tags of untyped messages and
//! kinds of reasons that this crate does not know are no labels.
//!
//! Left out: round-trip times, because the protocol has no echo, and a request for the sake of a measurement would keep
//! idle connections busy.

mod catalogue;
mod collect;
mod peers;
mod ports;
mod publish;
#[cfg(feature = "net")]
mod serve;
mod text;

#[cfg(all(test, feature = "json", feature = "net"))]
mod tests;

use std::{fmt, sync::Arc};

pub use self::catalogue::catalogue;
#[cfg(feature = "net")]
pub use self::serve::MetricsServer;
pub(crate) use self::{collect::Collector, peers::Link};
use crate::Node;

/// The number of peers that have labels of their own.
pub const MOST_PEERS: usize = 100;
/// The number of database families that have labels of their own.
pub const MOST_FAMILIES: usize = 50;

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// It only grows, from the start of the node or of a connection on.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Numbers of observations in classes. It only grows.
    Histogram,
}

impl Kind {
    /// The name of the kind, as in Prometheus' text: `counter`, `gauge`, `histogram`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The description of a metric. All of them are in the [`catalogue()`].
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The name, which contains the unit: `_seconds`, `_bytes`; `_total` for counters.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The names of the labels.
    pub labels: &'static [&'static str],
    /// The meaning, in one line.
    pub help: &'static str,
}

/// A metric with its values at one time.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// The description.
    pub description: &'static Description,
    /// The values, one for each combination of labels that has occurred.
    pub samples: Vec<Sample>,
}

/// A value with its labels.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// The values of the labels, in the order of their names in the [`Description`].
    pub labels: Vec<String>,
    /// The value.
    pub reading: Reading,
}

/// The value of a metric.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reading {
    /// Of a counter.
    Count(u64),
    /// Of a gauge.
    Level(f64),
    /// Of a histogram.
    Classes {
        /// The upper bounds of the classes, in ascending order.
        bounds: &'static [f64],
        /// The numbers of observations in each class, not cumulated, and last the number of those above all bounds.
        counts: Vec<u64>,
        /// The sum of all observed values.
        sum: f64,
    },
}

/// All metrics of a node at one time, in the order of the [`catalogue()`]. Made by [`Node::metrics`]. Cheap to clone.
///
/// It displays as the text for Prometheus (format 0.0.4).
#[derive(Debug, Clone)]
pub struct Metrics(Arc<[Metric]>);

impl Metrics {
    /// The metrics, with their values.
    pub fn iter(&self) -> impl Iterator<Item = &Metric> {
        self.0.iter()
    }

    /// The value of a metric with these labels; of a histogram the number of observations. `None` if there is none.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let metric = self.iter().find(|metric| metric.description.name == name)?;
        let sample = metric
            .samples
            .iter()
            .find(|sample| sample.labels == labels)?;
        Some(match &sample.reading {
            Reading::Count(count) => *count as f64,
            Reading::Level(level) => *level,
            Reading::Classes { counts, .. } => counts.iter().sum::<u64>() as f64,
        })
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(f, &self.0)
    }
}

impl Node {
    /// Collects the [`metrics`](mod@crate::metrics) of this node.
    ///
    /// It visits all ports in small steps, about a tenth of a second for a million. A collection that took long is
    /// returned again until a hundred times its cost has passed.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the collection, and nothing is counted twice or lost.
    pub async fn metrics(&self) -> Metrics {
        self.collector().lock().await.collect(self).await
    }
}
