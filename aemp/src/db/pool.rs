//! The ports of a family as a pool of workers. The page [`work`](crate::handbook::work) of the handbook has the semantics and the limits.
//!
//! The members are a state without I/O (`members`), which the watch of the family changes under the lock of the database's
//! machine. So nothing here calls the database, a port or user code while it holds the members' lock.
//!
//! *Alternatives.* A port in front of the members would know the load of all callers, but each call would pass through it, and
//! it could be lost. A pool of each caller knows its own calls at once, and those of others as members publish them.
//! Consistent hashing by a ring finds the owner of a key in O(log n), but needs hundreds of points for each member to share keys as evenly
//! as rendezvous hashing, which compares all members.

mod all;
mod call;
mod crowd;
mod error;
mod key;
mod lease;
mod least;
mod member;
mod members;
mod offer;
mod shares;
#[cfg(test)]
mod tests;

use std::{fmt, marker::PhantomData, pin::pin, sync::Arc, time::Duration};

use aemp_codec::PortId;

pub use self::{
    call::PoolCall,
    error::{PoolCallError, PoolError},
    lease::{Lease, PoolWait},
    member::PoolMember,
    offer::Offer,
};
use self::{
    crowd::{CLOSED, Crowd, Shared},
    key::hash,
    members::Chosen,
};
use super::machine::Sink;
use crate::{Node, PortRef, lock::Lock};

/// The way in which a pool chooses a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pick<'a> {
    /// Each port in turn; one with a greater [weight](Offer::weight) more often.
    RoundRobin,
    /// A random port; one with a greater weight more often.
    Random,
    /// The port with the least load in proportion to its weight: the [leases](Lease) and [calls](Pool::call) of this pool, and its published
    /// [load](Offer::load). Of several the one whose turn it is.
    LeastLoaded,
    /// The port that belongs to this key. Every node chooses the same port, as long as the pool has the same ports with
    /// the same weights. A new port takes over some keys, and only the keys of a lost port move to others. The number of a port's keys is in
    /// proportion to its weight.
    Key(&'a str),
}

/// The ports that are registered in a family, as a pool of workers that is always up to date. Made by
/// [`Node::pool`](crate::Node::pool). Clones are the same pool.
///
/// A port joins by [`Node::db_reg`](crate::Node::db_reg), on any node, with an [`Offer`] if it has one. It leaves when it dies or its node is lost.
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
/// let pool = node.pool::<WorkerRef>("workers")?;
/// assert!(pool.pick(Pick::Random).is_none());
/// let worker = node.port(Worker);
/// node.db_reg("workers", &worker.id(), ())?;
/// assert_eq!(pool.wait(Pick::RoundRobin).await?.double(21).await?, 42);
/// assert_eq!(pool.call(Pick::LeastLoaded, |worker| worker.double(4)).await?, 8);
/// # Ok(()) }
/// ```
pub struct Pool<R> {
    shared: Arc<Shared>,
    _handle: PhantomData<fn() -> R>,
}

impl<R> Pool<R> {
    pub(super) fn new(node: &Node, family: &str) -> Self {
        let seed = hash(node.id().as_str());
        let crowd = Arc::new(Crowd::new(seed));
        let watching = node.start_watch(family, &crowd);
        let shared = Shared {
            node: node.clone(),
            crowd,
            watching: Lock::new(Some(watching)),
        };
        Self {
            shared: Arc::new(shared),
            _handle: PhantomData,
        }
    }

    /// Sets the number of calls that the pool may have out to a member that has not named its [room](Offer::room). Further ones
    /// wait until a member has room. Default: any number. With it, jobs go to the members that are done first, not to those behind a long one.
    #[must_use]
    pub fn with_room(self, calls: u32) -> Self {
        self.shared.members().set_room(calls.max(1).into());
        self.shared.crowd.notify();
        self
    }

