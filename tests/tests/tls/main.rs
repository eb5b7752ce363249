//! Nodes whose connections are in TLS, over loopback and in a simulation.

#[path = "../network/common.rs"]
mod common;
#[path = "../network/logs.rs"]
mod logs;
#[path = "../network/proxy.rs"]
mod proxy;

mod certificates;
mod connecting;
mod middle;
mod reloading;
mod secret;
mod simulated;
mod traffic;
