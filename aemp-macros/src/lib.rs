//! The procedural macros of the `aemp` crate; use them through it.
