//! Unpublished: benches of the workspace, each measured beside its contenders in the same run.
//!
//! - `cargo bench -p aemp-benches --bench local`: ports within one process, beside a bare tokio
//!   task and four other actor frameworks.
//! - `cargo bench -p aemp-benches --bench life`: restarts, supervised children and hooks, beside two other frameworks.
//! - `cargo bench -p aemp-benches --bench waiting`: ports whose handlers wait, beside a bare task and two frameworks.
//! - `cargo bench -p aemp-benches --bench remote`: two processes over loopback TCP, in each format, beside the
//!   same packets without any framework.
//! - `cargo bench -p aemp-benches --bench database`: the distributed database between processes,
//!   beside the figures that the project has set itself.
//! - `cargo bench -p aemp-benches --bench codec`: single packets in each format, beside other crates.
//! - `cargo bench -p aemp-benches --bench stream`: streams of bytes beside raw TCP and messages.
//! - `cargo bench -p aemp-benches --bench growth`: the cost of a message against the number of ports, senders, connections,
//!   queued messages and monitors.
//! - `cargo bench -p aemp-benches --bench tls`: two nodes in clear and in TLS.
//! - `cargo bench -p aemp-benches --features work --bench work`: jobs, pools, topics and names, beside two other frameworks.
//!
//! Options follow `--`; `--help` lists them. Figures of different runs do not compare: the
//! machine, its load and its clock differ. Only ratios within one run can be compared, so every
//! repetition measures each contender once before the next repetition begins.

pub mod appended;
mod bench;
pub mod database;
mod erlang;
pub mod growth;
pub mod life;
pub mod local;
pub mod noise;
mod options;
pub mod pair;
pub mod remote;

mod report;
mod resident;
mod runtime;
mod schedule;
pub mod waiting;
#[cfg(feature = "work")]
pub mod work;
