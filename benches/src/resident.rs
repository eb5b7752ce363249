//! The memory of a process, if the system reports it.

use std::fs;

/// The memory of this process in bytes; `None` if the system does not report it.
///
/// Counting in the allocator would need `unsafe`, which no crate here has. The resident set includes the waste of the
/// allocator, which users pay for as well.
pub(crate) fn resident() -> Option<f64> {
    kilobytes("/proc/self/status", "VmRSS:").map(|kilobytes| kilobytes as f64 * 1024.0)
}

/// The value of a line `NAME  123 kB` in a file of `/proc`.
pub(crate) fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
