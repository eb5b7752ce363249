//! The contenders. A contender is a module that implements [`Framework`], and a line here.

mod aemp;
mod kameo;
mod ractor;
mod tokio_mpsc;

use crate::report::Role;
use crate::waiting::framework::Framework;
use crate::waiting::workloads::{self, Workload};

/// A framework with its type erased.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) measure: fn(Workload) -> f64,
}

pub(crate) const CONTENDERS: &[Contender] = &[
    Contender::new::<aemp::Aemp>("aemp", Role::Subject),
    Contender::new::<tokio_mpsc::Bare>("tokio-mpsc", Role::Baseline),
    Contender::new::<ractor::Ractor>("ractor", Role::Peer),
    Contender::new::<kameo::Kameo>("kameo", Role::Peer),
];

impl Contender {
    const fn new<F: Framework>(name: &'static str, role: Role) -> Self {
        Self {
            name,
            role,
            measure: workloads::measure::<F>,
        }
    }
}
