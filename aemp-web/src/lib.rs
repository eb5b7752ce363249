//! The observer of `aemp`: one page in the browser for a whole AnyEvent::MP network, with nothing to add to its nodes.
//!
//! `aemp observe` runs it ([`Observer`] does so in a program of yours). `aemp top` and `aemp trace` show the same data in a terminal:
//! the other modules are their common parts, and may change in every version.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod activity;
pub mod collect;
pub mod demo;
pub mod document;
pub mod looked;
pub mod network;
mod observer;
pub mod reference;
pub mod rows;
pub mod stamp;
pub mod tab;
pub mod table;
pub mod text;
pub mod topology;
pub mod traces;
mod tree;
pub mod waits;

pub use self::observer::Observer;