    /// The number of ports that take work.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.members().len()
    }

    /// True if no port takes work.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ports that take work, in no particular order.
    #[must_use]
    pub fn ids(&self) -> Vec<PortId> {
        self.shared.members().ids()
    }

    /// All ports that are registered, with their weights and loads as this pool sees them, in no particular order.
    #[must_use]
    pub fn members(&self) -> Vec<PoolMember> {
        self.shared.members().show()
    }

    /// Closes the pool for all of its clones. Waits end with [`PoolError::Closed`], and nothing is chosen any more. Calls that are out go on.
    pub fn close(&self) {
        self.shared.crowd.end(CLOSED);
        let watching = self.shared.watching.lock().take();
        drop(watching);
    }

    async fn pause(&self, time: Duration) {
        let pause = {
            let _runtime = self.shared.node.scheduler().enter();
            tokio::time::sleep(time)
        };
        pause.await;
    }

    /// Waits until `look` finds a member, or the pool has ended.
    async fn until<T>(
        &self,
        pick: Pick<'_>,
        look: impl Fn() -> Result<T, PoolError>,
    ) -> Result<T, PoolError> {
        let crowd = &self.shared.crowd;
        loop {
            let mut changed = pin!(crowd.changed.notified());
            changed.as_mut().enable();
            let place = match pick {
                Pick::Key(key) => self.shared.members().place(key),
                _ => None,
            };
            let place = place.unwrap_or_else(|| Arc::clone(&crowd.places));
            let mut place = pin!(place.notified());
            place.as_mut().enable();
            match look() {
                Err(PoolError::Empty | PoolError::Busy) => {}
                found => return found,
            }
            tokio::select! {
                () = changed => {}
                () = place => {}
            }
        }
    }
}

impl<R: PortRef> Pool<R> {
    /// Chooses a port; `None` if there are none, none has room, or the pool is closed or its node has stopped.
    ///
    /// The port may have died without this node knowing it yet. Then a call ends with an error, and a monitor fires.
    /// The choice is not a [lease](Self::lease), so it does not count as load.
    #[must_use]
    pub fn pick(&self, pick: Pick<'_>) -> Option<R> {
        self.choose(pick, false).ok().map(|(_, port)| port)
    }

    /// Chooses a port, and waits until there is one.
    ///
    /// # Errors
    ///
    /// [`PoolError::Closed`] and [`PoolError::Stopped`]. It has no time limit; [`lease`](Self::lease) takes one.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn wait(&self, pick: Pick<'_>) -> Result<R, PoolError> {
        let look = || self.choose(pick, false).map(|(_, port)| port);
        self.until(pick, look).await
    }

    /// Chooses a port for a call, and waits until there is one, [within](PoolWait::within) a time limit. The port counts as more
    /// loaded until the [`Lease`] is dropped.
    pub fn lease<'a>(&'a self, pick: Pick<'a>) -> PoolWait<'a, R> {
        PoolWait::new(self, pick)
    }

    /// As [`lease`](Self::lease), without waiting.
    ///
    /// # Errors
    ///
    /// A [`PoolError`].
    pub fn try_lease(&self, pick: Pick<'_>) -> Result<Lease<R>, PoolError> {
        let (chosen, port) = self.choose(pick, true)?;
        Ok(Lease::new(&self.shared, chosen, port))
    }

    /// Chooses a port as [`lease`](Self::lease) does, calls it, and holds the lease until the answer is there.
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Node, db::{Pick, PoolCallError, PoolError}, port};
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
    /// let pool = node.pool::<WorkerRef>("workers")?;
    /// let double = pool.call(Pick::LeastLoaded, |worker| worker.double(21));
    /// let error = double.within(Duration::from_millis(10)).await.unwrap_err();
    /// assert!(matches!(error, PoolCallError::Pool(PoolError::Empty)));
    ///
    /// let worker = node.port(Worker);
    /// node.db_reg("workers", &worker.id(), ())?;
    /// assert_eq!(pool.call(Pick::LeastLoaded, |worker| worker.double(21)).retry(3).await?, 42);
    /// # Ok(()) }
    /// ```
    pub fn call<'a, F, C>(&'a self, pick: Pick<'a>, call: F) -> PoolCall<'a, R, F>
    where
        F: Fn(&R) -> C,
    {
        PoolCall::new(self, pick, call)
    }

    /// Chooses a member. One of this node that is known to be ending is left out, although the database has it still.
    /// It is leased under the lock under which it was chosen.
    fn choose(&self, pick: Pick<'_>, lease: bool) -> Result<(Chosen, R), PoolError> {
        self.shared.crowd.check()?;
        loop {
            let (chosen, id) = {
                let mut members = self.shared.members();
                let (chosen, id) = members.pick(pick)?;
                if lease {
                    members.lease(chosen);
                }
                (chosen, id)
            };
            let port: R = self.shared.node.handle(&id);
            if !is_ending(&port) {
                return Ok((chosen, port));
            }
            if lease {
                self.shared.members().release(chosen);
            }
            self.shared.ended(chosen);
        }
    }
}

/// True if this node knows that the port handles no further messages.
fn is_ending<R: PortRef>(port: &R) -> bool {
    let handle = port.handle();
    handle.is_local() && handle.to_local().is_none_or(|port| port.is_ending())
}

impl<R> Clone for Pool<R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            _handle: PhantomData,
        }
    }
}

impl<R> fmt::Debug for Pool<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("members", &self.members())
            .finish_non_exhaustive()
    }
}
