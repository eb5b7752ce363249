//! The errors of pools.

use thiserror::Error;

use crate::CallError;

/// The error of choosing a member of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The pool has no member that takes work, and had none within the time limit.
    #[error("the pool has no member that takes work")]
    Empty,
    /// All members that take work, or the one of the key, are full: they have as many calls as there is room for
    /// ([`Offer::room`](super::Offer::room), [`Pool::with_room`](super::Pool::with_room)), and had them for the time limit.
    #[error("the members of the pool have no room")]
    Busy,
    /// The pool was [closed](super::Pool::close).
    #[error("the pool is closed")]
    Closed,
    /// The node has been stopped.
    #[error("the node has stopped")]
    Stopped,
}

/// The error of a call through a pool.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum PoolCallError {
    /// No member could be chosen.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The call of a member has failed.
    #[error(transparent)]
    Call(#[from] CallError),
}
