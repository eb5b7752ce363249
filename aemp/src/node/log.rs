//! The log lines of a node.
//!
//! A subscriber is foreign code that may be slow, or may use the node. A task of its own calls it, so that connections,
//! clocks and ports do not wait for it. Lines that a subscriber causes while it is called are lost: a subscriber that
//! sends each line to another node would otherwise never end.

use std::cell::RefCell;

use aemp_codec::NodeId;
use tracing::level_filters::LevelFilter;

use super::Node;
use crate::{Shown, guard};
use aemp_proto::mesh::Level;

/// The number of lines that may wait for a subscriber. Further lines are lost.
const MOST: usize = 1024;

thread_local! {
    /// The node whose line a subscriber is being told.
    static SPEAKER: RefCell<Option<NodeId>> = const { RefCell::new(None) };
}

/// The node whose line the subscriber of this thread is being told. A process may have several nodes, and one subscriber.
#[cfg(feature = "logs")]
pub(crate) fn speaker() -> Option<NodeId> {
    SPEAKER.with_borrow(Clone::clone)
}

/// A line of this node's own log.
#[derive(Debug)]
pub(crate) struct Remark {
    level: Level,
    /// The node or port in question, for the field of the line.
    of: Option<String>,
    text: String,
}

impl Remark {
    pub(crate) fn new(level: Level, text: String) -> Self {
        let of = None;
        Self { level, of, text }
    }

    pub(crate) fn of(self, of: String) -> Self {
        let of = Some(of);
        Self { of, ..self }
    }

    fn is_wanted(&self) -> bool {
        let filter = match self.level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        filter <= LevelFilter::current()
    }

    fn emit(&self) {
        let text = Shown(&self.text);
        let of = self.of.as_ref().map(|of| Shown(of).to_string());
        match (self.level, of) {
            (Level::Error, None) => tracing::error!("{text}"),
            (Level::Error, Some(of)) => tracing::error!(of, "{text}"),
            (Level::Warn, None) => tracing::warn!("{text}"),
            (Level::Warn, Some(of)) => tracing::warn!(of, "{text}"),
            (Level::Info, None) => tracing::info!("{text}"),
            (Level::Info, Some(of)) => tracing::info!(of, "{text}"),
            (Level::Debug, None) => tracing::debug!("{text}"),
            (Level::Debug, Some(of)) => tracing::debug!(of, "{text}"),
        }
    }
}

impl Node {
    /// Logs a line. Lines of a subscriber's own use of the node are dropped, because they would never end.
    pub(crate) fn remark(&self, line: Remark) {
        if !line.is_wanted() || guard::is_logging() {
            return;
        }
        let id = self.id().clone();
        let emit = move || {
            let before = SPEAKER.replace(Some(id));
            guard::log(|| line.emit());
            SPEAKER.set(before);
        };
        if self.life().is_over() {
            return emit();
        }
        self.0.strands.voice.try_run(self, MOST, emit);
    }
}
