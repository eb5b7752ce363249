//! Several nodes in a perfect network.

mod database;
mod finding;
mod network;
mod roles;
mod strangers;
mod watching;
