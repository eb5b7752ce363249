//! The contenders. A contender is a module that implements [`Remote`], and a line here; Erlang is a program of its own.

mod aemp;
mod erlang;
mod raw_tcp;

use crate::remote::codec::Codec;
use crate::remote::contender::Remote;
use crate::remote::processes;
use crate::remote::workloads::{Sizes, Workload};
use crate::report::Role;

/// A contender with its type erased.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// True if the contender has this row.
    pub(crate) has: fn(Codec, Workload) -> bool,
    /// The service's process.
    pub(crate) serve: fn(Codec),
    /// The process of a client, for any workload except the start.
    pub(crate) measure: fn(Codec, &str, Workload, Sizes, u32) -> f64,
    /// The process of a client that sends one message.
    pub(crate) hello: fn(Codec, &str),
    /// Measures the start of such processes.
    pub(crate) start: fn(&'static str, Codec, u64) -> Result<f64, String>,
}

pub(crate) const CONTENDERS: &[Contender] = &[
    Contender::new::<aemp::Aemp>("aemp", Role::Subject),
    Contender::new::<raw_tcp::Raw>("raw-tcp", Role::Baseline),
    Contender {
        name: crate::erlang::NAME,
        role: Role::Peer,
        has: erlang::has,
        serve: erlang::serve,
        measure: erlang::measure,
        hello: |_, _| {},
        start: |_, _, _| Err("Erlang's start is not measured".to_owned()),
    },
];

impl Contender {
    const fn new<R: Remote>(name: &'static str, role: Role) -> Self {
        Self {
            name,
            role,
            has: |_, _| true,
            serve: processes::serve::<R>,
            measure: processes::client::<R>,
            hello: processes::hello::<R>,
            start: processes::time_to_first_message::<R>,
        }
    }
}
