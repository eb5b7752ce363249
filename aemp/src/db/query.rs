//! Queries of the database, as futures.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{sync::oneshot, time::Sleep};

use super::DbError;
use crate::Node;
use aemp_proto::global::{Answer, NameError, Query, QueryId, check_readable};

/// The time limit of a query that sets none.
const TIMEOUT: Duration = Duration::from_secs(30);

type Finish<T> = Box<dyn Fn(&Node, &str, Answer) -> Result<T, DbError> + Send + Sync>;

/// A query of the database: a future of the answer. The query is sent at the first poll.
///
/// A node with a master sends the query to its master. If that master is lost before it has answered, the query goes
/// to the next one. A global node, and a node that is alone, answers its own queries. A node that is looking for a
/// master waits for one, but not longer than `connect_interval`; after that it is alone. [Without a
/// master](super#without-a-master) describes the answers of such a node, and those of a new master.
///
/// ```
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = aemp::Node::local()?;
/// node.db_set("lights", "kitchen", "on")?;
/// let lights = node.db_family("lights").timeout(Duration::from_secs(1)).await?;
/// assert_eq!(lights.to_string(), r#"{"kitchen":"on"}"#);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`DbError::Name`] for a family name that is not allowed; [`DbError::Timeout`] after 30 seconds, or after the
/// [`timeout`](Self::timeout) that was set; [`DbError::Answer`] if the master's answer is invalid.
///
/// # Cancel safety
///
/// Dropping it cancels the query.
#[must_use = "a query is asked when it is awaited"]
pub struct DbQuery<T> {
    node: Node,
    kind: Query,
    family: String,
    limit: Duration,
    asked: Option<Asked>,
    finish: Finish<T>,
}

struct Asked {
    query: QueryId,
    answer: oneshot::Receiver<Result<Answer, String>>,
    timeout: Pin<Box<Sleep>>,
}

impl<T> DbQuery<T> {
    pub(super) fn new(
        node: &Node,
        kind: Query,
        family: &str,
        finish: impl Fn(&Node, &str, Answer) -> Result<T, DbError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            node: node.clone(),
            kind,
            family: family.into(),
            limit: TIMEOUT,
            asked: None,
            finish: Box::new(finish),
        }
    }

    /// Waits at most this long, counted from the first poll.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn ask(&mut self) -> Result<&mut Asked, NameError> {
        if self.asked.is_none() {
            check_readable(&self.family)?;
        }
        let Self {
            node,
            kind,
            family,
            limit,
            asked,
            ..
        } = self;
        Ok(asked.get_or_insert_with(|| {
            let (query, answer) = node.start_query(*kind, family);
            // The timer belongs to the node's runtime, because the polling thread may have none.
            let _runtime = node.scheduler().enter();
            Asked {
                query,
                answer,
                timeout: Box::pin(tokio::time::sleep(*limit)),
            }
        }))
    }
}

impl<T> Future for DbQuery<T> {
    type Output = Result<T, DbError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let asked = match self.ask() {
            Ok(asked) => asked,
            Err(error) => return Poll::Ready(Err(error.into())),
        };
        if let Poll::Ready(answer) = Pin::new(&mut asked.answer).poll(task) {
            return Poll::Ready(match answer {
                Ok(Ok(answer)) => (self.finish)(&self.node, &self.family, answer),
                Ok(Err(text)) => Err(DbError::Answer {
                    family: self.family.clone(),
                    text,
                }),
                Err(_) => Err(DbError::Stopped),
            });
        }
        if asked.timeout.as_mut().poll(task).is_ready() {
            return Poll::Ready(Err(DbError::Timeout(self.family.clone())));
        }
        Poll::Pending
    }
}

impl<T> Drop for DbQuery<T> {
    fn drop(&mut self) {
        if let Some(asked) = &self.asked {
            self.node.cancel_query(asked.query);
        }
    }
}

impl<T> fmt::Debug for DbQuery<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbQuery")
            .field("kind", &self.kind)
            .field("family", &self.family)
            .finish_non_exhaustive()
    }
}
