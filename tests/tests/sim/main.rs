//! The simulator: random schedules of faults against the protocol's guarantees, and user ports in simulated networks.

mod checks;
mod database;
mod guarantee;
mod nodes;
mod pairs;
mod plan;
mod run;
mod schedules;
