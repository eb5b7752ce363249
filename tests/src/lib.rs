//! Common helpers of the tests.

pub mod api;
pub mod fuzz;
pub mod keeper;
pub mod recorder;
#[cfg(target_os = "linux")]
pub mod soak;
pub mod transcript;

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// An address of this machine without a listener, for a node that has to be known before it is started, or started
/// again.
///
/// A free port of 127.0.0.1 would not do: by the time that the node binds it, the system may have given it to another process's
/// outgoing connection. Where the whole of 127.0.0.0/8 is this machine's, each process takes addresses of its own.
///
/// # Panics
///
/// When the machine has no free port at all.
#[must_use]
pub fn free_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    let octet = |number: u32| (number % 250 + 2) as u8;
    for _ in 0..100 {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let own = Ipv4Addr::new(127, octet(process / 250), octet(process), octet(next));
        if let Ok(socket) = TcpListener::bind((IpAddr::V4(own), 4040)) {
            return socket.local_addr().expect("it is bound").to_string();
        }
    }
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("it is bound").to_string()
}

/// The examples of the repository's front page.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
