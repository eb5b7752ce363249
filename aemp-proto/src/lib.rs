//! The protocol of AnyEvent::MP nodes as sans-IO state machines. They decide, and their caller performs.
//!
//! Nothing in here owns a socket, reads a clock or draws randomness. Time is an argument ([`Time`]), randomness a seed
//! ([`Random`]), received bytes are slices. Effects come out as plain values, which the caller takes before its next
//! call. Equal inputs give equal outputs, so iteration that shows in an output is over ordered maps.
//!
//! - [`handshake`]: one connection from its greeting to the proof of the common secret. Bytes in, lines out.
//! - [`link`]: one authenticated connection: framing, keepalives, silence.
//! - [`peer`]: one other node: its queue, its write buffer, and the monitors on its ports. It keeps the delivery
//!   guarantee.
//! - [`mesh`]: the whole node: connections in handshake, the choice of the connection that counts, dialling, seeds,
//!   node up and down.
//! - [`global`]: masters, global nodes, and the distributed database. A part of the mesh.
//! - [`request`]: the requests of node ports, parsed.
//! - [`stream`]: the octets of a data connection, once its handshake is over.
//! - [`limits`]: the limits of strangers and peers.
//! - [`protocol`]: the specification that all of this follows.
//!
//! Enums without `#[non_exhaustive]` are closed, so that a caller that does not handle a case does not compile. `aemp`
//! depends on an exact version of this crate.
//!
//! # Locks
//!
//! In the runtime the mesh has one lock and each peer its own, so that senders to different nodes share nothing. The
//! order is mesh, then peer. A sender takes the peer's lock only. If the answer is `Urge::Connect`, it releases that
//! lock and takes the mesh's.
//!
//! Senders act on a peer between any two steps of the mesh. So the mesh never reads a peer's state in order to act on
//! it in a second step: `link_up`, `link_down`, `connect_failed`, `give_up` and `fired` decide and act at once, return
//! the fault that they have found, and never panic. User code runs in none of this. The mesh returns `Output::Fire`, one task of
//! the node performs such outputs in order, and reports with `Mesh::fired`.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod backoff;
mod deadlines;
pub mod global;
pub mod handshake;
mod hash;
mod level;
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
mod relay;
pub mod request;
pub mod stream;
mod time;
mod weigh;

pub use handshake::auth;
pub use level::Level;
pub use measure::Measure;
pub use queue::weight;
pub use random::Random;
pub use time::Time;
pub use weigh::{Kept, kept};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
