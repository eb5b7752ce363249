//! The executor: which thread runs a port, and when. Its contract is [a page of the handbook](crate::handbook::execution).

pub(crate) mod current;
pub(crate) mod drainer;
#[cfg(feature = "sim")]
mod mortal;
pub(crate) mod pace;
mod plan;
pub(crate) mod scheduler;
pub(crate) mod seat;
pub(crate) mod slice;
pub(crate) mod waiting;
mod watch;
pub(crate) mod work;
pub(crate) mod writer;
