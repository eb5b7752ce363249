//! Node IDs made of the host's name and random texts ([protocol](aemp_proto::protocol::names#node-ids)).

use std::process::Command;

/// The host's name, as in `uname -n`, without the characters that node IDs cannot have. It is the default name of a
/// profile.
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

/// Runs `uname`. Without a file to read the name from, the standard library has no other way.
fn uname() -> Option<String> {
    let output = Command::new("uname").arg("-n").output().ok()?;
    String::from_utf8(output.stdout).ok()
}

/// Replaces the variable parts of a configured node ID: `%n` by the host's name, `%u` by a random text. The random text
/// is also appended to a trailing `/`.
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
