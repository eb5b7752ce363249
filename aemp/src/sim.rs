//! A simulated network (feature `sim`): for tests of programs when connections break, networks split, and
//! machines are lost.
//!
//! There are two levels over one model of a bad [`Network`]:
//!
//! - [`Sim`]: whole nodes with user ports, on a tokio runtime with paused time. This is for tests of actors: start some nodes,
//!   [partition](Sim::partition) them, [crash](Sim::crash) one, and check the actors. See the [example](Sim#examples).
//! - [`World`]: nothing but the [protocol's machines](crate::proto), without user code, tasks or sockets. Thousands of
//!   nodes fit into one process; this is for tests of the protocol itself, and for how its costs grow.
//!
//! Both run under a virtual clock, so that hours pass in moments. Both draw all chance from one seed, so that a
//! failure can be reproduced.
//!
//! # The network
//!
//! Connections behave like TCP's: bytes arrive in order, without loss, or the connection breaks. [`Conditions`] say, for
//! each direction between two hosts, the latency, how often a connection is cut (at any byte), refused, or never
//! answered, and how much data may be on its way before a writer has to wait. The test decides on these events:
//!
//! | event | effect on connections |
//! | --- | --- |
//! | a partition | they stall; written data arrives after the partition is healed, or both ends time out |
//! | a partition in one direction | the same, but data in the other direction arrives in the meantime |
//! | a killed process ([`Crash::Process`]) | the other ends get an end of file, or a reset, which may lose data on its way |
//! | a lost machine ([`Crash::Machine`]) | the other ends hear nothing, until they give up or the machine is back |
//! | a cut | both ends are reset |

mod chance;
pub(crate) mod host;
mod hub;
mod network;
mod nodes;
mod world;

#[cfg(all(test, feature = "net"))]
pub(crate) use self::hub::Hub;
pub(crate) use self::hub::{SimListener, SimStream};
pub use self::{
    chance::Chance,
    network::{Conditions, Crash, End, Fault, Happening, HostId, Network, Traffic},
    nodes::Sim,
    world::{Member, Observation, PORT, Setup, World},
};
