//! A session of a terminal: a file with commands behind `$ `, and the output of each.
//!
//! A command `PROGRAM run PROFILE &` is a node, which runs until the session ends. The next command waits until the node
//! has joined the network.

use std::{
    ffi::OsStr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::program::{Program, shell};

/// Runs the commands of a session, with the programs of a directory, and returns the session with the new output.
/// Addresses in the commands become `address`. The nodes use a configuration file in the directory `home`.
///
/// # Panics
///
/// If a node does not start.
#[must_use]
pub fn replay(session: &str, programs: &Path, home: &Path, address: &str) -> String {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let search = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&search));
    let search = std::env::join_paths(search).expect("a path without colons");
    let config = home.join("config");
    let variables: [(&str, &OsStr); 3] = [
        ("PATH", &search),
        ("HOME", home.as_os_str()),
        ("PERL_ANYEVENT_MP_RC", config.as_os_str()),
    ];
    let (mut new, mut nodes) = (String::new(), Vec::new());
    for command in session.lines().filter_map(|line| line.strip_prefix("$ ")) {
        new += &format!("$ {command}\n");
        let command = command.replace("127.0.0.1:4040", address);
        match command.strip_suffix(" &") {
            Some(node) => nodes.push(start(node, &variables)),
            None => new += &shell(&command, &variables),
        }
    }
    new
}

fn start(node: &str, variables: &[(&str, &OsStr)]) -> Program {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {node}")]);
    let program = Program::of({
        command.envs(variables.iter().copied());
        command
    });
    let mut words = node.split(' ');
    let (name, profile) = (words.next().unwrap_or_default(), words.next_back());
    let (list, begun) = (format!("{name} nodes"), Instant::now());
    while !shell(&list, variables)
        .lines()
        .any(|line| Some(line) == profile)
    {
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(60), "{node} has not joined");
    }
    program
}
