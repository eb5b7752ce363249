//! Node IDs made of the host's name and random texts ([protocol](aemp_proto::protocol::names#node-ids)).

use std::process::Command;

/// The host's name, as `uname -n` has it, without what a node ID could not hold. The default name of a profile.
///
/// ```
/// assert!(!aemp::config::host_name().is_empty());
/// ```
#[must_use]
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .or_else(uname)
        .unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c))
        .collect();
    if name.is_empty() { "node".into() } else { name }
}

/// Where there is no file to read it from, the standard library has no other way.
fn uname() -> Option<String> {
    let output = Command::new("uname").arg("-n").output().ok()?;
    String::from_utf8(output.stdout).ok()
}

/// A node ID as configured, with `%n` replaced by the host's name, and `%u` and the end behind a trailing `/` by a random
/// text.
///
/// ```
/// use aemp::config::expand_node_id;
///
/// assert_eq!(expand_node_id("worker/", "host", "x7"), "worker/x7");
/// assert_eq!(expand_node_id("%n/%u", "host", "x7"), "host/x7");
/// ```
#[must_use]
pub fn expand_node_id(configured: &str, host: &str, random: &str) -> String {
    let mut id = configured.replace("%n", host).replace("%u", random);
    if id.ends_with('/') {
        id.push_str(random);
    }
    id
}
