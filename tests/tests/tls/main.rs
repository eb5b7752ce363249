//! Nodes whose connections are in TLS, over loopback and in a simulation.

#[path = "../network/common.rs"]
mod common;
#[path = "../network/logs.rs"]
mod logs;
#[path = "../network/proxy.rs"]
#[expect(dead_code, reason = "the tests of the network use more of it")]
mod proxy;

mod certificates;
mod connecting;
mod middle;
mod reloading;
mod secret;
mod simulated;
mod traffic;
