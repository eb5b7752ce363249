//! The lines that a catcher has received, for one reader.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aemp_codec::{NodeId, Value};
use futures_core::Stream;
use tokio::sync::Notify;

use super::{LogLevel, LogLine};
use crate::passing::{
    queue::{Bounds, Next},
    reading::Reading,
};

/// The bounds of the lines that wait for the reader.
const WAITING: Bounds = Bounds {
    elements: 8192,
    bytes: 4 << 20,
};

/// The lines of other nodes' logs; see [`Node::catch_logs`](crate::Node::catch_logs).
///
/// The stream ends with its node. Dropping it ends the catching. It keeps 8192 lines and 4 MiB of text at most, however
/// slowly it is read: the oldest ones are lost then, and a line of this node in their place gives their number.
pub struct LogStream {
    own: NodeId,
    shared: Arc<Shared>,
}

/// The lines on their way from the ports to the reader.
pub(super) struct Shared {
    lines: Reading<LogLine, ()>,
    /// Notified when the reader is gone.
    left: Notify,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        let (lines, left) = (Reading::new(WAITING), Notify::new());
        Arc::new(Self { lines, left })
    }

    /// Adds the line of a message. Returns false if the message is none.
    pub(super) fn take(&self, node: &NodeId, message: &[Value]) -> bool {
        let line = LogLine::read(node, message);
        let is_line = line.is_some();
        line.into_iter().for_each(|line| self.lines.push(line));
        is_line
    }

    /// Ends the stream.
    pub(super) fn close(&self) {
        self.lines.end(());
    }

    /// Ready when the reader is gone.
    pub(super) async fn left(&self) {
        self.left.notified().await;
    }
}

impl LogStream {
    pub(super) fn new(own: &NodeId, shared: &Arc<Shared>) -> Self {
        Self {
            own: own.clone(),
            shared: Arc::clone(shared),
        }
    }

    /// The next line; `None` when the node has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready loses no line.
    pub async fn next(&mut self) -> Option<LogLine> {
        poll_fn(|task| self.poll_line(task)).await
    }

    fn poll_line(&self, task: &mut Context<'_>) -> Poll<Option<LogLine>> {
        self.shared.lines.poll(task).map(|next| match next {
            Next::One(line) => Some(line),
            Next::Lost(lost) => Some(self.lost(lost)),
            Next::Nothing => None,
        })
    }

    fn lost(&self, lost: u64) -> LogLine {
        let text = format!("{lost} lines were left out here: they are read too slowly");
        LogLine::own(&self.own, LogLevel::Warn, text)
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        self.shared.left.notify_one();
    }
}

impl Stream for LogStream {
    type Item = LogLine;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<LogLine>> {
        self.poll_line(task)
    }
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[tokio::test]
    async fn a_slow_reader_loses_the_oldest_and_is_told_how_many() {
        let (own, far) = (NodeId::new("own").unwrap(), NodeId::new("far").unwrap());
        let shared = Shared::new();
        let mut lines = LogStream::new(&own, &shared);
        for n in 0..WAITING.elements + 3 {
            assert!(shared.take(&far, &args![1.5, "main", 5, n as u64]));
        }
        assert!(!shared.take(&far, &args!["nonsense"]));
        shared.close();
        let first = lines.next().await.unwrap();
        assert_eq!((&first.node, first.level), (&own, LogLevel::Warn));
        assert!(
            first.text.starts_with("3 lines were left out here"),
            "{first}"
        );
        let second = lines.next().await.unwrap();
        assert_eq!((&second.node, &*second.text), (&far, "3"));
        let mut more = 0;
        while lines.next().await.is_some() {
            more += 1;
        }
        assert_eq!(more, WAITING.elements - 1);
    }
}
