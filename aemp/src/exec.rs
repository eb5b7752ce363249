//! Who runs a port: see ARCHITECTURE.md, "Who runs a port".

pub(crate) mod current;
pub(crate) mod scheduler;
pub(crate) mod slice;
pub(crate) mod waiting;
pub(crate) mod work;
