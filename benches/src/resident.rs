//! What a process takes of the machine's memory, where the system tells.

use std::fs;

/// Bytes of memory that the process has in use, or nothing where the system does not tell.
///
/// Counting in the allocator would need `unsafe`, which no crate here has. The resident set
/// counts what the allocator wastes as well, which is what a user pays.
pub(crate) fn resident() -> Option<f64> {
    kilobytes("/proc/self/status", "VmRSS:").map(|kilobytes| kilobytes as f64 * 1024.0)
}

/// A line `NAME  123 kB` of a file that only Linux has.
pub(crate) fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
