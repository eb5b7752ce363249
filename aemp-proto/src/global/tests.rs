//! Several nodes in a perfect network.

mod database;
mod finding;
mod memory;
mod network;
mod quotas;
mod receivers;
mod relays;
mod roles;
mod strangers;
mod watching;
