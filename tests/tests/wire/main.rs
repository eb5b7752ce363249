//! Recorded traffic of Perl AnyEvent::MP 2.01, replayed with a node of this project in the place of each recorded node.
//!
//! The nodes are driven with the bytes that were recorded: stories of the database by the sans-IO mesh (`replay`,
//! compared as states, because order and merging of changes are free), conversations of ports by whole nodes (`ports`,
//! compared packet by packet; a deviation of the contract from the reference is listed there with its reason),
//! the log catcher by whole nodes with its service and its layer (`logs`), handshakes by the handshake alone. `complete` lists the folder and fails for a recording that is neither replayed
//! nor excused. An action between two recorded steps is found by the packet that it caused and not by its time, so one
//! script serves for all formats.

mod auth;
mod complete;
mod conformance;
mod documents;
mod handshakes;
mod logs;
mod negotiation;
mod nodes;
mod packets;
mod ports;
mod replay;
mod tls;
