//! A simulator.

mod chance;
pub(crate) mod host;
mod hub;
mod network;
mod nodes;
mod world;

pub(crate) use self::hub::{SimListener, SimStream};
pub use self::{
    chance::Chance,
    network::{Conditions, Crash, End, Fault, Happening, HostId, Network, Traffic},
    nodes::Sim,
    world::{Member, Observation, PORT, Setup, World},
};
