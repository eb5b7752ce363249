//! The simulator: random schedules of faults against the protocol's guarantees, and user ports in simulated networks.
//!
//! A schedule is a network, some nodes and up to 80 operations, all drawn from one number. proptest shrinks a failing
//! one, and its number goes into a list that is always run. Every step checks delivery (`aemp_proto::protocol::monitors`, "The guarantee": numbered
//! messages for each sender and port, in epochs that end when the monitor fires), that monitors fire at most once and
//! never for a connection that was lost before they were set, that node up and down alternate, that each pair has one
//! connection, and the reports of watches. The end, three times `monitor_timeout` after the last fault, checks that
//! monitors of everything dead have fired, that all nodes reach each other and see the same database, and that nothing
//! of dead nodes is left.

mod checks;
mod database;
mod guarantee;
mod nodes;
mod pairs;
mod plan;
mod run;
mod schedules;
