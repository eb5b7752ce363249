//! A simulator.

mod chance;
pub mod network;

pub use self::{
    chance::Chance,
    network::{Conditions, Crash, End, Fault, Happening, HostId, Network, Traffic},
};
