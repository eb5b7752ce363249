//! Limits of strangers and other nodes, and their effects.
//!
//! ```
//! use aemp::Node;
//!
//! let node = Node::builder()
//!     .max_strangers(200)
//!     .max_requests_per_second(5000)
//!     .max_spawned_ports(100)
//!     .allow("worker/*", "My::Worker::*");
//! ```
#![doc = include_str!("docs/limits.md")]

pub use aemp_proto::limits::NodeLimits;
