//! Publishing through the facade `metrics`, at an interval, from a thread of its own.

use std::{collections::BTreeMap, time::Duration};

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit, with_recorder};

use super::{Description, Kind, Metric, Metrics, Reading, Sample, catalogue};
use crate::{Node, guard};

/// The shortest interval.
const SHORTEST: Duration = Duration::from_millis(100);

static METADATA: Metadata<'static> = Metadata::new("aemp", Level::INFO, Some(module_path!()));

impl Node {
    /// Publishes the [`metrics`](mod@crate::metrics) of this node through the crate
    /// [`metrics`](https://docs.rs/metrics) at this interval (at least 100 ms), until the node has ended. The program
    /// installs the recorder, before or afterwards.
    ///
    /// All metrics have the label `node` in addition. Histograms are handed over as observations of the middle of each
    /// class; a recorder that makes classes of its own should take the bounds of the
    /// [handbook](crate::handbook::metrics). The recorder is called on a thread for blocking code, and a panic of it is
    /// logged; one that is slow delays only the next interval.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aemp::StartError> {
    /// let node = aemp::Node::local()?;
    /// node.publish_metrics(std::time::Duration::from_secs(10));
    /// # Ok(()) }
    /// ```
    pub fn publish_metrics(&self, every: Duration) {
        let (weak, life) = (self.downgrade(), self.share_life());
        let runtime = self.scheduler().runtime().clone();
        self.scheduler().spawn(async move {
            let mut published = Published::default();
            loop {
                tokio::select! {
                    biased;
                    _ = life.until_over() => return,
                    () = tokio::time::sleep(every.max(SHORTEST)) => {}
                }
                // A node without a network ends with its last handle.
                let Some(node) = weak.upgrade() else { return };
                let (metrics, id) = (node.metrics().await, node.id().to_string());
                guard::discard(node);
                let publish = move || {
                    guard::shielded(|| published.publish(&id, &metrics));
                    published
                };
                published = match runtime.spawn_blocking(publish).await {
                    Ok(published) => published,
                    Err(_) => return,
                };
            }
        });
    }
}

/// The values that the recorder has received.
#[derive(Debug, Default)]
struct Published {
    described: bool,
    /// The numbers in each class of each histogram.
    classes: BTreeMap<(&'static str, Vec<String>), Vec<u64>>,
}

impl Published {
    fn publish(&mut self, node: &str, metrics: &Metrics) {
        with_recorder(|recorder| {
            if !std::mem::replace(&mut self.described, true) {
                catalogue().for_each(|description| describe(recorder, description));
            }
            for Metric {
                description,
                samples,
            } in metrics.iter()
            {
                for sample in samples {
                    self.record(recorder, node, description, sample);
                }
            }
        });
    }

    fn record(&mut self, to: &dyn Recorder, node: &str, of: &Description, sample: &Sample) {
        let label = |(name, value): (&&'static str, &String)| Label::new(*name, value.clone());
        let mut labels: Vec<_> = of.labels.iter().zip(&sample.labels).map(label).collect();
        // The information about the node has this label already.
        if !of.labels.contains(&"node") {
            labels.push(Label::new("node", node.to_owned()));
        }
        let key = Key::from_parts(of.name, labels);
        match &sample.reading {
            Reading::Count(count) => to.register_counter(&key, &METADATA).absolute(*count),
            Reading::Level(level) => to.register_gauge(&key, &METADATA).set(*level),
            Reading::Classes { bounds, counts, .. } => {
                let histogram = to.register_histogram(&key, &METADATA);
                let before = self
                    .classes
                    .entry((of.name, sample.labels.clone()))
                    .or_default();
                before.resize(counts.len(), 0);
                for (at, (before, count)) in before.iter_mut().zip(counts).enumerate() {
                    let new = count.saturating_sub(*before);
                    *before = *count;
                    if new > 0 {
                        let new = usize::try_from(new).unwrap_or(usize::MAX);
                        histogram.record_many(middle(bounds, at), new);
                    }
                }
            }
        }
    }
}

/// A value that stands for a class.
fn middle(bounds: &[f64], class: usize) -> f64 {
    let below = class.checked_sub(1).and_then(|below| bounds.get(below));
    match (below, bounds.get(class)) {
        (Some(below), Some(bound)) => f64::midpoint(*below, *bound),
        // The first class of times has its bound, and that of lengths is for zero.
        (None, Some(bound)) => *bound,
        (Some(below), None) => below * 2.0,
        (None, None) => 0.0,
    }
}

fn describe(to: &dyn Recorder, description: &Description) {
    let (name, help) = (description.name, description.help);
    let unit = match name {
        _ if name.contains("_seconds") => Some(Unit::Seconds),
        _ if name.contains("_bytes") => Some(Unit::Bytes),
        _ => Some(Unit::Count),
    };
    let (name, help) = (KeyName::from(name), SharedString::from(help));
    match description.kind {
        Kind::Counter => to.describe_counter(name, unit, help),
        Kind::Gauge => to.describe_gauge(name, unit, help),
        Kind::Histogram => to.describe_histogram(name, unit, help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_a_value_within_it() {
        let bounds = [0.0, 1.0, 4.0];
        let values = [0, 1, 2, 3].map(|class| middle(&bounds, class));
        assert_eq!(values, [0.0, 0.5, 2.5, 8.0]);
    }
}
