//! The configuration: its file, its profiles, and nodes that are started with it.

mod binds;
mod common;
mod editing;
mod limits;
#[path = "../network/logs.rs"]
mod logs;
mod nodes;
mod parsing;
mod properties;
mod reference;
mod resolving;
mod saving;
mod secrets;
mod services;
