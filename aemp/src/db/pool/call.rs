//! Calls of one member, and of all.

use std::{fmt, pin::Pin, time::Duration};

use aemp_codec::PortId;

use super::{Pick, Pool, PoolCallError, lease::PoolWait};
use crate::{CallError, PortRef, Reason};

/// The pause before a member whose node was lost is tried again, if it is chosen again.
const RETRY: Duration = Duration::from_millis(200);

/// A call of a member of a pool. It is made when it is awaited. Made by [`Pool::call`].
///
/// # Errors
///
/// A [`PoolCallError`].
///
/// # Cancel safety
///
/// As that of a [`Call`](crate::Call).
#[must_use = "a call is made when it is awaited"]
pub struct PoolCall<'a, R, F> {
    pool: &'a Pool<R>,
    pick: Pick<'a>,
    call: F,
    limit: Option<Duration>,
    retries: u32,
}

impl<'a, R, F> PoolCall<'a, R, F> {
    pub(super) fn new(pool: &'a Pool<R>, pick: Pick<'a>, call: F) -> Self {
        Self {
            pool,
            pick,
            call,
            limit: None,
            retries: 0,
        }
    }

    /// The time to wait for a member, for each try. The default is the [limit](crate::NodeBuilder::call_timeout) of the node's calls, if there
    /// is one. The call has its own limit ([`Call::timeout`](crate::Call::timeout)).
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Repeats the call, at most `times` times, if the member dies meanwhile. The dead one may have handled the call, so use it only
    /// where a call may be handled twice.
    pub fn retry(mut self, times: u32) -> Self {
        self.retries = times;
        self
    }
}

impl<'a, R, F, C, T> IntoFuture for PoolCall<'a, R, F>
where
    R: PortRef,
    F: Fn(&R) -> C + Send + Sync + 'a,
    C: IntoFuture<Output = Result<T, CallError>, IntoFuture: Send> + Send + 'a,
    T: Send + 'a,
{
    type Output = Result<T, PoolCallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut left = self.retries;
            let mut lost: Option<PortId> = None;
            loop {
                let mut wait = PoolWait::new(self.pool, self.pick);
                if let Some(limit) = self.limit {
                    wait = wait.within(limit);
                }
                let lease = wait.lease_now().await?;
                let port = lease.handle().id();
                if lost.take().is_some_and(|lost| lost == port) {
                    // As with a key: its node may be back, or the database may hear of its loss.
                    drop(lease);
                    self.pool.pause(RETRY).await;
                    continue;
                }
                match (self.call)(&lease).await {
                    Err(error @ CallError::Died(_)) => {
                        lease.note(&error);
                        drop(lease);
                        if left == 0 {
                            return Err(error.into());
                        }
                        left -= 1;
                        lost = error.reason().is_some_and(Reason::is_loss).then_some(port);
                    }
                    answer => return answer.map_err(Into::into),
                }
            }
        })
    }
}

impl<R, F> fmt::Debug for PoolCall<'_, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolCall").finish_non_exhaustive()
    }
}
