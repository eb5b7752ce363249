//! The whole node: who connects to whom, which connection counts, node up and down.

mod output;

pub use output::{Level, Output};
