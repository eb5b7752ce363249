//! Unpublished: benches of the workspace, each measured beside its contenders in the same run.
//!
//! - `cargo bench -p aemp-benches --bench local`: ports within one process, beside a bare tokio
//!   task and four other actor frameworks.
//! - `cargo bench -p aemp-benches --bench remote`: two processes over loopback TCP, beside JSON
//!   written and parsed by hand.
//!
//! Options follow `--`; `--help` lists them. Figures of different runs do not compare: the
//! machine, its load and its clock differ. What compares is the ratio within one run, so every
//! repetition measures each contender once before the next repetition begins.

pub mod local;
mod options;
pub mod remote;

mod report;
mod runtime;
mod schedule;
