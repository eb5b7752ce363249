//! `@NAME` in the place of a port or a node.

use std::process::Stdio;

use crate::processes::{Running, aemp, printed};

#[test]
fn a_name_of_the_network_stands_for_its_port() {
    let node = Running::start(&["nodeid", "green", "services", "Aemp::echo"]);
    let run = |args: &[&str]| {
        let mut command = aemp(&["-s", &node.address]);
        command.args(args).output().expect("the command runs")
    };
    let port = printed(&run(&["spawn", "green", "Aemp::echo"]));
    // As a program in any language would claim it.
    let claim = format!("[1,\"{port}\"]");
    let entry = ["Aemp::name::my__log", "here#claim", &claim];
    let mut set = aemp(&["-s", &node.address]);
    let set = set.args(["db", "set"]).args(entry);
    // The entry lasts as long as this command. The others wait for it.
    let mut set = set.stdout(Stdio::null()).spawn().expect("it starts");
    assert_eq!(printed(&run(&["cal", "@my_log", "hello"])), "\"hello\"");
    assert_eq!(
        printed(&run(&["snd", "@my_log", "hello"])),
        "message sent successfully"
    );
    let other = printed(&run(&["spawn", "@my_log", "Aemp::echo"]));
    assert!(other.starts_with("green#"), "{other}");
    set.kill().expect("it runs");
    set.wait().expect("it ends");

    let nobody = run(&["--timeout", "1", "cal", "@nobody", "hello"]);
    assert_eq!(nobody.status.code(), Some(1));
    let error = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(
        error.contains("no port has the name \"nobody\" within 1 s"),
        "{error}"
    );
}
