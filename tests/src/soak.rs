//! A soak test: a node in a process of its own is attacked by a misbehaving peer while honest ones use it.
//!
//! There are four kinds of processes, all of them the program `aemp-soak`: the *victim* ([`victim`]), two *friends* that count and time
//! what they are served ([`friend`]), an *attacker* that speaks the protocol by hand ([`attack`]), and the conductor, which is whoever
//! calls [`conduct()`]. Each [`Scenario`] has a fresh victim and fresh friends; phases without and with the attack take turns.
//!
//! What is checked in any case: nothing is lost for the friends (numbered messages both ways, under monitors), all their calls are
//! answered, newcomers get in during and after the attack, the victim's memory stays within the scenario's bound, its
//! descriptors come back, it tells what happened, and not too much of it, and it never panics. Latency is told, and checked on demand only:
//! on a machine that has something else to do it means nothing.

pub mod attack;
mod conduct;
pub mod friend;
mod friends;
mod logs;
pub mod options;
mod process;
mod report;
mod scenario;
mod system;
pub mod victim;

pub use self::{
    conduct::{Plan, conduct},
    report::{Latency, Outcome},
    scenario::{SCENARIOS, Scenario},
    system::raise_descriptor_limit,
};

use logs::log as logs;

/// What the victim and its friends share, and the attacker has got hold of.
pub(crate) const SECRET: &str = "between friends";
