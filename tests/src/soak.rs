//! A soak test: a node in a process of its own is attacked by a misbehaving peer while honest ones use it.
//!
//! There are four kinds of processes, all of them the program `aemp-soak`: the *victim* ([`victim`]), two *friends* that use it, count and measure ([`friend`]), an *attacker* that speaks the protocol by hand ([`attack`]), and the conductor, the process that calls
//! [`conduct()`]. Each [`Scenario`] has a fresh victim and fresh friends; phases without and with the attack take turns.
//!
//! Every scenario checks that the friends lose nothing (numbered messages both ways, under monitors), that all their calls are answered, that
//! newcomers are accepted during and after the attack, that the victim's memory stays within the scenario's bound, that its descriptors are
//! released, that it logs the attack, at a limited rate, and that it never panics. Latency is reported, and checked on demand only, because it is
//! meaningless on a busy machine. The decoy phases show the cost of an attack to the machine: attackers need processors too.

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

/// The secret of the victim and its friends, which the attacker has got hold of.
pub(crate) const SECRET: &str = "between friends";
