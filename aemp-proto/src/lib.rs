//! The sans-IO machines of the protocol: they decide, the caller performs.
//!
//! Nothing in here owns a socket, reads a clock or draws randomness. Time comes in as an argument
//! ([`Time`]), randomness as a seed ([`Random`]), bytes as slices; what is to be done comes out as
//! plain values, which the caller drains before it calls again.
//!
//! - [`global`]: masters, global nodes, and the distributed database; a part of the mesh.
//! - [`handshake`]: one connection from its greeting to the proof of a common secret.
//! - [`link`]: one connection behind its handshake: packets, keepalives, silence.
//! - [`peer`]: one other node: what is queued for it, what is monitored there. It carries the
//!   delivery guarantee.
//! - [`limits`]: what strangers and other nodes may cost.
//! - [`mesh`]: the whole node: who connects to whom, which connection counts, node up and down.
//! - [`request`]: what node ports ask of each other.
//! - [`protocol`]: the specification that all of this follows.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod global;
pub mod handshake;
mod hash;
pub mod limits;
pub mod link;
mod measure;
pub mod mesh;
mod monitors;
pub mod peer;
pub mod protocol;
mod queue;
mod random;
pub mod register;
pub mod request;
mod time;
mod weigh;

pub use handshake::auth;
pub use measure::Measure;
pub use queue::weight;
pub use random::Random;
pub use time::Time;
pub use weigh::{Kept, kept};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
