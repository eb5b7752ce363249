//! Commands that change the configuration file at the same time, as the scripts of an installation do.

use std::{
    fs::{self, File},
    process::{Child, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::processes::{aemp, printed};

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = aemp(args);
        command.env("PERL_ANYEVENT_MP_RC", self.0.path().join("rc"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the command starts")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.path().join("rc")).expect("it is there")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("it can be listed");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("an entry").file_name().into_string()
        };
        let mut names: Vec<_> = entries.map(|entry| name(entry).expect("a text")).collect();
        names.sort();
        names
    }
}

fn end(child: Child) {
    printed(&child.wait_with_output().expect("it ends"));
}

#[test]
fn nothing_is_lost() {
    for count in [2, 2, 2, 30] {
        let home = Home::new();
        let start = |n| {
            let (profile, id) = (format!("p{n}"), format!("node{n}"));
            home.start(&["profile", &profile, "setnodeid", &id])
        };
        let writers: Vec<_> = (0..count).map(start).collect();
        writers.into_iter().for_each(end);
        let text = home.text();
        for n in 0..count {
            assert!(text.contains(&format!("\"node{n}\"")), "{n}: {text}");
        }
        assert_eq!(home.names(), ["rc", "rc~"]);
    }
}

/// Elements of one list, and of the top level.
#[test]
fn changes_of_one_list_add_up() {
    let home = Home::new();
    let start = |n| home.start(&["addseed", &format!("10.0.0.{n}:4040")]);
    let writers: Vec<_> = (1..=10).map(start).collect();
    writers.into_iter().for_each(end);
    let text = home.text();
    for n in 1..=10 {
        assert!(text.contains(&format!("10.0.0.{n}:4040")), "{n}: {text}");
    }
}

/// A command waits for another, and then does its work on the result of the other.
#[test]
fn the_second_waits_for_the_first() {
    let home = Home::new();
    let lock = File::create(home.0.path().join("rc~lock")).expect("it can be made");
    lock.lock().expect("it can be locked");
    let mut second = home.start(&["setnodeid", "second"]);
    // One that only looks does not wait.
    end(home.start(&["showconfig", "p"]));
    assert!(second.try_wait().expect("it can be asked").is_none());
    fs::write(home.0.path().join("rc"), r#"{"secret":"of the first"}"#).expect("it is written");
    drop(lock);
    end(second);
    let text = home.text();
    assert!(text.contains("second") && text.contains("of the first"));
}

/// It does not wait for ever, and names the lock that it has waited for.
#[test]
#[ignore = "it waits for twenty seconds: `-- --ignored`"]
fn a_lock_that_is_never_released_is_an_error() {
    let home = Home::new();
    let lock = File::create(home.0.path().join("rc~lock")).expect("it can be made");
    lock.lock().expect("it can be locked");
    let before = std::time::Instant::now();
    let output = home.start(&["setnodeid", "x"]).wait_with_output();
    let output = output.expect("it ends");
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("rc~lock"), "{error}");
    assert!(before.elapsed() >= Duration::from_secs(20));
}
