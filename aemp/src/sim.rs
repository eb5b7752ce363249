//! A simulator.

mod chance;
mod network;
mod world;

pub use self::{
    chance::Chance,
    network::{Conditions, Crash, End, Fault, Happening, HostId, Network, Traffic},
    world::{Member, Observation, PORT, Setup, World},
};
