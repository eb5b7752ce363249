//! `aemp shell` with lines that come from a file, and `top` without a terminal.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use crate::{SECRET, network, processes::signal};

/// Runs the shell on these lines, in a network of `green` and `blue`.
fn shell(args: &[&str], lines: &str) -> Output {
    let runtime = Runtime::new().expect("a runtime");
    let (green, _blue) = runtime.block_on(network());
    let mut command = Command::new(env!("CARGO_BIN_EXE_aemp"));
    let command = command
        .args(args)
        .env("PERL_ANYEVENT_MP_RC", "/nowhere/rc")
        .env("AEMP_SEEDS", &green.listeners()[0])
        .env("AEMP_SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = command.spawn().expect("the command starts");
    let mut input = process.stdin.take().expect("it is piped");
    input.write_all(lines.as_bytes()).expect("it reads");
    drop(input);
    process.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn lines_are_commands_of_one_node() {
    let lines = "# one node does all of this\n\
                 nodes\n\
                 cal green#counter get\n\
                 \n\
                 snd green#counter inc 5\n\
                 --json cal green#counter get\n\
                 db set lights attic [\"on\", {\"a b\": 1}]\n\
                 db get lights attic";
    let done = shell(&["shell"], lines);
    let expected = "blue\ngreen\n5\nmessage sent successfully\n[10]\nlights attic is set\n[\"on\",{\"a b\":1}]\n";
    assert_eq!((&*text(&done.stdout), &*text(&done.stderr)), (expected, ""));
    assert_eq!(done.status.code(), Some(0));
}

#[test]
fn short_names_are_those_of_a_node() {
    let lines = "cal #counter get\n--json ports . --most 0\nnode blue\nports .\nnode\ncal #counter get\nquit\nnodes\n";
    let done = shell(&["shell", "green"], lines);
    let (out, err) = (text(&done.stdout), text(&done.stderr));
    let mut shown = out.lines();
    assert_eq!(shown.next(), Some("5"));
    assert!(
        shown
            .next()
            .is_some_and(|line| line.starts_with(r#"{"total":1,"#)),
        "{out}"
    );
    assert!(
        shown.next().is_some_and(|line| line.starts_with("0 ports")),
        "{out}"
    );
    assert!(!out.contains("green"), "{out}");
    assert!(err.contains("names no node"), "{err}");
}

#[test]
fn errors_do_not_end_it_and_the_first_is_the_status() {
    let lines = "nodes extra words\nsnd 'a b\ncal green#nobody get\nshell\nrun\nhelp\ncal green#counter get\n";
    let done = shell(&["shell"], lines);
    let (out, err) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(2), "{err}");
    assert!(err.contains("error: a ' is not closed: 'a b"), "{err}");
    assert!(err.contains("error: green#nobody: no_such_port"), "{err}");
    assert!(err.contains("unrecognized subcommand 'shell'"), "{err}");
    assert!(err.contains("unrecognized subcommand 'run'"), "{err}");
    assert!(
        out.contains("The shell's own:") && !out.contains("  run "),
        "{out}"
    );
    assert!(out.ends_with("\n5\n"), "{out}");
}

#[test]
fn with_json_errors_are_documents() {
    let done = shell(&["--json", "shell"], "snd '\ncal nobody#x get\nwhat\n");
    let error = text(&done.stderr);
    let documents: Vec<serde_json::Value> = error
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let statuses: Vec<_> = documents
        .iter()
        .map(|document| document["status"].as_i64())
        .collect();
    assert_eq!(statuses, [Some(2), Some(1), Some(2)], "{error}");
}

#[test]
fn a_network_that_cannot_be_joined_ends_it() {
    let done = Command::new(env!("CARGO_BIN_EXE_aemp"))
        .args(["-s", "127.0.0.1:1", "--timeout", "0.5", "shell"])
        .env("PERL_ANYEVENT_MP_RC", "/nowhere/rc")
        .env("AEMP_SECRET", SECRET)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(done.status.code(), Some(4), "{}", text(&done.stderr));
}

#[test]
#[cfg(unix)]
fn a_signal_ends_it_in_order() {
    let runtime = Runtime::new().expect("a runtime");
    let (green, _blue) = runtime.block_on(network());
    let mut process = Command::new(env!("CARGO_BIN_EXE_aemp"))
        .arg("shell")
        .env("PERL_ANYEVENT_MP_RC", "/nowhere/rc")
        .env("AEMP_SEEDS", &green.listeners()[0])
        .env("AEMP_SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    let nodes = |count| {
        while green.up_nodes().len() != count {
            assert!(Instant::now() < deadline, "{:?}", green.up_nodes());
            thread::sleep(Duration::from_millis(5));
        }
    };
    nodes(2);
    signal(process.id(), "-TERM");
    // Otherwise `wait` would close it, and the shell would also see the end of its input.
    let _input = process.stdin.take();
    assert_eq!(process.wait().expect("it ends").code(), Some(128 + 15));
    nodes(1);
}

/// A pseudo-terminal without a user: its master, and the file that processes use.
#[cfg(unix)]
fn terminal() -> (std::os::fd::OwnedFd, std::fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let mut file = std::fs::File::options();
    let slave = file
        .read(true)
        .write(true)
        .open(name.to_str().expect("a path"));
    (master, slave.expect("it opens"))
}

#[test]
#[cfg(unix)]
fn a_signal_leaves_the_terminal_as_it_was() {
    use rustix::termios::{LocalModes, tcgetattr};

    let runtime = Runtime::new().expect("a runtime");
    let (green, _blue) = runtime.block_on(network());
    let (_master, terminal) = terminal();
    let end = || terminal.try_clone().expect("a file");
    let mut process = Command::new(env!("CARGO_BIN_EXE_aemp"))
        .arg("shell")
        .env("PERL_ANYEVENT_MP_RC", "/nowhere/rc")
        .env("AEMP_HISTORY", "/nowhere/history")
        .env("AEMP_SEEDS", &green.listeners()[0])
        .env("AEMP_SECRET", SECRET)
        .env("TERM", "xterm")
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .expect("it starts");
    let modes = || tcgetattr(&terminal).expect("a terminal").local_modes;
    let before = modes();
    let edits = || !modes().contains(LocalModes::ICANON);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !edits() {
        assert!(Instant::now() < deadline, "no line is edited");
        thread::sleep(Duration::from_millis(5));
    }
    signal(process.id(), "-TERM");
    assert_eq!(process.wait().expect("it ends").code(), Some(128 + 15));
    assert_eq!(modes(), before);
}

#[test]
fn top_needs_a_terminal() {
    let done = Command::new(env!("CARGO_BIN_EXE_aemp"))
        .arg("top")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).starts_with("error: `top` needs a terminal"));
}
