//! Erlang's distribution, whose side of the workloads is `erlang/bench.erl`. Its format is its own, so it is measured once:
//! beside postcard, which is the format between programs of one language here.
//!
//! The nodes know each other's port beforehand (`-erl_epmd_port`), so that no daemon of ports is started.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;

use crate::erlang::{command, figure};
use crate::remote::codec::Codec;
use crate::remote::workloads::{Sizes, Workload};
use crate::runtime;

const COMMON: &str = "-start_epmd false -setcookie bench -erl_epmd_port";

/// Turns this process into the virtual machine of the service, so that it ends when the bench kills this process. The
/// script announces the port when it is ready.
pub(super) fn serve(_: Codec) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("loopback has free ports").port().to_string();
    let flags = format!("-name server@127.0.0.1 {COMMON} {port}");
    let failed = command(runtime::usual_workers(), &flags)
        .args(["serve", &port])
        .exec();
    panic!("escript does not start: {failed}");
}

/// The process of a client. NaN if Erlang does not have the workload.
pub(super) fn measure(_: Codec, port: &str, workload: Workload, sizes: Sizes, _: u32) -> f64 {
    let Some((name, counts)) = sizes.counts(workload) else {
        return f64::NAN;
    };
    let flags = format!("-name client@127.0.0.1 -dist_listen false {COMMON} {port}");
    let mut command = command(runtime::usual_workers(), &flags);
    command.args(["client", name]);
    command.args(counts.iter().map(u64::to_string));
    figure(command).unwrap_or(f64::NAN)
}

/// True if Erlang is measured in this row.
pub(super) fn has(codec: Codec, workload: Workload) -> bool {
    codec == Codec::Postcard && Sizes::choose(true).counts(workload).is_some()
}
