//! Who runs a port: see ARCHITECTURE.md, "Who runs a port".

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
