//! Leases: members that were chosen for a call, until it has ended.

use std::{fmt, ops::Deref, pin::Pin, sync::Arc, time::Duration};

use super::{Pick, Pool, PoolError, crowd::Shared, members::Chosen};
use crate::{CallError, PortRef};

/// The time for which the loss of its node counts against a member.
const PENALTY: Duration = Duration::from_secs(1);

/// A member of a pool that was chosen for a call. It dereferences to the port's handle. While it is held, the member counts
/// as more loaded for [`Pick::LeastLoaded`].
///
/// ```
/// use aemp::{Node, db::Pick, port};
///
/// struct Worker;
///
/// #[port]
/// impl Worker {
///     #[rcv] fn double(&self, n: i64) -> i64 { 2 * n }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let worker = node.port(Worker);
/// node.db_reg("workers", &worker.id(), ())?;
/// let pool = node.pool::<WorkerRef>("workers")?;
/// let lease = pool.lease(Pick::LeastLoaded).await?;
/// assert_eq!(pool.members()[0].leases, 1);
/// assert_eq!(lease.double(21).await?, 42);
/// drop(lease);
/// assert_eq!(pool.members()[0].leases, 0);
/// # Ok(()) }
/// ```
#[must_use = "the member counts as more loaded only while its lease is held"]
pub struct Lease<R> {
    port: R,
    place: Place,
}

/// A place at a member, which is given back when it is dropped.
struct Place {
    shared: Arc<Shared>,
    chosen: Chosen,
}

impl Drop for Place {
    fn drop(&mut self) {
        let (limited, place) = self.shared.members().release(self.chosen);
        if limited {
            self.shared.crowd.has_room(place);
        }
    }
}

impl<R> Lease<R> {
    /// Takes a place that was leased.
    pub(super) fn new(shared: &Arc<Shared>, chosen: Chosen, port: R) -> Self {
        let shared = Arc::clone(shared);
        Self {
            port,
            place: Place { shared, chosen },
        }
    }

    /// Tells the pool that a call of this member has failed. A member that has died is left out from now on. One whose node was
    /// lost counts as more loaded for a second, so that a member that fails fast does not attract all calls. Other
    /// errors have no effect. [`Pool::call`] does this by itself.
    pub fn failed(self, error: &CallError) {
        self.note(error);
    }

    pub(super) fn note(&self, error: &CallError) {
        let CallError::Died(reason) = error else {
            return;
        };
        let (shared, chosen) = (&self.place.shared, self.place.chosen);
        if !reason.is_loss() {
            shared.ended(chosen);
        } else if shared.members().penalise(chosen) {
            let weak = Arc::downgrade(shared);
            shared.node.scheduler().spawn(async move {
                tokio::time::sleep(PENALTY).await;
                if let Some(shared) = weak.upgrade() {
                    shared.members().pardon(chosen);
                }
            });
        }
    }
}

impl<R> Deref for Lease<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.port
    }
}

/// The choice of a member for a call, and the wait for one if there is none. Made by [`Pool::lease`].
///
/// # Errors
///
/// A [`PoolError`].
///
/// # Cancel safety
///
/// Dropping it has no effect.
#[must_use = "a member is chosen when it is awaited"]
pub struct PoolWait<'a, R> {
    pool: &'a Pool<R>,
    pick: Pick<'a>,
    limit: Option<Duration>,
}

impl<'a, R> PoolWait<'a, R> {
    pub(super) fn new(pool: &'a Pool<R>, pick: Pick<'a>) -> Self {
        Self {
            pool,
            pick,
            limit: pool.shared.node.call_timeout(),
        }
    }

    /// The time to wait for a member. The default is the [limit](crate::NodeBuilder::call_timeout) of the node's calls, if there is one.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl<R: PortRef> PoolWait<'_, R> {
    /// Waits until a member is leased, for the time limit at most.
    pub(super) async fn lease_now(self) -> Result<Lease<R>, PoolError> {
        let lease = || self.pool.try_lease(self.pick);
        let now = match (lease(), self.limit) {
            (Err(PoolError::Empty | PoolError::Busy), None) => {
                return self.pool.until(self.pick, lease).await;
            }
            (Err(PoolError::Empty | PoolError::Busy), Some(limit)) => limit,
            (now, _) => return now,
        };
        let timeout = {
            let _runtime = self.pool.shared.node.scheduler().enter();
            tokio::time::timeout(now, self.pool.until(self.pick, lease))
        };
        match timeout.await {
            Ok(leased) => leased,
            Err(_) => lease(),
        }
    }
}

impl<'a, R: PortRef> IntoFuture for PoolWait<'a, R> {
    type Output = Result<Lease<R>, PoolError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.lease_now())
    }
}

impl<R: fmt::Debug> fmt::Debug for Lease<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({:?})", self.port)
    }
}

impl<R> fmt::Debug for PoolWait<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolWait")
            .field("pick", &self.pick)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
