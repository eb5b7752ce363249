//! The contenders. A contender is a module that implements [`Framework`], and a line here; Erlang is a program of its own.

mod actix;
mod aemp;
mod erlang;
mod kameo;
mod ractor;
mod tokio_mpsc;
mod xtra;

use crate::local::framework::Framework;
use crate::local::memory;
use crate::local::workloads::{self, Sizes, Workload};
use crate::report::Role;

/// A framework with its type erased.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Measures any workload except memory. `None` if the contender does not have it.
    pub(crate) measure: fn(Workload, Sizes) -> Option<f64>,
    /// Measures memory. It needs a fresh process.
    pub(crate) idle: fn(u64) -> Option<f64>,
}

pub(crate) const CONTENDERS: &[Contender] = &[
    Contender::new::<aemp::Aemp>("aemp", Role::Subject),
    Contender::new::<tokio_mpsc::Bare>("tokio-mpsc", Role::Baseline),
    Contender::new::<ractor::Ractor>("ractor", Role::Peer),
    Contender::new::<kameo::Kameo>("kameo", Role::Peer),
    Contender::new::<actix::Actix<2>>("actix", Role::Peer),
    Contender::new::<actix::Actix<1>>("actix-1", Role::Aside),
    Contender::new::<xtra::Xtra>("xtra", Role::Peer),
    Contender {
        name: crate::erlang::NAME,
        role: Role::Peer,
        measure: erlang::measure,
        idle: erlang::idle,
    },
];

impl Contender {
    const fn new<F: Framework>(name: &'static str, role: Role) -> Self {
        Self {
            name,
            role,
            measure: |workload, sizes| Some(workloads::measure::<F>(workload, sizes)),
            idle: memory::idle::<F>,
        }
    }
}
