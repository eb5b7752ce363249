//! The layer of a `tracing` subscriber that takes the lines.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use aemp_codec::NodeId;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter},
    registry::LookupSpan,
};

use super::{
    CAUGHT, LogLevel, TRACE,
    hub::{Hub, Line},
    line::{MOST_TARGET, MOST_TEXT, now},
};
use crate::{
    bounded::{Bounded, cut},
    guard,
    node::log,
    passing,
};

/// The targets of lines that are never passed on: lines of other nodes, and message traces, each of which would cause
/// another one.
const NEVER: [&str; 2] = [CAUGHT, TRACE];

/// A layer for the program's `tracing` subscriber that passes the program's lines on to the nodes that ask for them.
///
/// It wants no events, and costs nothing, while no node asks. The filters of other layers have no effect on it; a filter
/// of the whole subscriber does.
///
/// ```
/// use tracing_subscriber::{Registry, layer::SubscriberExt};
///
/// let subscriber = Registry::default().with(aemp::logs::layer());
/// tracing::subscriber::set_global_default(subscriber)?;
/// # Ok::<_, tracing::subscriber::SetGlobalDefaultError>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "logs")))]
pub fn layer<S>() -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    filtered(Hub::new(None))
}

/// As [`layer`], with a history: the last lines of this level or more urgent, at most `lines` of them and one megabyte.
/// A catcher that asks for the lines of the last minutes gets them from there.
///
/// ```
/// use aemp::logs::{LogLevel, layer_with_history};
/// use tracing_subscriber::{Registry, layer::SubscriberExt};
///
/// let subscriber = Registry::default().with(layer_with_history(LogLevel::Info, 1000));
/// # let _ = subscriber;
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "logs")))]
pub fn layer_with_history<S>(level: LogLevel, lines: usize) -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    filtered(Hub::new(Some((level, lines))))
}

/// The node whose line the subscriber of this thread is being told. A process may have several nodes, and one subscriber.
/// `None` for lines that no node has said.
///
/// ```
/// use std::fmt;
/// use tracing_subscriber::fmt::{format::Writer, time::FormatTime};
///
/// /// The node, in the place of the time.
/// struct OfNode;
///
/// impl FormatTime for OfNode {
///     fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
///         match aemp::logs::speaker() {
///             Some(node) => write!(to, "{node}"),
///             None => Ok(()),
///         }
///     }
/// }
///
/// let layer = tracing_subscriber::fmt().with_timer(OfNode);
/// # drop(layer);
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "logs")))]
#[must_use]
pub fn speaker() -> Option<NodeId> {
    log::speaker()
}

fn filtered<S>(hub: Arc<Hub>) -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let wanted = Wanted(Arc::clone(&hub));
    LogLayer(hub).with_filter(wanted)
}

/// The layer itself, which nodes look for in their subscriber.
#[derive(Debug)]
pub(super) struct LogLayer(Arc<Hub>);

impl LogLayer {
    /// The lines of the layer in the subscriber of this thread.
    pub(super) fn here() -> Option<Arc<Hub>> {
        let found = guard::attempt(|| {
            tracing::dispatcher::get_default(|dispatch| {
                let layer = dispatch.downcast_ref::<Self>();
                layer.map(|layer| Arc::clone(&layer.0))
            })
        });
        found.ok().flatten()
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !passing::is_sending() {
            self.0.push(line(event));
        }
    }
}

/// The filter of the layer: nothing but lines that a catcher or the history wants.
#[derive(Debug)]
struct Wanted(Arc<Hub>);

impl Wanted {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= self.0.wanted()
            && !NEVER.contains(&metadata.target())
    }
}

impl<S> Filter<S> for Wanted {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    /// Cached for each callsite, until the hub rebuilds the caches.
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.wants(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.wanted())
    }
}

/// The line of an event. `Debug` and `Display` of its fields are foreign code.
fn line(event: &Event<'_>) -> Line {
    let mut fields = Fields::new();
    let recorded = guard::attempt(|| event.record(&mut fields));
    let metadata = event.metadata();
    let target = fields.logged_by.as_deref();
    let target = target.unwrap_or_else(|| metadata.target());
    let target = cut(target, MOST_TARGET);
    let mut text = fields.message.into_text();
    text.push_str(&fields.others.into_text());
    if let Err(panic) = recorded {
        let _ = write!(text, " (a field cannot be shown: {panic})");
    }
    Line {
        time: now(),
        by: speaker(),
        level: LogLevel::from(*metadata.level()),
        target,
        text: cut(text.trim_start(), MOST_TEXT),
    }
}

/// The fields of an event: the message, and ` NAME=VALUE` for each of the others.
struct Fields {
    message: Bounded,
    others: Bounded,
    /// The target of a record of the crate `log`.
    logged_by: Option<String>,
}

impl Fields {
    fn new() -> Self {
        Self {
            message: Bounded::new(MOST_TEXT),
            others: Bounded::new(MOST_TEXT),
            logged_by: None,
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => drop(self.message.write_str(value)),
            "log.target" => self.logged_by = Some(cut(value, MOST_TARGET)),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // An error means that the text is long enough.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.others, " {}={value:?}", name.trim_start_matches("r#")),
        };
    }
}

#[cfg(test)]
mod tests {
    use aemp_codec::PortId;
    use tracing_subscriber::Registry;

    use super::*;

    /// `tracing` skips every callsite above the hint with one comparison.
    #[test]
    fn no_line_is_wanted_without_a_catcher() {
        let hub = Hub::new(None);
        let filter = Wanted(Arc::clone(&hub));
        let hint = || Filter::<Registry>::max_level_hint(&filter);
        assert_eq!(hint(), Some(LevelFilter::OFF));
        let port = PortId::parse("far#port").unwrap();
        let source = hub
            .add(&port.node_id(), &port, LogLevel::Debug, 0.0)
            .unwrap();
        assert_eq!(hint(), Some(LevelFilter::DEBUG));
        drop(source);
        assert_eq!(hint(), Some(LevelFilter::OFF));
    }
}
