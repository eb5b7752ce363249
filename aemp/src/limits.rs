//! What strangers and other nodes may cost a node, and what happens to those that want more.
#![doc = include_str!("docs/limits.md")]

pub use crate::proto::limits::NodeLimits;
