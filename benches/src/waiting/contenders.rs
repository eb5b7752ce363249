//! The contenders. A contender is a module that implements [`Framework`](super::framework::Framework), and a line here.

mod aemp;
mod kameo;
mod ractor;
mod tokio_mpsc;

use crate::report::Role;
use crate::schedule::Contender;
use crate::waiting::workloads::{Workload, measure};

type Measure = fn(Workload) -> f64;

pub(crate) const CONTENDERS: &[Contender<Measure>] = &[
    Contender::new("aemp", Role::Subject, measure::<aemp::Aemp>),
    Contender::new("tokio-mpsc", Role::Baseline, measure::<tokio_mpsc::Bare>),
    Contender::new("ractor", Role::Peer, measure::<ractor::Ractor>),
    Contender::new("kameo", Role::Peer, measure::<kameo::Kameo>),
];
